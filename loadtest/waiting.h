/*
 * What waits for its moment: a heap of moments and numbers, the earliest
 * first. Of equal moments the lower number first, so that the order does not
 * depend on what came and went before.
 */

#ifndef LP_WAITING_H
#define LP_WAITING_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t  at_ns;
    uint32_t number;
} lp_wait_t;

/* Zeroed at first. */
typedef struct {
    lp_wait_t *list;
    size_t     n;
    size_t     room;
} lp_waiting_t;

void lp_waiting_free(lp_waiting_t *waiting);

/* 0; -1: out of memory. */
int lp_waiting_add(lp_waiting_t *waiting, int64_t at_ns, uint32_t number);

/* The earliest gets another moment, not before its own. */
void lp_waiting_postpone(lp_waiting_t *waiting, int64_t at_ns);

/* The earliest is gone. */
void lp_waiting_drop(lp_waiting_t *waiting);

#endif
