/*
 * What programs that serve do alike before they begin: options, secrets, and
 * whether Redis may be trusted with what they write.
 */

#ifndef LP_SERVING_H
#define LP_SERVING_H

#include "../core/user_key.h"
#include "command_line.h"
#include "seal.h"
#include "store.h"

typedef struct {
    lp_store_options_t store;
    int64_t            requests; /* after which it ends */
} lp_serving_t;

/* No core files: they would hold ids of persons and secrets. */
void lp_serving_guard(void);

/* --redis, --user, --password-file, --timeout, --replicas, --requests. LP_YES,
   or LP_USAGE after saying why. */
int lp_serving_options(lp_serving_t *serving, const lp_args_t *args);

/* --pepper (pepper NULL: none is taken) and --seal. 0; -1 after saying why:
   what was read stays for the caller to destroy. */
int lp_serving_secrets(lp_pepper_t **pepper, lp_seal_t **seal,
                       const lp_args_t *args);

/*
 * Whether Redis keeps what it acknowledges. *durable: 1 where that is known, or
 * does not matter; it is looked at no more then. 1: it may be used; 0: it can't
 * be reached, or is not yet itself: that passes; -1 after saying why it never
 * may.
 */
int lp_serving_redis(lp_store_t *store, int *durable);

#endif
