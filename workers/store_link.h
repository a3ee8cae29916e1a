/*
 * The bytes below store.c: one connection to Redis, what is to be sent over
 * it, and the replies as they come, each call with its deadline.
 */

#ifndef LP_STORE_LINK_H
#define LP_STORE_LINK_H

#include <stdint.h>

#include "store.h"

typedef struct {
    char         *address;
    char         *user;
    char         *password_file;
    int           timeout_ms;

    redisContext *context;    /* NULL: not connected */
    int64_t       retry_at;   /* monotonic ms; not to connect before */
    int           backoff_ms;

    char         *out;        /* put, and not sent */
    size_t        out_len;
    size_t        out_size;

    int           asked;      /* just now: no reply can be there yet */

    char          error[LP_STORE_ERROR_MAX]; /* first word of an error reply */
} lp_store_link_t;

/* Copies the options; link is zeroed. -1: out of memory. */
int lp_store_link_set(lp_store_link_t *link, const lp_store_options_t *options);

/* Closes and frees what the link holds. */
void lp_store_link_free(lp_store_link_t *link);

/* Connects and authenticates, but not shortly after a failure. */
lp_store_status_t lp_store_link_open(lp_store_link_t *link);

void lp_store_link_close(lp_store_link_t *link);

/* Closes, and lets some time pass before the next attempt. */
void lp_store_link_fail(lp_store_link_t *link);

/* 1 where Redis has ended the connection. No reply may be awaited. */
int lp_store_link_ended(const lp_store_link_t *link);

/* Puts a command into the output; -1: out of memory. */
int lp_store_link_put(lp_store_link_t *link, lp_words_t words);

/* When a batch that begins now must be over (monotonic ms). */
int64_t lp_store_link_deadline(const lp_store_link_t *link);

/* Sends all that was put. 0; -1: too late, or broken. */
int lp_store_link_send(lp_store_link_t *link, int64_t deadline);

/* The next reply, to be freed; NULL: too late, broken, or not Redis. */
redisReply *lp_store_link_reply(lp_store_link_t *link, int64_t deadline);

/* Keeps the first word of an error reply, unless there is one already. */
void lp_store_link_note(lp_store_link_t *link, const redisReply *reply);

#endif
