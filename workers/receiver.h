/*
 * One receiving party of the relay: what is on its way to it, its access token,
 * and whether it is to be left alone for a while.
 */

#ifndef LP_RECEIVER_H
#define LP_RECEIVER_H

#include "access_token.h"
#include "http_client.h"
#include "outbox.h"
#include "parties.h"

#define LP_PAUSES_MAX    8  /* intervals that can be set */
#define LP_WINDOW        64 /* messages that are held in memory */
#define LP_FLYING_MAX    8  /* of them, on their way */
#define LP_RETRY_AFTER_S 3600 /* the longest that a receiver can ask for */

/* What all receivers share. */
typedef struct {
    lp_outbox_t  *outbox;
    lp_http_t    *http;
    lp_parties_t *parties;
    lp_seal_t    *seal;    /* NULL: none, what is sealed can't be sent */
    int64_t       pauses_ms[LP_PAUSES_MAX]; /* after the first failure, ... */
    unsigned      n_pauses;
} lp_relay_tools_t;

typedef struct lp_receiver_s lp_receiver_t;

typedef enum {
    LP_PARCEL_WAITS = 0,
    LP_PARCEL_FLIES,
    LP_PARCEL_ARRIVED,
    LP_PARCEL_REFUSED
} lp_parcel_state_t;

/* A message of the outbox. */
typedef struct {
    lp_receiver_t    *receiver;
    lp_letter_t       letter;
    char              id[LP_OUTBOX_ID_MAX];
    lp_parcel_state_t state;
    unsigned          token_no; /* of the token that it was sent with */
    unsigned          denied;   /* answers of 401 */
    int               answered; /* it was the party that refused */
    char              reason[LP_OUTBOX_REASON_MAX]; /* of a refusal */
} lp_parcel_t;

struct lp_receiver_s {
    lp_relay_tools_t *tools;
    char              oin[LP_OIN_LEN + 1];
    lp_pause_t        pause;
    int               unwritten; /* the pause is not in Redis */
    int               failed;    /* nothing new is sent in this round */
    char              reason[LP_OUTBOX_REASON_MAX]; /* why */
    int64_t           retry_after; /* seconds; 0: not said */

    lp_parcel_t      *window[LP_WINDOW]; /* in their order */
    unsigned          n;
    char              last[LP_OUTBOX_ID_MAX]; /* id of the last one read */
    int               drained;   /* the outbox has no more */

    char              stuck[LP_OUTBOX_ID_MAX]; /* the first one, that failed */
    unsigned          stuck_n;   /* ... so often, with a 5xx of its own */
    int               others;    /* arrived in this round */

    unsigned          flying;
    int               asking;    /* for a token */
    int64_t           asked_at;  /* monotonic ms */
    lp_access_token_t token;
    unsigned          token_no;

    unsigned          sent;      /* since it was last told */
    unsigned          buried;
};

/* NULL: no memory. */
lp_receiver_t *lp_receiver_create(lp_relay_tools_t *tools, lp_span_t oin);

/* Nothing may be flying. */
void lp_receiver_destroy(lp_receiver_t *receiver);

/* Forgets what is in memory; Redis has it. Nothing may be flying. */
void lp_receiver_forget(lp_receiver_t *receiver);

/*
 * Goes on: writes down what arrived and what was refused, begins a pause,
 * reads and sends what may be sent (not where only_finish is set). now: Unix
 * milliseconds.
 */
lp_relay_lock_status_t lp_receiver_step(lp_receiver_t *receiver, int64_t now,
                                        int only_finish);

/* 1 where a step has something to do, or will when an answer comes. */
int lp_receiver_busy(const lp_receiver_t *receiver, int64_t now);

/* Says what was sent since it last did, if anything. */
void lp_receiver_tell(lp_receiver_t *receiver);

#endif
