/*
 * Redis as the workers use it: one synchronous connection that comes back by
 * itself, pipelines, optimistic transactions, a time limit on every reply. It
 * says nothing to anybody: the caller decides what a failure means.
 *
 *     lp_store_add(store, LP_WORDS(lp_span("WATCH"), key));
 *     lp_store_add(store, LP_WORDS(lp_span("HGETALL"), key));
 *     if (lp_store_run(store) != LP_STORE_OK) ...
 *     reply = lp_store_reply(store, 1);
 *     ... decide ...
 *     lp_store_begin(store);
 *     lp_store_add(store, ...);
 *     status = lp_store_commit(store);
 *
 * Not for two threads at once.
 */

#ifndef LP_STORE_H
#define LP_STORE_H

#include <hiredis/hiredis.h>

#include "../core/span.h"

/* Words of one command: lp_words_t w = LP_WORDS(lp_span("GET"), key); */
typedef struct {
    const lp_span_t *list;
    unsigned         n;
} lp_words_t;

#define LP_WORDS(...)                                                          \
    ((lp_words_t) {(const lp_span_t[]) {__VA_ARGS__},                          \
                   sizeof((const lp_span_t[]) {__VA_ARGS__})                   \
                       / sizeof(lp_span_t)})

#define LP_STORE_ERROR_MAX 24 /* room for the first word of an error */

typedef enum {
    LP_STORE_OK = 0,
    LP_STORE_CONFLICT, /* a watched key changed: nothing was written */
    LP_STORE_DOWN,     /* not reached, too late, broken: what was sent may or
                          may not have been done */
    LP_STORE_REFUSED   /* an error reply: full, read-only, loading, a wrong
                          type ...; a transaction wrote nothing, but for
                          what stood beside a key of a wrong type */
} lp_store_status_t;

typedef struct {
    const char *address;       /* unix:/path or host:port */
    const char *user;          /* NULL: the default user */
    const char *password_file; /* NULL: none */
    int         timeout_ms;    /* for a connection, for each batch of replies */
    unsigned    replicas;      /* that must have a transaction; 0: none */
} lp_store_options_t;

typedef struct lp_store_s lp_store_t;

/* Copies the options; connects when first used. NULL: out of memory. */
lp_store_t *lp_store_create(const lp_store_options_t *options);

/* NULL is no store. */
void lp_store_destroy(lp_store_t *store);

/*
 * Puts one command into the pipeline, connecting if need be. Failures show in
 * lp_store_run(). The words are copied.
 */
void lp_store_add(lp_store_t *store, lp_words_t words);

/* Sends what was added, without waiting. The replies of the run before are
   still there until lp_store_receive(). */
lp_store_status_t lp_store_send(lp_store_t *store);

/*
 * Reads a reply for each command that was sent. LP_STORE_OK only where none of
 * them is an error. After LP_STORE_DOWN the connection is closed, WATCH and
 * all, and the next lp_store_add() connects again; but where Redis is away, not
 * at once: until then each run is LP_STORE_DOWN without waiting.
 */
lp_store_status_t lp_store_receive(lp_store_t *store);

/* Both. */
lp_store_status_t lp_store_run(lp_store_t *store);

/*
 * The reply to the i-th command of the last run, from 0; NULL where there is
 * none. It lives until the next lp_store_receive() or lp_store_run().
 */
const redisReply *lp_store_reply(const lp_store_t *store, unsigned i);

/* One command by itself: its reply; NULL where it failed. */
const redisReply *lp_store_ask(lp_store_t *store, lp_words_t words);

/* What the last run came to. */
lp_store_status_t lp_store_status(const lp_store_t *store);

/* The first word of the last error reply, "OOM"; else "". Never more of it:
   the rest may repeat what was sent. */
const char *lp_store_error(const lp_store_t *store);

/* Adds MULTI. */
void lp_store_begin(lp_store_t *store);

/*
 * Adds EXEC (and WAIT, where replicas are asked for) and runs. OK: all of it is
 * written, and as durable as the options ask. The reply of the EXEC is
 * lp_store_exec(). LP_STORE_DOWN: it may have been written; read again. It is
 * sure that nothing was written where the connection under which keys were
 * watched had ended before.
 */
lp_store_status_t lp_store_commit(lp_store_t *store);

/* The array of the last commit's EXEC; NULL unless it was LP_STORE_OK. */
const redisReply *lp_store_exec(const lp_store_t *store);

/* Forgets what was watched. */
void lp_store_unwatch(lp_store_t *store);

/*
 * Looks whether Redis keeps what it acknowledges: appendonly yes, appendfsync
 * always, maxmemory-policy noeviction, Redis 7. *reason becomes a sentence that
 * says what is wrong and what to do. Returns 0, -1 where something is.
 */
int lp_store_durable(lp_store_t *store, const char **reason);

/* A string or status reply's bytes; data NULL for other types and NULL. */
lp_span_t lp_store_text(const redisReply *reply);

#endif
