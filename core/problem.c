/*
 * The table of problems: for machines and for operators. What a pupil reads
 * is in problem_dutch.c and problem_english.c.
 */

#include "problem.h"

#include <stddef.h>

#include "problem_texts.h"

/* What Edu-V's {"status"} says; the reason is in its statusMessage. */
#define EDUV_SCHEMA 11
#define EDUV_SCOPE  21
#define EDUV_SCHOOL 23
#define EDUV_OTHER  99

typedef struct {
    const char *name; /* NULL: an outcome, which has one */
    unsigned    status;
    unsigned    eduv;
    const char *advice;
} problem_t;

static const problem_t problems[LP_PROBLEMS] = {

    [LP_ACTIVATE] = {NULL, 0, EDUV_OTHER,
        "The first use of a book needs a worker, and none is configured: see "
        "leerpoort_activate in docs/directives.md."},

    [LP_LOGIN] = {NULL, 0, EDUV_SCOPE,
        "The click came without a token, or with one that has expired, and no "
        "leerpoort_login is set. If the person had signed in: look at the "
        "lifetime of the portal's tokens, at the cookie, and at the clocks."},

    [LP_BAD_TOKEN] = {NULL, 0, EDUV_SCOPE,
        "The token was refused. `leerpoort token explain` shows why for a "
        "token that the portal's operator makes; compare the issuer's block "
        "with what the issuer says it sends."},

    [LP_NO_RIGHT] = {NULL, 0, EDUV_OTHER,
        "The token is in order; neither the person nor the school holds a "
        "right to the book. Ask the seller whether the entitlement was sent, "
        "and for which id; `leerpoort right show` lists what a person "
        "holds."},

    [LP_NOT_YET] = {NULL, 0, EDUV_OTHER,
        "There is a right, and its first day lies ahead. `leerpoort right "
        "show` has the dates; the seller can send them anew."},

    [LP_ENDED] = {NULL, 0, EDUV_OTHER,
        "There was a right, and its last day is over. `leerpoort right show` "
        "has the dates; a new order brings a new entitlement."},

    [LP_BLOCKED_OUT] = {NULL, 0, EDUV_OTHER,
        "The right is blocked: the seller withdrew or blocked the "
        "entitlement, or an operator did. The entitlement's record and the "
        "seller say why."},

    [LP_UNKNOWN_PRODUCT] = {NULL, 0, EDUV_OTHER,
        "The link names a product that the catalogue does not have. The log "
        "line says which; look for it with `leerpoort product show`, else ask "
        "the publisher and the portal about the link."},

    [LP_UNKNOWN_MATERIAL] = {NULL, 0, EDUV_OTHER,
        "The product is known, but it has no deep links, or its target is not "
        "on leerpoort_content_hosts. `leerpoort product show` has both; the "
        "error log names the target."},

    [LP_BAD_REQUEST] = {NULL, 0, EDUV_SCHEMA,
        "The link has characters that an access link can't have, or something "
        "other than GET was sent. Ask the portal where the link comes from."},

    [LP_UNAVAILABLE] = {NULL, 0, EDUV_OTHER,
        "Redis or a worker did not answer in time. Look at the metrics of that "
        "minute (leerpoort_redis_up, leerpoort_clicks_total) and at the error "
        "log."},

    [LP_PROBLEM_NO_COOKIES] = {"no-cookies", 400, EDUV_OTHER,
        "The browser sent no cookie back after the sign-in was begun. Look for "
        "a setting that blocks cookies, for a frame of another site, and for a "
        "server name that differs from publicUrl. Or the edge took none of the "
        "tokens that the browser was given: compare its clock with that of "
        "leerpoort-sso."},

    [LP_PROBLEM_SIGN_IN_OLD] = {"sign-in-old", 400, EDUV_OTHER,
        "The sign-in was used already or is older than ten minutes: the back "
        "button, a bookmark of the sign-in page, or a tab that was open for "
        "long. Many of them in a minute: Redis lost its data, or somebody "
        "tries."},

    [LP_PROBLEM_SIGN_IN_OTHER] = {"sign-in-other", 400, EDUV_OTHER,
        "The answer of the identity provider came to another browser than the "
        "one that began. A link that was passed on, or somebody who tries to "
        "sign another in."},

    [LP_PROBLEM_SIGN_IN_REFUSED] = {"sign-in-refused", 403, EDUV_OTHER,
        "The identity provider answered with an error, for instance because "
        "the person stopped or the school has not allowed this service. The "
        "log has its error."},

    [LP_PROBLEM_SIGN_IN_WRONG] = {"sign-in-wrong", 502, EDUV_OTHER,
        "The identity provider sent something that did not pass a check. The "
        "reason says which; compare issuer, client id and keys in sso.json "
        "with the provider's, and the clocks."},

    [LP_PROBLEM_PROVIDER_DOWN] = {"provider-down", 503, EDUV_OTHER,
        "The identity provider did not answer, too late, or with an error of "
        "its own. Sessions go on; new sign-ins wait for it."},

    [LP_PROBLEM_BUSY] = {"busy", 503, EDUV_OTHER,
        "More sign-ins at once than are let through, or more clicks of one "
        "person (limit_req). The page tries again by itself; if it lasts, look "
        "at how fast the identity provider answers, then at "
        "signInsPerMinute."},

    [LP_PROBLEM_UNKNOWN_SCHOOL] = {"unknown-school", 403, EDUV_SCHOOL,
        "The school that the identity provider named is not known. `leerpoort "
        "school set --type TYPE --id ID --school SCHOOL` tells Leerpoort which "
        "school it is."},

    [LP_PROBLEM_NOBODY] = {"nobody", 403, EDUV_OTHER,
        "The identity provider sent none of the ids that sso.json or lti.json "
        "asks for. Look at users there and at the attributes that the school "
        "releases."},

    [LP_PROBLEM_SESSION_EXPIRED] = {"session-expired", 401, EDUV_SCOPE,
        "The session is over: by its lifetime, by a sign-out, here or at the "
        "identity provider, or because nobody used it."},

    [LP_PROBLEM_BAD_RETURN] = {"bad-return", 400, EDUV_SCHEMA,
        "The sign-in was asked for with a way back that is no click of this "
        "site. Look at the link in the portal; somebody may be trying to lead "
        "people elsewhere."},

    [LP_PROBLEM_UNKNOWN_PROVIDER] = {"unknown-provider", 404, EDUV_OTHER,
        "No provider in sso.json has this name. Look at the link in the "
        "portal."},

    [LP_PROBLEM_LAUNCH_OLD] = {"launch-old", 400, EDUV_OTHER,
        "The launch was used already or is too old: the back button, or a page "
        "of the learning platform that was open for long."},

    [LP_PROBLEM_LAUNCH_OTHER] = {"launch-other", 400, EDUV_OTHER,
        "The launch came back to another browser than the one that began."},

    [LP_PROBLEM_LAUNCH_WRONG] = {"launch-wrong", 400, EDUV_SCHEMA,
        "The learning platform's message did not pass a check. The reason says "
        "which, where it is the token's; compare issuer, client id, "
        "deployments and keys in lti.json with the platform's."},

    [LP_PROBLEM_LAUNCH_UNKNOWN] = {"launch-unknown", 403, EDUV_OTHER,
        "The platform, its client id or its deployment is not in lti.json."},

    [LP_PROBLEM_LAUNCH_NO_BOOK] = {"launch-no-book", 404, EDUV_OTHER,
        "The link in the learning platform names no product: neither custom "
        "product nor a target_link_uri below the click prefix."},

    [LP_PROBLEM_TEACHERS_ONLY] = {"teachers-only", 403, EDUV_OTHER,
        "Only somebody with a teaching role may pick books for a course. Look "
        "at the person's role in the course."},

    [LP_PROBLEM_LINK_OLD] = {"link-old", 410, EDUV_OTHER,
        "The link was used already, or is too old: one to a book lasts five "
        "minutes, one to link an account fifteen."},

    [LP_PROBLEM_BAD_FORM] = {"bad-form", 400, EDUV_SCHEMA,
        "A form was sent incomplete, or from another site."},

    [LP_PROBLEM_NOT_FOUND] = {"not-found", 404, EDUV_OTHER,
        "There is no page at this address."},

    [LP_PROBLEM_OFF] = {"off", 404, EDUV_OTHER,
        "The page exists, and its configuration does not: the sign-in needs "
        "sso.json, launches need lti.json, codes need leerpoort-worker."},

    [LP_PROBLEM_TOO_LONG] = {"too-long", 431, EDUV_SCHEMA,
        "The header fields of the request were longer than nginx takes "
        "(large_client_header_buffers): mostly cookies, also those of other "
        "sites below the same domain, or a token that has grown."},
};

static lp_problem_t known(lp_problem_t problem);

int
lp_problem_exists(unsigned number)
{
    return number < LP_PROBLEMS && problems[number].advice != NULL;
}

const char *
lp_problem_name(lp_problem_t problem)
{
    problem = known(problem);

    return problems[problem].name != NULL
               ? problems[problem].name
               : lp_outcome_name((lp_outcome_t) problem);
}

unsigned
lp_problem_status(lp_problem_t problem)
{
    problem = known(problem);

    return problems[problem].name != NULL
               ? problems[problem].status
               : lp_outcome_status((lp_outcome_t) problem);
}

unsigned
lp_problem_eduv(lp_problem_t problem)
{
    return problems[known(problem)].eduv;
}

const lp_problem_text_t *
lp_problem_text(lp_problem_t problem, lp_language_t language)
{
    problem = known(problem);

    return language == LP_ENGLISH ? &lp_problem_english[problem]
                                  : &lp_problem_dutch[problem];
}

int
lp_problem_passes(lp_problem_t problem)
{
    switch ((int) known(problem)) {
    case LP_ACTIVATE:
    case LP_UNAVAILABLE:
    case LP_PROBLEM_PROVIDER_DOWN:
    case LP_PROBLEM_BUSY:
        return 1;
    default:
        return 0;
    }
}

const char *
lp_problem_advice(lp_problem_t problem)
{
    return problems[known(problem)].advice;
}

/* What is none is treated as our fault. */
static lp_problem_t
known(lp_problem_t problem)
{
    if (!lp_problem_exists((unsigned) problem)) {
        return lp_problem_of(LP_UNAVAILABLE);
    }

    return problem;
}
