/*
 * The parent's loop. It sends nothing: a slow terminal, a full disk or a hook
 * that takes its time delay what is seen of the run, never the run. Ten times a
 * second it looks after everything, and once a second it shows and keeps what
 * the engines have finished.
 *
 * Ctrl-C, SIGTERM, the key q and the stop file ask for the end with a report;
 * asked twice, engines end at once; the third time this program does, from
 * within the handler, and everybody else with it (PR_SET_PDEATHSIG).
 */

#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../workers/say.h"
#include "clock.h"
#include "engines.h"
#include "hooks.h"
#include "live.h"
#include "machine.h"
#include "seller_process.h"

#define NS          LP_SECOND_NS
#define TURN_NS     (NS / 10)
#define STOP_FILE_TURNS 3   /* turns from one look for the stop file to the
                               next */
#define FACTORS     256     /* seconds whose factor is remembered; more than
                               may be unfinished */
#define STEP        1.1     /* of + and - */
#define LEAST       0.1     /* times the plan, by - */
#define PATIENCE    30      /* seconds beyond which an engine hangs */
#define SELLERS_PATIENCE 65 /* seconds; theirs for a bulk is 60 */

#define SELLERS_TROUBLE "the sellers' traffic did not come to its end"

typedef struct {
    const lp_run_t *run;
    lp_result_t    *result;
    lp_result_t    *sofar;   /* scratch: the totals as they stand */
    lp_engines_t    engines;
    lp_hooks_t     *hooks;
    lp_seconds_t    seconds;
    int             writing; /* seconds.csv can be written, so far */
    lp_sellers_t    sellers;
    int             sellers_failed;

    int64_t  start_ns, wall_offset;
    int64_t  shown;          /* the second that was shown last */
    double   factor;
    float    factors[FACTORS];
    int      stopping;       /* what engines were told: 0, 1, 2 */
    double   stopped_at;
    unsigned turn;
    uint64_t ended_before;   /* sums when it was shown last */
    int64_t  shown_ns;
    uint64_t denied;
    int64_t  p50, p99;
} watch_t;

static volatile sig_atomic_t asked; /* how often, to end */

static double
since_start(const watch_t *watch)
{
    return (double) (lp_now_ns() - watch->start_ns) / (double) NS;
}

/* A signal's handler. */
static void
ask(int number)
{
    (void) number;
    if (++asked >= 3) {
        lp_live_close();
        _exit(LP_INVALID);
    }
}

static void
handle_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action;
    unsigned         i;

    memset(&action, 0, sizeof(action));
    action.sa_handler = ask;
    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sigaction(numbers[i], &action, NULL);
    }
}

/* Keeps why results are lacking: the first reason, and says it. */
static void
trouble(watch_t *watch, const char *what)
{
    if (watch->result->trouble[0] == '\0') {
        snprintf(watch->result->trouble, sizeof(watch->result->trouble), "%s",
                 what);
        lp_live_clear();
        lp_say("%s", what);
    }
}

/* --- the beginning -------------------------------------------------------- */

static int
start(watch_t *watch)
{
    const lp_run_t *run = watch->run;
    lp_engine_t     model = {.plan = run->plan,
                             .population = run->population,
                             .aim = run->aim,
                             .shard = run->shard,
                             .shards = run->shards,
                             .told = run->told};
    unsigned        i;

    watch->factor = 1;
    for (i = 0; i < FACTORS; i++) {
        watch->factors[i] = 1;
    }
    watch->shown = INT64_MIN;
    watch->p50 = -1;
    watch->p99 = -1;
    watch->sofar = malloc(sizeof(*watch->sofar));
    if (watch->sofar == NULL) {
        lp_say("out of memory");
        return -1;
    }
    watch->hooks = lp_hooks_create(run->plan, run->hooks, run->out);
    if (watch->hooks == NULL
        || lp_seconds_create(&watch->seconds, run->out) != 0) {
        return -1;
    }
    watch->writing = 1;
    handle_signals();
    watch->start_ns = run->start_ns;
    watch->shown_ns = watch->start_ns;
    watch->wall_offset = lp_wall_ns() - lp_now_ns();
    model.start_ns = watch->start_ns;
    watch->sellers = (lp_sellers_t) {.options = run->seller,
                                     .plan = run->plan,
                                     .population = run->population,
                                     .start_ns = watch->start_ns};
    if (lp_engines_start(&watch->engines, &model, run->cores) != 0) {
        return -1;
    }
    lp_machine_text(watch->result->machine, sizeof(watch->result->machine),
                    watch->engines.punctual);
    return lp_sellers_start(&watch->sellers);
}

/* --- what an operator wants ----------------------------------------------- */

static void
stop(watch_t *watch, int how)
{
    if (watch->stopping >= how) {
        return;
    }
    watch->stopping = how;
    watch->stopped_at = since_start(watch);
    lp_engines_stop(&watch->engines, how);
    lp_sellers_stop(&watch->sellers);
}

/* A mark for what an operator did: drawn beside the faults. */
static void
mark(watch_t *watch, double at, const char *name)
{
    lp_result_t *result = watch->result;
    lp_fault_mark_t *own;

    if (result->n_marks < sizeof(result->marks) / sizeof(result->marks[0])
                              - LP_FAULTS_MAX) {
        own = &result->marks[result->n_marks++];
        own->at = at;
        own->status = 0;
        snprintf(own->name, sizeof(own->name), "%s", name);
    }
}

/* In thousandths, as engines are told; so + and then - is 1 again. */
static void
change_rate(watch_t *watch, double factor)
{
    double at = since_start(watch), most = watch->run->max_factor;
    char   name[32];

    factor = round(fmax(factor, LEAST) * 1000);
    factor = fmin(factor, floor(most * 1000)) / 1000;
    if (watch->stopping || at < 0 || factor == watch->factor) {
        return;
    }
    watch->factor = factor;
    watch->result->lowest = fmin(watch->result->lowest, factor);
    lp_engines_factor(&watch->engines, (uint32_t) lround(factor * 1000));
    snprintf(name, sizeof(name), "rate x%.2f", factor);
    mark(watch, at, name);
}

static void
obey(watch_t *watch)
{
    lp_key_t key;

    while ((key = lp_live_key()) != LP_KEY_NONE) {
        switch (key) {
        case LP_KEY_FASTER:
            change_rate(watch, watch->factor * STEP);
            break;
        case LP_KEY_SLOWER:
            change_rate(watch, watch->factor / STEP);
            break;
        default:
            raise(SIGINT);
        }
    }
    if (watch->run->stop_file != NULL && watch->stopping == 0
        && watch->turn % STOP_FILE_TURNS == 0
        && access(watch->run->stop_file, F_OK) == 0) {
        raise(SIGINT);
    }
    if (asked > 0) {
        watch->result->interrupted = 1;
        stop(watch, asked >= 2 ? 2 : 1);
    }
}

/* --- once a second -------------------------------------------------------- */

/* Answers without a redirect that a pupil had to get; as far as outcomes tell,
   and for the live line alone. */
static uint64_t
denied(const lp_counts_t *counts)
{
    uint64_t n = 0;
    unsigned outcome;

    for (outcome = LP_LOGIN; outcome < LP_UNAVAILABLE; outcome++) {
        n += counts->outcome[outcome];
    }
    return n;
}

/* In us; clicks that were never answered count. -1: there were none. */
static int64_t
quantile(const lp_second_t *second, double share)
{
    double ms = lp_second_quantile_ms(second, share);

    if (second->counts.scheduled == 0) {
        return -1;
    }
    return isinf(ms) ? LP_LIVE_NEVER : (int64_t) (ms * 1000);
}

static void
keep_seconds(watch_t *watch)
{
    const lp_second_t *second;
    double             target;
    char               what[200];

    while ((second = lp_engines_second(&watch->engines)) != NULL) {
        watch->denied += denied(&second->counts);
        watch->p50 = quantile(second, 0.5);
        watch->p99 = quantile(second, 0.99);
        target = lp_plan_expected(watch->run->plan, (double) second->second)
                 / watch->run->shards
                 * (double) watch->factors[second->second % FACTORS];
        errno = 0;
        if (watch->writing
            && lp_seconds_put(&watch->seconds, second, target) != 0) {
            watch->writing = 0;
            snprintf(what, sizeof(what), "the seconds can't be written to %s: "
                     "%s", watch->run->out,
                     strerror(errno != 0 ? errno : EIO));
            trouble(watch, what);
        }
    }
}

static void
fill_live(watch_t *watch, lp_moment_t *moment, int64_t now)
{
    const lp_score_t *score;
    uint64_t          ended = 0, n;
    unsigned          i, end;

    for (i = 0; i < watch->engines.n; i++) {
        score = watch->engines.list[i].score;
        moment->in_flight += atomic_load(&score->in_flight);
        moment->waiting += atomic_load(&score->waiting);
        moment->open += atomic_load(&score->open);
        for (end = 0; end < LP_ENDS; end++) {
            n = atomic_load(&score->live_ended[end]);
            if (end == LP_END_RIGHT) {
                moment->right += n;
            } else if (end == LP_END_MISSED) {
                moment->missed += n;
            } else {
                moment->errors += n;
            }
        }
    }
    ended = moment->right + moment->errors;
    if (now > watch->shown_ns) {
        moment->reached = (double) (ended - watch->ended_before) * (double) NS
                          / (double) (now - watch->shown_ns);
    }
    watch->ended_before = ended;
    watch->shown_ns = now > watch->start_ns ? now : watch->start_ns;
}

/* The moment, from the engines' live figures and the totals so far. */
static void
show(watch_t *watch, double at)
{
    lp_moment_t moment;
    double      length = lp_plan_seconds(watch->run->plan);

    memset(&moment, 0, sizeof(moment));
    moment.at = at;
    moment.length = length;
    moment.ending = watch->stopping || at >= length;
    moment.factor = watch->factor;
    moment.p50 = watch->p50;
    moment.p99 = watch->p99;
    moment.denied = watch->denied;
    moment.retried = watch->sofar->counts.retried;
    moment.slip_p99 = watch->sofar->slip.h.total == 0 ? -1
                      : lp_histogram_quantile(&watch->sofar->slip.h, 0.99);
    if (!moment.ending && at >= 0) {
        moment.target = lp_plan_rate(watch->run->plan, at)
                        / watch->run->shards * watch->factor;
    }
    fill_live(watch, &moment, lp_now_ns());
    lp_live_show(&moment);
}

static void
second_passed(watch_t *watch, double at)
{
    char sentence[256], what[300];

    memcpy(watch->sofar, watch->result, sizeof(*watch->sofar));
    lp_engines_totals(&watch->engines, watch->sofar);
    if (watch->sellers.score != NULL) {
        watch->sofar->api = watch->sellers.score->api;
    }
    keep_seconds(watch);
    show(watch, at);
    if (watch->run->stop_early && watch->stopping == 0
        && lp_result_hopeless(watch->sofar, sentence, sizeof(sentence))) {
        watch->result->stopped_early = 1;
        lp_live_clear();
        snprintf(what, sizeof(what), "ending early: %s", sentence);
        lp_say("%s", what);
        stop(watch, 1);
    }
}

/* --- the loop ------------------------------------------------------------- */

/* An engine that does not end by itself, long after it must have. */
static int
hangs(const watch_t *watch, double at)
{
    double limit = watch->run->plan->connections.answer_s + PATIENCE;

    if (watch->stopping == 2) {
        return at > watch->stopped_at + PATIENCE;
    }
    if (watch->stopping == 1) {
        return at > watch->stopped_at + limit;
    }
    return at > lp_plan_seconds(watch->run->plan) + limit;
}

/* Waits for a key, a signal, what hooks say, the next hook or turn. */
static void
rest(const watch_t *watch)
{
    struct pollfd list[LP_FAULTS_MAX + 1];
    unsigned      n = lp_hooks_poll(watch->hooks, list);
    int64_t       ns = TURN_NS, left, now = lp_now_ns();
    double        hook = lp_hooks_next(watch->hooks);
    int           ms;

    left = NS - (now - watch->start_ns) % NS; /* to the second's end */
    ns = left > 0 && left < ns ? left : ns;
    if (hook >= 0) {
        left = watch->start_ns + (int64_t) (hook * (double) NS) - now;
        ns = left < ns ? left : ns;
    }
    ms = ns > 0 ? (int) (ns / 1000000) + 1 : 1;
    list[n] = (struct pollfd) {lp_live_keys(), POLLIN, 0};
    if (poll(list, n + 1, ms) > 0
        && (list[n].revents & (POLLHUP | POLLERR | POLLNVAL))) {
        poll(NULL, 0, ms); /* the terminal is gone */
    }
}

static void
loop(watch_t *watch)
{
    double  at;
    int64_t second;

    for (;;) {
        watch->turn++;
        at = since_start(watch);
        second = (int64_t) floor(at);
        obey(watch);
        if (lp_engines_watch(&watch->engines) == 0) {
            return;
        }
        if (watch->engines.trouble[0] != '\0') {
            trouble(watch, watch->engines.trouble);
            stop(watch, 1);
        }
        if (lp_sellers_ended(&watch->sellers, &watch->sellers_failed)
            && watch->sellers_failed) {
            trouble(watch, SELLERS_TROUBLE);
            stop(watch, 1);
        }
        lp_hooks_turn(watch->hooks, at, watch->stopping == 0);
        if (second >= 0) {
            watch->factors[second % FACTORS] = (float) watch->factor;
        }
        if (second != watch->shown) {
            watch->shown = second;
            if (second != 0) { /* nothing has happened yet */
                second_passed(watch, at);
            }
        }
        if (hangs(watch, at)) {
            lp_engines_kill(&watch->engines);
        }
        rest(watch);
    }
}

/* --- the end -------------------------------------------------------------- */

/* Waits for what the sellers have in flight. Asked to end at once, only for as
   long as they need to see it. */
static void
end_sellers(watch_t *watch)
{
    int64_t until = lp_now_ns()
                    + (watch->stopping == 2 ? 1 : SELLERS_PATIENCE) * NS;

    if (watch->sellers.score == NULL) {
        return;
    }
    lp_sellers_stop(&watch->sellers);
    while (!lp_sellers_ended(&watch->sellers, &watch->sellers_failed)
           && lp_now_ns() < until) {
        poll(NULL, 0, 20);
    }
    if (watch->sellers_failed
        || (watch->sellers.pid != 0 && watch->stopping < 2)) {
        trouble(watch, SELLERS_TROUBLE);
    }
    lp_sellers_kill(&watch->sellers);
    watch->result->api = watch->sellers.score->api;
}

static void
end_seconds(watch_t *watch)
{
    int  failed;
    char what[200];

    keep_seconds(watch);
    if (watch->engines.lost > 0) {
        lp_live_clear();
        lp_say("%" PRId64 " seconds are in the totals alone: this program "
               "stood still", watch->engines.lost);
    }
    errno = 0;
    failed = lp_seconds_close(&watch->seconds) != 0;
    if (failed && watch->writing) {
        snprintf(what, sizeof(what), "the seconds can't be written to %s: %s",
                 watch->run->out, strerror(errno != 0 ? errno : EIO));
        trouble(watch, what);
    }
    watch->writing = 0;
}

static int
by_time(const void *a, const void *b)
{
    double x = ((const lp_fault_mark_t *) a)->at,
           y = ((const lp_fault_mark_t *) b)->at;

    return (x > y) - (x < y);
}

/* at: when the last engine ended. */
static void
conclude(watch_t *watch, double at)
{
    lp_result_t *result = watch->result;
    struct tm    tm;
    time_t       started;

    started = (time_t) ((watch->start_ns + watch->wall_offset + NS / 2) / NS);
    if (gmtime_r(&started, &tm) != NULL) {
        strftime(result->started, sizeof(result->started),
                 "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    result->seconds = at < 0 ? 0 : at;
    result->engines = watch->run->cores;
    result->factor = watch->factor;
    result->clock_step = (double) (lp_wall_ns() - lp_now_ns()
                                   - watch->wall_offset) / (double) NS;
    if (at > 0) {
        result->cpu = (double) lp_engines_busiest(&watch->engines)
                      / (at * (double) NS);
    }
    lp_engines_totals(&watch->engines, result);
    result->n_marks += lp_hooks_marks(watch->hooks,
                                      &result->marks[result->n_marks],
                                      LP_FAULTS_MAX);
    qsort(result->marks, result->n_marks, sizeof(result->marks[0]), by_time);
}

static void
end(watch_t *watch)
{
    double at = since_start(watch);

    if (watch->engines.trouble[0] != '\0') {
        trouble(watch, watch->engines.trouble);
    }
    lp_hooks_end(watch->hooks, at);
    end_sellers(watch);
    end_seconds(watch);
    lp_live_clear();
    conclude(watch, at);
}

static void
let_go(watch_t *watch)
{
    lp_live_close();
    lp_engines_free(&watch->engines);
    lp_sellers_free(&watch->sellers);
    if (watch->writing) {
        lp_seconds_close(&watch->seconds);
    }
    lp_hooks_destroy(watch->hooks);
    free(watch->sofar);
    free(watch);
}

int
lp_run(lp_result_t *result, const lp_run_t *run)
{
    watch_t *watch = calloc(1, sizeof(*watch));
    int      rc;

    if (watch == NULL) {
        lp_say("out of memory");
        return -1;
    }
    watch->run = run;
    watch->result = result;
    lp_live_open(run->plain);
    rc = start(watch);
    if (rc == 0) {
        loop(watch);
        end(watch);
    }
    let_go(watch);
    return rc;
}
