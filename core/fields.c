/*
 * Packed hashes: the number of fields, a table of places, the fields. A field
 * is its name's length (one byte), its value's length (two bytes), the name,
 * the value. Its place in the table is found by the hash of its name; where
 * that is taken, the next free one after it.
 *
 * A place says where the field begins, and in the bits that this leaves over
 * what its name's hash begins with: most of them, for a pupil's rights. So a
 * lookup passes over other fields without touching them; and a name that is not
 * there, as "!" is not for most pupils, costs no field at all instead of three.
 *
 * A lookup touches one place and one field, two cold cache lines; searching
 * sorted names by halves touches one for each step, and sorting took longer
 * than all the rest of packing. The packer is the only writer, so readers trust
 * the lengths.
 */

#include "fields.h"

#define LP_FIELD_HEAD 3
#define LP_FIELD_LINE 63 /* a right's field lies in one cache line or two */

/* What stands in front; `mask` places and one more follow. */
typedef struct {
    uint32_t count;
    uint32_t mask;
    uint32_t reach; /* the bits of a place that say where its field begins */
} lp_fields_head_t;

static uint32_t lp_fields_mask(size_t n);
static uint32_t lp_fields_reach(size_t size);
static uint32_t lp_fields_hash(lp_span_t name);
static uint32_t lp_fields_place(const char *packed, uint32_t i);
static uint32_t lp_fields_seek(const char *packed,
                               const lp_fields_head_t *head, uint32_t hash,
                               uint32_t *i);
static void lp_fields_put(char *packed, const lp_fields_head_t *head,
                          lp_span_t name, uint32_t at);
static lp_field_t lp_fields_read(const char *p);


size_t
lp_fields_size(const lp_field_t *fields, size_t n)
{
    size_t i, size;

    size = sizeof(lp_fields_head_t)
           + (lp_fields_mask(n) + (size_t) 1) * sizeof(uint32_t);

    for (i = 0; i < n; i++) {
        size += LP_FIELD_HEAD + fields[i].name.len
                + (fields[i].value.len < LP_FIELD_VALUE_MAX
                   ? fields[i].value.len : LP_FIELD_VALUE_MAX);
    }

    return size;
}


size_t
lp_fields_pack(char *dst, const lp_field_t *fields, size_t n)
{
    char            *p;
    size_t           i;
    uint16_t         len;
    lp_span_t        name;
    lp_fields_head_t head;

    head.count = 0;
    head.mask = lp_fields_mask(n);
    head.reach = lp_fields_reach(lp_fields_size(fields, n));

    p = dst + sizeof(head);
    memset(p, 0, (head.mask + (size_t) 1) * sizeof(uint32_t));
    p += (head.mask + (size_t) 1) * sizeof(uint32_t);

    for (i = 0; i < n; i++) {
        name = fields[i].name;

        if (name.len > LP_FIELD_NAME_MAX) {
            continue;
        }

        lp_fields_put(dst, &head, name, (uint32_t) (p - dst));
        head.count++;

        len = fields[i].value.len < LP_FIELD_VALUE_MAX
              ? (uint16_t) fields[i].value.len : LP_FIELD_VALUE_MAX;

        *p = (char) name.len;
        memcpy(p + 1, &len, sizeof(len));
        p += LP_FIELD_HEAD;

        memcpy(p, name.data, name.len);
        p += name.len;

        memcpy(p, fields[i].value.data, len);
        p += len;
    }

    memcpy(dst, &head, sizeof(head));

    return (size_t) (p - dst);
}


uint32_t
lp_fields_count(lp_span_t packed)
{
    lp_fields_head_t head;

    if (packed.len < sizeof(head)) {
        return 0;
    }

    memcpy(&head, packed.data, sizeof(head));

    return head.count;
}


int
lp_fields_next(lp_span_t packed, size_t *at, lp_field_t *field)
{
    lp_fields_head_t head;

    if (*at == 0 && packed.len >= sizeof(head)) {
        memcpy(&head, packed.data, sizeof(head));
        *at = sizeof(head) + (head.mask + (size_t) 1) * sizeof(uint32_t);
    }

    if (*at + LP_FIELD_HEAD > packed.len) {
        return 0;
    }

    *field = lp_fields_read(packed.data + *at);
    *at += LP_FIELD_HEAD + field->name.len + field->value.len;

    return 1;
}


lp_span_t
lp_fields_find(lp_span_t packed, lp_span_t name)
{
    uint32_t         i, at, hash;
    lp_field_t       field;
    lp_fields_head_t head;

    if (packed.len < sizeof(head)) {
        return (lp_span_t) {NULL, 0};
    }

    memcpy(&head, packed.data, sizeof(head));

    hash = lp_fields_hash(name);
    i = hash & head.mask;

    while ((at = lp_fields_seek(packed.data, &head, hash, &i)) != 0) {
        field = lp_fields_read(packed.data + at);

        if (lp_span_equal(field.name, name)) {
            return field.value;
        }
    }

    return (lp_span_t) {NULL, 0};
}


void
lp_fields_expect(lp_span_t packed, lp_span_t name)
{
    uint32_t         i, at, hash;
    lp_fields_head_t head;

    if (packed.len < sizeof(head)) {
        return;
    }

    memcpy(&head, packed.data, sizeof(head));

    hash = lp_fields_hash(name);
    i = hash & head.mask;
    at = lp_fields_seek(packed.data, &head, hash, &i);

    if (at != 0) {
        __builtin_prefetch(packed.data + at);
        __builtin_prefetch(packed.data + at + LP_FIELD_LINE);
    }
}


/* At least a third of the places stays free, so that every search ends. */
static uint32_t
lp_fields_mask(size_t n)
{
    uint32_t places;

    places = 2;
    while (places < n + n / 2 + 1) {
        places *= 2;
    }

    return places - 1;
}


/* The bits that the places of size bytes need. */
static uint32_t
lp_fields_reach(size_t size)
{
    uint32_t reach;

    reach = 0;
    while (reach < size && reach != UINT32_MAX) {
        reach = reach * 2 + 1;
    }

    return reach;
}


static uint32_t
lp_fields_hash(lp_span_t name)
{
    size_t   i;
    uint64_t h, word;

    h = name.len;

    for (i = 0; i + 8 <= name.len; i += 8) {
        memcpy(&word, name.data + i, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
        h ^= h >> 32;
    }

    word = 0;
    if (i < name.len) {
        memcpy(&word, name.data + i, name.len - i);
    }

    h = (h ^ word) * 0x9e3779b97f4a7c15ULL;

    return (uint32_t) (h >> 32);
}


static uint32_t
lp_fields_place(const char *packed, uint32_t i)
{
    uint32_t at;

    memcpy(&at, packed + sizeof(lp_fields_head_t) + i * sizeof(at),
           sizeof(at));

    return at;
}


/*
 * Where the next field begins whose name may have this hash, from place *i on,
 * which moves behind it; 0: there is none.
 */
static uint32_t
lp_fields_seek(const char *packed, const lp_fields_head_t *head, uint32_t hash,
               uint32_t *i)
{
    uint32_t place;

    while ((place = lp_fields_place(packed, *i)) != 0) {
        *i = (*i + 1) & head->mask;

        if (((place ^ hash) & ~head->reach) == 0) {
            return place & head->reach;
        }
    }

    return 0;
}


static void
lp_fields_put(char *packed, const lp_fields_head_t *head, lp_span_t name,
              uint32_t at)
{
    uint32_t i, hash;

    hash = lp_fields_hash(name);
    i = hash & head->mask;

    while (lp_fields_place(packed, i) != 0) {
        i = (i + 1) & head->mask;
    }

    at |= hash & ~head->reach;
    memcpy(packed + sizeof(lp_fields_head_t) + i * sizeof(at), &at,
           sizeof(at));
}


static lp_field_t
lp_fields_read(const char *p)
{
    uint16_t   len;
    lp_field_t field;

    memcpy(&len, p + 1, sizeof(len));

    field.name.len = (unsigned char) *p;
    field.name.data = p + LP_FIELD_HEAD;
    field.value.len = len;
    field.value.data = field.name.data + field.name.len;

    return field;
}
