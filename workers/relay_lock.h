/*
 * One relay at a time: relay:lock in Redis holds the name of the one that
 * works, and expires when that one is gone. Whatever a relay writes, it writes
 * in a transaction under WATCH of this key, so that one that slept too long
 * (a suspended machine) can't write beside its successor.
 */

#ifndef LP_RELAY_LOCK_H
#define LP_RELAY_LOCK_H

#include <stdint.h>

#include "store.h"

#define LP_RELAY_LOCK     "relay:lock"
#define LP_RELAY_NAME_LEN 32 /* hex characters of a relay's name */

typedef struct {
    lp_store_t *store;
    char        name[LP_RELAY_NAME_LEN + 1];
    int64_t     life_ms;  /* of the lock, from each renewal */
    int64_t     renew_at; /* monotonic ms */
} lp_relay_lock_t;

typedef enum {
    LP_LOCK_HELD = 0,
    LP_LOCK_OTHERS, /* another relay works */
    LP_LOCK_FAILED  /* Redis, see lp_store_status() */
} lp_relay_lock_status_t;

/* Makes a name. Returns 0; -1 where OpenSSL has no random bytes. */
int lp_relay_lock_init(lp_relay_lock_t *lock, lp_store_t *store,
                       int64_t life_ms);

/* Takes the lock where nobody has it. */
lp_relay_lock_status_t lp_relay_lock_take(lp_relay_lock_t *lock);

/* Renews it where a third of its life is over; asks Redis only then. */
lp_relay_lock_status_t lp_relay_lock_keep(lp_relay_lock_t *lock);

/* Gives it back where it is ours. */
void lp_relay_lock_drop(lp_relay_lock_t *lock);

/*
 * For transactions: adds WATCH and GET, the first two of a batch, and looks at
 * their replies. The caller runs the batch, and then begins, or unwatches.
 */
void lp_relay_lock_add(lp_relay_lock_t *lock);
int  lp_relay_lock_is_ours(const lp_relay_lock_t *lock);

/*
 * The same for a batch of nothing else: runs it. LP_LOCK_HELD: the caller goes
 * on with lp_store_begin(); else nothing is watched.
 */
lp_relay_lock_status_t lp_relay_lock_watch(lp_relay_lock_t *lock);

/* Commits what was begun under it. LP_LOCK_OTHERS: somebody else took the lock
   meanwhile, and nothing was done. */
lp_relay_lock_status_t lp_relay_lock_commit(lp_relay_lock_t *lock);

/* Monotonic milliseconds. */
int64_t lp_relay_clock(void);

#endif
