/*
 * leerpoort-load plan list, plan show. What show --json prints is a plan
 * again, with everything in it that was left out.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../workers/say.h"
#include "decimal.h"
#include "figure.h"
#include "json_file.h"
#include "load_commands.h"
#include "plan_folder.h"
#include "plan_words.h"

/* A list in the making: of lines, or of JSON. */
typedef struct {
    json_t *json; /* NULL: lines */
    int     failed;
} listing_t;

static int
no_memory(void)
{
    lp_say("there is not enough memory");
    return LP_NO;
}

static void
list_line(const lp_plan_t *plan)
{
    char   clicks[LP_FIGURE_MAX], peak[LP_FIGURE_MAX];
    char   length[LP_FIGURE_MAX];
    double end = lp_plan_seconds(plan);

    printf("%-14s %8s  %s clicks, at most %s a second\n", plan->name,
           lp_figure_clock(length, round(end)),
           lp_figure_rate(clicks, round(lp_plan_clicks(plan, end))),
           lp_figure_rate(peak, lp_plan_peak(plan)));
}

static int
list_one(void *owner, const char *path, lp_span_t name)
{
    listing_t *listing = owner;
    lp_plan_t *plan = malloc(sizeof(*plan));
    double     end;

    if (plan == NULL) {
        return no_memory();
    }
    (void) name;
    if (lp_plan_load(plan, path) != 0) {
        listing->failed = 1;
    } else if (listing->json == NULL) {
        list_line(plan);
    } else {
        end = lp_plan_seconds(plan);
        listing->failed |=
            json_array_append_new(
                listing->json,
                json_pack("{s:s, s:s, s:s, s:f, s:f, s:f}", "name",
                          plan->name, "about", plan->about, "file", path,
                          "seconds", end, "clicks",
                          lp_plan_clicks(plan, end), "peak",
                          lp_plan_peak(plan)))
            != 0;
    }
    free(plan);
    return 0;
}

int
lp_load_plan_list(const lp_args_t *args)
{
    listing_t listing = {NULL, 0};

    if (args->value[LP_OPT_JSON] != NULL) {
        listing.json = json_array();
        if (listing.json == NULL) {
            return no_memory();
        }
    }
    if (lp_plan_each(list_one, &listing) != 0) {
        json_decref(listing.json);
        return LP_NO;
    }
    if (listing.json != NULL) {
        listing.failed |= lp_json_print(listing.json, 1) != 0;
    }
    return listing.failed ? LP_NO : LP_YES;
}

/* --scale and --fit. */
static int
adapt(const lp_args_t *args, lp_plan_t *plan)
{
    double  scale = 1;
    int64_t seconds = 0;

    if (lp_decimal_option(args, LP_LOAD_SCALE, "scale", &scale) != LP_YES
        || lp_args_number(args, LP_LOAD_FIT, LP_PLAN_SECONDS_MAX, &seconds)
               != LP_YES) {
        return LP_USAGE;
    }
    if (args->value[LP_LOAD_FIT] != NULL && seconds == 0) {
        return lp_args_refuse(args, "--fit takes at least 1 second");
    }
    if (lp_plan_scale(plan, scale) != 0
        || (seconds > 0 && lp_plan_fit(plan, (double) seconds) != 0)) {
        return LP_NO;
    }
    return LP_YES;
}

static int
show(const lp_args_t *args, lp_plan_t *plan)
{
    int rc;

    if (lp_plan_load(plan, args->operand) != 0) {
        return LP_NO;
    }
    rc = adapt(args, plan);
    if (rc != LP_YES) {
        return rc;
    }
    if (args->value[LP_OPT_JSON] == NULL) {
        lp_plan_explain(plan, stdout);
        return LP_YES;
    }
    return lp_json_print(lp_plan_json(plan), 1) == 0 ? LP_YES : LP_NO;
}

int
lp_load_plan_show(const lp_args_t *args)
{
    lp_plan_t *plan = malloc(sizeof(*plan));
    int        rc;

    if (plan == NULL) {
        return no_memory();
    }
    rc = show(args, plan);
    free(plan);
    return rc;
}
