/*
 * Entitlements are applied in batches of one transaction each. A batch ends
 * before a message that is about the same entitlement, or about the same user
 * and product, as an earlier one of it: so each message sees what those before
 * it wrote.
 *
 * Somebody else may write in between: a click that activates, another seller's
 * worker. Then nothing of the batch was written, and all of it is read again;
 * the third time its messages go one by one, so that one that is fought over
 * does not hold up the others.
 */

#include "entitlements.h"

#include <stdlib.h>

#include "intake.h"

#define ATTEMPTS     3  /* of a batch */
#define ATTEMPTS_ONE 12 /* of a message by itself */
#define SEEN_SIZE    4096

#define UNREADABLE                                                             \
    "entitlement.entitlementId: what is stored of it can't be read"

/* What a batch is about already: hashes, 0 for none. */
typedef struct {
    uint64_t at[SEEN_SIZE];
} seen_t;

struct lp_applier_s {
    lp_service_t *service;
    lp_known_t   *known;
    lp_value_t    party;
    int           confirm;
    unsigned      max; /* items that there is room for */
    lp_item_t    *items;
    seen_t        seen;
};

static unsigned fitting(lp_applier_t *applier, const lp_message_t *messages,
                        const lp_verdict_t *verdicts, unsigned n);
static int apply_batch(lp_applier_t *applier, const lp_message_t *messages,
                       lp_verdict_t *verdicts, unsigned n);
static int apply_each(lp_applier_t *applier, const lp_message_t *messages,
                      lp_verdict_t *verdicts, unsigned n);
static lp_store_status_t attempt(lp_applier_t *applier,
                                 const lp_message_t *messages,
                                 lp_verdict_t *verdicts, unsigned n);
static void fail(lp_applier_t *applier, lp_verdict_t *verdicts, unsigned n);

lp_applier_t *
lp_applier_create(lp_service_t *service, lp_span_t party, int confirm,
                  unsigned max, int64_t remember)
{
    lp_applier_t *applier = calloc(1, sizeof(lp_applier_t));

    if (applier == NULL) {
        return NULL;
    }
    applier->service = service;
    applier->confirm = confirm;
    applier->max = max < LP_INTAKE_MAX ? max : LP_INTAKE_MAX;
    applier->items = calloc(applier->max, sizeof(lp_item_t));
    applier->known = remember > 0 ? lp_known_create(remember) : NULL;
    if (applier->items == NULL || (remember > 0 && applier->known == NULL)
        || lp_field_set(&applier->party, party) != 0) {
        lp_applier_destroy(applier);
        return NULL;
    }
    return applier;
}

void
lp_applier_destroy(lp_applier_t *applier)
{
    if (applier == NULL) {
        return;
    }
    lp_known_destroy(applier->known);
    free(applier->items);
    free(applier);
}

void
lp_entitlements_apply(lp_service_t *service, lp_span_t party,
                      const lp_message_t *messages, lp_verdict_t *verdicts,
                      unsigned n, int confirm)
{
    lp_applier_t *applier;
    unsigned      i;

    if (n == 0) {
        return;
    }
    memset(verdicts, 0, n * sizeof(*verdicts));
    applier = lp_applier_create(service, party, confirm, n, 0);
    if (applier == NULL) {
        for (i = 0; i < n; i++) {
            verdicts[i].result = LP_FAILED;
        }
        return;
    }
    lp_applier_run(applier, messages, verdicts, n);
    lp_applier_destroy(applier);
}

void
lp_applier_run(lp_applier_t *applier, const lp_message_t *messages,
               lp_verdict_t *verdicts, unsigned n)
{
    unsigned i, fits;

    for (i = 0; i < n; i += fits) {
        fits = fitting(applier, messages + i, verdicts + i, n - i);
        if (apply_batch(applier, messages + i, verdicts + i, fits) != 0) {
            fail(applier, verdicts + i + fits, n - i - fits);
            return;
        }
    }
}

static uint64_t
mix(uint64_t hash, const char *bytes, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char) bytes[i]) * 1099511628211u;
    }
    return (hash ^ 0xff) * 1099511628211u;
}

/* 1 where it was there; two texts of one hash only cut a batch short. */
static int
saw(seen_t *seen, uint64_t hash)
{
    size_t place;

    hash |= 1;
    for (place = (hash >> 20) % SEEN_SIZE; seen->at[place] != 0;
         place = (place + 1) % SEEN_SIZE) {
        if (seen->at[place] == hash) {
            return 1;
        }
    }
    seen->at[place] = hash;
    return 0;
}

/*
 * The user alone, whatever the school: an alias may mean it. A whole school's
 * right is known by the product alone for the same reason.
 */
static int
saw_message(seen_t *seen, const lp_message_t *message)
{
    const lp_record_t *wanted = &message->wanted;
    uint64_t           product;
    unsigned           i;
    int                found;

    product = mix(14695981039346656037u, wanted->product.text,
                  wanted->product.len);
    found = saw(seen, mix(1, wanted->entitlement, LP_ENTITLEMENT_LEN));
    if (wanted->type == LP_TYPE_OPEN) {
        found |= saw(seen, product);
    }
    if (message->has_code) {
        found |= saw(seen, mix(2, message->code, LP_USER_KEY_LEN));
    }
    for (i = 0; i < wanted->n_users; i++) {
        found |= saw(seen, mix(product, wanted->users[i], LP_USER_KEY_LEN));
    }
    return found;
}

/* How many messages from the first on make a batch; at least one. */
static unsigned
fitting(lp_applier_t *applier, const lp_message_t *messages,
        const lp_verdict_t *verdicts, unsigned n)
{
    unsigned i;

    memset(&applier->seen, 0, sizeof(applier->seen));
    for (i = 0; i < n && i < applier->max; i++) {
        if (verdicts[i].result != LP_REFUSED_FIELD
            && saw_message(&applier->seen, &messages[i]) && i > 0) {
            break;
        }
    }
    return i;
}

/* -1: Redis failed. No later message may then be applied before this one is. */
static int
apply_batch(lp_applier_t *applier, const lp_message_t *messages,
            lp_verdict_t *verdicts, unsigned n)
{
    lp_store_status_t status = LP_STORE_CONFLICT;
    unsigned          i, attempts = n == 1 ? ATTEMPTS_ONE : ATTEMPTS;
    int               damaged;

    for (i = 0; i < attempts && status == LP_STORE_CONFLICT; i++) {
        status = attempt(applier, messages, verdicts, n);
    }
    if (status == LP_STORE_OK) {
        return 0;
    }
    /* a key of another type: of one message, not of all */
    damaged = status == LP_STORE_REFUSED
              && strcmp(lp_store_error(applier->service->store), "WRONGTYPE")
                     == 0;
    if (n > 1 && (damaged || status == LP_STORE_CONFLICT)) {
        return apply_each(applier, messages, verdicts, n);
    }
    fail(applier, verdicts, n);
    if (damaged) {
        lp_verdict_refuse(verdicts, LP_CODE_OTHER, UNREADABLE);
        return 0;
    }
    return -1;
}

static int
apply_each(lp_applier_t *applier, const lp_message_t *messages,
           lp_verdict_t *verdicts, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        if (verdicts[i].result != LP_REFUSED_FIELD
            && apply_batch(applier, messages + i, verdicts + i, 1) != 0) {
            fail(applier, verdicts + i + 1, n - i - 1);
            return -1;
        }
    }
    return 0;
}

static void
fail(lp_applier_t *applier, lp_verdict_t *verdicts, unsigned n)
{
    unsigned i;

    lp_store_unwatch(applier->service->store);
    for (i = 0; i < n; i++) {
        if (verdicts[i].result != LP_REFUSED_FIELD) {
            verdicts[i].result = LP_FAILED;
        }
    }
}

static void
begin_item(lp_applier_t *applier, lp_item_t *item, const lp_message_t *message,
           lp_verdict_t *verdict, int64_t now)
{
    memset(item, 0, sizeof(*item));
    memset(verdict, 0, sizeof(*verdict));
    memcpy(verdict->entitlement, message->wanted.entitlement,
           LP_ENTITLEMENT_LEN);
    item->message = message;
    item->verdict = verdict;
    item->wanted = message->wanted;
    item->by.party = lp_field(&applier->party);
    item->by.now = now;
    (void) lp_ref_id(item->by.ref, (lp_span_t) {message->reference,
                                                message->reference_len});
}

static lp_store_status_t
attempt(lp_applier_t *applier, const lp_message_t *messages,
        lp_verdict_t *verdicts, unsigned n)
{
    lp_intake_t       intake = {applier->service, applier->known,
                                applier->confirm, lp_service_today(),
                                lp_service_now(), applier->items, 0};
    lp_store_status_t status;
    unsigned          i;
    int               changed = 0;

    for (i = 0; i < n; i++) {
        if (verdicts[i].result != LP_REFUSED_FIELD) {
            begin_item(applier, &applier->items[intake.n++], &messages[i],
                       &verdicts[i], intake.now);
        }
    }
    if (intake.n == 0) {
        return LP_STORE_OK;
    }
    status = lp_intake_look_up(&intake);
    if (status == LP_STORE_OK) {
        status = lp_intake_read(&intake);
    }
    if (status == LP_STORE_OK) {
        status = lp_intake_decide(&intake);
    }
    if (status == LP_STORE_OK) {
        status = lp_intake_licences(&intake, &changed);
    }
    if (status == LP_STORE_OK && changed) {
        status = LP_STORE_CONFLICT;
    }
    if (status == LP_STORE_OK) {
        status = lp_intake_write(&intake);
    }
    lp_intake_clear(&intake);
    return status;
}
