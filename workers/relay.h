/*
 * The relay: reads the journal and tells the other parties. One process works
 * at a time; others that are started wait for its end.
 */

#ifndef LP_RELAY_H
#define LP_RELAY_H

#include <signal.h>

#include "receiver.h"

typedef struct {
    lp_store_t   *store;
    lp_parties_t *parties;
    lp_seal_t    *seal;
    int64_t       pauses_ms[LP_PAUSES_MAX];
    unsigned      n_pauses;
    int64_t       lock_ms;     /* life of the lock */
    int64_t       patience_ms; /* for each exchange with a party */
    const char   *ca;          /* NULL: the system's */
    int           once;
} lp_relay_options_t;

/*
 * Works until *stop is set, or with once until nothing can be delivered now.
 * Returns 0; -1 after lp_say(): it could not begin, or with once: Redis could
 * not be reached, or another relay works.
 */
int lp_relay_run(const lp_relay_options_t *options,
                 const volatile sig_atomic_t *stop);

#endif
