/*
 * Fields of Redis hashes that are sealed: each is bound to its key and its
 * name, so that nobody gets another's ids by copying them.
 */

#ifndef LP_SEALED_FIELD_H
#define LP_SEALED_FIELD_H

#include "../workers/seal.h"
#include "who.h"

/* dst: room for LP_SEAL_SEALED_MAX; field: at most 24 bytes. Returns the
   length; 0 where text is too long or OpenSSL failed. */
size_t lp_sealed_close(lp_seal_t *seal, char *dst, lp_span_t key,
                       const char *field, lp_span_t text);

/* The reverse; dst: room for LP_SEAL_TEXT_MAX. -1: not ours, not of here, or
   changed. */
int lp_sealed_open(lp_seal_t *seal, char *dst, size_t *len, lp_span_t key,
                   const char *field, lp_span_t sealed);

/* The field "who": somebody's ids. lp_who_open() takes nobody for a failure. */
size_t lp_who_seal(lp_seal_t *seal, char *dst, lp_span_t key,
                   const lp_who_t *who);
int    lp_who_open(lp_seal_t *seal, lp_who_t *who, lp_span_t key,
                   lp_span_t sealed);

#endif
