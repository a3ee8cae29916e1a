/*
 * Sentences for whoever decides whether to run a plan: how much it is, and
 * what this machine and the population must have for it.
 */

#include "plan_words.h"

#include <math.h>
#include <string.h>

#include "figure.h"
#include "plan_drawing.h"
#include "plan_fields.h"

/* A port that a connection left is not used again for a minute, and Linux
   gives out 28,232 of them (ip_local_port_range) for each address. */
#define PORTS        28232
#define PORT_SECONDS 60
#define WIDTH        72
#define LABEL        12

static void
put_label(FILE *out, const char *label)
{
    fprintf(out, "%-*s", LABEL, label);
}

/* Percent of a share, as few digits as it needs. */
static double
percent(double share)
{
    return share * 100;
}

static void
put_about(const lp_plan_t *plan, FILE *out)
{
    const char *text = plan->about;
    size_t      len, fits;

    fprintf(out, "%s\n", plan->name);
    while (*text != '\0') {
        len = strlen(text);
        for (fits = len < WIDTH ? len : WIDTH;
             fits > 0 && fits < len && text[fits] != ' '; fits--) {
        }
        fits = fits > 0 ? fits : len; /* a word longer than the line */
        fprintf(out, "%.*s\n", (int) fits, text);
        text += fits + (text[fits] == ' ');
    }
    fputc('\n', out);
}

static void
put_clicks(const lp_plan_t *plan, FILE *out)
{
    char   clicks[LP_FIGURE_MAX], peak[LP_FIGURE_MAX];
    char   length[LP_FIGURE_MAX];
    double end = lp_plan_seconds(plan);

    put_label(out, "clicks");
    fprintf(out, "%s in %s, at most %s a second;\n",
            lp_figure_rate(clicks, round(lp_plan_clicks(plan, end))),
            lp_figure_clock(length, round(end)),
            lp_figure_rate(peak, lp_plan_peak(plan)));
    put_label(out, "");
    fprintf(out, "gaps %s, seed %llu\n",
            plan->even ? "even" : "as chance makes them",
            (unsigned long long) plan->seed);
}

static void
put_spikes(const lp_plan_t *plan, FILE *out)
{
    char     at[LP_FIGURE_MAX], rate[LP_FIGURE_MAX];
    unsigned i;

    for (i = 0; i < plan->n_spikes; i++) {
        put_label(out, "spike");
        fprintf(out, "at %s for %.4g s: %s a second more, single pupils\n",
                lp_figure_clock(at, round(plan->spikes[i].at)),
                plan->spikes[i].seconds,
                lp_figure_rate(rate, plan->spikes[i].rate));
    }
}

static void
put_classes(const lp_plan_t *plan, FILE *out)
{
    put_label(out, "classes");
    if (plan->classes.share <= 0) {
        fputs("none: single pupils\n", out);
        return;
    }
    fprintf(out, "%.4g %% of the stages' clicks: a class, one product, "
                 "%.4g s;\n", percent(plan->classes.share),
            plan->classes.seconds);
    put_label(out, "");
    fprintf(out, "the curve is smeared by that, %.4g s to each side\n",
            plan->classes.seconds / 2);
}

/* A list that goes on in the next line before it is too wide. */
typedef struct {
    FILE  *out;
    size_t column; /* 0: empty as yet */
} flow_t;

static void
flow(flow_t *flow, const char *label, const char *text)
{
    size_t len = strlen(text);

    if (flow->column == 0) {
        put_label(flow->out, label);
        fputs(text, flow->out);
        flow->column = LABEL + len;
    } else if (flow->column + 2 + len + 1 > WIDTH) {
        fprintf(flow->out, ",\n%*s%s", LABEL, "", text);
        flow->column = LABEL + len;
    } else {
        fprintf(flow->out, ", %s", text);
        flow->column += 2 + len;
    }
}

static const lp_plan_field_t *
fields_of(const char *name)
{
    const lp_plan_group_t *group = lp_plan_groups;

    while (strcmp(group->name, name) != 0) {
        group++;
    }
    return group->fields;
}

/* "expired 3 %, doubled 3 %": the shares that are not 0. */
static void
put_shares(const lp_plan_t *plan, FILE *out)
{
    const lp_plan_field_t *field;
    flow_t                 list = {out, 0};
    char                   text[64];
    double                 value;

    for (field = fields_of("clicks"); field->name != NULL; field++) {
        value = lp_field_get(field, plan);
        if (value > 0 || (value == 0 && field->kind == LP_FIELD_OR_NONE)) {
            snprintf(text, sizeof(text), "%s %.4g %%", field->name,
                     percent(value));
            flow(&list, "of clicks", text);
        }
    }
    if (list.column == 0) {
        flow(&list, "of clicks",
             "all by good tokens, on what the population has");
    }
    fputc('\n', out);
}

static void
put_tokens(const lp_plan_t *plan, FILE *out)
{
    char   tokens[LP_FIGURE_MAX];
    double clicks = lp_plan_clicks(plan, lp_plan_seconds(plan));

    put_label(out, "tokens");
    fprintf(out, "%s wanted, in %s; clicks by each: %.4g",
            lp_figure_rate(tokens, ceil(clicks / plan->tokens.reuse)),
            plan->tokens.cookie ? "the cookie" : "Authorization",
            plan->tokens.reuse);
    if (plan->tokens.reuse > 1) {
        fprintf(out, ",\n%*sabout %.4g s between them", LABEL, "",
                plan->tokens.think_s);
    }
    fputc('\n', out);
}

/* The most clicks of a minute, looked at each second. */
static double
busiest_minute(const lp_plan_t *plan)
{
    double   most = 0, end = lp_plan_seconds(plan);
    unsigned t;

    for (t = 0; t < end; t++) {
        most = fmax(most, lp_plan_clicks(plan, fmin(t + PORT_SECONDS, end))
                              - lp_plan_clicks(plan, t));
    }
    return most;
}

static void
put_connections(const lp_plan_t *plan, FILE *out)
{
    char   fresh[LP_FIGURE_MAX], open[LP_FIGURE_MAX];
    char   ports[LP_FIGURE_MAX], have[LP_FIGURE_MAX];
    double peak = lp_plan_peak(plan), share = plan->connections.fresh;
    double answer = plan->thresholds.p99_ms > 0
                        ? plan->thresholds.p99_ms / 1e3 : 0.05;
    double needed = ceil(busiest_minute(plan) * share);
    double there = (double) PORTS * plan->connections.addresses;

    put_label(out, "connections");
    fprintf(out, "%.4g %% of clicks over a new one: up to %s a second,\n",
            percent(share), lp_figure_rate(fresh, ceil(peak * share)));
    put_label(out, "");
    fprintf(out, "%s open at once if answers take %.4g ms; at most %u\n",
            lp_figure_rate(open, ceil(peak * answer)
                                   + plan->connections.hold),
            answer * 1e3, plan->connections.most);
    put_label(out, "");
    fprintf(out, "%s ports in the busiest minute; %u address%s %s%s\n",
            lp_figure_rate(ports, needed), plan->connections.addresses,
            plan->connections.addresses == 1 ? " has" : "es have",
            lp_figure_rate(have, there),
            needed > there ? ": too few" : "");
}

static void
put_api(const lp_plan_t *plan, FILE *out)
{
    char rate[LP_FIGURE_MAX], bulk[LP_FIGURE_MAX];

    if (plan->api.rate <= 0 && plan->api.bulk <= 0) {
        return;
    }
    put_label(out, "sellers");
    fprintf(out, "%s rights and %s lines of bulk a second beside the clicks\n",
            lp_figure_rate(rate, plan->api.rate),
            lp_figure_rate(bulk, plan->api.bulk));
}

static void
put_faults(const lp_plan_t *plan, FILE *out)
{
    char     at[LP_FIGURE_MAX];
    unsigned i;

    for (i = 0; i < plan->n_faults; i++) {
        put_label(out, "fault");
        fprintf(out, "at %s: %s (hook %s)\n",
                lp_figure_clock(at, round(plan->faults[i].at)),
                plan->faults[i].name, plan->faults[i].hook);
    }
}

static void
put_thresholds(const lp_plan_t *plan, FILE *out)
{
    const lp_plan_field_t *field;
    flow_t                 list = {out, 0};
    char                   text[80];
    double                 value;
    int                    len;

    for (field = fields_of("thresholds"); field->name != NULL; field++) {
        value = lp_field_get(field, plan);
        len = (int) strlen(field->name);
        if (value < 0 || (strncmp(field->name, "api", 3) == 0
                          && plan->api.rate <= 0 && plan->api.bulk <= 0)) {
            continue;
        }
        if (strcmp(field->name + len - 3, "_ms") == 0) {
            snprintf(text, sizeof(text), "%.*s <= %.6g ms", len - 3,
                     field->name, value);
        } else {
            snprintf(text, sizeof(text), "%s <= %.6g", field->name, value);
        }
        flow(&list, "passes with", text);
    }
    fputs(list.column > 0 ? "\n" : "", out);
    put_label(out, "invalid");
    fprintf(out, "when this tool is late by more than %.4g ms (p99)\n",
            plan->honesty.slip_p99_ms);
}

void
lp_plan_explain(const lp_plan_t *plan, FILE *out)
{
    put_about(plan, out);
    lp_plan_draw(plan, out, lp_drawing_braille());
    fputc('\n', out);
    put_clicks(plan, out);
    put_spikes(plan, out);
    put_classes(plan, out);
    put_shares(plan, out);
    put_tokens(plan, out);
    put_connections(plan, out);
    put_api(plan, out);
    put_faults(plan, out);
    put_thresholds(plan, out);
}
