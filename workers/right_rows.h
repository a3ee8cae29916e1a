/*
 * The rights of one hash, for people and for machines.
 */

#ifndef LP_RIGHT_ROWS_H
#define LP_RIGHT_ROWS_H

#include <stdint.h>

#include "../core/right.h"
#include "redis_link.h"

#define LP_TOKENS_BEFORE lp_span("!") /* a person's field that is no product */

typedef struct {
    lp_span_t  field;    /* the product */
    lp_right_t right;
    int        follows;  /* it comes after another one of this product */
    int        readable;
    int        counted;  /* an open right's: the two numbers are known */
    uint64_t   used;
    uint64_t   quantity; /* 0: no limit */
} lp_right_row_t;

/*
 * Sorts the pairs of a hash into rows; returns their number. Only a person's
 * tokens can be revoked: in a school's hash that field means nothing.
 */
size_t lp_right_rows_read(const redisReply *reply, const lp_args_t *args,
                          lp_right_row_t *rows, lp_span_t *revoked);

/* Both write to standard output. revoked: the value of the person's field "!";
   data NULL: none. open: they are a school's. */
void lp_right_rows_print(const lp_right_row_t *rows, size_t n,
                         lp_span_t revoked, int open);
void lp_right_rows_json(const lp_right_row_t *rows, size_t n,
                        lp_span_t revoked);

#endif
