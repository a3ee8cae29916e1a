/*
 * Does Redis keep what it acknowledges, and all of it or nothing? Asked once,
 * when a worker starts: a licence that is told to a seller must not vanish with
 * a power cut, must not be evicted, and must not be there without its journal
 * entry. Each sentence names what is wrong and what it must be.
 */

#include <stdio.h>
#include <stdlib.h>

#include "store.h"

#define REDIS_MAJOR 7

typedef struct {
    const char *name;
    const char *value;  /* that it must have */
    const char *reason; /* where it has another */
} setting_t;

static const setting_t settings[] = {
    {"appendonly", "yes",
     "Redis has appendonly off and forgets everything when it ends: set "
     "\"appendonly yes\""},
    {"appendfsync", "always",
     "Redis acknowledges before it has written to disk: set "
     "\"appendfsync always\""},
    {"maxmemory-policy", "noeviction",
     "Redis throws keys away when its memory is full: set "
     "\"maxmemory-policy noeviction\""},
};

#define N_SETTINGS (sizeof(settings) / sizeof(settings[0]))

static int replays_transactions(lp_store_t *store, const char **reason);
static const char *unreadable(const lp_store_t *store);
static lp_span_t setting_of(const redisReply *reply);
static int version_of(lp_span_t info);

int
lp_store_durable(lp_store_t *store, const char **reason)
{
    unsigned i;

    lp_store_add(store, LP_WORDS(lp_span("INFO"), lp_span("server")));
    for (i = 0; i < N_SETTINGS; i++) {
        lp_store_add(store, LP_WORDS(lp_span("CONFIG"), lp_span("GET"),
                                     lp_span_of(settings[i].name)));
    }

    /* refused to this user, MULTI would leave what follows it to be done one
       by one: only here is nothing behind it */
    lp_store_add(store, LP_WORDS(lp_span("MULTI")));
    lp_store_add(store, LP_WORDS(lp_span("DISCARD")));

    if (lp_store_run(store) != LP_STORE_OK) {
        *reason = unreadable(store);
        return -1;
    }

    if (version_of(lp_store_text(lp_store_reply(store, 0))) < REDIS_MAJOR) {
        *reason = "this is not Redis 7 or later";
        return -1;
    }

    for (i = 0; i < N_SETTINGS; i++) {
        if (!lp_span_equal(setting_of(lp_store_reply(store, i + 1)),
                           lp_span_of(settings[i].value))) {
            *reason = settings[i].reason;
            return -1;
        }
    }

    return replays_transactions(store, reason);
}

/*
 * When Redis starts, it does the append-only file again in the name of the user
 * "default", and up to 8.4 looks at each EXEC whether that one may: if not, all
 * transactions are gone, and it only says so in its log.
 */
static int
replays_transactions(lp_store_t *store, const char **reason)
{
    lp_store_add(store,
                 LP_WORDS(lp_span("ACL"), lp_span("DRYRUN"),
                          lp_span("default"), lp_span("XADD"),
                          lp_span("journal:{00}"), lp_span("*"),
                          lp_span("kind"), lp_span("activation")));

    if (lp_store_run(store) != LP_STORE_OK) {
        *reason = unreadable(store);
        return -1;
    }

    if (!lp_span_equal(lp_store_text(lp_store_reply(store, 0)),
                       lp_span("OK"))) {
        *reason = "Redis would leave all transactions out when it starts "
                  "again: its user \"default\" may not do them; in users.acl, "
                  "\"user default off resetpass ~* &* +@all\"";
        return -1;
    }

    return 0;
}

static const char *
unreadable(const lp_store_t *store)
{
    const char *error;

    if (lp_store_status(store) == LP_STORE_DOWN) {
        return "Redis can't be reached, or its password file can't be read";
    }

    error = lp_store_error(store);

    if (strcmp(error, "NOPERM") == 0) {
        return "Redis does not let this user look at its settings or begin a "
               "transaction: give it +info, +config|get, +acl|dryrun, +multi "
               "and +discard, as users.acl does";
    }
    if (strcmp(error, "NOAUTH") == 0 || strcmp(error, "WRONGPASS") == 0) {
        return "Redis does not accept the user or the password";
    }
    if (strcmp(error, "LOADING") == 0) {
        return "Redis still loads its data";
    }

    return "Redis does not say how it is set";
}

/* CONFIG GET answers with name and value. */
static lp_span_t
setting_of(const redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != 2) {
        return (lp_span_t) {NULL, 0};
    }

    return lp_store_text(reply->element[1]);
}

/* The number behind "redis_version:"; 0 where there is none. */
static int
version_of(lp_span_t info)
{
    static const char name[] = "redis_version:";
    const char       *p;

    if (info.data == NULL) {
        return 0;
    }

    p = memmem(info.data, info.len, name, sizeof(name) - 1);

    return p == NULL ? 0 : (int) strtol(p + sizeof(name) - 1, NULL, 10);
}
