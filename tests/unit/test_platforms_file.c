/*
 * Protects the list of platforms: what decides who may send pupils is read to
 * the letter, and refused with the place where it is wrong.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../sso/platforms_file.h"

#define NEEDED                                                                 \
    "\"name\": \"lms\", \"issuer\": \"https://lms.example\", "                 \
    "\"clientId\": \"c1\", \"authorizationEndpoint\": "                        \
    "\"https://lms.example/auth\", \"jwksUri\": "                              \
    "\"https://lms.example/jwks\""
#define DEPLOYED NEEDED ", \"deployments\": [{\"id\": \"1\"}]"
#define WHOLE(members) "{\"platforms\": [{" members "}]}"

static char reason[LP_CONF_REASON_MAX];

static int
reads(lp_platforms_file_t *file, const char *text)
{
    memset(reason, 0, sizeof(reason));
    return lp_platforms_file_read(file, lp_span_of(text), reason) == 0;
}

static void
assert_refused(const char *text, const char *why)
{
    lp_platforms_file_t file;

    assert_false(reads(&file, text));
    if (strstr(reason, why) == NULL) {
        print_error("\"%s\" is not in \"%s\"\n", why, reason);
        fail();
    }
    assert_null(file.list.list);
    assert_null(file.memory);
}

static void
test_a_whole_platform(void **state)
{
    const lp_platform_t *platform;
    lp_platforms_file_t  file;

    (void) state;
    assert_true(reads(&file, WHOLE(NEEDED ", \"title\": {\"nl\": \"Elo\", "
                      "\"en\": \"LMS\"}, \"deployments\": [{\"id\": \"1\", "
                      "\"school\": \"S1\"}, {\"id\": \"2:x\"}], \"users\": "
                      "[{\"claim\": \"custom.eckid\", \"idType\": \"ECK\"}], "
                      "\"schools\": [{\"claim\": \"custom.brin\", "
                      "\"idType\": \"OIE_CODE\"}], \"employees\": [{\"claim\":"
                      " \"roles\", \"value\": \"x\"}], \"link\": true, "
                      "\"newWindow\": true, \"frames\": "
                      "[\"https://lms.example\", \"https://*.lms.example\", "
                      "\"http://localhost:8080\"], \"algorithms\": "
                      "[\"RS256\", \"ES256\"], \"leeway\": 5")));
    assert_int_equal(file.list.n, 1);
    platform = file.list.list;
    assert_true(lp_span_equal(platform->title[LP_DUTCH], lp_span("Elo")));
    assert_true(lp_span_equal(platform->title[LP_ENGLISH], lp_span("LMS")));
    assert_int_equal(platform->n_deployments, 2);
    assert_true(lp_span_equal(platform->deployments[0].school,
                              lp_span("S1")));
    assert_int_equal(platform->deployments[1].school.len, 0);
    assert_int_equal(platform->mapping.n_users, 1);
    assert_int_equal(platform->mapping.n_schools, 1);
    assert_int_equal(platform->mapping.n_employees, 1);
    assert_int_equal(platform->link, 1);
    assert_int_equal(platform->new_window, 1);
    assert_true(lp_span_equal(platform->frames,
                              lp_span("https://lms.example "
                                      "https://*.lms.example "
                                      "http://localhost:8080")));
    assert_int_equal(platform->algs.n, 2);
    assert_int_equal(platform->leeway, 5);
    lp_platforms_file_free(&file);
}

static void
test_what_counts_where_nothing_is_said(void **state)
{
    const lp_platform_t *platform;
    lp_platforms_file_t  file;

    (void) state;
    assert_true(reads(&file, WHOLE(DEPLOYED)));
    platform = file.list.list;
    assert_true(lp_span_equal(platform->title[LP_DUTCH], lp_span("lms")));
    assert_int_equal(platform->algs.n, 1);
    assert_int_equal(platform->algs.list[0], LP_ALG_RS256);
    assert_int_equal(platform->link, 0);
    assert_int_equal(platform->new_window, 0);
    assert_int_equal(platform->frames.len, 0);
    assert_int_equal(platform->leeway, 60);
    /* Instructor and Administrator */
    assert_int_equal(platform->mapping.n_employees, 6);
    lp_platforms_file_free(&file);

    assert_true(reads(&file, WHOLE(DEPLOYED ", \"employees\": []")));
    assert_int_equal(file.list.list->mapping.n_employees, 0);
    lp_platforms_file_free(&file);

    assert_true(reads(&file, "{\"platforms\": []}"));
    lp_platforms_file_free(&file);
    assert_true(reads(&file, "{}"));
    lp_platforms_file_free(&file);
}

static void
test_what_is_wrong_is_refused_with_its_place(void **state)
{
    (void) state;
    assert_refused("", "one JSON object");
    assert_refused("{\"platforms\": [], \"platforms\": []}", "twice");
    assert_refused("{\"platform\": []}", "no such member");
    assert_refused(WHOLE(""), "platforms[0].name: it is missing");
    assert_refused(WHOLE(NEEDED), "platforms[0].deployments: one is");
    assert_refused(WHOLE(NEEDED ", \"deployments\": [{}]"),
                   "platforms[0].deployments[0].id: it is missing");
    assert_refused(WHOLE(NEEDED ", \"deployments\": [{\"id\": \"1\"}, "
                         "{\"id\": \"1\"}]"), "deployments[1].id: it is there");
    assert_refused(WHOLE(NEEDED ", \"deployments\": [{\"id\": \"1\", "
                         "\"school\": \"a b\"}]"), "deployments[0].school");
    assert_refused(WHOLE(DEPLOYED ", \"frame\": []"),
                   "platforms[0].frame: there is no such member");
    assert_refused(WHOLE(DEPLOYED ", \"frames\": [\"*\"]"), "frames: origins");
    assert_refused(WHOLE(DEPLOYED ", \"frames\": [\"https://a/b\"]"),
                   "frames: origins");
    assert_refused(WHOLE(DEPLOYED ", \"frames\": [\"https://*.nl\"]"),
                   "frames: origins");
    assert_refused(WHOLE(DEPLOYED ", \"frames\": [\"http://lms.example\"]"),
                   "frames: origins");
    assert_refused(WHOLE(DEPLOYED ", \"frames\": [\"https://a;script-src\"]"),
                   "frames: origins");
    assert_refused(WHOLE(DEPLOYED ", \"algorithms\": [\"HS256\"]"),
                   "algorithms: names");
    assert_refused(WHOLE(DEPLOYED ", \"algorithms\": [\"none\"]"),
                   "algorithms: names");
    assert_refused(WHOLE(DEPLOYED ", \"algorithms\": []"),
                   "algorithms: one is");
    assert_refused(WHOLE(DEPLOYED ", \"users\": [{\"claim\": \"sub\", "
                         "\"idType\": \"MASTER\"}]"), "users[0].idType");
    assert_refused(WHOLE(DEPLOYED ", \"users\": [{\"claim\": \"sub\", "
                         "\"idType\": \"iss\"}]"), "users[0].idType");
    assert_refused(WHOLE(DEPLOYED ", \"leeway\": 301"), "leeway: 0 to 300");
    assert_refused(WHOLE(DEPLOYED ", \"link\": 1"), "link: true or false");
    assert_refused("{\"platforms\": [{" DEPLOYED "}, {" DEPLOYED "}]}",
                   "platforms[1].name: it is there twice");
}

static void
test_who_is_meant_by_issuer_and_client(void **state)
{
    static const char text[] =
        "{\"platforms\": [{" DEPLOYED "}, {\"name\": \"b\", \"issuer\": "
        "\"https://lms.example\", \"clientId\": \"c2\", "
        "\"authorizationEndpoint\": \"https://lms.example/auth\", "
        "\"jwksUri\": \"https://lms.example/jwks\", \"deployments\": "
        "[{\"id\": \"1\"}]}, {\"name\": \"c\", \"issuer\": \"word\", "
        "\"clientId\": \"c1\", \"authorizationEndpoint\": "
        "\"https://c.example/auth\", \"jwksUri\": "
        "\"https://c.example/jwks\", \"deployments\": [{\"id\": \"1\"}]}]}";
    const lp_platform_list_t *list;
    lp_platforms_file_t       file;
    lp_span_t                 none = {NULL, 0}, lms;

    (void) state;
    assert_true(reads(&file, text));
    list = &file.list;
    lms = lp_span("https://lms.example");
    assert_ptr_equal(lp_platform_find(list, lms, lp_span("c2")),
                     &list->list[1]);
    assert_null(lp_platform_find(list, lms, lp_span("c3")));
    /* two of them: nobody says which */
    assert_null(lp_platform_find(list, lms, none));
    assert_ptr_equal(lp_platform_find(list, lp_span("word"), none),
                     &list->list[2]);
    assert_null(lp_platform_find(list, lp_span("https://lms.example/"),
                                 lp_span("c1")));
    assert_ptr_equal(lp_platform_by_name(list, lp_span("b")), &list->list[1]);
    assert_null(lp_platform_by_name(list, lp_span("lm")));
    lp_platforms_file_free(&file);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_platform),
        cmocka_unit_test(test_what_counts_where_nothing_is_said),
        cmocka_unit_test(test_what_is_wrong_is_refused_with_its_place),
        cmocka_unit_test(test_who_is_meant_by_issuer_and_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
