/*
 * An activation in hand: what licences.c and open_licence.c share.
 */

#ifndef LP_ACTIVATION_H
#define LP_ACTIVATION_H

#include "journal.h"
#include "rights_held.h"

typedef struct {
    lp_service_t        *service;
    lp_store_t          *store;
    const lp_click_by_t *by;
    int                  wants_record;
    int                  promoted; /* what follows an ended right: once */
    lp_rights_held_t     held;

    /* the right that was decided on, and where it stands */
    lp_right_t           right;
    const lp_held_key_t *key;
    lp_span_t            field;
    unsigned             at_hand; /* the reply with its record; 0: none */

    lp_record_t          before;     /* of the licence, as read */
    lp_record_t          licence;    /* as it becomes */
    int                  has_record; /* it is written */
    uint32_t             until;      /* of a licence that begins today */
    lp_held_key_t        others[LP_TOKEN_USERS]; /* is_hash: the same right */
    unsigned             n_others;

    lp_record_t          open_before; /* of the open right */
    lp_record_t          open;

    char                 sealed[LP_SEAL_SEALED_MAX];
    size_t               sealed_len;
} lp_activation_t;

/*
 * Gives the user a licence by the open right in hand. LP_REDIRECT: done;
 * LP_ACTIVATE: somebody was quicker; LP_NO_RIGHT: it gives none;
 * LP_BLOCKED_OUT; LP_ENDED; LP_UNAVAILABLE.
 */
lp_outcome_t lp_activate_open(lp_activation_t *a);

/* Adds WATCH and HGETALL of a record. */
void lp_activation_ask(lp_activation_t *a, const char *entitlement,
                       unsigned shard);

/* Reads the answer to that HGETALL. -1, which is said: it can't be read. */
int lp_activation_read(lp_activation_t *a, lp_record_t *record,
                       const char *entitlement, unsigned shard,
                       unsigned reply);

/* Where the right is to a set: adds a question for the set's length. */
void lp_activation_ask_set(lp_activation_t *a);

/* The last day of a licence that begins today. set: the answer; NULL: none. */
uint32_t lp_activation_until(lp_activation_t *a, const redisReply *set,
                             uint32_t minimum);

/* Seals the person for the party of told, where there is one. -1: failed. */
int lp_activation_seal(lp_activation_t *a, const lp_record_t *told);

static inline lp_span_t
lp_activation_person(const lp_activation_t *a)
{
    return (lp_span_t) {a->sealed, a->sealed_len};
}

/* Ends the transaction. expires: the last day of the licence. */
lp_outcome_t lp_activation_commit(lp_activation_t *a, uint32_t expires);

#endif
