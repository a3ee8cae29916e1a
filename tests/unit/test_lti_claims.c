/*
 * Protects what a launch is taken for: each claim that is missing or wrong is
 * told apart, and a product comes out as a click would have it, or not at all.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../sso/lti_claims.h"

#define SITE "https://toegang.example"

static const lp_deployment_t deployments[] = {
    {lp_span("1:ab"), lp_span("S1")},
    {lp_span("2"), {NULL, 0}},
};

static const lp_platform_t platform = {
    .name = lp_span("lms"),
    .deployments = deployments,
    .n_deployments = 2,
};

static lp_launch_site_t site = {
    &platform, lp_span(SITE), lp_span("/go/"), {NULL, 0},
};

/* Of every claim the full name. */
static json_t *
claims_of(const char *type)
{
    json_t *claims = json_object();

    json_object_set_new(claims, "sub", json_string("u-1"));
    json_object_set_new(claims, "name", json_string("Sanne de Vries"));
    json_object_set_new(claims, LP_LTI_PREFIX "version",
                        json_string("1.3.0"));
    json_object_set_new(claims, LP_LTI_PREFIX "message_type",
                        json_string(type));
    json_object_set_new(claims, LP_LTI_PREFIX "deployment_id",
                        json_string("1:ab"));
    json_object_set_new(claims, LP_LTI_PREFIX "target_link_uri",
                        json_string(SITE "/go/book"));
    json_object_set_new(claims, LP_LTI_PREFIX "resource_link",
                        json_pack("{s:s}", "id", "r1"));
    json_object_set_new(claims, LP_LTI_PREFIX "roles", json_array());
    return claims;
}

static json_t *
resource_link(void)
{
    return claims_of("LtiResourceLinkRequest");
}

static json_t *
deep_linking(void)
{
    json_t *claims = claims_of("LtiDeepLinkingRequest");

    json_object_del(claims, LP_LTI_PREFIX "resource_link");
    json_object_set_new(
        claims, LP_LTI_DL_SETTINGS,
        json_pack("{s:s, s:[s, s], s:b, s:s}", "deep_link_return_url",
                  "https://lms.example/back?a=1", "accept_types", "link",
                  "ltiResourceLink", "accept_multiple", 1, "data", "d"));
    return claims;
}

/* The fault of claims with one member changed; value NULL: without it. Both are
   taken over. */
static lp_lti_fault_t
with(json_t *claims, const char *name, json_t *value, lp_launch_t *launch)
{
    lp_launch_t    own;
    lp_lti_fault_t fault;

    if (value == NULL) {
        json_object_del(claims, name);
    } else {
        json_object_set_new(claims, name, value);
    }
    fault = lp_launch_read(launch != NULL ? launch : &own, &site, claims);
    json_decref(claims);
    return fault;
}

static lp_lti_fault_t
with_text(const char *name, const char *value)
{
    char full[128];

    snprintf(full, sizeof(full), LP_LTI_PREFIX "%s", name);
    return with(resource_link(), full,
                value == NULL ? NULL : json_string(value), NULL);
}

static void
test_a_launch_that_is_right(void **state)
{
    json_t     *claims = resource_link();
    lp_launch_t launch;

    (void) state;
    json_object_set_new(claims, LP_LTI_PREFIX "launch_presentation",
                        json_pack("{s:s, s:s}", "document_target", "iframe",
                                  "locale", "nl-NL"));
    assert_int_equal(lp_launch_read(&launch, &site, claims), LP_LTI_OK);
    assert_int_equal(launch.deep_linking, 0);
    assert_ptr_equal(launch.deployment, &deployments[0]);
    assert_true(lp_span_equal(launch.subject, lp_span("u-1")));
    assert_true(lp_span_equal(launch.person, lp_span("Sanne de Vries")));
    assert_true(lp_span_equal(launch.resource, lp_span("r1")));
    assert_true(lp_span_equal(launch.locale, lp_span("nl-NL")));
    assert_int_equal(launch.in_frame, 1);
    assert_int_equal(launch.click_len, 4);
    assert_memory_equal(launch.click, "book", 4);
    json_decref(claims);
}

static void
test_each_wrong_claim_has_its_name(void **state)
{
    char     *long_id = malloc(300);
    json_t   *link;

    (void) state;
    memset(long_id, 'a', 299);
    long_id[299] = '\0';
    assert_int_equal(with_text("version", NULL), LP_LTI_VERSION);
    assert_int_equal(with_text("version", "1.3"), LP_LTI_VERSION);
    assert_int_equal(with_text("version", "1.1.0"), LP_LTI_VERSION);
    assert_int_equal(with_text("message_type", NULL), LP_LTI_MESSAGE_TYPE);
    assert_int_equal(with_text("message_type", "LtiSubmissionReviewRequest"),
                     LP_LTI_MESSAGE_TYPE);
    assert_int_equal(with_text("deployment_id", NULL), LP_LTI_DEPLOYMENT);
    assert_int_equal(with_text("deployment_id", ""), LP_LTI_DEPLOYMENT);
    assert_int_equal(with_text("deployment_id", "\303\251"),
                     LP_LTI_DEPLOYMENT);
    assert_int_equal(with_text("deployment_id", long_id), LP_LTI_DEPLOYMENT);
    assert_int_equal(with_text("deployment_id", "3"),
                     LP_LTI_DEPLOYMENT_UNKNOWN);
    assert_int_equal(with_text("deployment_id", "1:AB"),
                     LP_LTI_DEPLOYMENT_UNKNOWN);
    assert_int_equal(with_text("target_link_uri", NULL), LP_LTI_TARGET);
    assert_int_equal(with_text("target_link_uri", "https://evil.example/go/b"),
                     LP_LTI_TARGET);
    assert_int_equal(with_text("target_link_uri", SITE ".evil/go/book"),
                     LP_LTI_TARGET);
    assert_int_equal(with_text("target_link_uri", SITE "@evil/go/book"),
                     LP_LTI_TARGET);
    assert_int_equal(with_text("resource_link", "r1"), LP_LTI_RESOURCE);
    assert_int_equal(with_text("resource_link", NULL), LP_LTI_RESOURCE);
    link = json_pack("{s:s}", "id", "");
    assert_int_equal(with(resource_link(), LP_LTI_PREFIX "resource_link", link,
                          NULL), LP_LTI_RESOURCE);
    assert_int_equal(with_text("roles", NULL), LP_LTI_ROLES);
    assert_int_equal(with_text("roles", "Learner"), LP_LTI_ROLES);
    assert_int_equal(with(resource_link(), LP_LTI_PREFIX "roles",
                          json_pack("[s, i]", "a", 1), NULL), LP_LTI_ROLES);
    assert_int_equal(with_text("custom", "product"), LP_LTI_CUSTOM);
    assert_int_equal(with(resource_link(), LP_LTI_PREFIX "custom",
                          json_pack("{s:i}", "product", 9789001), NULL),
                     LP_LTI_CUSTOM);
    assert_int_equal(with(resource_link(), LP_LTI_PREFIX "custom",
                          json_pack("{s:[s]}", "path", "a"), NULL),
                     LP_LTI_CUSTOM);
    assert_int_equal(with(resource_link(), LP_LTI_PREFIX "custom",
                          json_pack("{s:n, s:i}", "product", "weight", 7),
                          NULL), LP_LTI_OK);
    assert_int_equal(with(resource_link(), "sub", json_integer(7), NULL),
                     LP_LTI_SUBJECT);
    assert_int_equal(with(resource_link(), "sub", json_string(""), NULL),
                     LP_LTI_SUBJECT);
    assert_int_equal(with(resource_link(), "sub", json_string(long_id), NULL),
                     LP_LTI_SUBJECT);
    free(long_id);
}

static void
test_an_anonymous_launch_has_no_subject(void **state)
{
    lp_launch_t launch;

    (void) state;
    assert_int_equal(with(resource_link(), "sub", NULL, &launch), LP_LTI_OK);
    assert_int_equal(launch.subject.len, 0);
}

/* document_target as a platform sends it, or does not. */
static int
in_frame(json_t *presentation)
{
    lp_launch_t launch;

    assert_int_equal(with(resource_link(),
                          LP_LTI_PREFIX "launch_presentation", presentation,
                          &launch), LP_LTI_OK);
    return launch.in_frame;
}

static void
test_what_is_not_said_to_be_a_window_may_be_a_frame(void **state)
{
    (void) state;
    assert_int_equal(in_frame(NULL), 1);
    assert_int_equal(in_frame(json_object()), 1);
    assert_int_equal(in_frame(json_pack("{s:s}", "document_target", "frame")),
                     1);
    assert_int_equal(in_frame(json_pack("{s:s}", "document_target",
                                        "window")), 0);
}

/* By what is told of the name; the claim "name" is taken away. */
static void
is_called(const char *given, const char *family, const char *expected)
{
    json_t     *claims = resource_link();
    lp_launch_t launch;

    if (given != NULL) {
        json_object_set_new(claims, "given_name", json_string(given));
    }
    if (family != NULL) {
        json_object_set_new(claims, "family_name", json_string(family));
    }
    json_object_del(claims, "name");
    assert_int_equal(lp_launch_read(&launch, &site, claims), LP_LTI_OK);
    assert_true(lp_span_equal(launch.person, lp_span_of(expected)));
    json_decref(claims);
}

static void
test_parts_of_a_name_are_a_name(void **state)
{
    (void) state;
    is_called("Sanne", "de Vries", "Sanne de Vries");
    is_called("Sanne", NULL, "Sanne");
    is_called("", "de Vries", "de Vries");
    is_called("San\nne", NULL, "");
    is_called(NULL, NULL, "");
}

static void
test_a_refused_launch_has_a_language_too(void **state)
{
    json_t     *claims = resource_link();
    lp_launch_t launch;

    (void) state;
    json_object_set_new(claims, LP_LTI_PREFIX "launch_presentation",
                        json_pack("{s:s}", "locale", "en"));
    assert_int_equal(with(claims, LP_LTI_PREFIX "version", NULL, &launch),
                     LP_LTI_VERSION);
    assert_int_equal(launch.locale.len, 2);
}

static void
test_the_deployment_is_that_of_the_login(void **state)
{
    (void) state;
    site.deployment = lp_span("2");
    assert_int_equal(with_text("deployment_id", "1:ab"),
                     LP_LTI_DEPLOYMENT_OTHER);
    assert_int_equal(with_text("deployment_id", "2"), LP_LTI_OK);
    site.deployment = (lp_span_t) {NULL, 0};
}

/* Returns the click that a launch comes to; NULL: *fault says why none. */
static const char *
click_of(const char *target, json_t *custom, lp_lti_fault_t *fault)
{
    static char text[LP_LTI_CLICK_MAX + 1];
    lp_launch_t launch;
    json_t     *claims = resource_link();

    json_object_set_new(claims, LP_LTI_PREFIX "target_link_uri",
                        json_string(target));
    *fault = with(claims, LP_LTI_PREFIX "custom", custom, &launch);
    memcpy(text, launch.click, launch.click_len);
    text[launch.click_len] = '\0';
    return *fault == LP_LTI_OK ? text : NULL;
}

static void
test_a_product_by_target_or_by_parameter(void **state)
{
    lp_lti_fault_t fault;

    (void) state;
    assert_string_equal(click_of(SITE "/go/book/ch/1%20a", NULL, &fault),
                        "book/ch/1%20a");
    assert_string_equal(click_of(SITE "/go/book?product=book#top", NULL,
                                 &fault), "book");
    assert_string_equal(click_of(SITE "/go/?product=b2", NULL, &fault), "b2");
    assert_string_equal(click_of(SITE "/lti/launch",
                                 json_pack("{s:s}", "product", "b3"), &fault),
                        "b3");
    assert_string_equal(click_of(SITE, json_pack("{s:s, s:s}", "product", "b4",
                                                 "path", "/ch/2"), &fault),
                        "b4/ch/2");
    assert_string_equal(click_of(SITE "/go/book",
                                 json_pack("{s:s}", "product", "b5"), &fault),
                        "b5");
    /* what the platform did not put in is none */
    assert_string_equal(click_of(SITE "/go/book",
                                 json_pack("{s:s}", "product", "$X.y"),
                                 &fault), "book");

    assert_null(click_of(SITE "/lti/launch", NULL, &fault));
    assert_int_equal(fault, LP_LTI_PRODUCT);
    assert_null(click_of(SITE, NULL, &fault));
    assert_int_equal(fault, LP_LTI_PRODUCT);
    assert_null(click_of(SITE "/go", NULL, &fault));
    assert_int_equal(fault, LP_LTI_PRODUCT);
    assert_null(click_of(SITE "/go/../x", NULL, &fault));
    assert_int_equal(fault, LP_LTI_CLICK);
    assert_null(click_of(SITE "/go/book/%2e%2e/x", NULL, &fault));
    assert_int_equal(fault, LP_LTI_CLICK);
    assert_null(click_of(SITE, json_pack("{s:s}", "product", "a/b"), &fault));
    assert_int_equal(fault, LP_LTI_CLICK);
    assert_null(click_of(SITE, json_pack("{s:s, s:s}", "product", "a", "path",
                                         "x?product=b"), &fault));
    assert_int_equal(fault, LP_LTI_CLICK);
    assert_null(click_of(SITE, json_pack("{s:s, s:s}", "product", "a", "path",
                                         "x y"), &fault));
    assert_int_equal(fault, LP_LTI_CLICK);
}

/* The fault of deep_linking_settings with one member changed. */
static lp_lti_fault_t
settings_with(const char *name, json_t *value, lp_launch_t *launch)
{
    lp_launch_t    own;
    lp_lti_fault_t fault;
    json_t        *claims = deep_linking();
    json_t        *settings = json_object_get(claims, LP_LTI_DL_SETTINGS);

    if (value == NULL) {
        json_object_del(settings, name);
    } else {
        json_object_set_new(settings, name, value);
    }
    fault = lp_launch_read(launch != NULL ? launch : &own, &site, claims);
    json_decref(claims);
    return fault;
}

static void
test_deep_linking_needs_no_target(void **state)
{
    (void) state;
    assert_int_equal(with(deep_linking(), LP_LTI_PREFIX "target_link_uri",
                          NULL, NULL), LP_LTI_OK);
    assert_int_equal(with(deep_linking(), LP_LTI_PREFIX "target_link_uri",
                          json_string("https://evil.example/"), NULL),
                     LP_LTI_TARGET);
    assert_int_equal(with(deep_linking(), LP_LTI_PREFIX "target_link_uri",
                          json_null(), NULL), LP_LTI_TARGET);
}

static void
test_deep_linking_says_where_the_answer_goes(void **state)
{
    static const char *const bad[] = {
        "", "http://lms.example/back", "javascript:alert(1)", "/back",
        "https://lms.example/a#b", "https://lms.example/a\"b",
        "https://user@lms.example/", "https:///back",
    };
    lp_launch_t launch;
    unsigned    i;
    char       *much = malloc(LP_LTI_DATA_MAX + 2);

    (void) state;
    assert_int_equal(settings_with("text", json_string("Kies"), &launch),
                     LP_LTI_OK);
    assert_int_equal(launch.deep_linking, 1);
    assert_int_equal(launch.multiple, 1);
    assert_int_equal(launch.click_len, 0);
    assert_int_equal(settings_with("deep_link_return_url",
                                   json_string("http://127.0.0.1:8/back"),
                                   NULL), LP_LTI_OK);
    assert_int_equal(settings_with("deep_link_return_url", NULL, NULL),
                     LP_LTI_RETURN_URL);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(settings_with("deep_link_return_url",
                                       json_string(bad[i]), NULL),
                         LP_LTI_RETURN_URL);
    }
    assert_int_equal(settings_with("accept_types", NULL, NULL), LP_LTI_ACCEPT);
    assert_int_equal(settings_with("accept_types", json_pack("[s]", "html"),
                                   NULL), LP_LTI_ACCEPT);
    memset(much, 'd', LP_LTI_DATA_MAX + 1);
    much[LP_LTI_DATA_MAX + 1] = '\0';
    assert_int_equal(settings_with("data", json_string(much), NULL),
                     LP_LTI_DATA);
    assert_int_equal(settings_with("data", json_integer(1), NULL),
                     LP_LTI_DATA);
    assert_int_equal(settings_with("data", json_string(much + 1), NULL),
                     LP_LTI_OK);
    assert_int_equal(settings_with("data", NULL, &launch), LP_LTI_OK);
    assert_null(launch.data.data);
    free(much);
}

static void
test_short_names_leave_out_what_was_not_substituted(void **state)
{
    json_t *claims = resource_link();
    json_t *named, *custom;

    (void) state;
    json_object_set_new(claims, "custom", json_string("in the way"));
    json_object_set_new(claims, LP_LTI_PREFIX "custom",
                        json_pack("{s:s, s:s, s:s, s:s, s:[s, s], s:[s]}",
                                  "eckid", "e", "user", "$User.username",
                                  "blank", "  ", "late", " $Person.sourcedId",
                                  "array", "a", "$User.id", "full", "f"));
    named = lp_launch_short(claims);
    custom = json_object_get(named, "custom");
    assert_true(json_is_object(custom));
    assert_string_equal(json_string_value(json_object_get(custom, "eckid")),
                        "e");
    assert_int_equal(json_object_size(custom), 2);
    assert_int_equal(json_array_size(json_object_get(custom, "full")), 1);
    assert_true(json_is_array(json_object_get(named, "roles")));
    assert_string_equal(json_string_value(json_object_get(named, "sub")),
                        "u-1");
    json_decref(named);
    json_decref(claims);
}

static void
test_every_fault_has_a_name_and_a_sentence(void **state)
{
    unsigned i, j;

    (void) state;
    for (i = LP_LTI_VERSION; i < LP_LTI_FAULTS; i++) {
        assert_true(strlen(lp_lti_fault_text((lp_lti_fault_t) i)) > 10);
        for (j = LP_LTI_VERSION; j < i; j++) {
            assert_string_not_equal(lp_lti_fault_name((lp_lti_fault_t) i),
                                    lp_lti_fault_name((lp_lti_fault_t) j));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_launch_that_is_right),
        cmocka_unit_test(test_each_wrong_claim_has_its_name),
        cmocka_unit_test(test_an_anonymous_launch_has_no_subject),
        cmocka_unit_test(test_what_is_not_said_to_be_a_window_may_be_a_frame),
        cmocka_unit_test(test_parts_of_a_name_are_a_name),
        cmocka_unit_test(test_a_refused_launch_has_a_language_too),
        cmocka_unit_test(test_the_deployment_is_that_of_the_login),
        cmocka_unit_test(test_a_product_by_target_or_by_parameter),
        cmocka_unit_test(test_deep_linking_needs_no_target),
        cmocka_unit_test(test_deep_linking_says_where_the_answer_goes),
        cmocka_unit_test(test_short_names_leave_out_what_was_not_substituted),
        cmocka_unit_test(test_every_fault_has_a_name_and_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
