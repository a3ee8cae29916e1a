/*
 * Clicks are counted by school and week (workers/tally.c). Weeks before the one
 * of `since` can't change by a run, so that only those from it on are read; an
 * hour is allowed for clocks that differ around a Sunday's midnight.
 *
 * Of journals Redis itself remembers how many entries were ever added, also
 * when they have been delivered and are gone.
 */

#include "usage_before.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../core/day.h"
#include "../core/keys.h"
#include "../core/licence.h"
#include "../workers/names.h"
#include "../workers/number.h"
#include "../workers/record.h"
#include "../workers/say.h"
#include "../workers/store_args.h"
#include "../workers/usage_keys.h"
#include "json_file.h"
#include "new_file.h"

#define WEEKS_MAX 120
#define TRIES     20
#define AGAIN_NS  250000000 /* a tally that is behind needs a while */
#define WEEK_DAYS 7
#define TOGETHER  256 /* questions at a time */
#define CLOCKS_S  3600
#define FILE_BYTES (8 << 20) /* 100,000 products take 4 MB */

typedef struct {
    lp_usage_before_t *usage;
    lp_store_t        *store;
    lp_names_t         names; /* products first, in their order */
    char               weeks[WEEKS_MAX][LP_WEEK_LEN + 1];
    unsigned           n_weeks;
} count_t;

static int64_t count_tallied(lp_store_t *store);
static int add_up(lp_usage_before_t *usage, lp_store_t *store,
                  const lp_population_t *population, uint32_t since);
static int read_clock(count_t *count);
static int list_weeks(count_t *count, uint32_t until);
static int list_products(count_t *count, const lp_population_t *population);
static int count_clicks(count_t *count, const lp_population_t *population);
static int take_answers(count_t *count, unsigned n);
static int take_week(count_t *count, const redisReply *week);
static int count_journal(count_t *count);
static uint64_t added(const redisReply *info);
static json_t *usage_json(const lp_usage_before_t *usage,
                          const lp_population_t *population);
static int read_json(lp_usage_before_t *usage, const json_t *json,
                     const lp_population_t *population);

static int
out_of_memory(void)
{
    lp_say("out of memory");
    return -1;
}

/* Totals and streams belong together only where nothing was tallied between
   reading the ones and the others. */
int
lp_usage_now(lp_usage_before_t *usage, lp_store_t *store, lp_store_t *aside,
             const lp_population_t *population, uint32_t since)
{
    unsigned tries;
    int64_t  tallied;

    memset(usage, 0, sizeof(*usage));
    usage->products = lp_population_census(population)->products;
    usage->clicks = calloc(usage->products, sizeof(uint64_t));
    if (usage->clicks == NULL) {
        return out_of_memory();
    }

    for (tries = 0; tries < TRIES; tries++) {
        tallied = count_tallied(store);
        memset(usage->clicks, 0, usage->products * sizeof(uint64_t));
        if (tallied < 0 || add_up(usage, store, population, since) != 0
            || lp_usage_streams(usage, store, aside, population) != 0) {
            return -1;
        }
        if (count_tallied(store) == tallied) {
            return 0;
        }
        nanosleep(&(struct timespec) {0, AGAIN_NS}, NULL);
    }

    lp_say("the tally goes on counting: somebody clicks; try again when the "
           "run is over");

    return -1;
}

/* Lines that were ever tallied; -1 after lp_say(). */
static int64_t
count_tallied(lp_store_t *store)
{
    const redisReply *reply;
    int64_t           n;

    reply = lp_store_ask(store, LP_WORDS(lp_span("HGET"),
                                         lp_span("tally:state"),
                                         lp_span("lines")));
    if (reply == NULL) {
        lp_store_say(store);
        return -1;
    }

    n = lp_number_read(lp_store_text(reply));

    return n < 0 ? 0 : n;
}

/* What is tallied, and the journals. */
static int
add_up(lp_usage_before_t *usage, lp_store_t *store,
       const lp_population_t *population, uint32_t since)
{
    count_t *count = calloc(1, sizeof(*count));
    int64_t  now = (int64_t) time(NULL);
    int      rc = -1;

    if (count == NULL) {
        return out_of_memory();
    }

    usage->journal = 0;
    usage->since = since != 0 ? since
                              : lp_day_amsterdam(now - CLOCKS_S, NULL);
    count->usage = usage;
    count->store = store;
    if (read_clock(count) == 0
        && list_weeks(count, lp_day_amsterdam(now + CLOCKS_S, NULL)) == 0
        && list_products(count, population) == 0
        && count_clicks(count, population) == 0
        && count_journal(count) == 0) {
        rc = 0;
    }

    lp_names_free(&count->names);
    free(count);

    return rc;
}

/* That by which journals are numbered. */
static int
read_clock(count_t *count)
{
    const redisReply *reply;
    int64_t           seconds, us;

    reply = lp_store_ask(count->store, LP_WORDS(lp_span("TIME")));
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != 2) {
        lp_store_say(count->store);
        return -1;
    }

    seconds = lp_number_read(lp_store_text(reply->element[0]));
    us = lp_number_read(lp_store_text(reply->element[1]));
    count->usage->at_ms = seconds * 1000 + us / 1000;

    return 0;
}

void
lp_usage_before_free(lp_usage_before_t *usage)
{
    free(usage->clicks);
    usage->clicks = NULL;
}

int
lp_usage_before_write(const lp_usage_before_t *usage, const char *dir,
                      const lp_population_t *population)
{
    json_t *json = usage_json(usage, population);
    int     rc = lp_json_file_write(dir, LP_USAGE_FILE, 0644, json,
                                    JSON_INDENT(1));

    json_decref(json);

    return rc;
}

int
lp_usage_before_read(lp_usage_before_t *usage, const char *dir,
                     const lp_population_t *population)
{
    json_t *json;
    char    path[LP_FILE_MAX];
    int     rc;

    memset(usage, 0, sizeof(*usage));
    if (lp_file_path(path, dir, LP_USAGE_FILE) != 0) {
        return -1;
    }
    json = lp_json_file_read(path, FILE_BYTES);
    if (json == NULL) {
        lp_say("%s: seed writes it, and verify --before", path);
        return -1;
    }

    rc = read_json(usage, json, population);
    if (rc != 0) {
        lp_say("%s is not of this population, or broken: run leerpoort-load "
               "seed or verify --before", path);
    }
    json_decref(json);

    return rc;
}

static int
list_weeks(count_t *count, uint32_t until)
{
    char     week[LP_WEEK_LEN + 1], last[LP_WEEK_LEN + 1];
    uint32_t day = count->usage->since;

    lp_day_week(last, until);
    do {
        if (count->n_weeks == WEEKS_MAX) {
            lp_say("the totals before the run are more than two years old");
            return -1;
        }
        lp_day_week(week, day);
        memcpy(count->weeks[count->n_weeks++], week, sizeof(week));
        day = lp_day_add(day, WEEK_DAYS);
    } while (strcmp(week, last) != 0 && day < lp_day_add(until, WEEK_DAYS));

    return 0;
}

static int
list_products(count_t *count, const lp_population_t *population)
{
    char     id[LP_NAME_MAX];
    uint32_t i;
    size_t   len;

    for (i = 0; i < count->usage->products; i++) {
        len = lp_population_product_id(population, id, i);
        if (lp_names_add(&count->names, (lp_span_t) {id, len}) != i) {
            return out_of_memory();
        }
    }

    return 0;
}

static int
count_clicks(count_t *count, const lp_population_t *population)
{
    uint32_t  school, n = lp_population_schools(population);
    unsigned  week, asked = 0;
    char      id[LP_NAME_MAX], name[LP_USAGE_KEY_MAX];
    lp_span_t text = {id, 0}, key = {name, 0};

    for (school = 0; school < n; school++) {
        text.len = lp_population_school_id(population, id, school);
        for (week = 0; week < count->n_weeks; week++) {
            key.len = lp_key_week(name, lp_shard(text), text,
                                  count->weeks[week]);
            lp_store_add(count->store, LP_WORDS(lp_span("HGETALL"), key));
            if (++asked == TOGETHER) {
                if (take_answers(count, asked) != 0) {
                    return -1;
                }
                asked = 0;
            }
        }
    }

    return take_answers(count, asked);
}

static int
take_answers(count_t *count, unsigned n)
{
    unsigned i;

    if (lp_store_run(count->store) != LP_STORE_OK) {
        lp_store_say(count->store);
        return -1;
    }

    for (i = 0; i < n; i++) {
        if (take_week(count, lp_store_reply(count->store, i)) != 0) {
            return out_of_memory();
        }
    }

    return 0;
}

/* Readers stand beside the clicks: "<product>|r", of a name that no product
   has. */
static int
take_week(count_t *count, const redisReply *week)
{
    int64_t  clicks;
    uint32_t product;
    size_t   i;

    for (i = 0; i + 1 < week->elements; i += 2) {
        product = lp_names_add(&count->names,
                               lp_store_text(week->element[i]));
        if (product == LP_NAMES_FULL) {
            return -1;
        }
        clicks = lp_number_read(lp_store_text(week->element[i + 1]));
        if (product < count->usage->products && clicks > 0) {
            count->usage->clicks[product] += (uint64_t) clicks;
        }
    }

    return 0;
}

static int
count_journal(count_t *count)
{
    const redisReply *info;
    char              name[LP_KEY_MAX];
    lp_span_t         key = {name, 0};
    unsigned          shard;

    for (shard = 0; shard < LP_SHARDS; shard++) {
        key.len = lp_key_journal(name, shard);
        info = lp_store_ask(count->store, LP_WORDS(lp_span("EXISTS"), key));
        if (info != NULL && info->integer == 0) {
            continue;
        }
        info = info == NULL ? NULL
                            : lp_store_ask(count->store,
                                           LP_WORDS(lp_span("XINFO"),
                                                    lp_span("STREAM"), key));
        if (info == NULL) {
            lp_store_say(count->store);
            return -1;
        }
        count->usage->journal += added(info);
    }

    return 0;
}

static uint64_t
added(const redisReply *info)
{
    size_t i;

    for (i = 0; i + 1 < info->elements; i += 2) {
        if (lp_span_equal(lp_store_text(info->element[i]),
                          lp_span("entries-added"))
            && info->element[i + 1]->type == REDIS_REPLY_INTEGER) {
            return (uint64_t) info->element[i + 1]->integer;
        }
    }

    return 0;
}

static json_t *
usage_json(const lp_usage_before_t *usage, const lp_population_t *population)
{
    json_t  *clicks = json_object(), *json;
    char     id[LP_NAME_MAX];
    uint32_t i;

    for (i = 0; i < usage->products && clicks != NULL; i++) {
        lp_population_product_id(population, id, i);
        if (usage->clicks[i] > 0
            && json_object_set_new(clicks, id,
                                   json_integer((json_int_t) usage->clicks[i]))
                   != 0) {
            json_decref(clicks);
            clicks = NULL;
        }
    }

    json = json_pack("{s:I, s:i, s:I, s:i, s:o}", "at",
                     (json_int_t) usage->at_ms, "since", (int) usage->since,
                     "journal", (json_int_t) usage->journal, "products",
                     (int) usage->products, "clicks", clicks);

    return json;
}

static int
read_json(lp_usage_before_t *usage, const json_t *json,
          const lp_population_t *population)
{
    const json_t *clicks = json_object_get(json, "clicks"), *one;
    char          id[LP_NAME_MAX];
    uint32_t      i;

    usage->at_ms = json_integer_value(json_object_get(json, "at"));
    usage->journal =
        (uint64_t) json_integer_value(json_object_get(json, "journal"));
    usage->since =
        (uint32_t) json_integer_value(json_object_get(json, "since"));
    usage->products =
        (uint32_t) json_integer_value(json_object_get(json, "products"));
    if (usage->products != lp_population_census(population)->products
        || !lp_day_valid(usage->since) || !json_is_object(clicks)) {
        return -1;
    }

    usage->clicks = calloc(usage->products, sizeof(uint64_t));
    for (i = 0; i < usage->products && usage->clicks != NULL; i++) {
        lp_population_product_id(population, id, i);
        one = json_object_get(clicks, id);
        usage->clicks[i] = json_integer_value(one) > 0
                               ? (uint64_t) json_integer_value(one) : 0;
    }

    return usage->clicks == NULL ? -1 : 0;
}
