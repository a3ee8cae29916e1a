/*
 * A plan: how many clicks when, by whom, over which connections, what goes
 * wrong on purpose, and what the answers must be like. A JSON file
 * (docs/plans.md has every field); a broken one is refused with the field's
 * name and what is allowed.
 */

#ifndef LP_PLAN_H
#define LP_PLAN_H

#include <stdint.h>

#include <jansson.h>

#define LP_STAGES_MAX     64
#define LP_SPIKES_MAX     64
#define LP_FAULTS_MAX     32
#define LP_PLAN_NAME_MAX  64
#define LP_RATE_MAX       1000000 /* clicks a second that a plan may ask */
#define LP_PLAN_SECONDS_MAX 86400

typedef enum {
    LP_SHAPE_CONSTANT = 0, /* rate */
    LP_SHAPE_LINEAR,       /* from, to */
    LP_SHAPE_STEP,         /* from, to, in so many equal steps */
    LP_SHAPE_SPIKE,        /* rate, and peak for width seconds from at */
    LP_SHAPE_BELL,         /* rate, and a bell of peak around at, sigma */
    LP_SHAPES
} lp_shape_t;

/* Rates are clicks a second, times seconds. */
typedef struct {
    lp_shape_t shape;
    double     seconds;
    double     rate;  /* constant; the floor of spike and bell */
    double     from;
    double     to;
    double     peak;  /* spike, bell: the highest rate */
    double     at;    /* since the stage began */
    double     width; /* spike */
    double     sigma; /* bell */
    unsigned   steps;
} lp_stage_t;

/* On top of the stages: single pupils, no classes. */
typedef struct {
    double at; /* since the run began */
    double seconds;
    double rate;
} lp_spike_t;

typedef struct {
    double at;
    char   name[LP_PLAN_NAME_MAX]; /* what the report calls it */
    char   hook[LP_PLAN_NAME_MAX]; /* a program of --hooks FOLDER:
                                      [a-z0-9][a-z0-9-]* */
} lp_fault_t;

/* -1: not asked for. */
typedef struct {
    double p50_ms; /* from schedule, of clicks */
    double p90_ms;
    double p99_ms;
    double p999_ms;
    double max_ms;
    double activation_p99_ms; /* from schedule, of first activations */
    double api_p99_ms;
    double errors;          /* share of clicks (0.001) */
    double wrong_redirects; /* count (0) */
    double missed;          /* share (0.001) */
    double api_errors;      /* share of API requests (0.001) */
} lp_thresholds_t;

typedef struct {
    char     name[LP_PLAN_NAME_MAX];
    char     about[512];
    uint64_t seed;
    int      even; /* gaps: even instead of Poisson */

    lp_stage_t stages[LP_STAGES_MAX];
    unsigned   n_stages;
    lp_spike_t spikes[LP_SPIKES_MAX];
    unsigned   n_spikes;
    lp_fault_t faults[LP_FAULTS_MAX];
    unsigned   n_faults;

    struct {
        double share;   /* of the stages' clicks that come in classes */
        double seconds; /* within which a class clicks */
    } classes;

    struct { /* shares of clicks; the rest are by good tokens */
        double expired;
        double forged;
        double no_token;
        double unknown_product;
        double paths;       /* with a path behind the product */
        double doubled;     /* clicked again within 2 s */
        double activations; /* that try a right not used yet */
        double denied;      /* on a product without a valid right;
                               -1: as the population has it */
        double spread;      /* -1: class or Zipf; else the share of clicks by
                               anybody on anything, for cold caches */
    } clicks;

    struct {
        double reuse;    /* clicks of one pupil in a row, mean (1: no more) */
        double think_s;  /* between them, mean; each up to twice it */
        int    cookie;   /* in the cookie leerpoort, not in Authorization */
    } tokens;

    struct {
        double   fresh;       /* share of clicks over a new connection */
        double   resumed;     /* of new TLS connections, those that resume */
        double   idle_s;      /* an unused one is closed after it */
        unsigned most;        /* open at once */
        unsigned hold;        /* opened ahead and kept open, idle or not */
        unsigned addresses;   /* 127.0.x.y to come from, on loopback */
        double   connect_s;   /* time limits */
        double   answer_s;    /* from the scheduled moment */
    } connections;

    struct {
        double rate; /* PUT /v1/entitlements a second */
        double bulk; /* lines of bulk a second */
    } api;

    struct {
        double slip_p99_ms; /* own lateness beyond which it is INVALID */
    } honesty;

    lp_thresholds_t thresholds;
} lp_plan_t;

/*
 * Reads a plan: a file, or the name of one that is shipped ("september"; see
 * plan_folder.c). Returns 0; -1 after lp_say() with field and reason.
 */
int lp_plan_load(lp_plan_t *plan, const char *name);

/* The same of a text; what: how messages call it. */
int lp_plan_parse(lp_plan_t *plan, const char *text, size_t len,
                  const char *what);

/* Multiplies rates (and the connections held, and API rates) by scale. Returns
   -1 after lp_say() where that leaves a bound. */
int lp_plan_scale(lp_plan_t *plan, double scale);

/* Stretches all times of stages, spikes, faults and classes so that the whole
   takes so many seconds; rates, think times and time limits stay. */
int lp_plan_fit(lp_plan_t *plan, double seconds);

/* The plan as JSON, complete, defaults too; NULL: out of memory. */
json_t *lp_plan_json(const lp_plan_t *plan);

double lp_plan_seconds(const lp_plan_t *plan);

/* The curve (curve.c): clicks a second at a time, and clicks expected until
   then, in closed form; of stages alone and with spikes. */
double lp_plan_rate(const lp_plan_t *plan, double t);
double lp_plan_clicks(const lp_plan_t *plan, double t);
double lp_stages_rate(const lp_plan_t *plan, double t);
double lp_stages_clicks(const lp_plan_t *plan, double t);
double lp_spikes_rate(const lp_plan_t *plan, double t);
double lp_spikes_clicks(const lp_plan_t *plan, double t);
double lp_plan_peak(const lp_plan_t *plan);

/* What is expected with the classes' spread: the target line of reports.
   Mean rate over the second that begins at t. */
double lp_plan_expected(const lp_plan_t *plan, double t);

/* "bell" */
const char *lp_shape_name(lp_shape_t shape);

#endif
