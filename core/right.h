/*
 * The right record: what one user may do with one product, as text in Redis:
 * "<state> <from> <until> <entitlement>", at most 64 bytes.
 */

#ifndef LP_RIGHT_H
#define LP_RIGHT_H

#include <stdint.h>

#include "span.h"

#define LP_RIGHT_MAX       64
#define LP_ENTITLEMENT_LEN 22 /* a uuid's 16 bytes in base64url */

typedef enum {
    LP_ENTITLED = 'E',
    LP_LICENSED = 'L',
    LP_BLOCKED = 'B',
    LP_OPEN = 'O'
} lp_state_t;

typedef struct {
    lp_state_t state;
    uint32_t   from;  /* YYYYMMDD, inclusive; 0: none */
    uint32_t   until; /* likewise */
    char       entitlement[LP_ENTITLEMENT_LEN];
} lp_right_t;

/*
 * Exactly one space between fields and nothing around them; days of the
 * calendar or "-"; from not after until; strict base64url. Returns 0, or -1:
 * then *right is not set.
 */
int lp_right_parse(lp_right_t *right, lp_span_t text);

/* It was, before today. */
static inline int
lp_right_ended(const lp_right_t *right, uint32_t today)
{
    return right->until != 0 && right->until < today;
}

/* It will be. A block holds from the moment it is written, whatever its first
   day. */
static inline int
lp_right_to_come(const lp_right_t *right, uint32_t today)
{
    return right->from > today && right->state != LP_BLOCKED;
}

/* Writes at most LP_RIGHT_MAX characters, no NUL; returns their number. */
size_t lp_right_format(char *dst, const lp_right_t *right);

#endif
