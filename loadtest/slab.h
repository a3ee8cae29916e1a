/*
 * Things of one size that come and go all the time. The one given back last is
 * given out first, warm; memory follows the most that were out at once.
 */

#ifndef LP_LOAD_SLAB_H
#define LP_LOAD_SLAB_H

#include <stddef.h>

typedef struct lp_slab_block_s lp_slab_block_t;

typedef struct {
    size_t           size;
    void            *spare;
    lp_slab_block_t *blocks;
} lp_slab_t;

void lp_slab_start(lp_slab_t *slab, size_t size);

/* All of it, also what is still out. */
void lp_slab_free(lp_slab_t *slab);

/* Not emptied; NULL: out of memory. */
void *lp_slab_take(lp_slab_t *slab);
void lp_slab_give(lp_slab_t *slab, void *thing);

#endif
