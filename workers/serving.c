/*
 * A Redis that answers and does not keep what it acknowledges is a reason not
 * to run. A Redis that can't be reached is not: programs that are started anew
 * while Redis is away must be there when it is back.
 */

#include "serving.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "input.h"
#include "say.h"
#include "store_args.h"

#define REDIS_DEFAULT    "unix:/run/redis/redis-server.sock"
#define REQUESTS_DEFAULT 100000
#define REQUESTS_MAX     1000000000
#define TIMEOUT_DEFAULT  1000 /* ms */
#define TIMEOUT_MAX      60000
#define REPLICAS_MAX     16
#define SECRET_FILE_MAX  4096 /* bytes, as core/user_key.h and seal.h take */

void
lp_serving_guard(void)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int
lp_serving_options(lp_serving_t *serving, const lp_args_t *args)
{
    lp_store_options_t *store = &serving->store;
    int64_t             timeout = TIMEOUT_DEFAULT, replicas = 0;
    int                 rc;

    serving->requests = REQUESTS_DEFAULT;
    rc = lp_args_number(args, LP_OPT_REQUESTS, REQUESTS_MAX,
                        &serving->requests);
    rc |= lp_args_number(args, LP_OPT_TIMEOUT, TIMEOUT_MAX, &timeout);
    rc |= lp_args_number(args, LP_OPT_REPLICAS, REPLICAS_MAX, &replicas);
    if (rc == LP_YES && (timeout == 0 || serving->requests == 0)) {
        rc = lp_args_refuse(args, "--timeout and --requests are at least 1");
    }
    store->address = args->value[LP_OPT_REDIS];
    if (store->address == NULL) {
        store->address = getenv("LEERPOORT_REDIS");
    }
    if (store->address == NULL) {
        store->address = REDIS_DEFAULT;
    }
    store->user = args->value[LP_OPT_USER];
    store->password_file = args->value[LP_OPT_PASSWORD_FILE];
    store->timeout_ms = (int) timeout;
    store->replicas = (unsigned) replicas;
    return rc;
}

/* The two secrets share a way of being read. */
int
lp_serving_secrets(lp_pepper_t **pepper, lp_seal_t **seal,
                   const lp_args_t *args)
{
    const char *path[2] = {args->value[LP_OPT_PEPPER],
                           args->value[LP_OPT_SEAL]};
    lp_input_t  file;
    int         i;

    for (i = pepper == NULL ? 1 : 0; i < 2; i++) {
        if (lp_input_file(&file, path[i], SECRET_FILE_MAX) != 0) {
            return -1;
        }
        lp_input_warn_open(path[i], i == 0 ? "pepper" : "seal");
        if (i == 0) {
            *pepper = lp_pepper_create(lp_input_span(&file));
        } else {
            *seal = lp_seal_create(lp_input_span(&file));
        }
        lp_input_free(&file);
        if ((i == 0 && *pepper == NULL) || (i == 1 && *seal == NULL)) {
            lp_say("%s holds too little for a secret: openssl rand 32 makes "
                   "one", path[i]);
            return -1;
        }
    }
    return 0;
}

/* Redis is away, or not yet itself: that passes. */
static int
may_pass(const lp_store_t *store)
{
    return lp_store_status(store) == LP_STORE_DOWN
           || strcmp(lp_store_error(store), "LOADING") == 0;
}

int
lp_serving_redis(lp_store_t *store, int *durable)
{
    const char *reason;

    if (*durable) {
        return 1;
    }
    if (lp_store_durable(store, &reason) == 0) {
        *durable = 1;
        return 1;
    }
    if (may_pass(store)) {
        return 0;
    }
    lp_say("%s", reason);
    return -1;
}
