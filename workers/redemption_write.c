/*
 * All that a redeemed code changes, in one transaction: the licence and its
 * right, the code's entitlement, the code itself, and the entry of the journal
 * that tells the seller. What was watched before (code_redeem.c) makes it fail
 * where somebody else was quicker.
 */

#include "redemption.h"

#include <inttypes.h>
#include <stdio.h>

#include "../core/right.h"
#include "code_tries.h"

#define DIGITS_MAX 24
#define WORDS_MAX  32

const char *const lp_code_user_fields[LP_TOKEN_USERS] = {"user", "user2",
                                                         "user3"};

typedef struct {
    lp_span_t list[WORDS_MAX];
    unsigned  n;
} row_t;

static void add_parent(lp_redemption_t *redeem);
static void add_rights(lp_redemption_t *redeem);
static void add_code(lp_redemption_t *redeem);
static void word(row_t *row, const char *name, lp_span_t value);
static int add_entry(lp_redemption_t *redeem);

lp_store_status_t
lp_redemption_write(lp_redemption_t *redeem)
{
    lp_store_t       *store = redeem->service->store;
    lp_store_status_t status;

    memset(&redeem->chain, 0, sizeof(redeem->chain));
    if (redeem->has_held) {
        /* what the person had before stays behind it */
        status = lp_chain_read(&redeem->chain, store, &redeem->licence);
        if (status != LP_STORE_OK) {
            return status;
        }
    }
    lp_store_begin(store);
    /* nobody else makes this record: its place needs no claim before */
    lp_place_write(store, &redeem->licence);
    add_rights(redeem);
    lp_record_write(store, &redeem->licence, &redeem->before);
    add_parent(redeem);
    add_code(redeem);
    if (add_entry(redeem) != 0) {
        lp_store_add(store, LP_WORDS(lp_span("DISCARD")));
        lp_store_run(store);
        return LP_STORE_REFUSED;
    }
    lp_tries_forgive(store, redeem->by->users[0], redeem->by->school);
    return lp_store_commit(store);
}

static void
add_parent(lp_redemption_t *redeem)
{
    lp_record_t changed = redeem->parent;

    if (!redeem->has_parent) {
        return;
    }
    changed.status = LP_STATUS_LICENSED;
    changed.licensed = redeem->licence.licensed;
    changed.expires = redeem->licence.expires;
    changed.used = 1;
    lp_record_write(redeem->service->store, &changed, &redeem->parent);
}

static void
add_rights(lp_redemption_t *redeem)
{
    lp_right_t right;
    char       text[LP_RIGHT_MAX];
    lp_span_t  value = {text, 0};
    unsigned   i;

    if (redeem->has_held) {
        lp_chain_write(&redeem->chain, redeem->service->store,
                       &redeem->licence, redeem->by->today);
        return;
    }
    if (!lp_record_right(&redeem->licence, &right)) {
        return;
    }
    value.len = lp_right_format(text, &right);
    for (i = 0; i < redeem->by->n_users; i++) {
        lp_store_add(redeem->service->store,
                     LP_WORDS(lp_span("HSET"), redeem->rights[i].span,
                              lp_field(&redeem->product), value));
    }
}

static void
add_code(lp_redemption_t *redeem)
{
    char     at[DIGITS_MAX], until[DIGITS_MAX];
    row_t    row = {.n = 2};
    unsigned i;

    snprintf(at, sizeof(at), "%" PRId64, lp_service_now());
    snprintf(until, sizeof(until), "%08" PRIu32, redeem->licence.expires);
    row.list[0] = lp_span("HSET");
    row.list[1] = redeem->code.span;
    word(&row, "state", lp_span("used"));
    for (i = 0; i < redeem->by->n_users && i < LP_TOKEN_USERS; i++) {
        word(&row, lp_code_user_fields[i], redeem->by->users[i]);
    }
    word(&row, "school", redeem->school);
    word(&row, "licence",
         (lp_span_t) {redeem->licence.entitlement, LP_ENTITLEMENT_LEN});
    word(&row, "used", lp_span_of(at));
    word(&row, "until", lp_span_of(until));
    lp_store_add(redeem->service->store, (lp_words_t) {row.list, row.n});
}

/* What is empty is left out. */
static void
word(row_t *row, const char *name, lp_span_t value)
{
    if (value.len > 0) {
        row->list[row->n++] = lp_span_of(name);
        row->list[row->n++] = value;
    }
}

/*
 * The journal entry of an activation, and the code with it. It names what the
 * seller knows: the code's entitlement, or where none came with it the licence.
 */
static int
add_entry(lp_redemption_t *redeem)
{
    lp_seal_t         *seal = redeem->service->seal;
    const lp_record_t *licence = &redeem->licence;
    static char        person[LP_SEAL_SEALED_MAX], code[LP_SEAL_SEALED_MAX];
    char               key[LP_KEY_MAX], day[DIGITS_MAX], until[DIGITS_MAX];
    char               shown[LP_CODE_SHOWN_MAX];
    row_t              row = {.n = 3};
    size_t             len, sealed = 0;

    if (licence->party.len == 0) {
        return 0;
    }
    len = lp_code_show(shown, redeem->canonical);
    len = lp_seal_close(seal, code, "code", (lp_span_t) {shown, len});
    if (redeem->by->person.len > 0) {
        sealed = lp_seal_close(seal, person, "person", redeem->by->person);
    }
    if (len == 0 || (sealed == 0 && redeem->by->person.len > 0)) {
        return -1;
    }
    snprintf(day, sizeof(day), "%08" PRIu32, licence->licensed);
    snprintf(until, sizeof(until), "%08" PRIu32, licence->expires);
    row.list[0] = lp_span("XADD");
    row.list[1] = (lp_span_t) {key, lp_key_journal(key, licence->shard)};
    row.list[2] = lp_span("*");
    word(&row, "kind", lp_span("activation"));
    word(&row, "party", lp_field(&licence->party));
    word(&row, "entitlement",
         (lp_span_t) {redeem->has_parent ? redeem->parent_id
                                         : licence->entitlement,
                      LP_ENTITLEMENT_LEN});
    word(&row, "product", lp_field(&licence->product));
    word(&row, "type", lp_span_of(lp_type_name(licence->type)));
    word(&row, "school", lp_field(&licence->school));
    word(&row, "day", lp_span_of(day));
    word(&row, "until", lp_span_of(until));
    word(&row, "person", (lp_span_t) {person, sealed});
    word(&row, "code", (lp_span_t) {code, len});
    lp_store_add(redeem->service->store, (lp_words_t) {row.list, row.n});
    return 0;
}
