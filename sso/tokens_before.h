/*
 * Field "!" of a person's hashes: the Unix time before which tokens are refused
 * (docs/data-model.md). A sign-out writes it, and so does an operator
 * (leerpoort right revoke); but the one is about a browser, the other about the
 * person: after a sign-out the sessions of other devices go on with new tokens,
 * after a revocation nobody does who signed in before.
 *
 * The rule: whoever wrote a "!" was an operator, unless a key beside it,
 *
 *     signout:{NN}:<school>/<user>  "<! as written> <! that was revoked until>"
 *
 * says that this very value was written by a sign-out; then its second number
 * holds what an operator had written before (0: nothing). So a revocation is
 * never undone by a sign-out that follows it, and whatever else writes "!"
 * counts as an operator.
 */

#ifndef LP_TOKENS_BEFORE_H
#define LP_TOKENS_BEFORE_H

#include "sso.h"

/* Seconds that a token may be issued ahead of our clock: less than any edge's
   leeway should be (60 s unless said otherwise). */
#define LP_ISSUE_AHEAD 30

/* Whose hashes: the user keys, each at the school and as a private customer. */
typedef struct {
    char     users[LP_TOKEN_USERS][LP_USER_KEY_LEN];
    unsigned n_users;
    char     school[LP_SCHOOL_ID_MAX];
    size_t   school_len; /* 0: none */
} lp_owner_t;

/*
 * The owner that who is. An alias is resolved; one that is unknown is no
 * school, as at the edge. LP_STORE_OK, or why that is not known.
 */
lp_store_status_t lp_owner_of(lp_owner_t *owner, lp_sso_t *sso,
                              const lp_who_t *who);

/* 1 where the last run failed for a key of another type: it is none of ours. */
int lp_store_wrong_type(const lp_store_t *store);

/* Adds the questions to the pipeline, watching what is asked about. Returns how
   many replies that makes. */
unsigned lp_tokens_before_ask(lp_store_t *store, const lp_owner_t *owner);

typedef struct {
    int64_t before;  /* the latest "!"; INT64_MAX: one can't be read */
    int64_t revoked; /* the latest that no sign-out wrote; likewise; 0: none */
} lp_tokens_before_t;

/* Reads the replies, of which the at-th of the run is the first. */
lp_tokens_before_t lp_tokens_before_read(const lp_store_t *store,
                                         const lp_owner_t *owner, unsigned at);

/*
 * Adds to a transaction: tokens from before since are refused, by a sign-out.
 * What is later already, or can't be read, stays. at as above, in the replies
 * of the last run. life: seconds that the longest session lives.
 */
void lp_tokens_before_set(lp_store_t *store, const lp_owner_t *owner,
                          unsigned at, int64_t since, int64_t life);

#endif
