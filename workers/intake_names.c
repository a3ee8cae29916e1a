/*
 * Whether what a message names is there: its school, by whatever id, and its
 * product. Within an import most of it is remembered, and then nothing is asked
 * at all.
 */

#include "intake.h"

#include "usage_keys.h"

static int
ask_known(lp_intake_t *intake, lp_span_t key)
{
    if (lp_known(intake->known, key, intake->now, NULL)) {
        return 0;
    }
    lp_store_add(intake->service->store, LP_WORDS(lp_span("EXISTS"), key));
    return 1;
}

static void
note_exists(lp_intake_t *intake, lp_span_t key, const redisReply *reply,
            int *missing)
{
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER
        && reply->integer > 0) {
        lp_known_note(intake->known, key, intake->now, lp_span(""));
    } else {
        *missing = 1;
    }
}

/* Sets the school where one of the aliases is remembered; else asks for all
   and returns how many. */
static unsigned
ask_aliases(lp_intake_t *intake, lp_item_t *item)
{
    const lp_message_t *message = item->message;
    char                name[LP_KEY_MAX];
    lp_span_t           key = {name, 0}, school;
    unsigned            i;

    if (item->wanted.school.len > 0 || message->n_aliases == 0) {
        return 0;
    }
    for (i = 0; i < message->n_aliases; i++) {
        key.len = lp_key_alias(name, message->aliases[i].type,
                               lp_field(&message->aliases[i].id));
        if (lp_known(intake->known, key, intake->now, &school)) {
            lp_field_set(&item->wanted.school, school);
            return 0;
        }
    }
    for (i = 0; i < message->n_aliases; i++) {
        key.len = lp_key_alias(name, message->aliases[i].type,
                               lp_field(&message->aliases[i].id));
        lp_store_add(intake->service->store, LP_WORDS(lp_span("GET"), key));
    }
    return message->n_aliases;
}

/* The first alias that is known counts. */
static void
take_aliases(lp_intake_t *intake, lp_item_t *item, unsigned at)
{
    const lp_message_t *message = item->message;
    char                name[LP_KEY_MAX];
    lp_span_t           key = {name, 0}, school;
    unsigned            i;

    for (i = 0; i < message->n_aliases; i++) {
        school = lp_store_text(lp_store_reply(intake->service->store, at + i));
        if (school.data != NULL && lp_school_valid(school)) {
            key.len = lp_key_alias(name, message->aliases[i].type,
                                   lp_field(&message->aliases[i].id));
            lp_known_note(intake->known, key, intake->now, school);
            lp_field_set(&item->wanted.school, school);
            return;
        }
    }
    lp_verdict_refuse(item->verdict, LP_CODE_SCHOOL_UNKNOWN, LP_SCHOOL_UNKNOWN);
    item->refused = 1;
}

static lp_store_status_t
resolve_aliases(lp_intake_t *intake)
{
    unsigned          asked[LP_INTAKE_MAX] = {0}, i, at = 0, all = 0;
    lp_store_status_t status;

    for (i = 0; i < intake->n; i++) {
        asked[i] = ask_aliases(intake, &intake->items[i]);
        all += asked[i];
    }
    if (all == 0) {
        return LP_STORE_OK;
    }
    status = lp_store_run(intake->service->store);
    for (i = 0; status == LP_STORE_OK && i < intake->n; i++) {
        if (asked[i] > 0) {
            take_aliases(intake, &intake->items[i], at);
        }
        at += asked[i];
    }
    return status;
}

/* Two questions at most: bit 0 the product, bit 1 the school. */
static unsigned
ask_names(lp_intake_t *intake, const lp_item_t *item)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, 0};
    unsigned  asked;

    key.len = lp_key_product(name, lp_field(&item->wanted.product));
    asked = ask_known(intake, key) ? 1 : 0;
    if (item->wanted.school.len > 0) {
        key.len = lp_key_known_school(name, lp_field(&item->wanted.school));
        asked |= ask_known(intake, key) ? 2 : 0;
    }
    return asked;
}

static void
take_names(lp_intake_t *intake, lp_item_t *item, unsigned asked, unsigned *at)
{
    lp_store_t *store = intake->service->store;
    char        name[LP_KEY_MAX];
    lp_span_t   key = {name, 0};
    int         no_product = 0, no_school = 0;

    if (asked & 1) {
        key.len = lp_key_product(name, lp_field(&item->wanted.product));
        note_exists(intake, key, lp_store_reply(store, (*at)++), &no_product);
    }
    if (asked & 2) {
        key.len = lp_key_known_school(name, lp_field(&item->wanted.school));
        note_exists(intake, key, lp_store_reply(store, (*at)++), &no_school);
    }
    item->unknown = no_school    ? LP_CODE_SCHOOL_UNKNOWN
                    : no_product ? LP_CODE_PRODUCT_UNKNOWN
                                 : 0;
}

lp_store_status_t
lp_intake_look_up(lp_intake_t *intake)
{
    unsigned          asked[LP_INTAKE_MAX], i, at = 0, all = 0;
    lp_store_status_t status = resolve_aliases(intake);
    lp_item_t        *item;

    if (status != LP_STORE_OK) {
        return status;
    }
    for (i = 0; i < intake->n; i++) {
        asked[i] = intake->items[i].refused
                       ? 0
                       : ask_names(intake, &intake->items[i]);
        all |= asked[i];
    }
    if (all != 0) {
        status = lp_store_run(intake->service->store);
    }
    for (i = 0; status == LP_STORE_OK && i < intake->n; i++) {
        take_names(intake, &intake->items[i], asked[i], &at);
        item = &intake->items[i];
        item->wanted.shard = lp_record_home(&item->wanted);
    }
    return status;
}
