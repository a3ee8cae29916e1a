/*
 * Visits from their first byte to their last. One that waits has a place; there
 * are so many places, and no provider gets more of them than are still free. So
 * one that hangs leaves half of them to the people of all others, two a third,
 * and on a bad day of many there is still room for whose provider is well.
 *
 * A visit that has ended is answered at once and freed when the turn of the
 * loop is over: whoever ended it may be on the way back through functions that
 * hold it.
 */

#include "visits.h"

#include <stdlib.h>
#include <time.h>

#include "../workers/listener.h"
#include "../workers/routes.h"

static void answer_somehow(lp_visit_t *visit);
static void leave(lp_visit_t *visit);

int64_t
lp_visit_clock(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t) at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

lp_visit_t *
lp_visit_create(lp_sso_t *sso)
{
    lp_visit_t *visit = calloc(1, sizeof(lp_visit_t));

    if (visit != NULL) {
        visit->sso = sso;
        FCGX_InitRequest(&visit->connection, -1, 0);
    }
    return visit;
}

void
lp_visit_destroy(lp_visit_t *visit)
{
    free(visit);
}

void
lp_visit_run(lp_visit_t *visit)
{
    lp_visit_route(visit);
    if (!visit->waiting && !visit->ended) {
        lp_visit_done(visit);
    }
}

/* Places. */

static unsigned
count_behind(const lp_visits_t *visits, const void *behind)
{
    unsigned i, n = 0;

    for (i = 0; i < LP_VISITS_MAX; i++) {
        n += visits->waiting[i] != NULL
             && visits->waiting[i]->behind == behind;
    }
    return n;
}

int
lp_visit_wait(lp_visit_t *visit, const void *behind, int for_ms)
{
    lp_visits_t *visits = visit->sso->visits;
    unsigned     i;

    if (!visit->waiting) {
        if (visits == NULL
            || count_behind(visits, behind) >= LP_VISITS_MAX - visits->n) {
            return -1;
        }
        for (i = 0; visits->waiting[i] != NULL; i++) { }
        visits->waiting[i] = visit;
        visits->n++;
        visit->waiting = 1;
    }
    visit->behind = behind;
    visit->deadline = lp_visit_clock() + for_ms;
    return 0;
}

static void
leave(lp_visit_t *visit)
{
    lp_visits_t *visits = visit->sso->visits;
    unsigned     i;

    for (i = 0; i < LP_VISITS_MAX; i++) {
        if (visits->waiting[i] == visit) {
            visits->waiting[i] = NULL;
            visits->n--;
        }
    }
    visit->waiting = 0;
}

/* What was asked elsewhere on its behalf is broken off: nobody would be there
   for the answer. */
void
lp_visit_done(lp_visit_t *visit)
{
    lp_sso_t *sso = visit->sso;

    if (visit->ended) {
        return;
    }
    answer_somehow(visit);
    if (visit->waiting) {
        leave(visit);
    }
    lp_http_forget(sso->http, visit);
    if (visit->state != NULL) {
        lp_http_forget(sso->http, visit->state);
    }
    visit->whole |= FCGX_HasSeenEOF(visit->connection.in) == EOF;
    lp_listener_end(&visit->connection, visit->whole);
    visit->ended = 1;
    visit->next = sso->visits->ended;
    sso->visits->ended = visit;
}

/* A route that forgot to is a fault of ours, and nobody is to wait for it. */
static void
answer_somehow(lp_visit_t *visit)
{
    if (!visit->request.answered) {
        lp_visit_problem(visit, lp_problem_of(LP_UNAVAILABLE), 0,
                         lp_span(""));
    }
}

void
lp_visits_sweep(lp_visits_t *visits)
{
    lp_visit_t *visit;

    while (visits->ended != NULL) {
        visit = visits->ended;
        visits->ended = visit->next;
        if (visit->state != NULL) {
            if (visit->drop != NULL) {
                visit->drop(visit->state);
            } else {
                free(visit->state);
            }
        }
        free(visit);
    }
}

/* Time. */

/* A visit that is late and stays is ended here: its place is others'. */
static void
end_late(lp_visit_t *visit, int64_t now)
{
    if (visit->on_late != NULL) {
        visit->on_late(visit);
    }
    if (visit->waiting && visit->deadline <= now) {
        lp_visit_done(visit);
    }
}

void
lp_visits_look(lp_visits_t *visits)
{
    int64_t     now = lp_visit_clock();
    int         ticks = now >= visits->next_tick;
    lp_visit_t *visit;
    unsigned    i;

    if (ticks) {
        visits->next_tick = now + LP_VISITS_TICK;
    }
    for (i = 0; i < LP_VISITS_MAX && visits->n > 0; i++) {
        visit = visits->waiting[i];
        if (visit == NULL) {
            continue;
        }
        if (visit->deadline <= now) {
            end_late(visit, now);
        } else if (ticks && visit->on_tick != NULL) {
            visit->on_tick(visit);
        }
    }
}

int
lp_visits_patience(const lp_visits_t *visits)
{
    return visits->n > 0 ? LP_VISITS_TICK : 10 * LP_VISITS_TICK;
}

/* What routes say. */

void
lp_visit_problem(lp_visit_t *visit, lp_problem_t problem, unsigned reason,
                 lp_span_t again)
{
    lp_page_look_t look;

    memset(&look, 0, sizeof(look));
    look.houses = visit->sso->houses;
    look.school = visit->request.school;
    lp_answer_problem(&visit->request, &look, problem, reason, again);
}

int
lp_sso_is_secure(const lp_sso_t *sso)
{
    lp_span_t url = lp_sites(sso->providers)->public_url;

    return url.len > 5 && memcmp(url.data, "https", 5) == 0;
}
