/*
 * POST /lti/launch: a platform answers (response_mode=form_post). state is
 * taken once, before anything is looked at: whatever follows, the same answer
 * can't be sent again. A key that is not here yet is waited for, as long as
 * leerpoort-keys needs to fetch it.
 *
 * Behind state stands the platform's name, so that whoever reloads a frame or
 * sends its form twice reads so: of a state that is gone, nothing else says
 * whose frame it is. Nothing but that is believed of it.
 */

#include <openssl/crypto.h>
#include <stdlib.h>

#include "id_token.h"
#include "lti_accept.h"
#include "lti_answer.h"
#include "lti_state.h"
#include "parameters.h"

#define FORM_MAX 65536 /* bytes */
#define KEY_WAIT 5000  /* ms */

enum { STATE, ID_TOKEN, ERROR, PARAMETERS };

/* A token that is too long is judged as a token, in the platform's frame. */
static const lp_parameter_t parameters[PARAMETERS] = {
    [STATE] = {"state", 256, 0, {NULL, 0}}, /* "<state>.<platform>" */
    [ID_TOKEN] = {"id_token", FORM_MAX, 0, {NULL, 0}},
    [ERROR] = {"error", FORM_MAX, 0, {NULL, 0}},
};

/* Why a platform sends no id_token (OpenID Connect Core 3.1.2.6, RFC 6749
   section 4.2.2.1), as the log may say it. */
static const char *const refusals[] = {
    "login_required", "interaction_required", "account_selection_required",
    "consent_required", "access_denied", "invalid_request",
    "unauthorized_client", "unsupported_response_type", "invalid_scope",
    "server_error", "temporarily_unavailable",
};

typedef struct {
    lp_launch_state_t begun;
    lp_parameter_t    list[PARAMETERS];
    lp_token_t        token;
    char              memory[2 * FORM_MAX + 1]; /* the form, and decoded */
} launch_t;

static void drop_launch(void *launch);
static int read_form(lp_visit_t *visit, launch_t *launch);
static const lp_platform_t *split_state(const lp_visit_t *visit,
                                        lp_span_t *state);
static int take_state(lp_visit_t *visit, launch_t *launch);
static int has_token(lp_visit_t *visit, const lp_platform_t *platform,
                     const launch_t *launch);
static void refuse(lp_visit_t *visit, const lp_platform_t *platform,
                   lp_span_t error);
static void check(lp_visit_t *visit, int late);
static void check_again(lp_visit_t *visit);
static void check_late(lp_visit_t *visit);
static void wait_for_key(lp_visit_t *visit, const lp_platform_t *platform);
static void use(lp_visit_t *visit, const lp_platform_t *platform,
                launch_t *launch);

static void
problem(lp_visit_t *visit, const lp_platform_t *platform, lp_problem_t what,
        unsigned reason)
{
    lp_lti_problem(visit, platform, (lp_span_t) {NULL, 0}, what, reason);
}

void
lp_visit_lti_launch(lp_visit_t *visit)
{
    launch_t *launch;

    if (!lp_span_equal(visit->request.method, lp_span("POST"))) {
        problem(visit, NULL, LP_PROBLEM_LAUNCH_OLD, 0); /* a reload, say */
        return;
    }
    launch = malloc(sizeof(launch_t));
    if (launch == NULL) {
        lp_lti_unavailable(visit, NULL);
        return;
    }
    memset(launch, 0, offsetof(launch_t, memory));
    visit->state = launch;
    if (read_form(visit, launch) == 0 && take_state(visit, launch) == 0) {
        check(visit, 0);
    }
    if (!visit->waiting) {
        visit->state = NULL;
        drop_launch(launch);
    }
}

/* Names of pupils may be in it. */
static void
drop_launch(void *launch)
{
    OPENSSL_cleanse(launch, sizeof(launch_t));
    free(launch);
}

/* -1 after answering. */
static int
read_form(lp_visit_t *visit, launch_t *launch)
{
    const char *wrong = "the form";
    size_t      len;

    memcpy(launch->list, parameters, sizeof(parameters));
    if (lp_request_is_form(&visit->request)
        && lp_request_body(&visit->request, launch->memory, FORM_MAX, &len)
               == 0) {
        wrong = lp_parameters_read(launch->list, PARAMETERS,
                                   (lp_span_t) {launch->memory, len},
                                   launch->memory + FORM_MAX);
    }
    if (wrong != NULL) {
        lp_lti_malformed(visit, NULL, wrong);
        return -1;
    }
    return 0;
}

/* Takes the name off. NULL: no platform has it, and state is none of ours. */
static const lp_platform_t *
split_state(const lp_visit_t *visit, lp_span_t *state)
{
    const lp_platform_t *platform;
    lp_span_t            name;

    if (state->len <= LP_RANDOM_LEN || state->data[LP_RANDOM_LEN] != '.') {
        return NULL;
    }
    name.data = state->data + LP_RANDOM_LEN + 1;
    name.len = state->len - LP_RANDOM_LEN - 1;
    platform = lp_platform_by_name(lp_platform_list(visit->sso->platforms),
                                   name);
    if (platform != NULL) {
        state->len = LP_RANDOM_LEN;
    }
    return platform;
}

/* -1 after answering. */
static int
take_state(lp_visit_t *visit, launch_t *launch)
{
    lp_span_t            state = launch->list[STATE].value;
    const lp_platform_t *platform = split_state(visit, &state);

    switch (lp_launch_take(visit, state, &launch->begun)) {
    case LP_BEGUN_OK:
        break;
    case LP_BEGUN_OTHER:
        problem(visit, platform, LP_PROBLEM_LAUNCH_OTHER, 0);
        return -1;
    case LP_BEGUN_FAILED:
        lp_lti_unavailable(visit, platform);
        return -1;
    default:
        problem(visit, platform, LP_PROBLEM_LAUNCH_OLD, 0);
        return -1;
    }
    platform = lp_platform_by_name(lp_platform_list(visit->sso->platforms),
                                   lp_span_of(launch->begun.platform));
    if (platform == NULL) {
        problem(visit, NULL, LP_PROBLEM_LAUNCH_UNKNOWN, 0);
        return -1;
    }
    return has_token(visit, platform, launch);
}

/* -1 after answering. */
static int
has_token(lp_visit_t *visit, const lp_platform_t *platform,
          const launch_t *launch)
{
    if (launch->list[ERROR].value.len > 0) {
        refuse(visit, platform, launch->list[ERROR].value);
        return -1;
    }
    if (launch->list[ID_TOKEN].value.len == 0) {
        lp_lti_say(platform, "error", "the platform sent no id_token");
        problem(visit, platform, LP_PROBLEM_LAUNCH_WRONG, 0);
        return -1;
    }
    return 0;
}

/* The platform says no: in words of our own, whatever it says. */
static void
refuse(lp_visit_t *visit, const lp_platform_t *platform, lp_span_t error)
{
    const char *name = "one that is not in the standards";
    size_t      i;

    for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (lp_span_equal(error, lp_span_of(refusals[i]))) {
            name = refusals[i];
        }
    }
    lp_lti_say(platform, "the platform sent an error", name);
    problem(visit, platform, LP_PROBLEM_SIGN_IN_REFUSED, 0);
}

/* The platform is looked up each time: lti.json may have changed. */
static void
check(lp_visit_t *visit, int late)
{
    launch_t            *launch = visit->state;
    const lp_platform_t *platform;
    lp_expected_token_t  expected;
    lp_jose_error_t      error;
    lp_id_token_t        result;
    const char          *why;

    platform = lp_platform_by_name(lp_platform_list(visit->sso->platforms),
                                   lp_span_of(launch->begun.platform));
    if (platform == NULL) {
        problem(visit, NULL, LP_PROBLEM_LAUNCH_UNKNOWN, 0);
        return;
    }
    memset(&expected, 0, sizeof(expected));
    expected.name = platform->name;
    expected.issuer = platform->issuer;
    expected.client_id = platform->client_id;
    expected.algs = &platform->algs;
    expected.leeway = platform->leeway;
    expected.nonce = lp_span_of(launch->begun.nonce);
    expected.anonymous = 1;
    expected.nonce_age = LP_BEGUN_LIFE; /* the nonce is not older */
    result = lp_id_token_check(&launch->token, launch->list[ID_TOKEN].value,
                               &expected, visit->sso->keys, lp_service_now(),
                               &error, &why);
    if (result == LP_ID_TOKEN_OK) {
        use(visit, platform, launch);
    } else if (result == LP_ID_TOKEN_NO_KEY && !late) {
        wait_for_key(visit, platform);
    } else if (result == LP_ID_TOKEN_NO_KEY
               && lp_key_files_jwks(visit->sso->keys, platform->name,
                                    &platform->algs) == NULL) {
        lp_lti_say(platform, "keys", "none of its keys has been fetched yet");
        lp_lti_unavailable(visit, platform); /* no fault of the token's */
    } else {
        lp_lti_say(platform, lp_jose_error_name(error), why);
        problem(visit, platform, LP_PROBLEM_LAUNCH_WRONG, error);
    }
    lp_token_close(&launch->token);
}

/* Anybody can send a token with a key that nobody knows: all that wait for one,
   of whatever platform, share half of the places, and who signs in has the
   others. */
static void
wait_for_key(lp_visit_t *visit, const lp_platform_t *platform)
{
    static const char launches;

    if (visit->waiting) {
        return;
    }
    visit->on_tick = check_again;
    visit->on_late = check_late;
    visit->drop = drop_launch;
    if (lp_visit_wait(visit, &launches, KEY_WAIT) != 0) {
        problem(visit, platform, LP_PROBLEM_BUSY, 0);
    }
}

static void
check_again(lp_visit_t *visit)
{
    check(visit, 0);
    if (visit->request.answered) {
        lp_visit_done(visit);
    }
}

static void
check_late(lp_visit_t *visit)
{
    check(visit, 1);
    lp_visit_done(visit);
}

static void
use(lp_visit_t *visit, const lp_platform_t *platform, launch_t *launch)
{
    switch (lp_launch_use_nonce(visit->sso,
                                lp_span_of(launch->begun.nonce))) {
    case LP_BEGUN_OK:
        lp_launch_accept(visit, platform,
                         lp_span_of(launch->begun.deployment),
                         launch->token.claims);
        break;
    case LP_BEGUN_FAILED:
        lp_lti_unavailable(visit, platform);
        break;
    default:
        problem(visit, platform, LP_PROBLEM_LAUNCH_OLD, 0);
        break;
    }
}
