/*
 * leerpoort report usage: what was used in a week, per school and product, as
 * CSV or JSON. The first one who asks for a week that is over has the report
 * issued; from then on it is that one. A week that is not over yet has a
 * preliminary report, which is coarse and changes once a day at most.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../core/keys.h"
#include "../core/licence.h"
#include "commands.h"
#include "say.h"
#include "service.h"
#include "store_args.h"
#include "usage_collect.h"
#include "usage_keys.h"

#define TIMEOUT_MS 30000
#define FIELD_MAX  (2 * LP_FIELD_MAX + 8) /* a name as CSV */

typedef struct {
    char      week[LP_WEEK_LEN + 1];
    uint32_t  day;    /* of a preliminary report, else 0 */
    unsigned  hide;
    int       hide_given;
    lp_span_t school; /* len 0: all */
    int       json;
} wish_t;

/* A report as it is kept. */
typedef struct {
    json_t  *about;
    json_t **schools; /* by name */
    size_t   n;
} kept_t;

static int
read_digits(const char *text, size_t n, uint32_t *number)
{
    size_t i;

    *number = 0;
    for (i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        *number = *number * 10 + (uint32_t) (text[i] - '0');
    }
    return 0;
}

/* "2026-W36", and there is such a week: 4 January is always in the first. */
static int
week_exists(const char *week)
{
    char     again[LP_WEEK_LEN + 1];
    uint32_t year, number;

    if (strlen(week) != LP_WEEK_LEN || memcmp(week + 4, "-W", 2) != 0
        || read_digits(week, 4, &year) != 0
        || read_digits(week + 6, 2, &number) != 0 || year < 2000
        || number < 1 || number > 53) {
        return 0;
    }
    lp_day_week(again, lp_day_add(year * 10000 + 104, 7 * (int) (number - 1)));
    return memcmp(again, week, LP_WEEK_LEN) == 0;
}

/* Which week: --week, else the last one that is over, or with --running this
   one. */
static int
read_week(const lp_args_t *args, wish_t *wish)
{
    const char *week = args->value[LP_OPT_WEEK];
    int         running = args->value[LP_OPT_RUNNING] != NULL;
    uint32_t    today = lp_service_today();
    char        now[LP_WEEK_LEN + 1];
    int         order;

    lp_day_week(now, today);
    if (week == NULL) {
        lp_day_week(wish->week, running ? today : lp_day_add(today, -7));
    } else if (!week_exists(week)) {
        return lp_args_refuse(args, "--week is a week of ISO 8601, like "
                                    "2026-W36");
    } else {
        memcpy(wish->week, week, LP_WEEK_LEN + 1);
    }
    order = memcmp(wish->week, now, LP_WEEK_LEN);
    if (order > 0) {
        lp_say("%s has not begun", wish->week);
        return LP_NO;
    }
    if (order == 0 && !running) {
        lp_say("%s is not over: its report is issued from Monday on; with "
               "--running there is a preliminary one", wish->week);
        return LP_NO;
    }
    if (order < 0 && running) {
        lp_say("%s is over: ask without --running", wish->week);
        return LP_NO;
    }
    wish->day = order == 0 ? today : 0;
    return LP_YES;
}

static int
read_wish(const lp_args_t *args, wish_t *wish)
{
    const char *format = args->value[LP_OPT_FORMAT];
    const char *school = args->value[LP_OPT_REPORT_SCHOOL];
    int64_t     hide = LP_HIDE_USUAL;

    memset(wish, 0, sizeof(*wish));
    if (format != NULL && strcmp(format, "csv") != 0
        && strcmp(format, "json") != 0) {
        return lp_args_refuse(args, "--format takes csv or json");
    }
    wish->json = format != NULL && strcmp(format, "json") == 0;
    if (school != NULL) {
        wish->school = lp_span_of(school);
        if (!lp_school_valid(wish->school)) {
            return lp_args_refuse(args, "--school is 1 to 64 of A-Z a-z 0-9 _ "
                                        ". -");
        }
    }
    if (lp_args_number(args, LP_OPT_HIDE, LP_HIDE_MAX, &hide) != LP_YES) {
        return LP_USAGE;
    }
    if (hide < LP_HIDE_FLOOR) {
        return lp_args_refuse(args, "--hide is at least %d", LP_HIDE_FLOOR);
    }
    wish->hide = (unsigned) hide;
    wish->hide_given = args->value[LP_OPT_HIDE] != NULL;
    return read_week(args, wish);
}

/* Counts, hides and keeps. LP_YES where there is a report now. */
static int
issue(lp_store_t *store, const wish_t *wish)
{
    lp_report_t       report;
    lp_store_status_t status;
    int               late = 0, rc = LP_YES;

    memset(&report, 0, sizeof(report));
    status = wish->day != 0 ? LP_STORE_OK
                            : lp_usage_backlog(store, wish->week, &late);
    if (status == LP_STORE_OK && late) {
        lp_say("clicks of %s wait to be counted: is leerpoort-tally running? "
               "A report can't be changed once it is issued", wish->week);
        return LP_NO;
    }
    if (status == LP_STORE_OK) {
        status = lp_usage_collect(store, wish->week, &report);
    }
    if (status == LP_STORE_OK && report.n_cells == 0) {
        lp_say("nothing was used in %s", wish->week);
        rc = LP_NO;
    } else if (status == LP_STORE_OK
               && lp_report_hide(&report, wish->hide) != 0) {
        lp_say("out of memory");
        rc = LP_NO;
    } else if (status == LP_STORE_OK) {
        if (wish->day != 0) {
            lp_report_coarsen(&report, wish->hide);
        }
        status = lp_usage_keep(store, wish->week, wish->day, wish->hide,
                               &report);
    }
    lp_report_free(&report);
    if (status != LP_STORE_OK && status != LP_STORE_CONFLICT) {
        return lp_store_say(store);
    }
    return rc;
}

static int
compare_schools(const void *a, const void *b)
{
    return strcmp(json_string_value(json_object_get(*(json_t *const *) a,
                                                    "school")),
                  json_string_value(json_object_get(*(json_t *const *) b,
                                                    "school")));
}

static void
free_kept(kept_t *kept)
{
    size_t i;

    for (i = 0; i < kept->n; i++) {
        json_decref(kept->schools[i]);
    }
    free(kept->schools);
    json_decref(kept->about);
}

/* Takes what is wanted out of the fields. -1: they can't be read. */
static int
take_kept(kept_t *kept, const redisReply *reply, lp_span_t school)
{
    lp_span_t name, text;
    json_t   *part;
    size_t    i;

    kept->schools = calloc(reply->elements / 2 + 1, sizeof(json_t *));
    if (kept->schools == NULL) {
        return -1;
    }
    for (i = 0; i + 1 < reply->elements; i += 2) {
        name = lp_store_text(reply->element[i]);
        text = lp_store_text(reply->element[i + 1]);
        if (school.len > 0 && !lp_span_equal(name, school)
            && !lp_span_equal(name, lp_span("#"))) {
            continue;
        }
        part = json_loadb(text.data, text.len, 0, NULL);
        if (lp_span_equal(name, lp_span("#"))) {
            kept->about = part;
        } else {
            kept->schools[kept->n++] = part;
        }
        if (part == NULL
            || (part != kept->about
                && !json_is_string(json_object_get(part, "school")))) {
            return -1;
        }
    }
    qsort(kept->schools, kept->n, sizeof(json_t *), compare_schools);
    return kept->about == NULL ? -1 : 0;
}

static void
put_json(const kept_t *kept, int one_school)
{
    json_t *answer = json_copy(kept->about), *schools = json_array();
    size_t  i;

    if (one_school) {
        /* what others use is not this school's */
        json_object_del(answer, "clicks");
        json_object_del(answer, "products");
    }
    for (i = 0; i < kept->n; i++) {
        json_array_append(schools, kept->schools[i]);
    }
    json_object_set_new(answer, "schools", schools);
    json_dumpf(answer, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(answer);
}

static void
put_text(const char *text)
{
    char   field[FIELD_MAX];
    size_t len;

    if (text == NULL || strlen(text) > LP_FIELD_MAX) {
        return;
    }
    len = lp_csv_field(field, lp_span_of(text));
    printf("%.*s", (int) len, field);
}

static void
put_figure(const json_t *figure)
{
    if (json_is_integer(figure)) {
        printf("%" JSON_INTEGER_FORMAT, json_integer_value(figure));
    } else {
        fputs("hidden", stdout);
    }
}

/* readers: a total has none. */
static void
put_row(const json_t *about, const char *school, const json_t *row,
        int readers)
{
    put_text(json_string_value(json_object_get(about, "week")));
    putchar(',');
    put_text(school);
    putchar(',');
    put_text(json_string_value(json_object_get(row, "product")));
    putchar(',');
    put_figure(json_object_get(row, "clicks"));
    putchar(',');
    if (readers) {
        put_figure(json_object_get(row, "readers"));
    }
    fputs("\r\n", stdout);
}

/* Rows of cells; a total's row lacks the name of what it sums up. */
static void
put_csv(const kept_t *kept, int one_school)
{
    const char *school;
    json_t     *row;
    size_t      i, j;

    fputs("week,school,product,clicks,readers\r\n", stdout);
    for (i = 0; i < kept->n; i++) {
        school = json_string_value(json_object_get(kept->schools[i],
                                                   "school"));
        json_array_foreach(json_object_get(kept->schools[i], "products"), j,
                           row) {
            put_row(kept->about, school, row, 1);
        }
        put_row(kept->about, school, kept->schools[i], 0);
    }
    if (one_school) {
        return;
    }
    json_array_foreach(json_object_get(kept->about, "products"), j, row) {
        put_row(kept->about, "", row, 0);
    }
    put_row(kept->about, "", kept->about, 0);
}

static int
put_report(const wish_t *wish, const redisReply *reply)
{
    kept_t      kept = {NULL, NULL, 0};
    json_int_t  hide;
    int         rc = LP_NO;

    if (take_kept(&kept, reply, wish->school) != 0) {
        lp_say("the report of %s that is kept can't be read", wish->week);
        free_kept(&kept);
        return LP_NO;
    }
    hide = json_integer_value(json_object_get(kept.about, "hide"));
    if (wish->hide_given && hide != wish->hide) {
        lp_say("the report of %s was issued with --hide %" JSON_INTEGER_FORMAT
               "; another one beside it would give away what either hides",
               wish->week, hide);
    } else if (wish->school.len > 0 && kept.n == 0) {
        lp_say("this school used nothing in %s", wish->week);
    } else {
        if (wish->day != 0) {
            lp_say("%s is not over: preliminary figures, rounded down to "
                   "multiples of %" JSON_INTEGER_FORMAT ", without totals",
                   wish->week, hide);
        }
        (wish->json ? put_json : put_csv)(&kept, wish->school.len > 0);
        rc = LP_YES;
    }
    free_kept(&kept);
    return rc;
}

static int
report(lp_store_t *store, const wish_t *wish)
{
    const redisReply *reply;
    int               rc;

    reply = lp_usage_kept(store, wish->week, wish->day);
    if (reply != NULL && reply->elements == 0) {
        rc = issue(store, wish);
        if (rc != LP_YES) {
            return rc;
        }
        reply = lp_usage_kept(store, wish->week, wish->day);
    }
    return reply == NULL ? lp_store_say(store) : put_report(wish, reply);
}

int
lp_command_report_usage(const lp_args_t *args)
{
    lp_store_t *store;
    wish_t      wish;
    int         rc;

    rc = read_wish(args, &wish);
    if (rc != LP_YES) {
        return rc;
    }
    rc = lp_store_of_args(&store, args, TIMEOUT_MS);
    if (rc == LP_YES) {
        rc = report(store, &wish);
    }
    lp_store_destroy(store);
    return rc;
}
