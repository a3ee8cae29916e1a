/*
 * Entitlements in: what a seller sends is checked field by field, then applied
 * to Redis, one at a time or many in one transaction. The routes and
 * "leerpoort import" use the same code.
 */

#ifndef LP_ENTITLEMENTS_H
#define LP_ENTITLEMENTS_H

#include <jansson.h>

#include "record.h"
#include "service.h"

#define LP_MESSAGE_REASON_MAX 256

typedef enum {
    LP_APPLIED = 0,   /* written; a confirmation is in the journal */
    LP_REPEATED,      /* this reference was applied before; confirmed again */
    LP_STALE,         /* older than what is there; confirmed as it is */
    LP_REFUSED_FIELD, /* a field is missing or wrong: HTTP 400 */
    LP_REFUSED_STATE, /* it can't be done: licensed, another party's ... */
    LP_FAILED         /* Redis: ask again */
} lp_applied_t;

typedef struct {
    lp_applied_t result;
    int          code;   /* LP_CODE_... of a refusal */
    char         reason[LP_MESSAGE_REASON_MAX]; /* "entitlement.school: ..." */
    lp_status_t  status; /* what is confirmed */
    char         entitlement[LP_ENTITLEMENT_LEN]; /* "" : not known */
} lp_verdict_t;

#define LP_REFERENCE_MAX 128 /* bytes of an entitlementReferenceId */
#define LP_ALIASES_MAX   5   /* organisationIds that are looked at */

/* An id of a school that is not its master identifier. */
typedef struct {
    lp_span_t  type; /* static text: "OIE_CODE" */
    lp_value_t id;
} lp_alias_t;

/* A message that was read and checked as far as it goes without Redis. */
typedef struct {
    lp_record_t wanted;  /* as the message has it; shard not set yet */
    char        reference[LP_REFERENCE_MAX]; /* entitlementReferenceId */
    size_t      reference_len;
    lp_alias_t  aliases[LP_ALIASES_MAX]; /* where there is no master */
    unsigned    n_aliases; /* identifier: the first that is known counts */
    int         has_code;
    char        code[LP_USER_KEY_LEN]; /* activationCode: lp_code_hash() */
    lp_status_t status;  /* asked for */
    int         unblocks; /* status licensed or entitled */
    uint32_t    end;     /* endDate; 0: none */
} lp_message_t;

/*
 * Reads an EntitlementRequest (Edu-V 1.x). Unknown fields are passed over.
 * Returns 0; -1 and a verdict that names the first field that is wrong.
 */
int lp_message_read(lp_service_t *service, const json_t *json,
                    lp_message_t *message, lp_verdict_t *verdict);

/*
 * Applies n messages of one party; verdicts[i] belongs to messages[i]. Messages
 * about the same entitlement, or the same user and product, take effect in
 * their order. party.len 0: an operator's, nobody is told. confirm 0: no
 * confirmations.
 */
void lp_entitlements_apply(lp_service_t *service, lp_span_t party,
                           const lp_message_t *messages,
                           lp_verdict_t *verdicts, unsigned n, int confirm);

/*
 * The same for many calls: one per import or bulk request. max: messages of one
 * transaction, of which there are 256 at most; remember: seconds for which
 * products and schools that are there are not asked for again (0: always
 * asked). NULL: out of memory, or party is too long.
 */
typedef struct lp_applier_s lp_applier_t;

lp_applier_t *lp_applier_create(lp_service_t *service, lp_span_t party,
                                int confirm, unsigned max, int64_t remember);
void lp_applier_destroy(lp_applier_t *applier);

/* Messages whose verdict is LP_REFUSED_FIELD already are passed over. Where one
   fails (LP_FAILED), so do all that follow it. */
void lp_applier_run(lp_applier_t *applier, const lp_message_t *messages,
                    lp_verdict_t *verdicts, unsigned n);

#endif
