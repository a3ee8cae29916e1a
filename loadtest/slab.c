/*
 * Things of one size, taken from the system some hundred kilobytes at a time.
 * Spare ones are a list through themselves.
 */

#include "slab.h"

#include <stdlib.h>

#define BLOCK_SIZE ((size_t) 128 * 1024)
#define ALIGNMENT  16

struct lp_slab_block_s {
    lp_slab_block_t *next;
    char             room[] __attribute__((aligned(ALIGNMENT)));
};

static int grow(lp_slab_t *slab);


void
lp_slab_start(lp_slab_t *slab, size_t size)
{
    slab->size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    slab->spare = NULL;
    slab->blocks = NULL;
}


void
lp_slab_free(lp_slab_t *slab)
{
    lp_slab_block_t *block;

    while (slab->blocks != NULL) {
        block = slab->blocks;
        slab->blocks = block->next;
        free(block);
    }
    slab->spare = NULL;
}


void *
lp_slab_take(lp_slab_t *slab)
{
    void *thing;

    if (slab->spare == NULL && grow(slab) != 0) {
        return NULL;
    }

    thing = slab->spare;
    slab->spare = *(void **) thing;
    return thing;
}


void
lp_slab_give(lp_slab_t *slab, void *thing)
{
    *(void **) thing = slab->spare;
    slab->spare = thing;
}


static int
grow(lp_slab_t *slab)
{
    lp_slab_block_t *block;
    size_t           n = slab->size < BLOCK_SIZE ? BLOCK_SIZE / slab->size : 1;

    block = malloc(sizeof(*block) + n * slab->size);
    if (block == NULL) {
        return -1;
    }
    block->next = slab->blocks;
    slab->blocks = block;

    do {
        n--;
        lp_slab_give(slab, block->room + n * slab->size);
    } while (n > 0);
    return 0;
}
