/*
 * A Redis hash in one stretch of bytes, made once and then searched in place,
 * also in shared memory: a count, the places of the fields in order of their
 * names, the fields. Needs no alignment beyond four bytes.
 */

#ifndef LP_FIELDS_H
#define LP_FIELDS_H

#include <stdint.h>

#include "span.h"

#define LP_FIELD_NAME_MAX  64   /* no name that is asked for is longer */
#define LP_FIELD_VALUE_MAX 4096 /* longer values are cut: nothing reads them */

typedef struct {
    lp_span_t name;
    lp_span_t value;
} lp_field_t;

/* Bytes that lp_fields_pack() writes at most for these fields. */
size_t lp_fields_size(const lp_field_t *fields, size_t n);

/*
 * Packs fields into dst and returns the bytes written. Sorts the array.
 * Fields with longer names than LP_FIELD_NAME_MAX are left out, values cut.
 */
size_t lp_fields_pack(char *dst, lp_field_t *fields, size_t n);

/* How many fields there are. An empty span holds none. */
uint32_t lp_fields_count(lp_span_t packed);

/* The i-th field in order of names; i < lp_fields_count(). */
lp_field_t lp_fields_at(lp_span_t packed, uint32_t i);

/* The value of a field; data NULL where there is no such field. */
lp_span_t lp_fields_find(lp_span_t packed, lp_span_t name);

#endif
