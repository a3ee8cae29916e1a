/*
 * The engine: an open model in one loop. Clicks are taken when they are due,
 * not when the target has time for them; what is late because the target is
 * slow is late in the figures too. Between two moments the loop sleeps in
 * epoll, to the nanosecond where the kernel can (epoll_pwait2, Linux 5.11); it
 * never spins. How late it comes to a click that is due is written down as
 * slip: the tool's own fault, and the reason for a verdict of INVALID.
 *
 * Stopped, it schedules no more and waits for what is in flight; stopped again,
 * it ends at once. Lacking ports or descriptors it goes on with the
 * connections it has; without any it gives up and says which errno.
 */

#include "engine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include <sys/epoll.h>
#include <sys/prctl.h>

#include "exchange.h"

#define EVENTS       64
#define BETWEEN      16 /* events after which clicks are looked at again */
#define TAKE_AT_ONCE 64 /* clicks, before events are looked at */

#define MS             INT64_C(1000000)
#define TEND_EVERY     (5 * MS)
#define SLEEP_MOST     (20 * MS) /* as long as an operator waits for + and - */
#define CPU_EVERY      (100 * MS)
#define HOLD_EVERY     (5 * MS)
#define HOLD_AT_ONCE   10 /* 2,000 a second */
#define HOLD_PAUSE     (500 * MS) /* after one that could not be opened */
#define HOPELESS_AFTER (1000 * MS)

typedef struct {
    lp_rig_t           rig;
    lp_arrivals_t     *arrivals;
    lp_arrival_t       next;
    int                has_next;
    int                stopped;
    int                no_pwait2;
    uint32_t           factor;
    int64_t            end_ns;  /* the plan's */
    int64_t            last;    /* the last second that had a click */
    int64_t            tend_ns; /* when to do it next */
    int64_t            cpu_ns;
    int64_t            hold_ns;
    struct epoll_event events[EVENTS];
} drive_t;

static int set_up(drive_t *drive, const lp_engine_t *engine);
static int run(drive_t *drive);
static int over(const drive_t *drive, int64_t now);
static int take_due(drive_t *drive);
static int fetch(drive_t *drive);
static void tend(drive_t *drive, int64_t now);
static void obey(drive_t *drive, int64_t now);
static void hold_open(drive_t *drive, int64_t now);
static int hopeless(const drive_t *drive, int64_t now);
static void finish(drive_t *drive, int64_t now);
static void finish_until(lp_score_t *score, int64_t second);
static void show(drive_t *drive);
static void show_cpu(lp_score_t *score);
static int handle(drive_t *drive, int n);
static int64_t next_moment(const drive_t *drive, int64_t now);
static int64_t sooner(int64_t a, int64_t b);
static int await(drive_t *drive, int64_t ns);
static int fail(drive_t *drive, int error);


int
lp_engine_run(const lp_engine_t *engine)
{
    drive_t *drive = calloc(1, sizeof(*drive));
    int      failed;

    if (drive == NULL) {
        atomic_store(&engine->score->failed, ENOMEM);
        atomic_store(&engine->score->ended, 1);
        return -1;
    }

    failed = set_up(drive, engine) != 0 || run(drive) != 0;
    drive->has_next = 0;
    lp_clicks_abandon(&drive->rig);
    finish(drive, lp_now_ns());
    finish_until(engine->score, drive->last + 1);
    show(drive);
    show_cpu(engine->score);
    lp_exchange_close_all(&drive->rig);
    lp_arrivals_destroy(drive->arrivals);
    lp_rig_end(&drive->rig);
    free(drive);
    atomic_store(&engine->score->ended, 1);
    return failed ? -1 : 0;
}


static int
set_up(drive_t *drive, const lp_engine_t *engine)
{
    int error = lp_rig_start(&drive->rig, engine);

    drive->factor = 1000;
    drive->last = -1;
    drive->end_ns = engine->start_ns
                    + (int64_t) (lp_plan_seconds(engine->plan) * 1e9);
    if (error != 0) {
        return fail(drive, error);
    }

    drive->arrivals = lp_arrivals_create(engine->plan, engine->population,
                                         engine->shard, engine->shards);
    if (drive->arrivals == NULL) {
        return fail(drive, ENOMEM);
    }

    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    return 0;
}


static int
run(drive_t *drive)
{
    int64_t now;
    int     n;

    if (fetch(drive) != 0) {
        return fail(drive, ENOMEM);
    }

    for ( ;; ) {
        if (take_due(drive) != 0) {
            return fail(drive, ENOMEM);
        }
        lp_clicks_launch(&drive->rig);

        now = lp_now_ns();
        lp_clicks_late(&drive->rig, now);
        lp_exchange_late(&drive->rig, now);
        lp_exchange_sweep(&drive->rig);
        if (now >= drive->tend_ns) {
            tend(drive, now);
            if (hopeless(drive, now)) {
                return fail(drive, drive->rig.shortage);
            }
        }
        if (over(drive, now)) {
            return 0;
        }

        n = await(drive, next_moment(drive, now) - now);
        if (n < 0) {
            return fail(drive, errno);
        }
        if (handle(drive, n) != 0) {
            return fail(drive, ENOMEM);
        }
    }
}


static int
over(const drive_t *drive, int64_t now)
{
    return !drive->has_next && drive->rig.live.n == 0
           && (drive->stopped || now >= drive->end_ns);
}


static int
take_due(drive_t *drive)
{
    lp_rig_t *rig = &drive->rig;
    int64_t   now;
    unsigned  i;

    for (i = 0; i < TAKE_AT_ONCE && drive->has_next; i++) {
        now = lp_now_ns();
        if (rig->engine->start_ns + drive->next.at_ns > now) {
            break;
        }
        drive->last = drive->next.at_ns / LP_SECOND_NS;
        if (lp_clicks_take(rig, &drive->next, now) != 0 || fetch(drive) != 0)
        {
            return -1;
        }
    }
    return 0;
}


static int
fetch(drive_t *drive)
{
    int got = lp_arrivals_next(drive->arrivals, &drive->next);

    drive->has_next = got == 1;
    return got < 0 ? -1 : 0;
}


/* What need not be done for each click. */
static void
tend(drive_t *drive, int64_t now)
{
    drive->tend_ns = now + TEND_EVERY;
    obey(drive, now);
    hold_open(drive, now);
    finish(drive, now);
    show(drive);
    if (now >= drive->cpu_ns) {
        drive->cpu_ns = now + CPU_EVERY;
        show_cpu(drive->rig.score);
    }
}


static void
obey(drive_t *drive, int64_t now)
{
    lp_score_t *score = drive->rig.score;
    uint32_t    factor = atomic_load(&score->control.factor);
    int         stop = atomic_load(&score->control.stop);

    if (factor != drive->factor) {
        drive->factor = factor;
        now -= drive->rig.engine->start_ns;
        lp_arrivals_factor(drive->arrivals, factor / 1000.0,
                           now > 0 ? now : 0);
    }
    if (stop >= 1) {
        drive->has_next = 0;
        drive->stopped = 1;
    }
    if (stop >= 2) {
        lp_clicks_abandon(&drive->rig);
    }
}


/* Connections that are there ahead; those that the target closes, again. */
static void
hold_open(drive_t *drive, int64_t now)
{
    lp_rig_t *rig = &drive->rig;
    unsigned  i;

    if (drive->stopped || now < drive->hold_ns) {
        return;
    }

    drive->hold_ns = now + HOLD_EVERY;
    for (i = 0; i < HOLD_AT_ONCE && rig->open < rig->hold; i++) {
        if (lp_exchange_open(rig, NULL, rig->open % rig->way.groups) != 0) {
            drive->hold_ns = now + HOLD_PAUSE;
            return;
        }
    }
}


/* Whether there is no connection, and this machine is not able to open one. */
static int
hopeless(const drive_t *drive, int64_t now)
{
    const lp_rig_t *rig = &drive->rig;

    return rig->shortage != 0 && rig->open == 0
           && now - rig->shortage_ns > HOPELESS_AFTER
           && now - rig->shortage_seen < HOPELESS_AFTER / 2;
}


/* The seconds whose clicks have all ended: nothing is live of them, and the
   next click is of a later one. */
static void
finish(drive_t *drive, int64_t now)
{
    const lp_rig_t    *rig = &drive->rig;
    const lp_flight_t *flight;
    lp_link_t         *link = lp_queue_first(&rig->live);
    int64_t            until = now - rig->engine->start_ns;

    if (until < 0) {
        return;
    }
    if (link != NULL) {
        flight = lp_queue_thing(link, lp_flight_t, order);
        if (flight->arrival.at_ns < until) {
            until = flight->arrival.at_ns;
        }
    }
    if (drive->has_next && drive->next.at_ns < until) {
        until = drive->next.at_ns;
    }
    finish_until(rig->score, until / LP_SECOND_NS);
}


static void
finish_until(lp_score_t *score, int64_t second)
{
    int64_t finished = atomic_load(&score->finished);

    while (finished < second) {
        lp_score_second(score, finished); /* also one without a click */
        finished++;
        atomic_store(&score->finished, finished);
    }
}


static void
show(drive_t *drive)
{
    lp_rig_t   *rig = &drive->rig;
    lp_score_t *score = rig->score;

    atomic_store_explicit(&score->waiting, rig->waiting.n,
                          memory_order_relaxed);
    atomic_store_explicit(&score->in_flight, rig->live.n - rig->waiting.n,
                          memory_order_relaxed);
    atomic_store_explicit(&score->open, rig->open, memory_order_relaxed);
}


static void
show_cpu(lp_score_t *score)
{
    atomic_store_explicit(&score->cpu_ns, lp_clock_ns(CLOCK_PROCESS_CPUTIME_ID),
                          memory_order_relaxed);
}


static int
handle(drive_t *drive, int n)
{
    lp_rig_t *rig = &drive->rig;
    int       i;

    for (i = 0; i < n; i++) {
        lp_exchange_event(rig, drive->events[i].data.ptr,
                          drive->events[i].events);
        if (rig->waiting.n > 0) {
            lp_clicks_launch(rig);
        }
        if (i % BETWEEN == BETWEEN - 1 && take_due(drive) != 0) {
            return -1;
        }
    }
    return 0;
}


/* Until when there is nothing to do, unless something comes. */
static int64_t
next_moment(const drive_t *drive, int64_t now)
{
    const lp_rig_t        *rig = &drive->rig;
    const lp_connection_t *oldest = lp_pool_oldest(&rig->pool);
    int64_t                moment = now + SLEEP_MOST;
    lp_link_t             *link;

    if (drive->has_next) {
        moment = sooner(moment, rig->engine->start_ns + drive->next.at_ns);
    }
    if (rig->open < rig->hold && !drive->stopped) {
        moment = sooner(moment, drive->hold_ns);
    }
    if (rig->waiting.n > 0 && rig->shortage != 0) {
        moment = sooner(moment, rig->shortage_until);
    }
    if (oldest != NULL && rig->open > rig->hold) {
        moment = sooner(moment, oldest->since_ns + rig->idle_ns);
    }

    link = lp_queue_first(&rig->live);
    if (link != NULL) {
        moment = sooner(moment,
                        lp_queue_thing(link, lp_flight_t, order)->at_ns
                            + rig->answer_ns);
    }
    link = lp_queue_first(&rig->opening);
    if (link != NULL) {
        moment = sooner(moment,
                        lp_queue_thing(link, lp_connection_t, order)->since_ns
                            + rig->connect_ns);
    }
    return moment;
}


static int64_t
sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}


/* Events, or none after so many ns. An old kernel sleeps whole milliseconds,
   and too long rather than in circles. */
static int
await(drive_t *drive, int64_t ns)
{
    struct timespec timeout;
    int             n = -1;

    if (ns < 0) {
        ns = 0;
    }
    timeout.tv_sec = ns / LP_SECOND_NS;
    timeout.tv_nsec = ns % LP_SECOND_NS;

    errno = ENOSYS;
    if (!drive->no_pwait2) {
        n = epoll_pwait2(drive->rig.epoll, drive->events, EVENTS, &timeout,
                         NULL);
    }
    if (n < 0 && (errno == ENOSYS || errno == EPERM)) {
        drive->no_pwait2 = 1;
        n = epoll_wait(drive->rig.epoll, drive->events, EVENTS,
                       (int) ((ns + MS - 1) / MS));
    }
    return n < 0 && errno == EINTR ? 0 : n;
}


static int
fail(drive_t *drive, int error)
{
    atomic_store(&drive->rig.score->failed, error == 0 ? EIO : error);
    return -1;
}
