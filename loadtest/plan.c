/*
 * What a plan is once it is read: its length, itself as JSON, larger, longer.
 * Scaling and stretching work on a copy, so that a plan that would leave a
 * bound stays what it was.
 */

#include "plan.h"

#include <math.h>

#include "../workers/say.h"
#include "plan_fields.h"

static const char *const shape_names[LP_SHAPES] = {
    [LP_SHAPE_CONSTANT] = "constant",
    [LP_SHAPE_LINEAR] = "linear",
    [LP_SHAPE_STEP] = "step",
    [LP_SHAPE_SPIKE] = "spike",
    [LP_SHAPE_BELL] = "bell",
};

const char *
lp_shape_name(lp_shape_t shape)
{
    return shape_names[shape];
}

double
lp_plan_seconds(const lp_plan_t *plan)
{
    unsigned i;
    double   sum = 0;

    for (i = 0; i < plan->n_stages; i++) {
        sum += plan->stages[i].seconds;
    }
    return sum;
}

static void
grow_fields(const lp_plan_field_t *field, void *of, lp_field_grows_t grows,
            double factor)
{
    double value;

    for (; field->name != NULL; field++) {
        if (field->grows != grows) {
            continue;
        }
        value = lp_field_get(field, of) * factor;
        if (field->kind == LP_FIELD_WHOLE) {
            value = fmin(ceil(value), 4e9); /* as far as an unsigned holds */
        }
        lp_field_put(field, of, value);
    }
}

/* All that grows so, times factor; -1 after lp_say() where it can't. */
static int
grow(lp_plan_t *plan, lp_field_grows_t grows, double factor, const char *how)
{
    lp_plan_t              copy = *plan;
    lp_plan_fault_t        fault;
    const lp_plan_group_t *group;
    unsigned               i;

    for (i = 0; i < copy.n_stages; i++) {
        grow_fields(lp_stage_fields, &copy.stages[i], grows, factor);
    }
    for (i = 0; i < copy.n_spikes; i++) {
        grow_fields(lp_spike_fields, &copy.spikes[i], grows, factor);
    }
    for (i = 0; i < copy.n_faults; i++) {
        grow_fields(lp_fault_fields, &copy.faults[i], grows, factor);
    }
    for (group = lp_plan_groups; group->name != NULL; group++) {
        grow_fields(group->fields, &copy, grows, factor);
    }
    if (copy.classes.share == 0) {
        /* how long no class takes is nobody's concern, nor out of bounds */
        copy.classes.seconds = plan->classes.seconds;
    }
    if (lp_plan_check(&copy, &fault) != 0) {
        lp_say("plan %s, %s %.10g: %s: %s", plan->name, how, factor,
               fault.path, fault.why);
        return -1;
    }
    *plan = copy;
    return 0;
}

int
lp_plan_scale(lp_plan_t *plan, double scale)
{
    if (!(scale > 0 && scale <= LP_RATE_MAX)) {
        lp_say("a plan is scaled by a number above 0, at most %d", LP_RATE_MAX);
        return -1;
    }
    return scale == 1 ? 0 : grow(plan, LP_FIELD_RATE, scale, "scaled by");
}

int
lp_plan_fit(lp_plan_t *plan, double seconds)
{
    if (!(seconds >= 1 && seconds <= LP_PLAN_SECONDS_MAX)) {
        lp_say("a plan is stretched to 1 up to %d seconds",
               LP_PLAN_SECONDS_MAX);
        return -1;
    }
    return grow(plan, LP_FIELD_TIME, seconds / lp_plan_seconds(plan),
                "times stretched by");
}

/* As a whole number where it is one: "seconds": 60. */
static json_t *
number(double value)
{
    return value == floor(value) && fabs(value) < 0x1p53
               ? json_integer((json_int_t) value)
               : json_real(value);
}

static int
put_fields(json_t *object, const lp_plan_field_t *field, const void *of)
{
    for (; field->name != NULL; field++) {
        if (json_object_set_new(object, field->name,
                                number(lp_field_get(field, of))) != 0) {
            return -1;
        }
    }
    return 0;
}

static json_t *
stage_json(const lp_stage_t *stage)
{
    const lp_plan_field_t *field;
    json_t *object = json_pack("{s:s}", "shape", lp_shape_name(stage->shape));

    for (field = lp_stage_fields; object != NULL && field->name != NULL;
         field++) {
        if (lp_field_of_shape(field, stage->shape)
            && json_object_set_new(object, field->name,
                                   number(lp_field_get(field, stage)))
                   != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *
spike_json(const lp_spike_t *spike)
{
    json_t *object = json_object();

    if (put_fields(object, lp_spike_fields, spike) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *
fault_json(const lp_fault_t *fault)
{
    return json_pack("{s:o, s:s, s:s}", "at", number(fault->at), "name",
                     fault->name, "hook", fault->hook);
}

static int
put_lists(json_t *json, const lp_plan_t *plan)
{
    json_t  *stages = json_array(), *spikes = json_array();
    json_t  *faults = json_array();
    unsigned i;
    int      failed = 0;

    for (i = 0; i < plan->n_stages; i++) {
        failed |= json_array_append_new(stages, stage_json(&plan->stages[i]));
    }
    for (i = 0; i < plan->n_spikes; i++) {
        failed |= json_array_append_new(spikes, spike_json(&plan->spikes[i]));
    }
    for (i = 0; i < plan->n_faults; i++) {
        failed |= json_array_append_new(faults, fault_json(&plan->faults[i]));
    }
    failed |= json_object_set_new(json, "stages", stages);
    failed |= json_object_set_new(json, "spikes", spikes);
    failed |= json_object_set_new(json, "faults", faults);
    return failed;
}

json_t *
lp_plan_json(const lp_plan_t *plan)
{
    const lp_plan_group_t *group;
    json_t                *part;
    int                    failed;
    json_t *json = json_pack("{s:s, s:s, s:I, s:s}", "name", plan->name,
                             "about", plan->about, "seed",
                             (json_int_t) plan->seed, "arrivals",
                             plan->even ? "even" : "poisson");

    if (json == NULL) {
        return NULL;
    }
    failed = put_lists(json, plan);
    for (group = lp_plan_groups; group->name != NULL; group++) {
        part = json_object();
        failed |= put_fields(part, group->fields, plan);
        failed |= json_object_set_new(json, group->name, part);
    }
    failed |= json_object_set_new(
        json_object_get(json, "tokens"), "in",
        json_string(plan->tokens.cookie ? "cookie" : "authorization"));
    if (failed) {
        json_decref(json);
        return NULL;
    }
    return json;
}
