/*
 * The claims of a launch, as a platform signed them. What is accepted names a
 * registered deployment, leads to a click that the edge would read in the same
 * way, or back to a platform by https; what is refused has a name. The claims
 * under their short names hold no parameter that the platform left unfilled.
 */

#include <jansson.h>

#include "../../core/click.h"
#include "../../core/json.h"
#include "../../sso/lti_claims.h"
#include "must.h"

#define SITE "https://toegang.example"

static void check_launch(const lp_launch_t *launch);
static void check_short(const json_t *claims);

static const lp_deployment_t deployments[] = {
    {lp_span("1"), lp_span("S1")},
    {lp_span("2"), {NULL, 0}},
};

static const lp_platform_t platform = {
    .name = lp_span("lms"),
    .deployments = deployments,
    .n_deployments = 2,
};

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const lp_launch_site_t site = {
        &platform, lp_span(SITE), lp_span("/go/"), {NULL, 0},
    };
    lp_json_memory_t *memory;
    lp_json_error_t   error;
    lp_launch_t       launch;
    lp_lti_fault_t    fault;
    const json_t     *claims;

    claims = lp_json_read((lp_span_t) {(const char *) bytes, len}, &memory,
                          &error);
    if (claims == NULL) {
        return 0;
    }
    fault = lp_launch_read(&launch, &site, claims);
    must((unsigned) fault < LP_LTI_FAULTS);
    must_be_reason(lp_lti_fault_text(fault),
                   strlen(lp_lti_fault_text(fault)) + 1);
    if (fault == LP_LTI_OK) {
        check_launch(&launch);
    }
    check_short(claims);
    lp_json_release(memory);
    return 0;
}

static void
check_launch(const lp_launch_t *launch)
{
    lp_click_t click;
    char       again[LP_LTI_CLICK_MAX];
    size_t     len;

    must(launch->deployment == &deployments[0]
         || launch->deployment == &deployments[1]);
    must(launch->subject.len <= LP_LTI_TEXT_MAX);
    must(launch->person.len <= LP_LTI_TEXT_MAX);
    if (launch->deep_linking) {
        must(launch->click_len == 0);
        must(launch->return_url.len <= LP_LTI_URL_MAX);
        must(memcmp(launch->return_url.data, "http", 4) == 0);
        must(memchr(launch->return_url.data, '"', launch->return_url.len)
             == NULL);
        must(launch->data.len <= LP_LTI_DATA_MAX);
        return;
    }
    must(launch->click_len > 0 && launch->click_len <= LP_LTI_CLICK_MAX);
    must(lp_click_parse(&click, (lp_span_t) {launch->click,
                                             launch->click_len}) == 0);
    len = lp_launch_click(again, (lp_span_t) {launch->click,
                                              launch->click_len});
    must(len == launch->click_len
         && memcmp(again, launch->click, len) == 0);
}

static void
check_short(const json_t *claims)
{
    json_t     *named = lp_launch_short(claims), *value;
    const char *name;

    must(named != NULL);
    must(json_object_size(named) <= json_object_size(claims));
    if (json_object_get(claims, LP_LTI_PREFIX "custom") != NULL) {
        json_object_foreach (json_object_get(named, "custom"), name, value) {
            must(json_string_length(value) == 0
                 || json_string_value(value)[0] != '$');
        }
    }
    json_decref(named);
}
