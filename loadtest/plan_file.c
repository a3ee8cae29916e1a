/*
 * From a JSON text to a plan. Nothing is passed over: a member that no plan
 * has is refused with those that it may have, so that "p99" instead of
 * "p99_ms" does not quietly mean no threshold at all. A refusal says the plan,
 * the path of the field, what is there and what is allowed; of broken JSON,
 * line and column.
 */

#include "plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../workers/say.h"
#include "curve.h"
#include "json_file.h"
#include "plan_fields.h"

#define SHOWN 48 /* bytes of a value that a refusal repeats */

typedef struct {
    lp_plan_t  *plan;
    const char *what; /* how messages call it */
    char        path[96];
    size_t      path_len;
} reading_t;

static int refuse(const reading_t *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int read_plan(reading_t *reading, const json_t *json);
static int read_text(reading_t *reading, const json_t *json, const char *name,
                     char *dst, size_t size, int needed);
static int read_stage(reading_t *reading, const json_t *json, unsigned i);
static int read_spike(reading_t *reading, const json_t *json, unsigned i);
static int read_fault(reading_t *reading, const json_t *json, unsigned i);

static int
refuse(const reading_t *reading, const char *format, ...)
{
    char    why[384];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    lp_say("plan %s: %s%s%s", reading->what, reading->path,
           reading->path[0] == '\0' ? "" : ": ", why);
    return -1;
}

/* Goes down to a member; returns the length to come back to. */
static size_t
enter(reading_t *reading, const char *name)
{
    char   safe[LP_ESCAPED_MAX];
    size_t before = reading->path_len;
    size_t room = sizeof(reading->path) - before;
    int    n;

    lp_escape(safe, (lp_span_t) {name, strlen(name)}, 24);
    n = snprintf(reading->path + before, room, "%s%s",
                 before > 0 && name[0] != '[' ? "." : "", safe);
    reading->path_len += (size_t) n < room ? (size_t) n : room - 1;
    return before;
}

static void
leave(reading_t *reading, size_t before)
{
    reading->path_len = before;
    reading->path[before] = '\0';
}

/* The value in few words: "yes", -3, an object. Into dst. */
static const char *
shown(char dst[LP_ESCAPED_MAX], const json_t *json)
{
    char *text;

    if (json_is_object(json) || json_is_array(json)) {
        return json_is_object(json) ? "an object" : "a list";
    }
    text = json_dumps(json, JSON_ENCODE_ANY | JSON_ENSURE_ASCII
                                | JSON_REAL_PRECISION(10));
    if (text == NULL) {
        return "unreadable";
    }
    lp_escape(dst, (lp_span_t) {text, strlen(text)}, SHOWN);
    free(text);
    return dst;
}

static int
refuse_value(const reading_t *reading, const json_t *json,
             const char *allowed)
{
    char there[LP_ESCAPED_MAX];

    return refuse(reading, "is %s; allowed: %s", shown(there, json), allowed);
}

/* Names that an object may have, as a list for people. */
typedef struct {
    char   text[256];
    size_t len;
} names_t;

static void
name_add(names_t *names, const char *name)
{
    size_t room = sizeof(names->text) - names->len;
    int    n = snprintf(names->text + names->len, room, "%s%s",
                        names->len > 0 ? ", " : "", name);

    names->len += (size_t) n < room ? (size_t) n : room - 1;
}

static int
name_in(const char *list, const char *name)
{
    size_t      len = strlen(name);
    const char *at;

    if (len == 0) {
        return 0;
    }
    for (at = list; (at = strstr(at, name)) != NULL; at += len) {
        if ((at == list || at[-1] == ' ')
            && (at[len] == '\0' || at[len] == ',')) {
            return 1;
        }
    }
    return 0;
}

/* Whether it is an object that has only names of the list. */
static int
check_names(reading_t *reading, const json_t *json, const char *list)
{
    const char *name;
    json_t     *value;

    if (!json_is_object(json)) {
        return refuse_value(reading, json, "an object");
    }
    json_object_foreach((json_t *) json, name, value) {
        if (strpbrk(name, " ,") != NULL || !name_in(list, name)) {
            enter(reading, name);
            return refuse(reading, "there is no such member; allowed here: %s",
                          list);
        }
    }
    return 0;
}

/* The field's value from the object; standard where it is absent, refused
   where that may not be. */
static int
read_field(reading_t *reading, const lp_plan_field_t *field,
           const json_t *json, void *of, int needed)
{
    char          words[64];
    size_t        before = enter(reading, field->name);
    const json_t *value = json_object_get(json, field->name);

    lp_field_words(field, words, sizeof(words));
    if (value == NULL) {
        if (needed) {
            return refuse(reading, "is missing; allowed: %s", words);
        }
        lp_field_put(field, of, field->standard);
    } else if (!json_is_number(value)
               || (lp_field_is_whole(field) && !json_is_integer(value))
               || !lp_field_allows(field, json_number_value(value))) {
        return refuse_value(reading, value, words);
    } else {
        lp_field_put(field, of, json_number_value(value));
    }
    leave(reading, before);
    return 0;
}

static int
read_group(reading_t *reading, const lp_plan_group_t *group,
           const json_t *json)
{
    const lp_plan_field_t *field;
    const json_t          *part = json_object_get(json, group->name);
    names_t                names = {.len = 0};
    size_t                 before = enter(reading, group->name);

    for (field = group->fields; field->name != NULL; field++) {
        name_add(&names, field->name);
    }
    if (strcmp(group->name, "tokens") == 0) {
        name_add(&names, "in");
    }
    if (part != NULL && check_names(reading, part, names.text) != 0) {
        return -1;
    }
    for (field = group->fields; field->name != NULL; field++) {
        if (read_field(reading, field, part, reading->plan, 0) != 0) {
            return -1;
        }
    }
    leave(reading, before);
    return 0;
}

/* One of two words; the first where it is absent. Returns 0 or 1; -1. */
static int
read_either(reading_t *reading, const json_t *json, const char *name,
            const char *first, const char *second)
{
    char          allowed[64];
    size_t        before = enter(reading, name);
    const json_t *value = json_object_get(json, name);
    const char   *word = value == NULL ? first : json_string_value(value);

    if (word == NULL || (strcmp(word, first) != 0
                         && strcmp(word, second) != 0)) {
        snprintf(allowed, sizeof(allowed), "\"%s\" or \"%s\"", first, second);
        return refuse_value(reading, value, allowed);
    }
    leave(reading, before);
    return strcmp(word, second) == 0;
}

/* A text without controls, with room for its NUL in size bytes. */
static int
read_text(reading_t *reading, const json_t *json, const char *name, char *dst,
          size_t size, int needed)
{
    char                 allowed[64];
    size_t               i, before = enter(reading, name);
    const json_t        *value = json_object_get(json, name);
    const unsigned char *text;
    size_t               len;

    snprintf(allowed, sizeof(allowed), "text of %d to %zu bytes, one line",
             needed, size - 1);
    dst[0] = '\0';
    if (value == NULL && !needed) {
        leave(reading, before);
        return 0;
    }
    if (value == NULL) {
        return refuse(reading, "is missing; allowed: %s", allowed);
    }
    text = (const unsigned char *) json_string_value(value);
    len = json_string_length(value);
    if (text == NULL || len >= size || len < (size_t) needed) {
        return refuse_value(reading, value, allowed);
    }
    for (i = 0; i < len; i++) {
        if (text[i] < 0x20 || text[i] == 0x7f
            || (text[i] == 0xc2 && text[i + 1] < 0xa0)) {
            return refuse_value(reading, value, allowed);
        }
    }
    memcpy(dst, text, len + 1);
    leave(reading, before);
    return 0;
}

/* Reads a list of at most max entries, each by take; *n is how many. */
static int
read_list(reading_t *reading, const json_t *json, const char *name,
          unsigned max, unsigned *n,
          int (*take)(reading_t *reading, const json_t *json, unsigned i))
{
    char          text[64];
    size_t        inner, before = enter(reading, name);
    const json_t *list = json_object_get(json, name);
    unsigned      i;

    *n = (unsigned) json_array_size(list);
    if (list != NULL && !json_is_array(list)) {
        return refuse_value(reading, list, "a list");
    }
    if (json_array_size(list) > max) {
        return refuse(reading, "has %zu entries; allowed: %u at most",
                      json_array_size(list), max);
    }
    for (i = 0; i < *n; i++) {
        snprintf(text, sizeof(text), "[%u]", i);
        inner = enter(reading, text);
        if (take(reading, json_array_get(list, i), i) != 0) {
            return -1;
        }
        leave(reading, inner);
    }
    leave(reading, before);
    return 0;
}

static int
read_shape(reading_t *reading, const json_t *json, lp_stage_t *stage)
{
    const json_t *value = json_object_get(json, "shape");
    const char   *name = json_string_value(value);
    names_t       names = {.len = 0};
    unsigned      i;

    enter(reading, "shape");
    for (i = 0; i < LP_SHAPES; i++) {
        name_add(&names, lp_shape_name((lp_shape_t) i));
        if (name != NULL && strcmp(name, lp_shape_name((lp_shape_t) i)) == 0) {
            stage->shape = (lp_shape_t) i;
            return 0;
        }
    }
    return value == NULL ? refuse(reading, "is missing; allowed: %s",
                                  names.text)
                         : refuse_value(reading, value, names.text);
}

/* A bell by the number of its clicks above the floor: the peak that has them
   within the stage. */
static int
read_bell_clicks(reading_t *reading, const json_t *json, lp_stage_t *stage)
{
    static const lp_plan_field_t field = {
        "clicks", LP_FIELD_NUMBER, LP_FIELD_STAYS,
        offsetof(lp_stage_t, peak), 0,
        (double) LP_RATE_MAX * LP_PLAN_SECONDS_MAX, 0, 0};
    lp_stage_t unit = *stage;

    if (json_object_get(json, "peak") != NULL) {
        enter(reading, "clicks");
        return refuse(reading, "is there beside peak; allowed: one of them");
    }
    if (read_field(reading, &field, json, stage, 1) != 0) {
        return -1;
    }
    unit.rate = 0;
    unit.peak = 1;
    stage->peak = stage->rate
                  + stage->peak / lp_stage_clicks(&unit, unit.seconds);
    if (!(stage->peak <= LP_RATE_MAX)) {
        enter(reading, "clicks");
        return refuse(reading, "makes a peak of %.10g; allowed: %d at most",
                      stage->peak, LP_RATE_MAX);
    }
    return 0;
}

static int
read_stage(reading_t *reading, const json_t *json, unsigned i)
{
    lp_stage_t            *stage = &reading->plan->stages[i];
    const lp_plan_field_t *field;
    size_t                 before = reading->path_len;
    names_t                names = {.len = 0};
    int                    counted;

    if (!json_is_object(json)) {
        return refuse_value(reading, json, "an object");
    }
    if (read_shape(reading, json, stage) != 0) {
        return -1;
    }
    leave(reading, before);
    name_add(&names, "shape");
    for (field = lp_stage_fields; field->name != NULL; field++) {
        if (lp_field_of_shape(field, stage->shape)) {
            name_add(&names, field->name);
        }
    }
    if (stage->shape == LP_SHAPE_BELL) {
        name_add(&names, "clicks");
    }
    if (check_names(reading, json, names.text) != 0) {
        return -1;
    }
    counted = json_object_get(json, "clicks") != NULL;
    for (field = lp_stage_fields; field->name != NULL; field++) {
        if (lp_field_of_shape(field, stage->shape)
            && !(counted && strcmp(field->name, "peak") == 0)
            && read_field(reading, field, json, stage, 1) != 0) {
            return -1;
        }
    }
    return counted ? read_bell_clicks(reading, json, stage) : 0;
}

static int
read_spike(reading_t *reading, const json_t *json, unsigned i)
{
    const lp_plan_field_t *field;

    if (check_names(reading, json, "at, seconds, rate") != 0) {
        return -1;
    }
    for (field = lp_spike_fields; field->name != NULL; field++) {
        if (read_field(reading, field, json, &reading->plan->spikes[i], 1)
            != 0) {
            return -1;
        }
    }
    return 0;
}

/* A hook is a program of a folder: no path, no hidden file, no option. */
static int
is_hook(const char *name)
{
    return name[0] != '-'
           && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")
                  == strlen(name);
}

static int
read_fault(reading_t *reading, const json_t *json, unsigned i)
{
    lp_fault_t *fault = &reading->plan->faults[i];

    if (check_names(reading, json, "at, name, hook") != 0
        || read_field(reading, lp_fault_fields, json, fault, 1) != 0
        || read_text(reading, json, "name", fault->name, sizeof(fault->name),
                     1) != 0
        || read_text(reading, json, "hook", fault->hook, sizeof(fault->hook),
                     1) != 0) {
        return -1;
    }
    if (!is_hook(fault->hook)) {
        enter(reading, "hook");
        return refuse_value(reading, json_object_get(json, "hook"),
                            "a-z, 0-9 and -, which does not come first");
    }
    return 0;
}

static int
read_seed(reading_t *reading, const json_t *json)
{
    const json_t *value = json_object_get(json, "seed");
    size_t        before = enter(reading, "seed");

    reading->plan->seed = 1;
    if (value != NULL) {
        if (!json_is_integer(value) || json_integer_value(value) < 0) {
            return refuse_value(reading, value,
                                "a whole number from 0 to "
                                "9223372036854775807");
        }
        reading->plan->seed = (uint64_t) json_integer_value(value);
    }
    leave(reading, before);
    return 0;
}

static int
read_heading(reading_t *reading, const json_t *json)
{
    lp_plan_t             *plan = reading->plan;
    const lp_plan_group_t *group;
    names_t                names = {.len = 0};

    name_add(&names, "name, about, seed, arrivals, stages, spikes, faults");
    for (group = lp_plan_groups; group->name != NULL; group++) {
        name_add(&names, group->name);
    }
    if (check_names(reading, json, names.text) != 0
        || read_text(reading, json, "name", plan->name, sizeof(plan->name), 1)
               != 0
        || read_text(reading, json, "about", plan->about, sizeof(plan->about),
                     0) != 0
        || read_seed(reading, json) != 0) {
        return -1;
    }
    plan->even = read_either(reading, json, "arrivals", "poisson", "even");
    return plan->even < 0 ? -1 : 0;
}

static int
read_plan(reading_t *reading, const json_t *json)
{
    lp_plan_t             *plan = reading->plan;
    const lp_plan_group_t *group;
    const json_t          *tokens = json_object_get(json, "tokens");
    lp_plan_fault_t        fault;

    if (read_heading(reading, json) != 0
        || read_list(reading, json, "stages", LP_STAGES_MAX, &plan->n_stages,
                     read_stage) != 0
        || read_list(reading, json, "spikes", LP_SPIKES_MAX, &plan->n_spikes,
                     read_spike) != 0
        || read_list(reading, json, "faults", LP_FAULTS_MAX, &plan->n_faults,
                     read_fault) != 0) {
        return -1;
    }
    for (group = lp_plan_groups; group->name != NULL; group++) {
        if (read_group(reading, group, json) != 0) {
            return -1;
        }
    }
    if (tokens != NULL) {
        enter(reading, "tokens");
        plan->tokens.cookie = read_either(reading, tokens, "in",
                                          "authorization", "cookie");
        if (plan->tokens.cookie < 0) {
            return -1;
        }
        leave(reading, 0);
    }
    if (lp_plan_check(plan, &fault) != 0) {
        enter(reading, fault.path);
        return refuse(reading, "%s", fault.why);
    }
    return 0;
}

int
lp_plan_parse(lp_plan_t *plan, const char *text, size_t len, const char *what)
{
    reading_t    reading = {.plan = plan};
    char         name[LP_ESCAPED_MAX], why[LP_ESCAPED_MAX];
    const char  *fault;
    json_error_t error;
    json_t      *json;
    int          rc;

    memset(plan, 0, sizeof(*plan));
    reading.what = lp_escape(name, (lp_span_t) {what, strlen(what)}, 64);
    json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        fault = lp_json_fault(&error);
        return refuse(&reading, "line %d, column %d: %s", error.line,
                      error.column,
                      lp_escape(why, (lp_span_t) {fault, strlen(fault)}, 64));
    }
    rc = read_plan(&reading, json);
    json_decref(json);
    return rc;
}
