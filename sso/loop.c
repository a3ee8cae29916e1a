/*
 * One turn after another: wait for whatever comes first, take connections,
 * answer them or park them, look after those that are parked, free those that
 * have ended.
 *
 * Where no outgoing request runs, the wait is epoll's, which wakes one process
 * for a connection; else it is libcurl's, with the epoll beside its own
 * sockets, which wakes all that share the socket: who comes second finds nobody
 * there and waits on.
 *
 * Who asks to stop gets it: no connection is taken any more, what waits is
 * waited for. Each of them has a deadline, so that this ends by itself.
 */

#include "loop.h"

#include "../workers/routes.h"
#include "../workers/say.h"
#include "../workers/serving.h"

#define TAKEN_MAX 32 /* connections in a turn: then others have theirs */
#define SILENCE   2  /* seconds that a peer may be silent, or not read: it is
                        nginx, which has all of a request before it speaks */

static void wait(lp_loop_t *loop);
static int take_all(lp_loop_t *loop);
static int take_one(lp_loop_t *loop);
static int answer(lp_loop_t *loop, lp_visit_t *visit);

int
lp_loop_run(lp_loop_t *loop)
{
    lp_visits_t *visits = loop->sso->visits;
    int          listens = 1, rc = LP_YES;

    while (listens || visits->n > 0) {
        wait(loop);
        loop->sso->houses = lp_pages_file_houses(loop->pages);
        if (listens && !lp_listener_asked_to_stop(loop->listener)) {
            rc = take_all(loop);
            listens = rc == LP_YES && loop->requests > 0;
        } else {
            listens = 0;
        }
        if (!listens) {
            lp_listener_leave(loop->listener);
        }
        lp_visits_look(visits);
        lp_visits_sweep(visits);
    }
    return rc;
}

/* Outgoing requests go on here, and call back. */
static void
wait(lp_loop_t *loop)
{
    lp_sso_t *sso = loop->sso;
    int       patience = lp_visits_patience(sso->visits);

    if (lp_http_running(sso->http) == 0) {
        lp_listener_wait(loop->listener, patience);
    } else {
        lp_http_run_beside(sso->http, &loop->listener->epoll, 1, patience);
        lp_visits_sweep(sso->visits);
    }
}

static int
take_all(lp_loop_t *loop)
{
    int i, more = 1;

    for (i = 0; i < TAKEN_MAX && more > 0 && loop->requests > 0; i++) {
        more = take_one(loop);
    }
    return more == -1 ? LP_NO : LP_YES;
}

/* 1: there was one; 0: nobody is there; -1: no more can be taken. */
static int
take_one(lp_loop_t *loop)
{
    lp_visit_t *visit = lp_visit_create(loop->sso);
    int         rc;

    if (visit == NULL) {
        lp_say("out of memory");
        return -1;
    }
    rc = lp_listener_accept(&visit->connection, SILENCE, &visit->whole);
    if (rc != 1) {
        lp_visit_destroy(visit);
        return rc == 2 ? 1 : rc;
    }
    loop->requests--;
    return answer(loop, visit);
}

static int
answer(lp_loop_t *loop, lp_visit_t *visit)
{
    int usable = lp_serving_redis(loop->sso->store, &loop->durable);

    if (usable == 1) {
        lp_visit_run(visit);
        return 1;
    }
    lp_request_open(&visit->request, &visit->connection);
    lp_visit_done(visit); /* as unavailable */
    return usable == -1 ? -1 : 1;
}
