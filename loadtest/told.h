/*
 * What clients were told: a mapped file of a run, for `verify`. For each right
 * of each member a bit that it was asked for and one that a redirect was
 * answered; for each product, how many redirects were answered and how many
 * clicks may have been redirected without our hearing of it. Several engines
 * write the same file.
 */

#ifndef LP_TOLD_H
#define LP_TOLD_H

#include <stdatomic.h>
#include <stdint.h>

#include "population.h"

typedef struct {
    uint64_t redirects; /* answered and judged right */
    uint64_t unheard;   /* sent, and the answer never came whole */
} lp_told_product_t;

typedef struct lp_told_s lp_told_t;

#define LP_TOLD_FILE "told.bin" /* in the run's folder */

/* Makes DIR/told.bin for a population. NULL after lp_say(). */
lp_told_t *lp_told_create(const char *folder,
                          const lp_population_t *population);
/* Opens one that a run of this very population left. NULL after lp_say(). */
lp_told_t *lp_told_open(const char *folder, const lp_population_t *population);
void lp_told_close(lp_told_t *told);

/* The engine's, in a click's path. The slot must be one of the shelf. */
void lp_told_ask(lp_told_t *told, uint32_t member, unsigned slot);
void lp_told_answer(lp_told_t *told, uint32_t member, unsigned slot,
                    uint32_t product);
void lp_told_unheard(lp_told_t *told, uint32_t product);

int lp_told_asked(const lp_told_t *told, uint32_t member, unsigned slot);
int lp_told_answered(const lp_told_t *told, uint32_t member, unsigned slot);
const lp_told_product_t *lp_told_product(const lp_told_t *told,
                                         uint32_t product);

/* Makes folder/told.bin of those that the shards of one run left: of one
   population, whichever. Returns -1 after lp_say(). */
int lp_told_add_up(const char *folder, const char *const *runs, unsigned n);

#endif
