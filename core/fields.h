/*
 * A Redis hash in one stretch of bytes, made once and then searched in place,
 * also in shared memory. Needs no alignment.
 */

#ifndef LP_FIELDS_H
#define LP_FIELDS_H

#include <stdint.h>

#include "span.h"

#define LP_FIELD_NAME_MAX  65   /* no name that is asked for is longer */
#define LP_FIELD_VALUE_MAX 4096 /* longer values are cut: nothing reads them */

typedef struct {
    lp_span_t name;
    lp_span_t value;
} lp_field_t;

/* Bytes that lp_fields_pack() writes at most for these fields. */
size_t lp_fields_size(const lp_field_t *fields, size_t n);

/*
 * Packs n fields, fewer than 2^24, into dst and returns the bytes written.
 * Those with longer names than LP_FIELD_NAME_MAX are left out, values cut.
 */
size_t lp_fields_pack(char *dst, const lp_field_t *fields, size_t n);

/* How many fields there are. An empty span holds none. */
uint32_t lp_fields_count(lp_span_t packed);

/*
 * Goes through all fields, in the order in which they were packed. *at is 0
 * at first and kept between the calls. Returns 1 with *field, 0 at the end.
 */
int lp_fields_next(lp_span_t packed, size_t *at, lp_field_t *field);

/* The value of a field; data NULL where there is no such field. */
lp_span_t lp_fields_find(lp_span_t packed, lp_span_t name);

/* A hint that a field will be looked for: it is brought near. */
void lp_fields_expect(lp_span_t packed, lp_span_t name);

#endif
