/*
 * Two streams of events make the schedule: single clicks, and classes
 * (lesson.h). The rate of each is what is left of the plan's curve when a
 * class' size and second clicks are taken out, so that all of it together is
 * the curve; that somebody clicks again takes no click more (sessions.h).
 *
 * A class' clicks lie around the moment that the curve gave it, half before it
 * and half after. So classes begin half a window before the run and end half a
 * window after it, and second clicks two seconds before; what falls outside
 * the run is dropped. The run starts at its full rate.
 *
 * What waits: the classes on their way and second clicks, bounded by the rate
 * and those windows.
 */

#include "arrivals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "choice.h"
#include "lesson.h"
#include "sessions.h"
#include "waiting.h"

#define SECOND_LEAST_S 0.05 /* between the two clicks of a double one */
#define SECOND_MOST_S  2.0

/* A plan that is paused altogether would never end. */
#define FACTOR_LEAST 0.01
#define FACTOR_MOST  100

enum {
    SEED_SINGLES = 1,
    SEED_CLASSES,
    SEED_WHO,
    SEED_WHICH,
    SEED_CLICK,
    SEED_LESSON
};

/* What the heap's numbers mean: slots of a pool that grows. */
typedef struct {
    char     *list;
    size_t    size; /* of one */
    uint32_t  room;
    uint32_t *idle;
    uint32_t  n_idle;
} pool_t;

struct lp_arrivals_s {
    const lp_plan_t *plan;
    lp_choice_t      choice;
    uint64_t         seed;
    int64_t          end_ns;
    int64_t          last_ns; /* of what was given out */

    lp_stream_t   singles;
    lp_sessions_t who;
    lp_stream_t   classes;
    lp_sessions_t which;

    lp_waiting_t lessons;
    pool_t       lesson_pool;
    lp_waiting_t seconds;
    pool_t       second_pool;
};

static int make_streams(lp_arrivals_t *arrivals, unsigned shard,
                        unsigned shards);
static int begin_lesson(lp_arrivals_t *arrivals);
static void take_single(lp_arrivals_t *arrivals, lp_arrival_t *arrival,
                        lp_random_t *random);
static void take_pupil(lp_arrivals_t *arrivals, lp_arrival_t *arrival,
                       lp_random_t *random);
static void take_second(lp_arrivals_t *arrivals, lp_arrival_t *arrival);
static int draw_second(lp_arrivals_t *arrivals, const lp_arrival_t *first,
                       lp_random_t *random);

static uint64_t
seed_of(const lp_arrivals_t *arrivals, uint64_t what)
{
    return lp_random_of(arrivals->seed, what);
}

lp_arrivals_t *
lp_arrivals_create(const lp_plan_t *plan, const lp_population_t *population,
                   unsigned shard, unsigned shards)
{
    lp_arrivals_t *arrivals = calloc(1, sizeof(*arrivals));

    if (arrivals == NULL) {
        return NULL;
    }
    arrivals->plan = plan;
    arrivals->seed = lp_random_of(plan->seed,
                                  lp_population_census(population)->seed);
    arrivals->end_ns = (int64_t) llround(lp_plan_seconds(plan) * 1e9);
    arrivals->lesson_pool.size = sizeof(lp_lesson_t);
    arrivals->second_pool.size = sizeof(lp_arrival_t);
    lp_choice_begin(&arrivals->choice, plan, population);
    if (make_streams(arrivals, shard, shards) != 0) {
        lp_arrivals_destroy(arrivals);
        return NULL;
    }
    return arrivals;
}

static int
make_streams(lp_arrivals_t *arrivals, unsigned shard, unsigned shards)
{
    const lp_plan_t *plan = arrivals->plan;
    double share = plan->classes.share, each = 1 + plan->clicks.doubled;
    double half = plan->classes.seconds / 2;
    double ahead = plan->clicks.doubled > 0 ? SECOND_MOST_S : 0;
    double size = lp_lesson_size(arrivals->choice.population);

    if (lp_segments_make(&arrivals->singles.segments, plan,
                         (1 - share) / each, 1 / each, ahead, 0) != 0
        || lp_segments_make(&arrivals->classes.segments, plan,
                            share / each / size, 0, half + ahead, half)
               != 0) {
        return -1;
    }
    lp_stream_begin(&arrivals->singles, seed_of(arrivals, SEED_SINGLES),
                    plan->even, shard, shards);
    lp_stream_begin(&arrivals->classes, seed_of(arrivals, SEED_CLASSES),
                    plan->even, shard, shards);
    lp_sessions_begin(&arrivals->who, &arrivals->singles,
                      seed_of(arrivals, SEED_WHO), plan->tokens.reuse,
                      plan->tokens.think_s);
    lp_sessions_begin(&arrivals->which, &arrivals->classes,
                      seed_of(arrivals, SEED_WHICH), plan->tokens.reuse,
                      plan->tokens.think_s);
    return 0;
}

void
lp_arrivals_destroy(lp_arrivals_t *arrivals)
{
    if (arrivals == NULL) {
        return;
    }
    lp_segments_free(&arrivals->singles.segments);
    lp_segments_free(&arrivals->classes.segments);
    lp_waiting_free(&arrivals->lessons);
    lp_waiting_free(&arrivals->seconds);
    free(arrivals->lesson_pool.list);
    free(arrivals->lesson_pool.idle);
    free(arrivals->second_pool.list);
    free(arrivals->second_pool.idle);
    free(arrivals);
}

/* A moment of a stream; INT64_MAX: there is none any more. */
static int64_t
moment_ns(double seconds)
{
    return seconds < 1e9 ? (int64_t) (seconds * 1e9) : INT64_MAX;
}

static int64_t
first_ns(const lp_waiting_t *waiting)
{
    return waiting->n > 0 ? waiting->list[0].at_ns : INT64_MAX;
}

/* The clicks that were waiting or are new, in order; those before the run
   too. 1; 0: nothing is left before the end; -1: out of memory. */
static int
next_click(lp_arrivals_t *arrivals, lp_arrival_t *arrival)
{
    lp_random_t random;
    int64_t     single, lesson, pupil, second;

    for (;;) {
        single = moment_ns(arrivals->singles.moment);
        lesson = moment_ns(arrivals->classes.moment
                           - arrivals->plan->classes.seconds / 2);
        pupil = first_ns(&arrivals->lessons);
        second = first_ns(&arrivals->seconds);
        if (lesson < arrivals->end_ns && lesson <= single && lesson <= pupil
            && lesson <= second) {
            if (begin_lesson(arrivals) != 0) {
                return -1;
            }
            continue;
        }
        if (single >= arrivals->end_ns && pupil >= arrivals->end_ns
            && second >= arrivals->end_ns) {
            return 0;
        }
        if (second <= single && second <= pupil) {
            take_second(arrivals, arrival);
            return 1;
        }
        if (pupil <= single) {
            take_pupil(arrivals, arrival, &random);
        } else {
            take_single(arrivals, arrival, &random);
        }
        return draw_second(arrivals, arrival, &random) == 0 ? 1 : -1;
    }
}

int
lp_arrivals_next(lp_arrivals_t *arrivals, lp_arrival_t *arrival)
{
    int rc;

    do {
        rc = next_click(arrivals, arrival);
    } while (rc == 1 && arrival->at_ns < 0);
    if (rc == 1) {
        arrivals->last_ns = arrival->at_ns;
    }
    return rc;
}

static int
pool_grow(pool_t *pool)
{
    uint32_t  room = pool->room > 0 ? 2 * pool->room : 64, i;
    uint32_t *idle = realloc(pool->idle, room * sizeof(*idle));
    char     *list;

    if (idle == NULL) {
        return -1;
    }
    pool->idle = idle;
    list = realloc(pool->list, room * pool->size);
    if (list == NULL) {
        return -1;
    }
    pool->list = list;
    for (i = room; i > pool->room; i--) {
        pool->idle[pool->n_idle++] = i - 1;
    }
    pool->room = room;
    return 0;
}

static void *
pool_at(const pool_t *pool, uint32_t number)
{
    return pool->list + number * pool->size;
}

/* An idle slot; -1: out of memory. */
static int
pool_take(pool_t *pool, uint32_t *number)
{
    if (pool->n_idle == 0 && pool_grow(pool) != 0) {
        return -1;
    }
    *number = pool->idle[--pool->n_idle];
    return 0;
}

static void
pool_give(pool_t *pool, uint32_t number)
{
    pool->idle[pool->n_idle++] = number;
}

/* The class whose turn it is goes among those on their way. */
static int
begin_lesson(lp_arrivals_t *arrivals)
{
    uint32_t     number;
    uint64_t     session, event;
    lp_lesson_t *lesson;
    int          again;
    int64_t      start = moment_ns(arrivals->classes.moment
                                   - arrivals->plan->classes.seconds / 2);

    if (pool_take(&arrivals->lesson_pool, &number) != 0) {
        return -1;
    }
    lesson = pool_at(&arrivals->lesson_pool, number);
    session = lp_sessions_find(&arrivals->which, arrivals->classes.number,
                               &again);
    event = lp_random_of(seed_of(arrivals, SEED_LESSON),
                         arrivals->classes.number);
    lp_lesson_begin(lesson, arrivals->choice.population, session, event,
                    start, arrivals->plan->classes.seconds);
    lesson->again = (uint8_t) again;
    lp_stream_next(&arrivals->classes);
    return lp_waiting_add(&arrivals->lessons, lesson->at_ns[0], number);
}

static void
take_pupil(lp_arrivals_t *arrivals, lp_arrival_t *arrival,
           lp_random_t *random)
{
    uint32_t     number = arrivals->lessons.list[0].number, who;
    lp_lesson_t *lesson = pool_at(&arrivals->lesson_pool, number);

    who = lesson->who[lesson->next];
    arrival->at_ns = lesson->at_ns[lesson->next++];
    arrival->again = lesson->again;
    lp_random_seed(random, lesson->seed, who);
    lp_choice_of_class(&arrivals->choice, random, lesson->class.first + who,
                       lesson->slot, arrival);
    if (lesson->next < lesson->n) {
        lp_waiting_postpone(&arrivals->lessons, lesson->at_ns[lesson->next]);
    } else {
        lp_waiting_drop(&arrivals->lessons);
        pool_give(&arrivals->lesson_pool, number);
    }
}

static void
take_single(lp_arrivals_t *arrivals, lp_arrival_t *arrival,
            lp_random_t *random)
{
    uint64_t session;
    int      again;

    arrival->at_ns = moment_ns(arrivals->singles.moment);
    session = lp_sessions_find(&arrivals->who, arrivals->singles.number,
                               &again);
    arrival->again = (uint8_t) again;
    lp_random_seed(random, seed_of(arrivals, SEED_CLICK),
                   arrivals->singles.number);
    lp_choice_single(&arrivals->choice, random, session, arrival);
    lp_stream_next(&arrivals->singles);
}

static void
take_second(lp_arrivals_t *arrivals, lp_arrival_t *arrival)
{
    uint32_t number = arrivals->seconds.list[0].number;

    *arrival = *(lp_arrival_t *) pool_at(&arrivals->second_pool, number);
    lp_waiting_drop(&arrivals->seconds);
    pool_give(&arrivals->second_pool, number);
}

/* Whether this click is made twice; then the second waits. */
static int
draw_second(lp_arrivals_t *arrivals, const lp_arrival_t *first,
            lp_random_t *random)
{
    uint32_t     number;
    lp_arrival_t second = *first;

    if (arrivals->plan->clicks.doubled <= 0
        || lp_random_unit(random) >= arrivals->plan->clicks.doubled) {
        return 0;
    }
    second.at_ns += (int64_t) ((SECOND_LEAST_S
                                + (SECOND_MOST_S - SECOND_LEAST_S)
                                      * lp_random_unit(random))
                               * 1e9);
    lp_choice_second(&arrivals->choice, random, &second);
    if (pool_take(&arrivals->second_pool, &number) != 0) {
        return -1;
    }
    *(lp_arrival_t *) pool_at(&arrivals->second_pool, number) = second;
    return lp_waiting_add(&arrivals->seconds, second.at_ns, number);
}

/*
 * A class counts by its window's middle, so that those who begin from now on
 * come at the new rate.
 */
void
lp_arrivals_factor(lp_arrivals_t *arrivals, double factor, int64_t now_ns)
{
    double now, half = arrivals->plan->classes.seconds / 2;

    now = (double) (now_ns > arrivals->last_ns ? now_ns : arrivals->last_ns)
          / 1e9;
    factor = fmin(fmax(factor, FACTOR_LEAST), FACTOR_MOST);
    lp_stream_factor(&arrivals->singles, factor, now);
    lp_stream_factor(&arrivals->classes, factor, now + half);
    lp_sessions_turn(&arrivals->who, now);
    lp_sessions_turn(&arrivals->which, now + half);
}
