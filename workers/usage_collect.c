/*
 * Schools are asked for in chunks. The number of a product's readers comes from
 * the HyperLogLog while that lives, and later from the field that the tally
 * left in the week's hash.
 */

#include "usage_collect.h"

#include <stdlib.h>

#include "../core/day.h"
#include "../core/keys.h"
#include "../core/licence.h"
#include "number.h"
#include "record.h"
#include "usage_keys.h"

#define CHUNK            64 /* schools in one round trip */
#define DIGITS           18
#define FIELDS_MAX       (1 << 20) /* of a school's week; more is no week */
#define PRELIMINARY_S    (14 * 86400)
#define ABOUT            "#"
#define TIME_FAR         253402300800 /* the year 10000 */

/* A product of the school in hand. */
typedef struct {
    lp_span_t product;
    uint64_t  clicks;
    uint64_t  readers; /* as the week's hash has it */
} line_t;

static lp_store_status_t list_schools(lp_store_t *store, const char *week,
                                      lp_names_t *schools);
static lp_store_status_t collect_chunk(lp_store_t *store, const char *week,
                                       const lp_names_t *schools,
                                       uint32_t from, lp_report_t *report);
static int take_school(lp_report_t *report, lp_span_t school,
                       const redisReply *reply);
static int compare_lines(const void *a, const void *b);
static uint64_t readers_of(const redisReply *reply, lp_span_t product);
static uint64_t number_of(const redisReply *reply);
static lp_store_status_t count_readers(lp_store_t *store, const char *week,
                                       lp_report_t *report, uint32_t from);
static int add_part(lp_store_t *store, lp_span_t key, lp_span_t name,
                    json_t *part);
static json_t *about_json(const char *week, uint32_t day, unsigned hide,
                          const lp_report_t *report);

lp_store_status_t
lp_usage_collect(lp_store_t *store, const char *week, lp_report_t *report)
{
    lp_names_t        schools = {0};
    lp_store_status_t status;
    uint32_t          i;

    status = list_schools(store, week, &schools);

    for (i = 0; i < schools.n && status == LP_STORE_OK; i += CHUNK) {
        status = collect_chunk(store, week, &schools, i, report);
    }

    lp_names_free(&schools);

    return status;
}

lp_store_status_t
lp_usage_backlog(lp_store_t *store, const char *week, int *late)
{
    lp_store_status_t status;
    const redisReply *reply;
    lp_span_t         key;
    char              name[LP_KEY_MAX], of[LP_WEEK_LEN + 1];
    unsigned          shard;
    int64_t           at;

    key.data = name;

    for (shard = 0; shard < LP_SHARDS; shard++) {
        key.len = lp_key_usage(name, shard);
        lp_store_add(store, LP_WORDS(lp_span("XRANGE"), key, lp_span("-"),
                                     lp_span("+"), lp_span("COUNT"),
                                     lp_span("1")));
    }

    *late = 0;
    status = lp_store_run(store);

    for (shard = 0; status == LP_STORE_OK && shard < LP_SHARDS; shard++) {
        reply = lp_store_reply(store, shard);

        if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
            || reply->elements == 0
            || reply->element[0]->type != REDIS_REPLY_ARRAY
            || reply->element[0]->elements == 0) {
            continue;
        }

        /* an id is milliseconds, a hyphen, a number */
        at = strtoll(lp_store_text(reply->element[0]->element[0]).data, NULL,
                     10) / 1000;
        *late |= at < TIME_FAR
                 && memcmp(lp_day_week(of, lp_day_amsterdam(at, NULL)), week,
                           LP_WEEK_LEN) <= 0;
    }

    return status;
}

lp_store_status_t
lp_usage_keep(lp_store_t *store, const char *week, uint32_t day,
              unsigned hide, const lp_report_t *report)
{
    const redisReply *reply;
    lp_span_t         key, name;
    lp_number_t       number;
    char              bytes[LP_USAGE_KEY_MAX];
    uint32_t          i;
    int               failed;

    key = (lp_span_t) {bytes, lp_key_report(bytes, week, day)};
    lp_store_add(store, LP_WORDS(lp_span("WATCH"), key));
    lp_store_add(store, LP_WORDS(lp_span("EXISTS"), key));
    if (lp_store_run(store) != LP_STORE_OK) {
        return lp_store_status(store);
    }

    reply = lp_store_reply(store, 1);
    if (reply == NULL || reply->integer != 0) {
        lp_store_unwatch(store);
        return LP_STORE_CONFLICT;
    }

    lp_store_begin(store);
    failed = add_part(store, key, lp_span(ABOUT),
                      about_json(week, day, hide, report));

    for (i = 0; i < report->n_cells && !failed; ) {
        name = lp_name(&report->schools, report->cells[i].school);
        failed = add_part(store, key, name,
                          lp_report_school_json(report, &i));
    }

    if (day != 0) {
        lp_store_add(store, LP_WORDS(lp_span("EXPIRE"), key,
                                     lp_number(&number, PRELIMINARY_S)));
    }

    if (failed) {
        /* what is begun and not executed is nothing */
        lp_store_add(store, LP_WORDS(lp_span("DISCARD")));
        (void) lp_store_run(store);
        return LP_STORE_DOWN;
    }

    return lp_store_commit(store);
}

const redisReply *
lp_usage_kept(lp_store_t *store, const char *week, uint32_t day)
{
    const redisReply *reply;
    char              key[LP_USAGE_KEY_MAX];

    reply = lp_store_ask(store,
                         LP_WORDS(lp_span("HGETALL"),
                                  ((lp_span_t) {key, lp_key_report(key, week,
                                                                   day)})));

    return reply != NULL && reply->type == REDIS_REPLY_ARRAY ? reply : NULL;
}

static lp_store_status_t
list_schools(lp_store_t *store, const char *week, lp_names_t *schools)
{
    const redisReply *reply;
    lp_store_status_t status;
    lp_span_t         school, key;
    char              name[LP_USAGE_KEY_MAX];
    unsigned          shard;
    size_t            i;

    key.data = name;

    for (shard = 0; shard < LP_SHARDS; shard++) {
        key.len = lp_key_weeks(name, shard, week);
        lp_store_add(store, LP_WORDS(lp_span("SMEMBERS"), key));
    }

    status = lp_store_run(store);

    for (shard = 0; status == LP_STORE_OK && shard < LP_SHARDS; shard++) {
        reply = lp_store_reply(store, shard);

        for (i = 0; reply != NULL && i < reply->elements; i++) {
            school = lp_store_text(reply->element[i]);

            if (lp_school_valid(school)
                && lp_names_add(schools, school) == LP_NAMES_FULL) {
                return LP_STORE_DOWN;
            }
        }
    }

    return status;
}

static lp_store_status_t
collect_chunk(lp_store_t *store, const char *week, const lp_names_t *schools,
              uint32_t from, lp_report_t *report)
{
    lp_store_status_t status;
    lp_span_t         school, key;
    char              name[LP_USAGE_KEY_MAX];
    uint32_t          i, first = report->n_cells;

    key.data = name;

    for (i = from; i < schools->n && i < from + CHUNK; i++) {
        school = lp_name(schools, i);
        key.len = lp_key_week(name, lp_shard(school), school, week);
        lp_store_add(store, LP_WORDS(lp_span("HGETALL"), key));
    }

    status = lp_store_run(store);
    if (status != LP_STORE_OK) {
        return status;
    }

    for (i = from; i < schools->n && i < from + CHUNK; i++) {
        if (take_school(report, lp_name(schools, i),
                        lp_store_reply(store, i - from)) != 0) {
            return LP_STORE_DOWN;
        }
    }

    return count_readers(store, week, report, first);
}

/* The products of a week's hash, by name. */
static int
take_school(lp_report_t *report, lp_span_t school, const redisReply *reply)
{
    line_t   *lines;
    lp_span_t name;
    size_t    i, n = 0;
    int       failed = 0;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements > FIELDS_MAX) {
        return 0;
    }

    lines = malloc((reply->elements / 2 + 1) * sizeof(*lines));
    if (lines == NULL) {
        return -1;
    }

    for (i = 0; i + 1 < reply->elements; i += 2) {
        name = lp_store_text(reply->element[i]);
        lines[n].product = name;
        lines[n].clicks = number_of(reply->element[i + 1]);
        n += lp_product_valid(name) && lines[n].clicks > 0;
    }

    qsort(lines, n, sizeof(*lines), compare_lines);

    for (i = 0; i < n && !failed; i++) {
        failed = lp_report_add(report, school, lines[i].product,
                               lines[i].clicks,
                               readers_of(reply, lines[i].product));
    }

    free(lines);

    return failed;
}

static int
compare_lines(const void *a, const void *b)
{
    lp_span_t x = ((const line_t *) a)->product;
    lp_span_t y = ((const line_t *) b)->product;
    int       order;

    order = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);

    return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

/* The field "<product>|r". */
static uint64_t
readers_of(const redisReply *reply, lp_span_t product)
{
    lp_span_t name;
    size_t    i;

    for (i = 0; i + 1 < reply->elements; i += 2) {
        name = lp_store_text(reply->element[i]);

        if (name.len == product.len + 2
            && memcmp(name.data + product.len, "|r", 2) == 0
            && memcmp(name.data, product.data, product.len) == 0) {
            return number_of(reply->element[i + 1]);
        }
    }

    return 0;
}

/* 0 for what is no number. */
static uint64_t
number_of(const redisReply *reply)
{
    lp_span_t text = lp_store_text(reply);
    uint64_t  n = 0;
    size_t    i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i >= DIGITS) {
            return 0;
        }
        n = n * 10 + (uint64_t) (text.data[i] - '0');
    }

    return n;
}

/* For the cells from here on, where Redis still knows them one by one. */
static lp_store_status_t
count_readers(lp_store_t *store, const char *week, lp_report_t *report,
              uint32_t from)
{
    const redisReply *reply;
    lp_store_status_t status;
    lp_span_t         school;
    char              key[LP_USAGE_KEY_MAX];
    size_t            len;
    uint32_t          i;

    for (i = from; i < report->n_cells; i++) {
        school = lp_name(&report->schools, report->cells[i].school);
        len = lp_key_readers(key, lp_shard(school), school, week,
                             lp_name(&report->products,
                                     report->cells[i].product));
        lp_store_add(store, LP_WORDS(lp_span("PFCOUNT"),
                                     ((lp_span_t) {key, len})));
    }

    status = lp_store_run(store);

    for (i = from; status == LP_STORE_OK && i < report->n_cells; i++) {
        reply = lp_store_reply(store, i - from);

        if (reply != NULL && reply->type == REDIS_REPLY_INTEGER
            && reply->integer > 0) {
            report->cells[i].readers = (uint64_t) reply->integer;
        }
    }

    return status;
}

/* part: NULL where memory ran out; it is taken over. Returns 1 then. */
static int
add_part(lp_store_t *store, lp_span_t key, lp_span_t name, json_t *part)
{
    char *text = part == NULL ? NULL : json_dumps(part, JSON_COMPACT);

    json_decref(part);

    if (text == NULL) {
        return 1;
    }

    lp_store_add(store, LP_WORDS(lp_span("HSET"), key, name,
                                 lp_span_of(text)));
    free(text);

    return 0;
}

static json_t *
about_json(const char *week, uint32_t day, unsigned hide,
           const lp_report_t *report)
{
    json_t *about, *totals = lp_report_totals_json(report);

    if (totals == NULL) {
        return NULL;
    }

    about = json_pack("{s:s, s:b, s:i}", "week", week, "preliminary",
                      day != 0, "hide", (int) hide);

    if (json_object_update(about, totals) != 0) {
        json_decref(about);
        about = NULL;
    }

    json_decref(totals);

    return about;
}
