/*
 * Turns. Three rules, the strongest first:
 *
 * - between two fetches of a source that somebody asked for lie again_ms (half
 *   a minute): so many tokens with keys that nobody knows cost the source no
 *   more than that. Fetches that nobody asked for don't count: a provider that
 *   changes its keys just after one of them is asked at once;
 * - who asks sooner is not forgotten, but served when that time has come;
 * - after a failure the pause doubles, from half a minute to an hour. Asking
 *   shortens it: keys that are missing are worth a further try.
 *
 * Pauses are moved by up to a tenth, so that the sources of a file, and the
 * machines of a country, drift apart.
 */

#include "schedule.h"

void
lp_turn_init(lp_turn_t *turn, int64_t now)
{
    *turn = (lp_turn_t) {.due = now, .served = -1};
}

/* The first moment at which one that was asked for may begin. */
static int64_t
allowed_at(const lp_turn_t *turn, const lp_schedule_t *schedule, int64_t now)
{
    int64_t at = turn->served == -1 ? now : turn->served + schedule->again_ms;

    return at > now ? at : now;
}

void
lp_turn_ask(lp_turn_t *turn, const lp_schedule_t *schedule, int64_t now)
{
    int64_t at = allowed_at(turn, schedule, now);

    turn->asked = 1;
    if (!turn->running && at < turn->due) {
        turn->due = at;
    }
}

void
lp_turn_hurry(lp_turn_t *turn, int64_t now)
{
    turn->due = now;
    turn->hurried = turn->running;
}

void
lp_turn_begin(lp_turn_t *turn, int64_t now)
{
    if (turn->asked) {
        turn->served = now;
    }
    turn->running = 1;
    turn->asked = 0;
}

/* ms, less or more by up to a tenth. */
static int64_t
about(int64_t ms, uint32_t random)
{
    return ms - ms / 10 + (int64_t) (random % 1000) * (ms / 5) / 1000;
}

/* Who asked while it ran may have come too late for its answer. */
static void
end(lp_turn_t *turn, const lp_schedule_t *schedule, int64_t now, int64_t pause)
{
    int64_t at = allowed_at(turn, schedule, now);

    turn->running = 0;
    turn->due = now + pause;
    if (turn->hurried) {
        turn->hurried = 0;
        turn->due = now;
    } else if (turn->asked && at < turn->due) {
        turn->due = at;
    }
}

void
lp_turn_succeed(lp_turn_t *turn, const lp_schedule_t *schedule, int64_t now,
                int64_t max_age, uint32_t random)
{
    int64_t pause = schedule->every_ms;

    if (max_age >= 0) {
        max_age = max_age < LP_MAX_AGE_LEAST ? LP_MAX_AGE_LEAST : max_age;
        max_age = max_age > LP_MAX_AGE_MOST ? LP_MAX_AGE_MOST : max_age;
        pause = max_age * 1000;
    }
    turn->failures = 0;
    end(turn, schedule, now, about(pause, random));
}

void
lp_turn_fail(lp_turn_t *turn, const lp_schedule_t *schedule, int64_t now,
             int64_t retry_after, uint32_t random)
{
    int64_t  pause = LP_BACK_OFF;
    unsigned i;

    for (i = 0; i < turn->failures && pause < LP_BACK_OFF_MOST; i++) {
        pause *= 2;
    }
    if (retry_after > pause) {
        pause = retry_after;
    }
    if (pause > LP_BACK_OFF_MOST) {
        pause = LP_BACK_OFF_MOST;
    }
    turn->failures++;
    end(turn, schedule, now, about(pause * 1000, random));
}
