/*
 * What the commands that show and erase share: every key of Redis is looked at
 * (an index could be wrong about what must not be forgotten), entries of
 * streams are changed, and what was done is written down without saying whom
 * it was done to. All of it speaks to people and may be repeated.
 */

#ifndef LP_ERASURE_H
#define LP_ERASURE_H

#include <stdint.h>

#include "command_line.h"
#include "names.h"
#include "store.h"

#define LP_RECEIPT_LEN    32 /* characters, and room for a NUL */
#define LP_ENTRY_WORDS    64 /* names and values of one stream entry, at most */
#define LP_ERASURE_PASSES 5  /* until nothing is found any more */
#define LP_ERASED         "erased" /* the stream of what was done */

/* Connects as --redis, --user and --password-file say. *store is NULL unless
   LP_YES; LP_NO or LP_USAGE after saying why. lp_store_destroy() it. */
int lp_erasure_open(lp_store_t **store, const lp_args_t *args);

/* Says why Redis failed, and that it may be done again. Returns LP_NO. */
int lp_erasure_failed(const lp_store_t *store);

/* Called with some of all keys; may use the store. Returns 0; -1 ends it. */
typedef int (*lp_keys_visit_t)(void *owner, const lp_span_t *keys, unsigned n);

/* Every key that was there all the time is visited at least once. Shows how far
   it is where a terminal looks on. Returns 0, -1. */
int lp_keys_walk(lp_store_t *store, lp_keys_visit_t visit, void *owner);

/* 1 where key is "<kind>:{NN}:<rest>". */
int lp_key_after(lp_span_t key, const char *kind, lp_span_t *rest);

/* 1 for outbox: and dead:, streams of messages that wait. */
int lp_key_holds_letters(lp_span_t key);

/* Called for each entry of a stream; must not use the store. 0; -1 ends it. */
typedef int (*lp_entry_visit_t)(void *owner, lp_span_t key, lp_span_t id,
                                const redisReply *fields);

int lp_stream_walk(lp_store_t *store, lp_span_t key, lp_entry_visit_t visit,
                   void *owner);

/*
 * Gives the names and values that an entry is to have instead: at most
 * LP_ENTRY_WORDS words, which live until the next call. Returns their number;
 * 0: the entry goes; -1: it stays as it is.
 */
typedef int (*lp_entry_change_t)(void *owner, const redisReply *fields,
                                 lp_span_t *words);

/*
 * Makes a stream anew from its entries, each changed or not, with their ids,
 * its groups and what is pending in them (stream_rebuild.c says why). *n grows
 * by the entries that were changed. A stream that is not there is left alone.
 * Returns 0, -1.
 */
int lp_stream_rebuild(lp_store_t *store, lp_span_t key,
                      lp_entry_change_t change, void *owner, uint64_t *n);

/* Deletes keys, some at a time. Returns 0, -1. */
int lp_keys_delete(lp_store_t *store, const lp_names_t *keys);

/* 1 where a reply about a key is none that can be used; a key of another type
   is no key of ours, and its refusal can. */
int lp_reply_failed(const redisReply *reply);

#define LP_USAGE_MAX (1 << 20) /* bytes of the lines of an entry of usage: */

/*
 * Visits every entry that waits: of journal: and of the streams in letters
 * (outbox:, dead:) with the one, of usage: with the other. Returns 0, -1.
 */
int lp_waiting_walk(lp_store_t *store, const lp_names_t *letters,
                    lp_entry_visit_t letter, lp_entry_visit_t clicks,
                    void *owner);

typedef struct {
    lp_entry_change_t letter; /* of journal:, outbox:, dead: */
    lp_entry_change_t clicks; /* of usage: */
    void             *owner;
    uint64_t         *n_letters; /* grow by the entries that were changed */
    uint64_t         *n_clicks;
} lp_waiting_change_t;

/* Makes each of these streams anew, changed or not: entries that were deleted
   are in their bytes still. Returns 0, -1. */
int lp_waiting_rebuild(lp_store_t *store, const lp_names_t *letters,
                       const lp_waiting_change_t *change);

/* The words of an entry of usage: with other lines. Returns their number. */
int lp_waiting_lines(const redisReply *fields, lp_span_t lines,
                     lp_span_t *words);

typedef struct {
    const char *name;
    uint64_t    n;
} lp_erased_count_t;

#define LP_ERASED_COUNTS 256 /* of one entry, at most */

/* A random number that proves nothing but that it was given: room for
   LP_RECEIPT_LEN + 1. -1 after saying that OpenSSL failed. */
int lp_erasure_receipt(char *receipt);

/*
 * Adds an entry to the stream "erased": that something of this kind was erased,
 * and how much. At most LP_ERASED_COUNTS; names live until the run.
 */
void lp_erasure_add(lp_store_t *store, const char *kind, const char *receipt,
                    const lp_erased_count_t *counts, unsigned n);

/* Asks on the terminal, whatever standard input is; --yes is an answer. LP_YES;
   LP_NO; LP_USAGE where nobody can be asked. */
int lp_erasure_confirm(const lp_args_t *args, const char *question);

/* With --rewrite, has Redis write its append-only file anew and waits; without
   it, says why that should be done. LP_YES, LP_NO. */
int lp_erasure_rewrite(lp_store_t *store, const lp_args_t *args);

#endif
