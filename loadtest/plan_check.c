/*
 * What no single field can tell: that a bell lies in its stage, that spikes
 * and faults come before the end, that shares of the same thing are not more
 * than all of it. After reading, and again after scaling and stretching.
 */

#include "plan_fields.h"

#include <stdarg.h>
#include <stdio.h>

/* Lengths are sums of what people wrote in decimals, and stretched: a
   difference that far behind the point is none. */
#define SLACK 1e-6

static int wrong(lp_plan_fault_t *fault, const char *why, ...)
    __attribute__((format(printf, 2, 3)));

static int
wrong(lp_plan_fault_t *fault, const char *why, ...)
{
    va_list args;

    va_start(args, why);
    vsnprintf(fault->why, sizeof(fault->why), why, args);
    va_end(args);
    return -1;
}

static void
name_path(lp_plan_fault_t *fault, const char *list, unsigned i,
          const char *name)
{
    snprintf(fault->path, sizeof(fault->path), "%s[%u].%s", list, i, name);
}

static int
check_fields(const lp_plan_field_t *field, const void *of,
             lp_plan_fault_t *fault, const char *list, unsigned i)
{
    char   words[64];
    double value;

    for (; field->name != NULL; field++) {
        value = lp_field_get(field, of);
        if ((list[0] == 's' && field->shapes != 0
             && !lp_field_of_shape(field, ((const lp_stage_t *) of)->shape))
            || lp_field_allows(field, value)) {
            continue;
        }
        name_path(fault, list, i, field->name);
        return wrong(fault, "is %.10g; allowed: %s", value,
                     lp_field_words(field, words, sizeof(words)));
    }
    return 0;
}

static int
check_stage(const lp_stage_t *stage, lp_plan_fault_t *fault, unsigned i)
{
    if (check_fields(lp_stage_fields, stage, fault, "stages", i) != 0) {
        return -1;
    }
    if (stage->shape != LP_SHAPE_SPIKE && stage->shape != LP_SHAPE_BELL) {
        return 0;
    }
    name_path(fault, "stages", i, "peak");
    if (stage->peak < stage->rate) {
        return wrong(fault, "is %.10g; allowed: at least the rate, %.10g",
                     stage->peak, stage->rate);
    }
    name_path(fault, "stages", i, "at");
    if (stage->at > stage->seconds + SLACK) {
        return wrong(fault, "is %.10g; the stage takes %.10g s", stage->at,
                     stage->seconds);
    }
    name_path(fault, "stages", i, "width");
    if (stage->shape == LP_SHAPE_SPIKE
        && stage->at + stage->width > stage->seconds + SLACK) {
        return wrong(fault, "is %.10g; from %.10g s on the stage has %.10g s",
                     stage->width, stage->at, stage->seconds - stage->at);
    }
    return 0;
}

static int
check_spikes(const lp_plan_t *plan, lp_plan_fault_t *fault, double end)
{
    unsigned          i;
    const lp_spike_t *spike;

    for (i = 0; i < plan->n_spikes; i++) {
        spike = &plan->spikes[i];
        if (check_fields(lp_spike_fields, spike, fault, "spikes", i) != 0) {
            return -1;
        }
        if (spike->at + spike->seconds > end + SLACK) {
            name_path(fault, "spikes", i, "at");
            return wrong(fault, "is %.10g, for %.10g s; the stages take %.10g "
                                "s", spike->at, spike->seconds, end);
        }
    }
    return 0;
}

static int
check_faults(const lp_plan_t *plan, lp_plan_fault_t *fault, double end)
{
    unsigned i;

    for (i = 0; i < plan->n_faults; i++) {
        if (plan->faults[i].at > end + SLACK) {
            name_path(fault, "faults", i, "at");
            return wrong(fault, "is %.10g; the stages take %.10g s",
                         plan->faults[i].at, end);
        }
    }
    return 0;
}

static int
check_groups(const lp_plan_t *plan, lp_plan_fault_t *fault)
{
    const lp_plan_group_t *group;
    const lp_plan_field_t *field;
    char                   words[64];
    double                 value;

    for (group = lp_plan_groups; group->name != NULL; group++) {
        for (field = group->fields; field->name != NULL; field++) {
            value = lp_field_get(field, plan);
            if (!lp_field_allows(field, value)) {
                snprintf(fault->path, sizeof(fault->path), "%s.%s",
                         group->name, field->name);
                return wrong(fault, "is %.10g; allowed: %s", value,
                             lp_field_words(field, words, sizeof(words)));
            }
        }
    }
    return 0;
}

static int
check_sums(const lp_plan_t *plan, lp_plan_fault_t *fault)
{
    double bad = plan->clicks.expired + plan->clicks.forged
                 + plan->clicks.no_token + plan->clicks.unknown_product;
    double chosen = plan->clicks.activations
                    + (plan->clicks.denied > 0 ? plan->clicks.denied : 0);

    snprintf(fault->path, sizeof(fault->path), "clicks");
    if (bad > 1 + SLACK) {
        return wrong(fault, "expired, forged, no_token and unknown_product are "
                            "%.10g together; allowed: 1 at most", bad);
    }
    if (chosen > 1 + SLACK) {
        return wrong(fault, "activations and denied are %.10g together; "
                            "allowed: 1 at most", chosen);
    }
    if (plan->connections.hold > plan->connections.most) {
        snprintf(fault->path, sizeof(fault->path), "connections.hold");
        return wrong(fault, "is %u; allowed: at most connections.most, %u",
                     plan->connections.hold, plan->connections.most);
    }
    return 0;
}

/* Spikes come on top: each may be allowed and their sum not. */
static int
check_peak(const lp_plan_t *plan, lp_plan_fault_t *fault)
{
    double peak = lp_plan_peak(plan);

    if (peak > LP_RATE_MAX * (1 + SLACK)) {
        snprintf(fault->path, sizeof(fault->path), "spikes");
        return wrong(fault, "make a peak of %.10g; allowed: %d clicks a second "
                            "at most", peak, LP_RATE_MAX);
    }
    return 0;
}

int
lp_plan_check(const lp_plan_t *plan, lp_plan_fault_t *fault)
{
    unsigned i;
    double   end = lp_plan_seconds(plan);

    snprintf(fault->path, sizeof(fault->path), "stages");
    if (plan->n_stages == 0) {
        return wrong(fault, "is empty; allowed: 1 to %d stages",
                     LP_STAGES_MAX);
    }
    for (i = 0; i < plan->n_stages; i++) {
        if (check_stage(&plan->stages[i], fault, i) != 0) {
            return -1;
        }
    }
    snprintf(fault->path, sizeof(fault->path), "stages");
    if (end > LP_PLAN_SECONDS_MAX + SLACK) {
        return wrong(fault, "take %.10g s together; allowed: %d at most", end,
                     LP_PLAN_SECONDS_MAX);
    }
    if (check_spikes(plan, fault, end) != 0
        || check_faults(plan, fault, end) != 0
        || check_peak(plan, fault) != 0
        || check_groups(plan, fault) != 0) {
        return -1;
    }
    return check_sums(plan, fault);
}
