/*
 * leerpoort-load run: reads what is asked, refuses what can't or must not be,
 * and only then begins. Until it has begun, whatever is wrong ends with 2 and
 * leaves nothing behind; from then on there is a verdict, 0, 1 or 3, and a
 * folder with all that was seen.
 */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../workers/say.h"
#include "../workers/written_time.h"
#include "clock.h"
#include "decimal.h"
#include "engines.h"
#include "hooks.h"
#include "load_commands.h"
#include "machine.h"
#include "run.h"
#include "target.h"

#define NS            LP_SECOND_NS
#define MAX_RATE      50000
#define MAX_SECONDS   14400 /* four hours */
#define AHEAD_MAX     86400 /* seconds to --start-at */
#define SHARDS_MAX    1000
#define READY_NS      (NS / 2) /* until engines are there */
#define HOLD_RATE     1800  /* connections a second, with some slack */
#define FACTOR_MAX    10    /* by +, however far the plan is from --max-rate */
#define FILES_BESIDE  80    /* open files of an engine beside connections */
#define LEAST_OPEN    16    /* connections; with fewer it is no rehearsal */
#define SECONDS_BESIDE 60   /* that a run may take beyond its plan */

typedef struct {
    const lp_args_t    *args;
    lp_plan_t           plan;  /* of all machines: what results hold */
    lp_plan_t           share; /* what each engine here is to do of it */
    lp_population_t    *population;
    lp_target_options_t target;
    lp_aim_t            aim;
    lp_seller_options_t seller;
    lp_told_t          *told;
    lp_result_t        *result;
    lp_run_t            run;
    double   scale;
    int64_t  max_rate, max_seconds;
    int64_t  start_at; /* Unix seconds; 0: at once */
    char     out[4096];
} job_t;

static int
is_given(const job_t *job, unsigned option)
{
    return job->args->value[option] != NULL;
}

/* "2/5" */
static int
read_shard(job_t *job)
{
    const char   *text = job->args->value[LP_LOAD_SHARD];
    char         *end = NULL;
    unsigned long i = 1, n = 1;

    if (text != NULL) {
        i = *text >= '1' && *text <= '9' ? strtoul(text, &end, 10) : 0;
        n = i > 0 && *end == '/' && end[1] >= '1' && end[1] <= '9'
                ? strtoul(end + 1, &end, 10)
                : 0;
        if (n == 0 || *end != '\0' || n > SHARDS_MAX || i > n) {
            return lp_args_refuse(job->args, "--shard takes I/N, 1/%d at "
                                  "least: 1/5 to 5/5 for five machines",
                                  SHARDS_MAX);
        }
    }
    job->run.shard = (unsigned) (i - 1);
    job->run.shards = (unsigned) n;
    return LP_YES;
}

static int
read_start(job_t *job)
{
    const char *text = job->args->value[LP_LOAD_START_AT];
    int64_t     at = -1, now = lp_wall_ns() / NS;
    char        when[LP_WHEN_MAX];

    if (text == NULL) {
        return LP_YES;
    }
    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0'
        && strlen(text) <= 11) {
        at = strtoll(text, NULL, 10);
    } else if (text[0] != '\0' && text[strlen(text) - 1] == 'Z') {
        at = lp_date_time_read(text);
    }
    if (at < 0) {
        return lp_args_refuse(job->args, "--start-at takes a time in UTC, "
                              "2026-08-20T06:15:00Z, or Unix seconds");
    }
    if (at <= now || at > now + AHEAD_MAX) {
        return lp_args_refuse(job->args, "--start-at is %s; it must be ahead, "
                              "by 24 hours at most", lp_when(when, at, now));
    }
    job->start_at = at;
    return LP_YES;
}

static int
read_numbers(job_t *job)
{
    const lp_args_t *args = job->args;
    int64_t          cores = 1;
    int              rc;

    job->max_rate = MAX_RATE;
    job->max_seconds = MAX_SECONDS;
    job->scale = 1;
    if ((rc = lp_args_number(args, LP_LOAD_CORES, LP_ENGINES_MAX, &cores))
            != LP_YES
        || (rc = lp_args_number(args, LP_LOAD_MAX_RATE, LP_RATE_MAX,
                                &job->max_rate)) != LP_YES
        || (rc = lp_args_number(args, LP_LOAD_MAX_SECONDS,
                                LP_PLAN_SECONDS_MAX, &job->max_seconds))
               != LP_YES
        || (rc = lp_decimal_option(args, LP_LOAD_SCALE, "scale", &job->scale))
               != LP_YES
        || (rc = read_shard(job)) != LP_YES
        || (rc = read_start(job)) != LP_YES) {
        return rc;
    }
    if (cores < 1) {
        return lp_args_refuse(args, "--cores takes 1 to %d", LP_ENGINES_MAX);
    }
    job->run.cores = (unsigned) cores;
    return LP_YES;
}

static unsigned
part_of(unsigned n, unsigned parts)
{
    return (n + parts - 1) / parts;
}

/* Clicks are divided by the schedule itself; connections among all engines,
   API traffic among machines, each of which has one process for it. */
static void
divide(job_t *job)
{
    unsigned engines = job->run.shards * job->run.cores;

    job->share = job->plan;
    job->share.connections.most = part_of(job->plan.connections.most, engines);
    job->share.connections.hold = part_of(job->plan.connections.hold, engines);
    job->share.api.rate /= job->run.shards;
    job->share.api.bulk /= job->run.shards;
    job->run.plan = &job->share;
}

/* The plan as it is to be run, within the caps. */
static int
read_plan(job_t *job)
{
    lp_plan_t *plan = &job->plan;
    double     fit = 0, peak;

    if (lp_decimal_option(job->args, LP_LOAD_FIT, "fit", &fit) != LP_YES
        || lp_plan_load(plan, job->args->operands[0]) != 0
        || (job->scale != 1 && lp_plan_scale(plan, job->scale) != 0)
        || (fit > 0 && lp_plan_fit(plan, fit) != 0)) {
        return LP_USAGE;
    }
    peak = lp_plan_peak(plan) / job->run.shards;
    if (peak > (double) job->max_rate) {
        lp_say("the plan's peak is %.0f clicks a second here, above "
               "--max-rate %" PRId64 "; --scale makes it smaller", peak,
               job->max_rate);
        return LP_USAGE;
    }
    if (lp_plan_seconds(plan) > (double) job->max_seconds) {
        lp_say("the plan takes %.0f s, longer than --max-seconds %" PRId64
               "; --fit SECONDS makes it shorter", lp_plan_seconds(plan),
               job->max_seconds);
        return LP_USAGE;
    }
    job->run.max_factor = peak > 0 ? fmin((double) job->max_rate / peak,
                                          FACTOR_MAX)
                                   : 1;
    divide(job);
    return LP_YES;
}

static int
open_population(job_t *job)
{
    const char *folder = job->args->operands[1];
    int64_t     until, now = lp_wall_ns() / NS, end;
    char        when[LP_WHEN_MAX];

    job->population = lp_population_open(folder);
    if (job->population == NULL) {
        return LP_USAGE;
    }
    until = lp_population_tokens_until(job->population);
    if (until == 0) {
        lp_say("the people in %s have no tokens: leerpoort-load mint %s",
               folder, folder);
        return LP_USAGE;
    }
    end = (job->start_at > now ? job->start_at : now)
          + (int64_t) lp_plan_seconds(&job->plan) + SECONDS_BESIDE;
    if (until < end) {
        lp_say("the tokens in %s expire at %s, before the run ends: "
               "leerpoort-load mint %s", folder, lp_when(when, until, now),
               folder);
        return LP_USAGE;
    }
    job->run.population = job->population;
    return LP_YES;
}

static int
read_sellers(job_t *job)
{
    const lp_args_t *args = job->args;
    int              traffic = job->plan.api.rate > 0
                               || job->plan.api.bulk > 0;
    int              client = is_given(job, LP_LOAD_CLIENT);
    int              key = is_given(job, LP_LOAD_CLIENT_KEY);

    if (traffic && (!client || !key)) {
        return lp_args_refuse(args, "the plan has sellers' traffic (api): it "
                              "needs --client ID and --key FILE of a seller");
    }
    if (client != key) {
        return lp_args_refuse(args, "--client ID and --key FILE are of one "
                              "seller: give both, or neither");
    }
    if (key && access(args->value[LP_LOAD_CLIENT_KEY], R_OK) != 0) {
        return lp_args_refuse(args, "--key can't be read: %s",
                              strerror(errno));
    }
    if (!traffic) {
        return LP_YES;
    }
    job->seller.url = args->value[LP_LOAD_TARGET];
    job->seller.client_id = args->value[LP_LOAD_CLIENT];
    job->seller.key = args->value[LP_LOAD_CLIENT_KEY];
    job->seller.token_url = args->value[LP_LOAD_TOKEN_URL];
    job->seller.ca = args->value[LP_OPT_CA];
    job->run.seller = &job->seller;
    return LP_YES;
}

/* An engine needs what it holds open; with fewer than the most it can go on,
   and clicks that miss a connection because of it make the run invalid. */
static int
check_limits(const job_t *job)
{
    const lp_plan_t *share = &job->share;
    unsigned         addresses = share->connections.addresses;
    unsigned         hold = share->connections.hold;
    unsigned         most = share->connections.most;
    long             files;

    most = most < hold ? hold : most;
    files = lp_machine_files((hold < LEAST_OPEN ? LEAST_OPEN : hold)
                                 + FILES_BESIDE, most + FILES_BESIDE);
    if (files == -1) {
        return LP_USAGE;
    }
    return lp_machine_ports(((unsigned long) files - FILES_BESIDE)
                                * job->run.cores,
                            addresses > 0 ? addresses : 1) == 0
               ? LP_YES
               : LP_USAGE;
}

static int
is_empty(const char *folder)
{
    DIR           *dir = opendir(folder);
    struct dirent *entry;
    int            empty = dir != NULL;

    while (empty && (entry = readdir(dir)) != NULL) {
        empty = strcmp(entry->d_name, ".") == 0
                || strcmp(entry->d_name, "..") == 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return empty;
}

/* The name of the result's folder; it is made only when all else is well. */
static int
name_out(job_t *job)
{
    const char *out = job->args->value[LP_LOAD_OUT];
    time_t      now = time(NULL);
    struct tm   tm;

    if (out == NULL) {
        if (gmtime_r(&now, &tm) == NULL) {
            return LP_USAGE;
        }
        strftime(job->out, sizeof(job->out), "run-%Y%m%dT%H%M%SZ", &tm);
    } else if (*out == '\0' || strlen(out) + 64 > sizeof(job->out)) {
        return lp_args_refuse(job->args, "--out takes the name of a folder");
    } else {
        snprintf(job->out, sizeof(job->out), "%s", out);
    }
    if (access(job->out, F_OK) == 0 && !is_empty(job->out)) {
        return lp_args_refuse(job->args, "--out %s is there and not empty; a "
                              "result is never written over another",
                              job->out);
    }
    return LP_YES;
}

static int
make_out(job_t *job)
{
    if (mkdir(job->out, 0755) != 0 && (errno != EEXIST
                                       || !is_empty(job->out))) {
        lp_say("the folder %s can't be made: %s", job->out, strerror(errno));
        return LP_USAGE;
    }
    job->run.out = job->out;
    job->told = lp_told_create(job->out, job->population);
    job->run.told = job->told;
    return job->told == NULL ? LP_USAGE : LP_YES;
}

static int
read_target(job_t *job)
{
    const lp_args_t *args = job->args;

    job->target = (lp_target_options_t) {
        .url = args->value[LP_LOAD_TARGET],
        .opt_in = args->value[LP_LOAD_OPT_IN],
        .ca = args->value[LP_OPT_CA],
        .token_url = args->value[LP_LOAD_TOKEN_URL],
        .insecure = is_given(job, LP_LOAD_INSECURE),
        .prefix = args->value[LP_LOAD_PREFIX],
        .login = args->value[LP_LOAD_LOGIN],
    };
    return lp_target_check_options(&job->target);
}

static int
take_aim(job_t *job)
{
    job->run.aim = &job->aim;
    return lp_target_aim(&job->aim, &job->target) == LP_YES ? LP_YES
                                                            : LP_USAGE;
}

/* What was ahead when it was read may be over: a name that took long, a
   population on a slow disk. Clicks that are due would come all at once. */
static int
check_start(const job_t *job)
{
    if (job->start_at != 0 && job->start_at * NS <= lp_wall_ns()) {
        lp_say("--start-at was over before everything was ready; give a later "
               "one");
        return LP_USAGE;
    }
    return LP_YES;
}

/* Everything that can be wrong before the first click. */
static int
prepare(job_t *job)
{
    const lp_args_t *args = job->args;
    int              rc;

    job->run.hooks = args->value[LP_LOAD_HOOKS];
    job->run.stop_file = args->value[LP_LOAD_STOP_FILE];
    job->run.stop_early = is_given(job, LP_LOAD_STOP_EARLY);
    job->run.plain = is_given(job, LP_LOAD_PLAIN);
    if ((rc = read_numbers(job)) != LP_YES || (rc = read_plan(job)) != LP_YES
        || (rc = read_sellers(job)) != LP_YES
        || (rc = read_target(job)) != LP_YES
        || (rc = name_out(job)) != LP_YES) {
        return rc;
    }
    if (job->run.stop_file != NULL && access(job->run.stop_file, F_OK) == 0) {
        return lp_args_refuse(args, "the stop file %s is there already",
                              job->run.stop_file);
    }
    if (lp_hooks_check(&job->plan, job->run.hooks) != 0
        || open_population(job) != LP_YES || check_limits(job) != LP_YES
        || take_aim(job) != LP_YES || check_start(job) != LP_YES) {
        return LP_USAGE;
    }
    return make_out(job);
}

static void
name_result(job_t *job)
{
    lp_result_t       *result = job->result;
    const lp_census_t *census = lp_population_census(job->population);

    lp_result_reset(result);
    result->plan = job->plan;
    result->population_seed = census->seed;
    result->pupils = census->pupils;
    result->products = census->products;
    result->shard = job->run.shard;
    result->shards = job->run.shards;
    result->engines = job->run.cores;
    result->scale = job->scale;
    snprintf(result->target, sizeof(result->target), "http%s://%s",
             job->aim.tls ? "s" : "", job->aim.wire.host);
}

/* Says what is about to happen, and to whom. */
static void
announce(const job_t *job)
{
    const lp_plan_t *plan = &job->plan;
    char             part[48] = "";

    if (job->run.shards > 1) {
        snprintf(part, sizeof(part), ", part %u of %u", job->run.shard + 1,
                 job->run.shards);
    }
    printf("%s: %.0f s, up to %.0f clicks a second%s, %u engine%s, to %s\n",
           plan->name, lp_plan_seconds(plan), lp_plan_peak(plan), part,
           job->run.cores, job->run.cores == 1 ? "" : "s",
           job->result->target);
    fflush(stdout);
}

static void
say_result(const lp_result_t *result)
{
    putchar('\n');
    lp_result_print(result, stdout);
}

static int
write_all(const job_t *job)
{
    int rc = lp_result_hgrm(job->result, job->out);

    rc |= lp_page_write(job->result, job->out);
    return rc | lp_result_write(job->result, job->out);
}

/* Judges, writes all of it, says it. Returns the exit code. A result that is
   not on disk whole is no verdict. */
static int
conclude(job_t *job)
{
    lp_result_t *result = job->result;

    lp_result_conclude(result);
    if (write_all(job) != 0) {
        snprintf(result->trouble, sizeof(result->trouble),
                 "the result could not be written whole");
        lp_result_conclude(result);
        lp_result_write(result, job->out);
        say_result(result);
        return LP_INVALID;
    }
    say_result(result);
    printf("%s/report.html\n", job->out);
    return (int) result->conclusion.pass;
}

/* How long until it begins, in ns: what is to be held open is opened before,
   2,000 a second by each engine. */
static int64_t
ahead(const job_t *job)
{
    int64_t held = (int64_t) job->share.connections.hold * NS / HOLD_RATE;
    int64_t given;

    if (job->start_at == 0) {
        return READY_NS + held;
    }
    given = job->start_at * NS - lp_wall_ns();
    if (given < held) {
        lp_say("--start-at is too soon to open all connections that the plan "
               "holds before it begins; that takes %.0f s",
               (double) held / (double) NS);
    }
    return given;
}

static int
run(job_t *job)
{
    name_result(job);
    announce(job);
    job->run.start_ns = lp_now_ns() + ahead(job);
    if (lp_run(job->result, &job->run) != 0) {
        return LP_USAGE;
    }
    return conclude(job);
}

int
lp_load_run(const lp_args_t *args)
{
    job_t *job = calloc(1, sizeof(*job));
    int    rc;

    if (job == NULL
        || (job->result = calloc(1, sizeof(*job->result))) == NULL) {
        lp_say("out of memory");
        free(job);
        return LP_USAGE;
    }
    job->args = args;
    rc = prepare(job);
    if (rc == LP_YES) {
        rc = run(job);
    }
    lp_told_close(job->told);
    lp_target_free(&job->aim);
    lp_population_close(job->population);
    free(job->result);
    free(job);
    return rc;
}
