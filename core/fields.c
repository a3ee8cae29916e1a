/*
 * Packed hashes: see fields.h. A field is its name's length (one byte), its
 * value's length (two bytes), the name, the value. The packer is the only
 * writer, so readers trust the lengths.
 */

#include "fields.h"

#include <stdlib.h>

#define LP_FIELD_HEAD 3

static int lp_fields_order(const void *a, const void *b);
static int lp_fields_compare(lp_span_t a, lp_span_t b);


size_t
lp_fields_size(const lp_field_t *fields, size_t n)
{
    size_t i, size;

    size = sizeof(uint32_t);

    for (i = 0; i < n; i++) {
        size += sizeof(uint32_t) + LP_FIELD_HEAD + fields[i].name.len
                + (fields[i].value.len < LP_FIELD_VALUE_MAX
                   ? fields[i].value.len : LP_FIELD_VALUE_MAX);
    }

    return size;
}


size_t
lp_fields_pack(char *dst, lp_field_t *fields, size_t n)
{
    char    *p;
    size_t   i, kept;
    uint16_t len;
    uint32_t count, at;

    kept = 0;
    for (i = 0; i < n; i++) {
        if (fields[i].name.len <= LP_FIELD_NAME_MAX) {
            fields[kept++] = fields[i];
        }
    }

    qsort(fields, kept, sizeof(lp_field_t), lp_fields_order);

    count = (uint32_t) kept;
    memcpy(dst, &count, sizeof(count));
    p = dst + (kept + 1) * sizeof(uint32_t);

    for (i = 0; i < kept; i++) {
        at = (uint32_t) (p - dst);
        memcpy(dst + (i + 1) * sizeof(at), &at, sizeof(at));

        len = fields[i].value.len < LP_FIELD_VALUE_MAX
              ? (uint16_t) fields[i].value.len : LP_FIELD_VALUE_MAX;

        *p = (char) fields[i].name.len;
        memcpy(p + 1, &len, sizeof(len));
        p += LP_FIELD_HEAD;

        memcpy(p, fields[i].name.data, fields[i].name.len);
        p += fields[i].name.len;

        memcpy(p, fields[i].value.data, len);
        p += len;
    }

    return (size_t) (p - dst);
}


uint32_t
lp_fields_count(lp_span_t packed)
{
    uint32_t count;

    if (packed.len < sizeof(count)) {
        return 0;
    }

    memcpy(&count, packed.data, sizeof(count));

    return count;
}


lp_field_t
lp_fields_at(lp_span_t packed, uint32_t i)
{
    uint16_t    len;
    uint32_t    at;
    lp_field_t  field;
    const char *p;

    memcpy(&at, packed.data + (i + 1) * sizeof(at), sizeof(at));
    p = packed.data + at;

    memcpy(&len, p + 1, sizeof(len));

    field.name.len = (unsigned char) *p;
    field.name.data = p + LP_FIELD_HEAD;
    field.value.len = len;
    field.value.data = field.name.data + field.name.len;

    return field;
}


lp_span_t
lp_fields_find(lp_span_t packed, lp_span_t name)
{
    int        order;
    uint32_t   low, high, middle;
    lp_field_t field;

    low = 0;
    high = lp_fields_count(packed);

    while (low < high) {
        middle = low + (high - low) / 2;
        field = lp_fields_at(packed, middle);
        order = lp_fields_compare(name, field.name);

        if (order == 0) {
            return field.value;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }

    return (lp_span_t) {NULL, 0};
}


static int
lp_fields_order(const void *a, const void *b)
{
    return lp_fields_compare(((const lp_field_t *) a)->name,
                             ((const lp_field_t *) b)->name);
}


/* Any fixed order serves; by length first is the quickest. */
static int
lp_fields_compare(lp_span_t a, lp_span_t b)
{
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }

    return a.len == 0 ? 0 : memcmp(a.data, b.data, a.len);
}
