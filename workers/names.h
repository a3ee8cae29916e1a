/*
 * A list of distinct byte strings, each found again by its content: the keys
 * that a batch is about. They are numbered from 0 in the order in which they
 * came, so that what belongs to a name can lie in an array beside it.
 */

#ifndef LP_NAMES_H
#define LP_NAMES_H

#include <stdint.h>

#include "../core/span.h"

#define LP_NAMES_FULL ((uint32_t) -1)

typedef struct {
    uint64_t hash;
    size_t   at;  /* in bytes */
    size_t   len;
} lp_name_t;

typedef struct {
    char      *bytes;
    size_t     used, size;
    lp_name_t *list;
    uint32_t   n, room;
    uint32_t  *slots; /* number + 1; 0: free */
    uint32_t   n_slots;
} lp_names_t;

/* All zero is an empty list. */
void lp_names_free(lp_names_t *names);

/* Empties the list and keeps its memory. */
void lp_names_reset(lp_names_t *names);

/*
 * The number of text, which is copied where it is new: then it is the number of
 * names before. LP_NAMES_FULL: out of memory.
 */
uint32_t lp_names_add(lp_names_t *names, lp_span_t text);

/* Good until the next lp_names_add(). */
static inline lp_span_t
lp_name(const lp_names_t *names, uint32_t i)
{
    return (lp_span_t) {names->bytes + names->list[i].at, names->list[i].len};
}

#endif
