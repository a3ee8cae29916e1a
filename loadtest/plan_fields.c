/*
 * The tables. Bounds are there so that a slip of a finger is refused: no
 * school's edge sees a million clicks a second, and no click takes an hour.
 * Each row is found again in docs/plans.md, where a test compares them.
 */

#include "plan_fields.h"

#include <stdio.h>

#define SHAPE(name) (1U << LP_SHAPE_##name)
#define OF(of, member) offsetof(of, member)

#define ROW(kind, grows, group, member, least, most, standard)                 \
    {#member, LP_FIELD_##kind, LP_FIELD_##grows,                               \
     OF(lp_plan_t, group.member), least, most, standard, 0} /* NOLINT */
#define NUMBER(...)  ROW(NUMBER, STAYS, __VA_ARGS__)
#define OR_NONE(...) ROW(OR_NONE, STAYS, __VA_ARGS__)
#define COUNT(...)   ROW(COUNT, STAYS, __VA_ARGS__)
#define WHOLE(...)   ROW(WHOLE, STAYS, __VA_ARGS__)
#define RATE(...)    ROW(NUMBER, RATE, __VA_ARGS__)
#define HELD(...)    ROW(WHOLE, RATE, __VA_ARGS__)
#define TIME(...)    ROW(NUMBER, TIME, __VA_ARGS__)
#define END          {NULL, LP_FIELD_NUMBER, LP_FIELD_STAYS, 0, 0, 0, 0, 0}

static const lp_plan_field_t classes[] = {
    NUMBER(classes, share, 0, 1, 0),
    TIME(classes, seconds, 0.001, 600, 45),
    END
};

static const lp_plan_field_t clicks[] = {
    NUMBER(clicks, expired, 0, 1, 0),
    NUMBER(clicks, forged, 0, 1, 0),
    NUMBER(clicks, no_token, 0, 1, 0),
    NUMBER(clicks, unknown_product, 0, 1, 0),
    NUMBER(clicks, paths, 0, 1, 0),
    NUMBER(clicks, doubled, 0, 1, 0),
    NUMBER(clicks, activations, 0, 1, 0),
    OR_NONE(clicks, denied, 0, 1, -1),
    OR_NONE(clicks, spread, 0, 1, -1),
    END
};

static const lp_plan_field_t tokens[] = {
    NUMBER(tokens, reuse, 1, 50, 1),
    NUMBER(tokens, think_s, 0.1, 3600, 20),
    END
};

static const lp_plan_field_t connections[] = {
    NUMBER(connections, fresh, 0, 1, 0),
    NUMBER(connections, resumed, 0, 1, 0),
    NUMBER(connections, idle_s, 0, 3600, 30),
    WHOLE(connections, most, 1, 1000000, 20000),
    HELD(connections, hold, 0, 1000000, 0),
    WHOLE(connections, addresses, 1, 1000, 1),
    NUMBER(connections, connect_s, 0.01, 60, 5),
    NUMBER(connections, answer_s, 0.01, 60, 10),
    END
};

static const lp_plan_field_t api[] = {
    RATE(api, rate, 0, 100000, 0),
    RATE(api, bulk, 0, 10000000, 0),
    END
};

static const lp_plan_field_t honesty[] = {
    NUMBER(honesty, slip_p99_ms, 0.1, 10000, 10),
    END
};

static const lp_plan_field_t thresholds[] = {
    OR_NONE(thresholds, p50_ms, 0, 3600000, -1),
    OR_NONE(thresholds, p90_ms, 0, 3600000, -1),
    OR_NONE(thresholds, p99_ms, 0, 3600000, -1),
    OR_NONE(thresholds, p999_ms, 0, 3600000, -1),
    OR_NONE(thresholds, max_ms, 0, 3600000, -1),
    OR_NONE(thresholds, activation_p99_ms, 0, 3600000, -1),
    OR_NONE(thresholds, api_p99_ms, 0, 3600000, -1),
    OR_NONE(thresholds, errors, 0, 1, 0.001),
    COUNT(thresholds, wrong_redirects, 0, 1000000000, 0),
    OR_NONE(thresholds, missed, 0, 1, 0.001),
    OR_NONE(thresholds, api_errors, 0, 1, 0.001),
    END
};

const lp_plan_group_t lp_plan_groups[] = {
    {"classes", classes},
    {"clicks", clicks},
    {"tokens", tokens},
    {"connections", connections},
    {"api", api},
    {"honesty", honesty},
    {"thresholds", thresholds},
    {NULL, NULL}
};

#define STAGE(kind, grows, member, least, most, shapes)                        \
    {#member, LP_FIELD_##kind, LP_FIELD_##grows, OF(lp_stage_t, member),       \
     least, most, 0, shapes}
#define EVERY ((1U << LP_SHAPES) - 1)
#define FLOOR (SHAPE(CONSTANT) | SHAPE(SPIKE) | SHAPE(BELL))
#define SLOPE (SHAPE(LINEAR) | SHAPE(STEP))
#define TOP   (SHAPE(SPIKE) | SHAPE(BELL))

const lp_plan_field_t lp_stage_fields[] = {
    STAGE(NUMBER, TIME, seconds, 0.001, LP_PLAN_SECONDS_MAX, EVERY),
    STAGE(NUMBER, RATE, rate, 0, LP_RATE_MAX, FLOOR),
    STAGE(NUMBER, RATE, from, 0, LP_RATE_MAX, SLOPE),
    STAGE(NUMBER, RATE, to, 0, LP_RATE_MAX, SLOPE),
    STAGE(WHOLE, STAYS, steps, 2, 1000, SHAPE(STEP)),
    STAGE(NUMBER, RATE, peak, 0, LP_RATE_MAX, TOP),
    STAGE(NUMBER, TIME, at, 0, LP_PLAN_SECONDS_MAX, TOP),
    STAGE(NUMBER, TIME, width, 0.001, LP_PLAN_SECONDS_MAX, SHAPE(SPIKE)),
    STAGE(NUMBER, TIME, sigma, 0.001, LP_PLAN_SECONDS_MAX, SHAPE(BELL)),
    END
};

#define OTHER(of, grows, member, least, most)                                  \
    {#member, LP_FIELD_NUMBER, LP_FIELD_##grows, OF(of, member), least, most,  \
     0, 0}

const lp_plan_field_t lp_spike_fields[] = {
    OTHER(lp_spike_t, TIME, at, 0, LP_PLAN_SECONDS_MAX),
    OTHER(lp_spike_t, TIME, seconds, 0.001, LP_PLAN_SECONDS_MAX),
    OTHER(lp_spike_t, RATE, rate, 0, LP_RATE_MAX),
    END
};

const lp_plan_field_t lp_fault_fields[] = {
    OTHER(lp_fault_t, TIME, at, 0, LP_PLAN_SECONDS_MAX),
    END
};

double
lp_field_get(const lp_plan_field_t *field, const void *of)
{
    const char *at = (const char *) of + field->offset;

    return field->kind == LP_FIELD_WHOLE ? *(const unsigned *) (const void *) at
                                         : *(const double *) (const void *) at;
}

void
lp_field_put(const lp_plan_field_t *field, void *of, double value)
{
    char *at = (char *) of + field->offset;

    if (field->kind == LP_FIELD_WHOLE) {
        *(unsigned *) (void *) at = (unsigned) value;
    } else {
        *(double *) (void *) at = value;
    }
}

static int
may_be_none(const lp_plan_field_t *field)
{
    return field->kind == LP_FIELD_OR_NONE || field->kind == LP_FIELD_COUNT;
}

int
lp_field_is_whole(const lp_plan_field_t *field)
{
    return field->kind == LP_FIELD_WHOLE || field->kind == LP_FIELD_COUNT;
}

int
lp_field_allows(const lp_plan_field_t *field, double value)
{
    return (value >= field->least && value <= field->most)
           || (may_be_none(field) && value == -1);
}

const char *
lp_field_words(const lp_plan_field_t *field, char *dst, size_t size)
{
    snprintf(dst, size, "%s from %.10g to %.10g%s",
             lp_field_is_whole(field) ? "a whole number" : "a number",
             field->least, field->most, may_be_none(field) ? ", or -1" : "");
    return dst;
}

int
lp_field_of_shape(const lp_plan_field_t *field, lp_shape_t shape)
{
    return (field->shapes >> shape & 1U) != 0;
}
