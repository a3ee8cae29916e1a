/*
 * One transaction of entitlements in: what is read for them, what is decided,
 * what is written. entitlements.c parts what it is given into such batches and
 * tries again where somebody else was quicker.
 */

#ifndef LP_INTAKE_H
#define LP_INTAKE_H

#include "chain.h"
#include "entitlement_change.h"
#include "known.h"

#define LP_INTAKE_MAX 256 /* messages of one transaction */

#define LP_SCHOOL_UNKNOWN  "entitlement.school: is unknown"
#define LP_PRODUCT_UNKNOWN "entitlement.productId: is unknown"

/* A message on its way. */
typedef struct {
    const lp_message_t *message;
    lp_verdict_t       *verdict;
    lp_change_by_t      by;
    lp_record_t         wanted; /* its school resolved, its shard set */
    lp_record_t         before;
    lp_record_t         after;
    lp_chain_t          chain;
    int64_t             at;      /* what is confirmed took effect */
    unsigned            placed;  /* the shard that x: had */
    int                 refused; /* the verdict is there: nothing is read */
    int                 unknown; /* what a new one lacks: product or school */
    int                 write;   /* after is to be written */
    int                 rights;  /* and the rights with it */
    int                 moved;   /* x: is to be put right */
    int                 code_new; /* the code is to be written */
    int                 code_known;
    int                 has_licence; /* the code became this one */
    char                licence[LP_ENTITLEMENT_LEN];
} lp_item_t;

typedef struct {
    lp_service_t *service;
    lp_known_t   *known; /* NULL: nothing is remembered */
    int           confirm;
    uint32_t      today;
    int64_t       now;
    lp_item_t    *items;
    unsigned      n;
} lp_intake_t;

/*
 * Finds out the schools, and whether products and schools are known. Items that
 * name an unknown school by an alias get their verdict.
 */
lp_store_status_t lp_intake_look_up(lp_intake_t *intake);

/* Claims places, watches and reads what the items are about. */
lp_store_status_t lp_intake_read(lp_intake_t *intake);

/* Decides, reading the chains that matter. Sets the verdicts, which hold only
   once lp_intake_write() has succeeded. */
lp_store_status_t lp_intake_decide(lp_intake_t *intake);

/*
 * Blocks the licences of codes and open rights whose entitlement is to be
 * blocked, or lifts the block. That takes transactions of its own, so that what
 * was read for the batch is not watched any more afterwards: *changed: read
 * again.
 */
lp_store_status_t lp_intake_licences(lp_intake_t *intake, int *changed);

/* Writes. LP_STORE_CONFLICT: nothing was written; read again. */
lp_store_status_t lp_intake_write(lp_intake_t *intake);

/* Frees what reading took, for the next attempt. */
void lp_intake_clear(lp_intake_t *intake);

#endif
