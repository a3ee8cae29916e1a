/*
 * A result as JSON: run.json, and its summary. Times are there twice: as
 * figures for people and other programs, and as the histogram's text, which is
 * all that is read back.
 */

#include "result_members.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const lp_check_names[] = {
    "wrong_redirects", "errors", "missed", "p50_ms", "p90_ms", "p99_ms",
    "p999_ms", "max_ms", "activation_p99_ms", "api_p99_ms", "api_errors",
    NULL,
};

#define OUT_OF_MEMORY "no memory left to read it"

static json_t *head_json(const lp_result_t *result);
static json_t *checks_json(const lp_conclusion_t *conclusion);
static json_t *marks_json(const lp_result_t *result);
static json_t *times_json(const lp_result_t *result, int whole);
static json_t *time_json(const lp_histogram_t *histogram, int whole);
static json_t *api_json(const lp_result_t *result, int whole);
static json_t *result_json(const lp_result_t *result, int whole);
static int take_conclusion(const lp_result_source_t *source,
                           const json_t *object, lp_conclusion_t *conclusion);
static int take_check(const lp_result_source_t *source, const json_t *object,
                      lp_check_t *check);
static int take_marks(const lp_result_source_t *source, const json_t *list,
                      lp_result_t *result);
static int take_times(const lp_result_source_t *source, const json_t *object,
                      lp_result_t *result);
static int take_time(const lp_result_source_t *source, const char *name,
                     const json_t *object, lp_histogram_t *histogram);
static int take_plan(const lp_result_source_t *source, const json_t *object,
                     lp_result_t *result);
static int fits(const lp_result_source_t *source, const lp_result_t *result);


static const char *
pass_name(lp_pass_t pass)
{
    return pass == LP_PASS ? "pass" : pass == LP_FAIL ? "fail" : "invalid";
}


json_t *
lp_result_json(const lp_result_t *result)
{
    return result_json(result, 1);
}


json_t *
lp_result_summary(const lp_result_t *result)
{
    return result_json(result, 0);
}


static json_t *
result_json(const lp_result_t *result, int whole)
{
    json_t *object = head_json(result);
    int     rc;

    if (object == NULL) {
        return NULL;
    }

    rc = json_object_set_new(object, "counts",
                             lp_counts_json(&result->counts))
         | json_object_set_new(object, "times", times_json(result, whole))
         | json_object_set_new(object, "api", api_json(result, whole))
         | json_object_set_new(object, "marks", marks_json(result));
    if (whole) {
        rc |= json_object_set_new(object, "plan", lp_plan_json(&result->plan));
    } else {
        rc |= json_object_set_new(object, "plan",
                                  json_string(result->plan.name));
    }

    if (rc != 0) {
        json_decref(object);
        return NULL;
    }

    return object;
}


/* What people look for first. */
static json_t *
head_json(const lp_result_t *result)
{
    const lp_result_group_t *group;
    const lp_conclusion_t   *conclusion = &result->conclusion;
    json_t                  *object = json_object(), *part;
    int                      rc;

    rc = json_object_set_new(object, "version",
                             json_integer(LP_RESULT_VERSION))
         | json_object_set_new(object, "verdict",
                               json_string(pass_name(conclusion->pass)))
         | json_object_set_new(object, "sentence",
                               json_string(conclusion->sentence))
         | json_object_set_new(object, "checks", checks_json(conclusion));

    for (group = lp_result_groups; group->name != NULL && rc == 0; group++) {
        part = json_object();
        rc = lp_rows_put(part, group->rows, result)
             | json_object_set_new(object, group->name, part);
    }

    if (rc != 0) {
        json_decref(object);
        return NULL;
    }

    return object;
}


/* A value of null: never. */
static json_t *
checks_json(const lp_conclusion_t *conclusion)
{
    const lp_check_t *check;
    json_t           *list = json_array(), *value;
    unsigned          i;

    for (i = 0; i < conclusion->n_checks; i++) {
        check = &conclusion->checks[i];
        value = isfinite(check->value) ? json_real(check->value) : json_null();
        if (json_array_append_new(
                list, json_pack("{s:s, s:f, s:o, s:b}", "name", check->name,
                                "limit", check->limit, "value", value,
                                "broken", check->broken)) != 0)
        {
            json_decref(list);
            return NULL;
        }
    }

    return list;
}


static json_t *
marks_json(const lp_result_t *result)
{
    json_t  *list = json_array(), *mark;
    unsigned i;

    for (i = 0; i < result->n_marks; i++) {
        mark = json_object();
        if ((lp_rows_put(mark, lp_mark_rows, &result->marks[i])
             | json_array_append_new(list, mark)) != 0)
        {
            json_decref(list);
            return NULL;
        }
    }

    return list;
}


static json_t *
times_json(const lp_result_t *result, int whole)
{
    const lp_result_times_t *times;
    const lp_histogram_t    *histogram;
    json_t                  *object = json_object();

    for (times = lp_result_times; times->name != NULL; times++) {
        histogram = (const void *) ((const char *) result + times->offset);
        if (json_object_set_new(object, times->name,
                                time_json(histogram, whole)) != 0)
        {
            json_decref(object);
            return NULL;
        }
    }

    return object;
}


static json_t *
time_json(const lp_histogram_t *histogram, int whole)
{
    static const struct {
        const char *name;
        double      share;
    } quantiles[] = {{"p50_ms", 0.5},    {"p90_ms", 0.9},
                     {"p99_ms", 0.99},   {"p999_ms", 0.999},
                     {"p9999_ms", 0.9999}, {"max_ms", 1}};
    json_t  *object = json_object();
    unsigned i;
    int      rc;
    double   ms;

    rc = json_object_set_new(object, "answers",
                             json_integer((json_int_t) histogram->total))
         | json_object_set_new(
             object, "mean_ms",
             json_real(lp_histogram_mean(histogram) / 1000));

    for (i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        ms = (double) lp_histogram_quantile(histogram, quantiles[i].share)
             / 1000;
        rc |= json_object_set_new(object, quantiles[i].name, json_real(ms));
    }
    if (whole) {
        rc |= json_object_set_new(object, "histogram",
                                  lp_histogram_json(histogram));
    }

    if (rc != 0) {
        json_decref(object);
        return NULL;
    }

    return object;
}


static json_t *
api_json(const lp_result_t *result, int whole)
{
    json_t *object = json_object();

    if ((lp_rows_put(object, lp_api_rows, &result->api)
         | json_object_set_new(object, "latency",
                               time_json(&result->api.latency.h, whole))) != 0)
    {
        json_decref(object);
        return NULL;
    }

    return object;
}


int
lp_result_take_json(const lp_result_source_t *source, const json_t *object,
                    lp_result_t *result)
{
    const lp_result_group_t *group;
    const json_t            *version, *api;

    version = json_object_get(object, "version");
    if (!json_is_integer(version)
        || json_integer_value(version) != LP_RESULT_VERSION)
    {
        return lp_result_refuse(source, NULL, "version",
                                "is not 1: another leerpoort-load wrote it");
    }

    for (group = lp_result_groups; group->name != NULL; group++) {
        if (lp_rows_take(source, group->name,
                         json_object_get(object, group->name), group->rows,
                         result) != 0)
        {
            return -1;
        }
    }

    api = json_object_get(object, "api");
    if (take_plan(source, json_object_get(object, "plan"), result) != 0
        || take_conclusion(source, object, &result->conclusion) != 0
        || lp_counts_take(source, json_object_get(object, "counts"),
                          &result->counts) != 0
        || take_times(source, json_object_get(object, "times"), result) != 0
        || lp_rows_take(source, "api", api, lp_api_rows, &result->api) != 0
        || take_time(source, "api.latency", json_object_get(api, "latency"),
                     &result->api.latency.h) != 0
        || take_marks(source, json_object_get(object, "marks"), result) != 0)
    {
        return -1;
    }

    return fits(source, result);
}


static int
take_plan(const lp_result_source_t *source, const json_t *object,
          lp_result_t *result)
{
    char  what[320];
    char *text;
    int   rc;

    if (!json_is_object(object)) {
        return lp_result_refuse(source, NULL, "plan", "is no object");
    }

    text = json_dumps(object, JSON_COMPACT);
    if (text == NULL) {
        return lp_result_refuse(source, NULL, "plan", OUT_OF_MEMORY);
    }

    snprintf(what, sizeof(what), "%.300s: plan", source->file);
    rc = lp_plan_parse(&result->plan, text, strlen(text), what);
    free(text);

    return rc;
}


static int
take_conclusion(const lp_result_source_t *source, const json_t *object,
                lp_conclusion_t *conclusion)
{
    static const lp_result_row_t rows[] = {
        {"sentence", LP_VALUE_TEXT, offsetof(lp_conclusion_t, sentence),
         sizeof(((lp_conclusion_t *) 0)->sentence)},
        {NULL, LP_VALUE_COUNT, 0, 0},
    };
    const char   *verdict;
    const json_t *list;
    size_t        i;

    verdict = json_string_value(json_object_get(object, "verdict"));
    if (verdict == NULL) {
        verdict = "";
    }
    if (strcmp(verdict, "pass") != 0 && strcmp(verdict, "fail") != 0
        && strcmp(verdict, "invalid") != 0)
    {
        return lp_result_refuse(source, NULL, "verdict",
                                "is none of pass, fail, invalid");
    }
    conclusion->pass = verdict[0] == 'p' ? LP_PASS
                       : verdict[0] == 'f' ? LP_FAIL : LP_INVALID;

    list = json_object_get(object, "checks");
    if (!json_is_array(list) || json_array_size(list) > LP_CHECKS_MAX) {
        return lp_result_refuse(source, NULL, "checks",
                                "is no list of at most 16");
    }

    for (i = 0; i < json_array_size(list); i++) {
        if (take_check(source, json_array_get(list, i),
                       &conclusion->checks[i]) != 0)
        {
            return -1;
        }
    }
    conclusion->n_checks = (unsigned) i;

    return lp_rows_take(source, NULL, object, rows, conclusion);
}


static int
take_check(const lp_result_source_t *source, const json_t *object,
           lp_check_t *check)
{
    static const lp_result_row_t rows[] = {
        {"limit", LP_VALUE_REAL, offsetof(lp_check_t, limit), 0},
        {"broken", LP_VALUE_FLAG, offsetof(lp_check_t, broken), 0},
        {NULL, LP_VALUE_COUNT, 0, 0},
    };
    static const lp_result_row_t value[] = {
        {"value", LP_VALUE_REAL, offsetof(lp_check_t, value), 0},
        {NULL, LP_VALUE_COUNT, 0, 0},
    };
    const char *name;
    unsigned    i;

    name = json_string_value(json_object_get(object, "name"));
    for (i = 0; name != NULL && lp_check_names[i] != NULL; i++) {
        if (strcmp(name, lp_check_names[i]) == 0) {
            check->name = lp_check_names[i];
        }
    }
    if (check->name == NULL) {
        return lp_result_refuse(source, "checks", "name",
                                "is no threshold's");
    }

    check->value = INFINITY;
    if (!json_is_null(json_object_get(object, "value"))
        && lp_rows_take(source, "checks", object, value, check) != 0)
    {
        return -1;
    }

    return lp_rows_take(source, "checks", object, rows, check);
}


static int
take_marks(const lp_result_source_t *source, const json_t *list,
           lp_result_t *result)
{
    const size_t most = sizeof(result->marks) / sizeof(result->marks[0]);
    size_t       i;

    if (!json_is_array(list) || json_array_size(list) > most) {
        return lp_result_refuse(source, NULL, "marks",
                                "is no list, or too long a one");
    }

    for (i = 0; i < json_array_size(list); i++) {
        if (lp_rows_take(source, "marks", json_array_get(list, i),
                         lp_mark_rows, &result->marks[i]) != 0)
        {
            return -1;
        }
    }
    result->n_marks = (unsigned) i;

    return 0;
}


static int
take_times(const lp_result_source_t *source, const json_t *object,
           lp_result_t *result)
{
    const lp_result_times_t *times;
    char                     name[64];

    for (times = lp_result_times; times->name != NULL; times++) {
        snprintf(name, sizeof(name), "times.%s", times->name);
        if (take_time(source, name, json_object_get(object, times->name),
                      (void *) ((char *) result + times->offset)) != 0)
        {
            return -1;
        }
    }

    return 0;
}


static int
take_time(const lp_result_source_t *source, const char *name,
          const json_t *object, lp_histogram_t *histogram)
{
    const json_t *text = json_object_get(object, "histogram");

    if (!json_is_string(text)
        || lp_histogram_read(histogram, json_string_value(text)) != 0
        || histogram->total > LP_COUNT_MAX)
    {
        return lp_result_refuse(source, name, "histogram",
                                "is no histogram of 3 digits");
    }

    return 0;
}


/* What each member allows and all together don't. */
static int
fits(const lp_result_source_t *source, const lp_result_t *result)
{
    if (result->shards == 0 || result->shard >= result->shards) {
        return lp_result_refuse(source, "run", "shard",
                                "is not below run.shards");
    }
    if (result->seconds < 0) {
        return lp_result_refuse(source, "run", "seconds", "is below 0");
    }
    if (result->schedule.h.total > result->counts.scheduled) {
        return lp_result_refuse(source, "times.schedule", "histogram",
                                "has more answers than there were clicks");
    }

    return 0;
}
