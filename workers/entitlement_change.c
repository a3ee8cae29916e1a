/*
 * A message holds the full latest state of one entitlement (Edu-V 1.x). Values
 * of an entitlement never change; a seller who erred cancels it and sends a new
 * one. So there is little that a second message can do:
 *
 *   stored      created, entitled   licensed    blocked   cancelled
 *   nothing     entitled            entitled    blocked   refused, 40
 *   entitled    -                   -           blocked   cancelled
 *   licensed    -                   -           blocked   refused, 42
 *   blocked     as it was before the block      -         cancelled, or 42
 *   cancelled   refused             refused     refused   -
 *
 * Whoever is not the party that sent it first is told that it is unknown.
 */

#include "entitlement_change.h"

#include <stdio.h>

#define UNKNOWN   "entitlement.entitlementId: is unknown"
#define CANCELLED "entitlement.entitlementStatus: the entitlement was "        \
                  "cancelled for good; send a new one"
#define LICENSED  "entitlement.entitlementStatus: a licence is registered on " \
                  "it; it can only be blocked"
#define CHANGED   "differs from what was sent before; values of an "           \
                  "entitlement never change"

static const char *changed_field(const lp_record_t *wanted,
                                 const lp_record_t *before);
static int same_users(const lp_record_t *a, const lp_record_t *b);
static void first_state(const lp_message_t *message, const lp_record_t *wanted,
                        const lp_change_by_t *by, lp_record_t *after);
static const char *next_state(const lp_message_t *message,
                              const lp_record_t *wanted, lp_record_t *after,
                              int *code);

void
lp_verdict_refuse(lp_verdict_t *verdict, int code, const char *reason)
{
    verdict->result = LP_REFUSED_STATE;
    verdict->code = code;
    snprintf(verdict->reason, sizeof(verdict->reason), "%s", reason);
}

/* The record was made without a party, by an operator or a first use. */
static int
is_theirs(const lp_record_t *before, lp_span_t party)
{
    return before->party.len == 0
           || lp_span_equal(lp_field(&before->party), party);
}

static int
confirm(lp_verdict_t *verdict, lp_applied_t result, lp_status_t status)
{
    verdict->result = result;
    verdict->status = status;
    return result != LP_REPEATED;
}

int
lp_entitlement_change(const lp_message_t *message, const lp_record_t *wanted,
                      const lp_record_t *before, const lp_change_by_t *by,
                      lp_record_t *after, int64_t *at, lp_verdict_t *verdict)
{
    const lp_ref_t *ref;
    const char     *reason;
    char            text[LP_MESSAGE_REASON_MAX];
    int             code = LP_CODE_OTHER;

    *at = by->now;
    *after = *before;
    if (before->exists && !is_theirs(before, by->party)) {
        lp_verdict_refuse(verdict, LP_CODE_ENTITLEMENT_UNKNOWN, UNKNOWN);
        return 0;
    }
    ref = before->exists ? lp_record_ref(before, by->ref) : NULL;
    if (ref != NULL) {
        *at = ref->at;
        return confirm(verdict, LP_REPEATED, ref->status);
    }
    if (!before->exists && message->status == LP_STATUS_CANCELLED) {
        lp_verdict_refuse(verdict, LP_CODE_ENTITLEMENT_UNKNOWN, UNKNOWN);
        return 0;
    }
    if (!before->exists) {
        first_state(message, wanted, by, after);
        return confirm(verdict, LP_APPLIED, after->status);
    }
    reason = changed_field(wanted, before);
    if (reason != NULL) {
        snprintf(text, sizeof(text), "entitlement.%s: " CHANGED, reason);
        lp_verdict_refuse(verdict, LP_CODE_OTHER, text);
        return 0;
    }
    if (wanted->created != 0 && wanted->created < before->created) {
        lp_record_remember(after, by->ref, by->now, before->status);
        return confirm(verdict, LP_STALE, before->status);
    }
    reason = next_state(message, wanted, after, &code);
    if (reason != NULL) {
        *after = *before;
        lp_verdict_refuse(verdict, code, reason);
        return 0;
    }
    if (before->party.len == 0) {
        lp_field_set(&after->party, by->party);
    }
    lp_record_remember(after, by->ref, by->now, after->status);
    return confirm(verdict, LP_APPLIED, after->status);
}

/* The name of the first value that is not the one that is stored; what was
   never stored, or was erased, is not compared. */
static const char *
changed_field(const lp_record_t *wanted, const lp_record_t *before)
{
    if (before->product.len > 0
        && !lp_span_equal(lp_field(&wanted->product),
                          lp_field(&before->product))) {
        return "productId";
    }
    if (before->type != LP_TYPE_NONE && wanted->type != before->type) {
        return "entitlementType";
    }
    if (!lp_span_equal(lp_field(&wanted->school), lp_field(&before->school))) {
        return "school";
    }
    if (before->n_users > 0 && !same_users(wanted, before)) {
        return "user";
    }
    if (before->from != 0 && wanted->from != before->from) {
        return "startDate";
    }
    if (before->until != 0 && wanted->until != before->until) {
        return "activationUntilDate";
    }
    return NULL;
}

static int
same_users(const lp_record_t *a, const lp_record_t *b)
{
    unsigned i, j, found = 0;

    for (i = 0; i < a->n_users; i++) {
        for (j = 0; j < b->n_users; j++) {
            found += memcmp(a->users[i], b->users[j], LP_USER_KEY_LEN) == 0;
        }
    }
    return found == a->n_users && found == b->n_users;
}

static void
first_state(const lp_message_t *message, const lp_record_t *wanted,
            const lp_change_by_t *by, lp_record_t *after)
{
    *after = *wanted;
    after->status = message->status == LP_STATUS_BLOCKED ? LP_STATUS_BLOCKED
                                                         : LP_STATUS_ENTITLED;
    lp_field_set(&after->party, by->party);
    lp_record_remember(after, by->ref, by->now, after->status);
}

/* A code or a whole school's right is in use when others came of it. */
static int
has_licence(const lp_record_t *record)
{
    return record->status == LP_STATUS_LICENSED || record->licensed != 0
           || record->used > 0;
}

/*
 * A limit that was overrun, where that is allowed, can be sent again as it
 * stands, and be raised; only a new and lower one would deny licences that are
 * there. A block takes any: it must never wait for a number.
 */
static int
denies_licences(const lp_message_t *message, const lp_record_t *wanted,
                const lp_record_t *before)
{
    if (wanted->quantity == 0 || wanted->quantity >= before->used
        || message->status == LP_STATUS_BLOCKED) {
        return 0;
    }
    return before->quantity == 0 || wanted->quantity < before->quantity;
}

static const char *
next_state(const lp_message_t *message, const lp_record_t *wanted,
           lp_record_t *after, int *code)
{
    int cancels = message->status == LP_STATUS_CANCELLED;

    if (after->status == LP_STATUS_CANCELLED && !cancels) {
        return CANCELLED;
    }
    if (cancels && has_licence(after)) {
        *code = LP_CODE_LICENSED;
        return LICENSED;
    }
    if (after->type == LP_TYPE_OPEN
        && denies_licences(message, wanted, after)) {
        return "entitlement.quantity: is less than the licences that it gave";
    }
    if (cancels) {
        after->status = LP_STATUS_CANCELLED;
        after->n_users = 0;
    } else if (message->status == LP_STATUS_BLOCKED) {
        after->status = LP_STATUS_BLOCKED;
    } else if (after->status == LP_STATUS_BLOCKED) {
        after->status = after->licensed != 0 ? LP_STATUS_LICENSED
                                             : LP_STATUS_ENTITLED;
    }
    after->quantity = wanted->quantity;
    if (wanted->created != 0) {
        after->created = wanted->created;
    }
    return NULL;
}
