/*
 * What a person holds for one product, read under WATCH and in the edge's order
 * (ngx_http_leerpoort_rights.c), so that lp_decide() says the same in both.
 */

#ifndef LP_RIGHTS_HELD_H
#define LP_RIGHTS_HELD_H

#include "../core/decide.h"
#include "licences.h"

/* The user at the school and as a private customer, by each key; the school. */
#define LP_HELD_KEYS (2 * LP_TOKEN_USERS + 1)

#define LP_HELD_IN_MAX 4096 /* where the edge cuts it too: core/fields.h */

/* A hash of rights. */
typedef struct {
    char      name[LP_KEY_MAX];
    size_t    len;
    unsigned  shard;
    lp_span_t school;   /* len 0: the private customer's */
    lp_span_t user;     /* len 0: the school's own, of open rights */
    int       is_hash;  /* or nothing; 0: a key of another type */
} lp_held_key_t;

typedef struct {
    lp_held_key_t keys[LP_HELD_KEYS];
    unsigned      n_keys;

    unsigned      likely_shard;
    unsigned      likely;  /* the reply that holds the record that is likely
                              wanted, until the next question; 0: none */

    int           known;   /* the catalogue has the product */
    lp_product_t  product; /* only free, in and licence */
    char          in[LP_HELD_IN_MAX];
    char          licence[LP_FIELD_MAX];
    lp_span_t     wanted[1 + LP_SETS_MAX]; /* itself, then its sets */
    unsigned      n_wanted;

    lp_rights_t   rights;
    struct {
        unsigned  key;     /* in which hash */
        lp_span_t field;   /* at which product or set */
        int       follows; /* another one that is of no use today */
        int       more;    /* something follows it */
    } found[LP_RIGHTS_MAX]; /* of each right */
} lp_rights_held_t;

/* Watches and reads; also by->likely, which decides nothing. A status other
   than LP_STORE_OK: nothing is known. */
lp_store_status_t lp_rights_held_read(lp_rights_held_t *held,
                                      lp_store_t *store,
                                      const lp_click_by_t *by);

/* Names the hashes alone, which decides what counts: held->keys, in order. */
void lp_rights_held_name(lp_rights_held_t *held, const lp_click_by_t *by);

/* Takes a right out, so that the next best can be decided on. */
void lp_rights_held_drop(lp_rights_held_t *held, const lp_right_t *right);

static inline lp_span_t
lp_held_key(const lp_held_key_t *key)
{
    return (lp_span_t) {key->name, key->len};
}

/* A reply to HGETALL: 1; a key of another type, which is no hash: 0; -1:
   Redis refuses. */
int lp_rights_held_is_hash(const redisReply *reply);

#endif
