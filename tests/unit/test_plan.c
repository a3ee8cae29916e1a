/*
 * Protects plans: what is written holds, what is left out has its standard,
 * and what is wrong is refused with the plan, the field, what is there and
 * what is allowed. A plan that is written out and read again is the same.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../loadtest/plan.h"
#include "../../loadtest/plan_fields.h"

#define STAGES "\"stages\":[{\"shape\":\"constant\",\"rate\":5,\"seconds\":9}]"
#define PLAN(...) "{\"name\":\"p\"," __VA_ARGS__ "}"
#define WITH(...) PLAN(STAGES "," __VA_ARGS__)
#define STAGE(...) PLAN("\"stages\":[{" __VA_ARGS__ "}]")

static lp_plan_t plan, other;
static char      said[1024];

/* What is said on standard error meanwhile is kept in `said`. */
static int
parse(lp_plan_t *into, const char *text)
{
    int     rc, kept = dup(STDERR_FILENO);
    int     file = memfd_create("said", 0);
    ssize_t n;

    assert_true(kept >= 0 && file >= 0);
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    rc = lp_plan_parse(into, text, strlen(text), "t.json");
    fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    n = pread(file, said, sizeof(said) - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    close(file);
    close(kept);
    return rc;
}

static void
accepts(const char *text)
{
    if (parse(&plan, text) != 0) {
        fail_msg("%s: %s", text, said);
    }
}

static void
refuses(const char *text, const char *why)
{
    char expected[512];

    assert_int_equal(parse(&plan, text), -1);
    snprintf(expected, sizeof(expected), "leerpoort: plan t.json: %s\n", why);
    assert_string_equal(said, expected);
}

static void
test_everything_written_holds(void **state)
{
    (void) state;
    accepts("{\"name\":\"all\",\"about\":\"x\",\"seed\":7,"
            "\"arrivals\":\"even\",\"stages\":["
            "{\"shape\":\"constant\",\"rate\":500,\"seconds\":60},"
            "{\"shape\":\"linear\",\"from\":1,\"to\":2.5,\"seconds\":10},"
            "{\"shape\":\"step\",\"from\":3,\"to\":4,\"steps\":5,"
            "\"seconds\":20},"
            "{\"shape\":\"spike\",\"rate\":1,\"peak\":9,\"at\":2,\"width\":3,"
            "\"seconds\":8},"
            "{\"shape\":\"bell\",\"rate\":1,\"peak\":9,\"at\":5,\"sigma\":2,"
            "\"seconds\":10}],"
            "\"spikes\":[{\"at\":1,\"seconds\":2,\"rate\":3}],"
            "\"faults\":[{\"at\":108,\"name\":\"F\",\"hook\":\"h-1\"}],"
            "\"classes\":{\"share\":0.5,\"seconds\":30},"
            "\"tokens\":{\"in\":\"cookie\",\"reuse\":3},"
            "\"connections\":{\"most\":77},"
            "\"thresholds\":{\"p99_ms\":-1,\"errors\":0.5}}");
    assert_string_equal(plan.name, "all");
    assert_int_equal(plan.seed, 7);
    assert_true(plan.even);
    assert_int_equal(plan.n_stages, 5);
    assert_int_equal(plan.stages[2].steps, 5);
    assert_true(plan.stages[1].to == 2.5);
    assert_true(plan.stages[3].width == 3);
    assert_true(plan.stages[4].sigma == 2 && plan.stages[4].peak == 9);
    assert_true(lp_plan_seconds(&plan) == 108);
    assert_true(plan.spikes[0].rate == 3);
    assert_string_equal(plan.faults[0].hook, "h-1");
    assert_true(plan.tokens.cookie && plan.tokens.reuse == 3);
    assert_int_equal(plan.connections.most, 77);
    assert_true(plan.thresholds.p99_ms == -1);
    assert_true(plan.thresholds.errors == 0.5);
}

static void
test_what_is_left_out_has_its_standard(void **state)
{
    const lp_plan_group_t *group;
    const lp_plan_field_t *field;

    (void) state;
    accepts(PLAN(STAGES));
    for (group = lp_plan_groups; group->name != NULL; group++) {
        for (field = group->fields; field->name != NULL; field++) {
            assert_true(lp_field_get(field, &plan) == field->standard);
            assert_true(lp_field_allows(field, field->standard));
        }
    }
    assert_int_equal(plan.seed, 1);
    assert_false(plan.even);
    assert_false(plan.tokens.cookie);
    assert_true(plan.thresholds.wrong_redirects == 0);
    assert_true(plan.clicks.denied == -1);
}

/* By the number of its clicks, above the floor, within the stage. */
static void
test_bell_by_clicks(void **state)
{
    double clicks;

    (void) state;
    accepts(STAGE("\"shape\":\"bell\",\"rate\":10,\"clicks\":5000,"
                  "\"at\":20,\"sigma\":30,\"seconds\":100"));
    clicks = lp_plan_clicks(&plan, 100) - 10 * 100;
    assert_true(clicks > 4999.999 && clicks < 5000.001);
    refuses(STAGE("\"shape\":\"bell\",\"rate\":1,\"clicks\":5,\"peak\":5,"
                  "\"at\":20,\"sigma\":30,\"seconds\":100"),
            "stages[0].clicks: is there beside peak; allowed: one of them");
    refuses(STAGE("\"shape\":\"bell\",\"rate\":0,\"clicks\":1e10,"
                  "\"at\":20,\"sigma\":0.1,\"seconds\":100"),
            "stages[0].clicks: makes a peak of 3.989422804e+10; allowed: "
            "1000000 at most");
}

static void
test_syntax_is_refused_with_line_and_column(void **state)
{
    (void) state;
    refuses("{\n \"name\": \"p\",\n \"seed\": NaN\n}",
            "line 3, column 12: invalid token near 'NaN'");
    refuses("{\"name\":\"a\",\"name\":\"b\"}",
            "line 1, column 18: duplicate object key near '\"name\"'");
    assert_int_equal(parse(&plan, "{\"name\":\"p\",\"seed\":1e999}"), -1);
    assert_non_null(strstr(said, "line 1, column 24: real number overflow"));
    assert_int_equal(parse(&plan, "{\"name\":\"p\\u0000\"}"), -1);
    assert_non_null(strstr(said, "a text holds the character NUL"));
    assert_int_equal(parse(&plan, "{\"na\\u0000me\":\"p\"}"), -1);
    assert_non_null(strstr(said, "a text holds the character NUL"));
    assert_int_equal(parse(&plan, ""), -1);
    assert_int_equal(parse(&plan, PLAN(STAGES) "x"), -1);
    refuses("[]", "is a list; allowed: an object");
}

static void
test_unknown_members_are_refused(void **state)
{
    (void) state;
    refuses(WITH("\"stage\":[]"),
            "stage: there is no such member; allowed here: name, about, seed, "
            "arrivals, stages, spikes, faults, classes, clicks, tokens, "
            "connections, api, honesty, thresholds");
    refuses(STAGE("\"shape\":\"linear\",\"from\":1,\"to\":2,\"rate\":3,"
                  "\"seconds\":4"),
            "stages[0].rate: there is no such member; allowed here: shape, "
            "seconds, from, to");
    refuses(WITH("\"api\":{\"\":3}"),
            "api.: there is no such member; allowed here: rate, bulk");
    refuses(WITH("\"tokens\":{\"reus\":3}"),
            "tokens.reus: there is no such member; allowed here: reuse, "
            "think_s, in");
    refuses(WITH("\"thresholds\":{\"p99\":3}"),
            "thresholds.p99: there is no such member; allowed here: p50_ms, "
            "p90_ms, p99_ms, p999_ms, max_ms, activation_p99_ms, api_p99_ms, "
            "errors, wrong_redirects, missed, api_errors");
    refuses(WITH("\"faults\":[{\"at\":1,\"name\":\"x\",\"hook\":\"x\","
                 "\"\\u001b[31m\":1}]"),
            "faults[0].\\x1b[31m: there is no such member; allowed here: at, "
            "name, hook");
    refuses(WITH("\"spikes\":[{\"at, seconds\":1}]"),
            "spikes[0].at, seconds: there is no such member; allowed here: "
            "at, seconds, rate");
}

static void
test_values_are_bounded(void **state)
{
    (void) state;
    refuses(WITH("\"thresholds\":{\"wrong_redirects\":0.5}"),
            "thresholds.wrong_redirects: is 0.5; allowed: a whole number from "
            "0 to 1000000000, or -1");
    accepts(WITH("\"thresholds\":{\"wrong_redirects\":-1}"));
    assert_true(plan.thresholds.wrong_redirects == -1);
    refuses(STAGE("\"shape\":\"bell\",\"rate\":1,\"peak\":5,\"at\":2,"
                  "\"sigma\":-3,\"seconds\":100"),
            "stages[0].sigma: is -3; allowed: a number from 0.001 to 86400");
    refuses(STAGE("\"shape\":\"constant\",\"rate\":-0.5,\"seconds\":1"),
            "stages[0].rate: is -0.5; allowed: a number from 0 to 1000000");
    refuses(STAGE("\"shape\":\"constant\",\"rate\":\"NaN\",\"seconds\":1"),
            "stages[0].rate: is \"NaN\"; allowed: a number from 0 to 1000000");
    refuses(STAGE("\"shape\":\"constant\",\"rate\":null,\"seconds\":1"),
            "stages[0].rate: is null; allowed: a number from 0 to 1000000");
    refuses(STAGE("\"shape\":\"constant\",\"seconds\":1"),
            "stages[0].rate: is missing; allowed: a number from 0 to 1000000");
    refuses(STAGE("\"shape\":\"step\",\"from\":1,\"to\":2,\"steps\":2.5,"
                  "\"seconds\":1"),
            "stages[0].steps: is 2.5; allowed: a whole number from 2 to 1000");
    refuses(STAGE("\"shape\":\"sine\",\"seconds\":1"),
            "stages[0].shape: is \"sine\"; allowed: constant, linear, step, "
            "spike, bell");
    refuses(STAGE("\"seconds\":1"),
            "stages[0].shape: is missing; allowed: constant, linear, step, "
            "spike, bell");
    refuses(WITH("\"clicks\":{\"denied\":-0.5}"),
            "clicks.denied: is -0.5; allowed: a number from 0 to 1, or -1");
    refuses(WITH("\"connections\":{\"most\":0}"),
            "connections.most: is 0; allowed: a whole number from 1 to "
            "1000000");
    refuses(WITH("\"tokens\":{\"in\":\"header\"}"),
            "tokens.in: is \"header\"; allowed: \"authorization\" or "
            "\"cookie\"");
    refuses(WITH("\"arrivals\":1"),
            "arrivals: is 1; allowed: \"poisson\" or \"even\"");
    refuses(WITH("\"seed\":-1"), "seed: is -1; allowed: a whole number from "
                                 "0 to 9223372036854775807");
    refuses(WITH("\"classes\":[]"), "classes: is a list; allowed: an object");
    refuses(WITH("\"spikes\":{}"), "spikes: is an object; allowed: a list");
    refuses(WITH("\"about\":\"a\\nb\""),
            "about: is \"a\\x5cnb\"; allowed: text of 0 to 511 bytes, one "
            "line");
    refuses("{" STAGES "}",
            "name: is missing; allowed: text of 1 to 63 bytes, one line");
    refuses(WITH("\"faults\":[{\"at\":1,\"name\":\"x\","
                 "\"hook\":\"../x\"}]"),
            "faults[0].hook: is \"../x\"; allowed: a-z, 0-9 and -, which "
            "does not come first");
}

static void
test_fields_fit_each_other(void **state)
{
    (void) state;
    refuses(PLAN("\"stages\":[]"), "stages: is empty; allowed: 1 to 64 stages");
    refuses(PLAN("\"seed\":1"), "stages: is empty; allowed: 1 to 64 stages");
    refuses(STAGE("\"shape\":\"spike\",\"rate\":5,\"peak\":4,\"at\":2,"
                  "\"width\":3,\"seconds\":100"),
            "stages[0].peak: is 4; allowed: at least the rate, 5");
    refuses(STAGE("\"shape\":\"spike\",\"rate\":5,\"peak\":6,\"at\":98,"
                  "\"width\":3,\"seconds\":100"),
            "stages[0].width: is 3; from 98 s on the stage has 2 s");
    refuses(STAGE("\"shape\":\"bell\",\"rate\":5,\"peak\":6,\"at\":101,"
                  "\"sigma\":3,\"seconds\":100"),
            "stages[0].at: is 101; the stage takes 100 s");
    refuses(WITH("\"spikes\":[{\"at\":8,\"seconds\":2,\"rate\":1}]"),
            "spikes[0].at: is 8, for 2 s; the stages take 9 s");
    refuses(WITH("\"spikes\":[{\"at\":1,\"seconds\":2,\"rate\":6e5},"
                 "{\"at\":2,\"seconds\":2,\"rate\":6e5}]"),
            "spikes: make a peak of 1200005; allowed: 1000000 clicks a second "
            "at most");
    refuses(WITH("\"faults\":[{\"at\":10,\"name\":\"x\",\"hook\":\"x\"}]"),
            "faults[0].at: is 10; the stages take 9 s");
    refuses(WITH("\"clicks\":{\"expired\":0.6,\"forged\":0.6}"),
            "clicks: expired, forged, no_token and unknown_product are 1.2 "
            "together; allowed: 1 at most");
    refuses(WITH("\"clicks\":{\"activations\":0.6,\"denied\":0.6}"),
            "clicks: activations and denied are 1.2 together; allowed: 1 at "
            "most");
    refuses(WITH("\"connections\":{\"most\":5,\"hold\":6}"),
            "connections.hold: is 6; allowed: at most connections.most, 5");
    refuses(PLAN("\"stages\":["
                 "{\"shape\":\"constant\",\"rate\":1,\"seconds\":86400},"
                 "{\"shape\":\"constant\",\"rate\":1,\"seconds\":1}]"),
            "stages: take 86401 s together; allowed: 86400 at most");
}

static void
test_too_many_entries_are_refused(void **state)
{
    static char text[64 * 1024];
    size_t      len = 0;
    unsigned    i;

    (void) state;
    for (i = 0; i <= LP_STAGES_MAX; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len,
                                 "%s{\"shape\":\"constant\",\"rate\":1,"
                                 "\"seconds\":1}",
                                 i == 0 ? "{\"name\":\"p\",\"stages\":["
                                        : ",");
    }
    snprintf(text + len, sizeof(text) - len, "]}");
    refuses(text, "stages: has 65 entries; allowed: 64 at most");
}

static void
same_after_writing(const lp_plan_t *first)
{
    json_t *json = lp_plan_json(first);
    char   *text = json_dumps(json, 0);

    if (parse(&other, text) != 0) {
        fail_msg("%s: %s", text, said);
    }
    assert_memory_equal(first, &other, sizeof(other));
    free(text);
    json_decref(json);
}

static void
test_written_and_read_again_is_the_same(void **state)
{
    (void) state;
    test_everything_written_holds(NULL);
    same_after_writing(&plan);
    accepts(PLAN(STAGES));
    same_after_writing(&plan);
}

static void
test_scale_multiplies_rates_alone(void **state)
{
    double before, seconds;

    (void) state;
    test_everything_written_holds(NULL);
    plan.connections.hold = 10;
    plan.api.rate = 4;
    plan.api.bulk = 100;
    before = lp_plan_clicks(&plan, 1e9);
    seconds = lp_plan_seconds(&plan);
    assert_int_equal(lp_plan_scale(&plan, 0.5), 0);
    assert_true(lp_plan_clicks(&plan, 1e9) == before / 2);
    assert_true(lp_plan_seconds(&plan) == seconds);
    assert_int_equal(plan.connections.hold, 5);
    assert_true(plan.api.rate == 2 && plan.api.bulk == 50);
    assert_int_equal(plan.connections.most, 77);
    assert_true(plan.tokens.reuse == 3 && plan.classes.share == 0.5);
    assert_int_equal(plan.stages[2].steps, 5);
}

/* A plan that would leave a bound is left as it is. */
static void
test_scale_stays_within_bounds(void **state)
{
    static const double bad[] = {0, -1, 1e7, 0.0 / 0.0, 1.0 / 0.0, 2e5};
    unsigned            i;

    (void) state;
    accepts(PLAN(STAGES));
    other = plan;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(lp_plan_scale(&plan, bad[i]) != 0, bad[i] != 2e5);
        if (bad[i] != 2e5) {
            assert_memory_equal(&plan, &other, sizeof(plan));
        }
    }
    assert_int_equal(lp_plan_scale(&plan, 2), -1);
    assert_true(plan.stages[0].rate == 1e6);
}

static void
test_fit_stretches_times_alone(void **state)
{
    (void) state;
    test_everything_written_holds(NULL);
    assert_int_equal(lp_plan_fit(&plan, 54), 0);
    assert_true(lp_plan_seconds(&plan) == 54);
    assert_true(plan.stages[0].rate == 500);
    assert_true(plan.stages[4].sigma == 1 && plan.stages[4].at == 2.5);
    assert_true(plan.stages[3].width == 1.5);
    assert_true(plan.spikes[0].at == 0.5 && plan.spikes[0].seconds == 1);
    assert_true(plan.faults[0].at == 54);
    assert_true(plan.classes.seconds == 15);
    assert_true(plan.tokens.think_s == 20);
    assert_true(plan.connections.answer_s == 10);
    assert_int_equal(lp_plan_fit(&plan, 0), -1);
    assert_int_equal(lp_plan_fit(&plan, 86401), -1);
    assert_int_equal(lp_plan_fit(&plan, 0.0 / 0.0), -1);

    accepts(PLAN(STAGES));
    plan.classes.share = 0;
    assert_int_equal(lp_plan_fit(&plan, 3600), 0);
    assert_true(lp_plan_seconds(&plan) == 3600);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_written_holds),
        cmocka_unit_test(test_what_is_left_out_has_its_standard),
        cmocka_unit_test(test_bell_by_clicks),
        cmocka_unit_test(test_syntax_is_refused_with_line_and_column),
        cmocka_unit_test(test_unknown_members_are_refused),
        cmocka_unit_test(test_values_are_bounded),
        cmocka_unit_test(test_fields_fit_each_other),
        cmocka_unit_test(test_too_many_entries_are_refused),
        cmocka_unit_test(test_written_and_read_again_is_the_same),
        cmocka_unit_test(test_scale_multiplies_rates_alone),
        cmocka_unit_test(test_scale_stays_within_bounds),
        cmocka_unit_test(test_fit_stretches_times_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
