/*
 * GET or POST /lti/login: a platform begins a launch (LTI 1.3 security
 * framework, section 5.1.1.1). Nothing here is signed, and nothing is believed:
 * it only says which registered platform to ask, and that one is asked at the
 * endpoint of lti.json.
 */

#include <stdlib.h>

#include "../core/text.h"
#include "lti_answer.h"
#include "lti_state.h"
#include "parameters.h"

#define FORM_MAX     16384 /* bytes */
#define LOCATION_MAX 12288

enum { ISS, HINT, TARGET, MESSAGE, CLIENT, DEPLOYMENT, PARAMETERS };

static const lp_parameter_t parameters[PARAMETERS] = {
    [ISS] = {"iss", 256, 1, {NULL, 0}},
    [HINT] = {"login_hint", 2048, 1, {NULL, 0}},
    [TARGET] = {"target_link_uri", LP_LTI_URL_MAX, 1, {NULL, 0}},
    [MESSAGE] = {"lti_message_hint", 4096, 0, {NULL, 0}},
    [CLIENT] = {"client_id", 256, 0, {NULL, 0}},
    [DEPLOYMENT] = {"lti_deployment_id", LP_DEPLOYMENT_MAX, 0, {NULL, 0}},
};

static void begin_launch(lp_visit_t *visit, const lp_parameter_t *list);
static void refuse(lp_visit_t *visit, const lp_platform_t *platform);
static int knows(const lp_platform_t *platform, lp_span_t deployment);
static void ask_platform(lp_visit_t *visit, const lp_platform_t *platform,
                         const lp_parameter_t *list, lp_span_t state,
                         lp_span_t nonce);

void
lp_visit_lti_login(lp_visit_t *visit)
{
    lp_request_t  *request = &visit->request;
    lp_parameter_t list[PARAMETERS];
    lp_span_t      pairs = request->query;
    size_t         len;
    const char    *wrong;
    char          *form, *memory;
    int            posted = lp_span_equal(request->method, lp_span("POST"));

    memcpy(list, parameters, sizeof(list));
    form = malloc(2 * FORM_MAX + 1);
    if (form == NULL) {
        lp_lti_unavailable(visit, NULL);
        return;
    }
    memory = form + FORM_MAX;
    if (posted) {
        pairs = (lp_span_t) {form, 0};
        if (!lp_request_is_form(request)
            || lp_request_body(request, form, FORM_MAX, &len) != 0) {
            len = 0; /* then iss is missing */
        }
        pairs.len = len;
    }
    wrong = pairs.len > FORM_MAX
                ? "all of it"
                : lp_parameters_read(list, PARAMETERS, pairs, memory);
    if (wrong != NULL) {
        lp_lti_malformed(visit, NULL, wrong);
    } else {
        begin_launch(visit, list);
    }
    free(form);
}

static void
begin_launch(lp_visit_t *visit, const lp_parameter_t *list)
{
    const lp_platform_t *platform;
    lp_launch_state_t    launch;
    lp_begun_t           result;
    lp_span_t            nowhere = {NULL, 0};
    lp_span_t            deployment = list[DEPLOYMENT].value;
    char                 state[LP_RANDOM_LEN + 1];

    platform = lp_platform_find(lp_platform_list(visit->sso->platforms),
                                list[ISS].value, list[CLIENT].value);
    if (platform == NULL || !knows(platform, deployment)) {
        refuse(visit, platform);
        return;
    }
    memset(&launch, 0, sizeof(launch));
    memcpy(launch.platform, platform->name.data, platform->name.len);
    if (deployment.len > 0) {
        memcpy(launch.deployment, deployment.data, deployment.len);
    }
    result = lp_launch_store(visit, &launch, state);
    if (result == LP_BEGUN_TOO_MANY) {
        lp_lti_problem(visit, platform, nowhere, LP_PROBLEM_BUSY, 0);
    } else if (result != LP_BEGUN_OK) {
        lp_lti_unavailable(visit, platform);
    } else {
        ask_platform(visit, platform, list, lp_span_of(state),
                     lp_span_of(launch.nonce));
    }
}

/* platform NULL: it isn't even known whose frame the page would be in, so that
   the log may be the only place where somebody reads of it. */
static void
refuse(lp_visit_t *visit, const lp_platform_t *platform)
{
    lp_lti_fault_t reason = platform == NULL ? LP_LTI_OK
                                             : LP_LTI_DEPLOYMENT_UNKNOWN;

    lp_lti_say(platform, platform == NULL ? "unknown"
                                          : lp_lti_fault_name(reason),
               platform == NULL ? "no iss and client_id of lti.json are those "
                                  "of the login"
                                : lp_lti_fault_text(reason));
    lp_lti_problem(visit, platform, (lp_span_t) {NULL, 0},
                   LP_PROBLEM_LAUNCH_UNKNOWN, reason);
}

/* lti_deployment_id is a hint that may be left out. */
static int
knows(const lp_platform_t *platform, lp_span_t deployment)
{
    unsigned i;

    for (i = 0; deployment.len > 0 && i < platform->n_deployments; i++) {
        if (lp_span_equal(platform->deployments[i].id, deployment)) {
            return 1;
        }
    }
    return deployment.len == 0;
}

static void
ask_platform(lp_visit_t *visit, const lp_platform_t *platform,
             const lp_parameter_t *list, lp_span_t state, lp_span_t nonce)
{
    const lp_sites_t *sites = lp_sites(visit->sso->providers);
    lp_text_t         text;
    char              bytes[LOCATION_MAX];

    text = lp_text_in(bytes, sizeof(bytes));
    lp_parameters_to(&text, platform->authorization_endpoint);
    lp_text_add(&text, lp_span("scope=openid&response_type=id_token"
                               "&response_mode=form_post&prompt=none"));
    lp_parameter_add(&text, "client_id", platform->client_id);
    lp_text_add(&text, lp_span("&redirect_uri="));
    lp_text_query(&text, sites->public_url);
    lp_text_query(&text, lp_span("/lti/launch"));
    /* the name is for the frame of a page that says that state is gone */
    lp_parameter_add(&text, "state", state);
    lp_text_add(&text, lp_span("."));
    lp_text_add(&text, platform->name);
    lp_parameter_add(&text, "nonce", nonce);
    lp_parameter_add(&text, "login_hint", list[HINT].value);
    if (list[MESSAGE].value.data != NULL) {
        lp_parameter_add(&text, "lti_message_hint", list[MESSAGE].value);
    }
    if (text.full) {
        /* hints of which most had to be encoded */
        lp_lti_malformed(visit, platform, parameters[MESSAGE].name);
        return;
    }
    lp_answer_header(&visit->request, "Location", lp_text_span(&text));
    lp_answer_header(&visit->request, "Referrer-Policy",
                     lp_span("no-referrer"));
    lp_answer_begin(&visit->request, 302, "text/plain");
}
