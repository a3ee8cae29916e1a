/*
 * leerpoort school consent: whether a school lets others see what is used in
 * it. A seller needs no consent (purpose binding under the processing
 * agreement); a dashboard does (Edu-V, SEM 3.6.2).
 */

#include "../core/keys.h"
#include "commands.h"
#include "say.h"
#include "store_args.h"
#include "usage_keys.h"

#define TIMEOUT_MS 2000

static int
change(lp_store_t *store, lp_span_t school, int withdraw)
{
    const redisReply *reply;
    lp_span_t         key, field = lp_span(LP_CONSENT_DASHBOARD);
    char              name[LP_USAGE_KEY_MAX];

    key = (lp_span_t) {name, lp_key_known_school(name, school)};
    lp_store_add(store, LP_WORDS(lp_span("WATCH"), key));
    lp_store_add(store, LP_WORDS(lp_span("EXISTS"), key));
    if (lp_store_run(store) != LP_STORE_OK) {
        return lp_store_say(store);
    }
    reply = lp_store_reply(store, 1);
    if (reply == NULL || reply->integer == 0) {
        lp_say("this school is not known: leerpoort import schools");
        return LP_NO;
    }
    lp_store_begin(store);
    if (withdraw) {
        lp_store_add(store, LP_WORDS(lp_span("HDEL"), key, field));
    } else {
        lp_store_add(store, LP_WORDS(lp_span("HSET"), key, field,
                                     lp_span("1")));
    }
    switch (lp_store_commit(store)) {
    case LP_STORE_OK:
        break;
    case LP_STORE_CONFLICT:
        lp_say("somebody changed this school meanwhile: do it again");
        return LP_NO;
    default:
        return lp_store_say(store);
    }
    reply = lp_store_exec(store);
    if (withdraw && reply != NULL && reply->elements == 1
        && reply->element[0]->integer == 0) {
        lp_say("this school had not consented");
        return LP_NO;
    }
    return LP_YES;
}

int
lp_command_school_consent(const lp_args_t *args)
{
    lp_span_t   school = lp_span_of(args->value[LP_OPT_CONSENT_SCHOOL]);
    lp_store_t *store;
    int         rc;

    if (!lp_school_valid(school)) {
        return lp_args_refuse(args, "--school is 1 to 64 of A-Z a-z 0-9 _ . "
                                    "-");
    }
    if (strcmp(args->value[LP_OPT_CONSENT_SCOPE], "usage.dashboard") != 0) {
        return lp_args_refuse(args, "--scope is usage.dashboard");
    }
    rc = lp_store_of_args(&store, args, TIMEOUT_MS);
    if (rc == LP_YES) {
        rc = change(store, school, args->value[LP_OPT_WITHDRAW] != NULL);
    }
    lp_store_destroy(store);
    return rc;
}
