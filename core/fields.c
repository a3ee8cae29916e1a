/*
 * Packed hashes: the number of fields, a table of places, the fields. A field
 * is its name's length (one byte), its value's length (two bytes), the name,
 * the value. Its place in the table is found by the hash of its name; where
 * that is taken, the next free one after it.
 *
 * A lookup touches one place and one field, two cold cache lines; searching
 * sorted names by halves touches one for each step, and sorting took longer
 * than all the rest of packing. The packer is the only writer, so readers trust
 * the lengths.
 */

#include "fields.h"

#define LP_FIELD_HEAD 3

/* What stands in front; `mask` places and one more follow. */
typedef struct {
    uint32_t count;
    uint32_t mask;
} lp_fields_head_t;

static uint32_t lp_fields_mask(size_t n);
static uint32_t lp_fields_hash(lp_span_t name);
static uint32_t lp_fields_place(const char *packed, uint32_t i);
static void lp_fields_put(char *packed, uint32_t mask, lp_span_t name,
                          uint32_t at);
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

    p = dst + sizeof(head);
    memset(p, 0, (head.mask + (size_t) 1) * sizeof(uint32_t));
    p += (head.mask + (size_t) 1) * sizeof(uint32_t);

    for (i = 0; i < n; i++) {
        name = fields[i].name;

        if (name.len > LP_FIELD_NAME_MAX) {
            continue;
        }

        lp_fields_put(dst, head.mask, name, (uint32_t) (p - dst));
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
    uint32_t         i, at;
    lp_field_t       field;
    lp_fields_head_t head;

    if (packed.len < sizeof(head)) {
        return (lp_span_t) {NULL, 0};
    }

    memcpy(&head, packed.data, sizeof(head));

    for (i = lp_fields_hash(name) & head.mask;
         (at = lp_fields_place(packed.data, i)) != 0;
         i = (i + 1) & head.mask)
    {
        field = lp_fields_read(packed.data + at);

        if (lp_span_equal(field.name, name)) {
            return field.value;
        }
    }

    return (lp_span_t) {NULL, 0};
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


static void
lp_fields_put(char *packed, uint32_t mask, lp_span_t name, uint32_t at)
{
    uint32_t i;

    i = lp_fields_hash(name) & mask;
    while (lp_fields_place(packed, i) != 0) {
        i = (i + 1) & mask;
    }

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
