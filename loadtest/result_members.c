/*
 * From tables to JSON and back. A result file may come from another machine or
 * another hand: every member must be there, of its type and within its bounds,
 * and a text holds no control character, for it is shown on terminals.
 */

#include "result_members.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../workers/say.h"

#define OF_RESULT(member) offsetof(lp_result_t, member)
#define OF_COUNTS(member) offsetof(lp_counts_t, member)
#define TEXT(name, member)                                                     \
    {name, LP_VALUE_TEXT, OF_RESULT(member),                                   \
     sizeof(((lp_result_t *) 0)->member)}
#define END {NULL, LP_VALUE_COUNT, 0, 0}

static const lp_result_row_t run_rows[] = {
    TEXT("target", target),
    TEXT("started", started),
    {"seconds", LP_VALUE_REAL, OF_RESULT(seconds), 0},
    {"engines", LP_VALUE_UNSIGNED, OF_RESULT(engines), 0},
    {"shard", LP_VALUE_UNSIGNED, OF_RESULT(shard), 0},
    {"shards", LP_VALUE_UNSIGNED, OF_RESULT(shards), 0},
    {"scale", LP_VALUE_REAL, OF_RESULT(scale), 0},
    {"factor", LP_VALUE_REAL, OF_RESULT(factor), 0},
    {"lowest_factor", LP_VALUE_REAL, OF_RESULT(lowest), 0},
    TEXT("machine", machine),
    {"cpu", LP_VALUE_REAL, OF_RESULT(cpu), 0},
    {"clock_step", LP_VALUE_REAL, OF_RESULT(clock_step), 0},
    {"interrupted", LP_VALUE_FLAG, OF_RESULT(interrupted), 0},
    {"stopped_early", LP_VALUE_FLAG, OF_RESULT(stopped_early), 0},
    TEXT("trouble", trouble),
    {"missed_by_tool", LP_VALUE_COUNT, OF_RESULT(missed_by_tool), 0},
    {"most_open", LP_VALUE_COUNT, OF_RESULT(most_open), 0},
    {"first_uses", LP_VALUE_COUNT, OF_RESULT(first_uses), 0},
    END,
};

static const lp_result_row_t population_rows[] = {
    {"seed", LP_VALUE_SEED, OF_RESULT(population_seed), 0},
    {"pupils", LP_VALUE_U32, OF_RESULT(pupils), 0},
    {"products", LP_VALUE_U32, OF_RESULT(products), 0},
    END,
};

const lp_result_group_t lp_result_groups[] = {
    {"run", run_rows},
    {"population", population_rows},
    {NULL, NULL},
};

const lp_result_times_t lp_result_times[] = {
    {"schedule", OF_RESULT(schedule)},
    {"service", OF_RESULT(service)},
    {"activation", OF_RESULT(activation)},
    {"connect", OF_RESULT(connect)},
    {"slip", OF_RESULT(slip)},
    {NULL, 0},
};

const lp_result_row_t lp_mark_rows[] = {
    {"at", LP_VALUE_REAL, offsetof(lp_fault_mark_t, at), 0},
    {"name", LP_VALUE_TEXT, offsetof(lp_fault_mark_t, name), LP_PLAN_NAME_MAX},
    {"status", LP_VALUE_WHOLE, offsetof(lp_fault_mark_t, status), 0},
    END,
};

const lp_result_row_t lp_api_rows[] = {
    {"requests", LP_VALUE_COUNT, offsetof(lp_api_score_t, requests), 0},
    {"errors", LP_VALUE_COUNT, offsetof(lp_api_score_t, errors), 0},
    {"lines", LP_VALUE_COUNT, offsetof(lp_api_score_t, lines), 0},
    {"missed", LP_VALUE_COUNT, offsetof(lp_api_score_t, missed), 0},
    END,
};

static const lp_result_row_t count_rows[] = {
    {"scheduled", LP_VALUE_COUNT, OF_COUNTS(scheduled), 0},
    {"sent", LP_VALUE_COUNT, OF_COUNTS(sent), 0},
    {"other", LP_VALUE_COUNT, OF_COUNTS(other), 0},
    {"activated", LP_VALUE_COUNT, OF_COUNTS(activated), 0},
    {"retried", LP_VALUE_COUNT, OF_COUNTS(retried), 0},
    {"connected", LP_VALUE_COUNT, OF_COUNTS(connected), 0},
    {"tls_full", LP_VALUE_COUNT, OF_COUNTS(tls_full), 0},
    {"tls_resumed", LP_VALUE_COUNT, OF_COUNTS(tls_resumed), 0},
    END,
};

static json_t *value_json(const lp_result_row_t *row, const void *of);
static int value_take(const lp_result_row_t *row, const json_t *value,
                      void *of, char *why, size_t size);
static int whole_take(const lp_result_row_t *row, const json_t *value,
                      void *at, char *why, size_t size);
static int text_take(const lp_result_row_t *row, const json_t *value,
                     char *at, char *why, size_t size);
static int array_put(json_t *object, const char *name, const uint64_t *counts,
                     unsigned n, const char *(*name_of)(unsigned i));
static int array_take(const lp_result_source_t *source, const char *group,
                      const json_t *object, uint64_t *counts, unsigned n,
                      const char *(*name_of)(unsigned i));
static int is_shown(const char *text, size_t len);


int
lp_result_refuse(const lp_result_source_t *source, const char *group,
                 const char *name, const char *why)
{
    char line[32] = "";

    if (source->line > 0) {
        snprintf(line, sizeof(line), ":%lu", source->line);
    }
    lp_say("%s%s: %s%s%s: %s", source->file, line, group == NULL ? "" : group,
           group == NULL ? "" : ".", name, why);

    return -1;
}


int
lp_rows_put(json_t *object, const lp_result_row_t *rows, const void *of)
{
    for (; rows->name != NULL; rows++) {
        if (json_object_set_new(object, rows->name, value_json(rows, of))
            != 0)
        {
            return -1;
        }
    }

    return 0;
}


static json_t *
value_json(const lp_result_row_t *row, const void *of)
{
    const char *at = (const char *) of + row->offset;
    double      real;

    switch (row->kind) {
    case LP_VALUE_COUNT:
    case LP_VALUE_SEED:
        return json_integer((json_int_t) *(const uint64_t *) at);
    case LP_VALUE_U32:
        return json_integer((json_int_t) *(const uint32_t *) at);
    case LP_VALUE_UNSIGNED:
        return json_integer((json_int_t) *(const unsigned *) at);
    case LP_VALUE_FLAG:
        return json_boolean(*(const int *) at);
    case LP_VALUE_WHOLE:
        return json_integer(*(const int *) at);
    case LP_VALUE_REAL:
        memcpy(&real, at, sizeof(real));
        return json_real(isfinite(real) ? real : 0);
    default:
        return json_string(at);
    }
}


int
lp_rows_take(const lp_result_source_t *source, const char *group,
             const json_t *object, const lp_result_row_t *rows, void *of)
{
    const json_t *value;
    char          why[96];

    if (!json_is_object(object)) {
        return lp_result_refuse(source, NULL, group,
                                object == NULL ? "is missing"
                                               : "is no object");
    }

    for (; rows->name != NULL; rows++) {
        value = json_object_get(object, rows->name);
        if (value == NULL) {
            return lp_result_refuse(source, group, rows->name, "is missing");
        }
        if (value_take(rows, value, of, why, sizeof(why)) != 0) {
            return lp_result_refuse(source, group, rows->name, why);
        }
    }

    return 0;
}


static int
value_take(const lp_result_row_t *row, const json_t *value, void *of,
           char *why, size_t size)
{
    char  *at = (char *) of + row->offset;
    double real;

    switch (row->kind) {
    case LP_VALUE_FLAG:
        if (!json_is_boolean(value)) {
            snprintf(why, size, "is neither true nor false");
            return -1;
        }
        *(int *) at = json_is_true(value);
        return 0;
    case LP_VALUE_REAL:
        real = json_number_value(value);
        if (!json_is_number(value) || !isfinite(real) || fabs(real) > 1e12) {
            snprintf(why, size, "is no number up to 1e12");
            return -1;
        }
        memcpy(at, &real, sizeof(real));
        return 0;
    case LP_VALUE_TEXT:
        return text_take(row, value, at, why, size);
    default:
        return whole_take(row, value, at, why, size);
    }
}


static int
whole_take(const lp_result_row_t *row, const json_t *value, void *at,
           char *why, size_t size)
{
    json_int_t least = 0, most = LP_COUNT_MAX, n = json_integer_value(value);

    if (row->kind == LP_VALUE_SEED) {
        most = INT64_MAX;
    } else if (row->kind == LP_VALUE_U32) {
        most = UINT32_MAX;
    } else if (row->kind == LP_VALUE_UNSIGNED) {
        most = 1000000;
    } else if (row->kind == LP_VALUE_WHOLE) {
        least = -2;
        most = 255;
    }

    if (!json_is_integer(value) || n < least || n > most) {
        snprintf(why, size, "is no whole number from %" JSON_INTEGER_FORMAT
                 " to %" JSON_INTEGER_FORMAT, least, most);
        return -1;
    }

    if (row->kind == LP_VALUE_U32) {
        *(uint32_t *) at = (uint32_t) n;
    } else if (row->kind == LP_VALUE_UNSIGNED) {
        *(unsigned *) at = (unsigned) n;
    } else if (row->kind == LP_VALUE_WHOLE) {
        *(int *) at = (int) n;
    } else {
        *(uint64_t *) at = (uint64_t) n;
    }

    return 0;
}


static int
text_take(const lp_result_row_t *row, const json_t *value, char *at,
          char *why, size_t size)
{
    size_t len;

    if (!json_is_string(value)) {
        snprintf(why, size, "is no string");
        return -1;
    }

    len = json_string_length(value);
    if (len >= row->size) {
        snprintf(why, size, "is longer than %zu bytes", row->size - 1);
        return -1;
    }
    if (!is_shown(json_string_value(value), len)) {
        snprintf(why, size, "holds a control character");
        return -1;
    }

    memset(at, 0, row->size);
    memcpy(at, json_string_value(value), len);

    return 0;
}


/* No control character of ASCII, nor one of those that UTF-8 writes as
   C2 80 to C2 9F. */
static int
is_shown(const char *text, size_t len)
{
    const unsigned char *byte = (const unsigned char *) text;
    size_t               i;

    for (i = 0; i < len; i++) {
        if (byte[i] < 0x20 || byte[i] == 0x7f
            || (byte[i] == 0xc2 && i + 1 < len && byte[i + 1] < 0xa0))
        {
            return 0;
        }
    }

    return 1;
}


static const char *
name_of_end(unsigned i)
{
    return lp_end_name((lp_end_t) i);
}


static const char *
name_of_outcome(unsigned i)
{
    return lp_outcome_name((lp_outcome_t) i);
}


json_t *
lp_counts_json(const lp_counts_t *counts)
{
    json_t *object = json_object();

    if (object == NULL || lp_rows_put(object, count_rows, counts) != 0
        || array_put(object, "ended", counts->ended, LP_ENDS, name_of_end)
               != 0
        || array_put(object, "outcomes", counts->outcome, LP_OUTCOMES,
                     name_of_outcome) != 0)
    {
        json_decref(object);
        return NULL;
    }

    return object;
}


static int
array_put(json_t *object, const char *name, const uint64_t *counts,
          unsigned n, const char *(*name_of)(unsigned i))
{
    json_t  *list = json_object();
    unsigned i;

    for (i = 0; i < n; i++) {
        json_object_set_new(list, name_of(i),
                            json_integer((json_int_t) counts[i]));
    }

    return json_object_size(list) == n ? json_object_set_new(object, name, list)
                                       : (json_decref(list), -1);
}


int
lp_counts_take(const lp_result_source_t *source, const json_t *object,
               lp_counts_t *counts)
{
    return lp_rows_take(source, "counts", object, count_rows, counts) != 0
                   || array_take(source, "counts.ended",
                                 json_object_get(object, "ended"),
                                 counts->ended, LP_ENDS, name_of_end) != 0
                   || array_take(source, "counts.outcomes",
                                 json_object_get(object, "outcomes"),
                                 counts->outcome, LP_OUTCOMES,
                                 name_of_outcome) != 0
               ? -1 : 0;
}


static int
array_take(const lp_result_source_t *source, const char *group,
           const json_t *object, uint64_t *counts, unsigned n,
           const char *(*name_of)(unsigned i))
{
    lp_result_row_t row[2] = {END, END};
    unsigned        i;

    for (i = 0; i < n; i++) {
        row[0].name = name_of(i);
        if (lp_rows_take(source, group, object, row, &counts[i]) != 0) {
            return -1;
        }
    }

    return 0;
}


json_t *
lp_histogram_json(const lp_histogram_t *histogram)
{
    json_t *string;
    char   *text = NULL;
    size_t  len;
    FILE   *stream = open_memstream(&text, &len);
    int     rc;

    if (stream == NULL) {
        return NULL;
    }

    rc = lp_histogram_write(histogram, stream);
    string = fclose(stream) == 0 && rc == 0 ? json_string(text) : NULL;
    free(text);

    return string;
}
