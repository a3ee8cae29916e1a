/*
 * What the routes of leerpoort-sso share, and the visit in hand: a request that
 * may wait for a provider while others are answered. One process, one thread,
 * one loop (loop.c): whatever waits is parked, bounded in number and in time.
 */

#ifndef LP_SSO_H
#define LP_SSO_H

#include <fcgiapp.h>

#include "../core/house.h"
#include "../core/problem.h"
#include "../workers/http_client.h"
#include "../workers/key_ring.h"
#include "../workers/page_answer.h"
#include "../workers/seal.h"
#include "../workers/store.h"
#include "key_files.h"
#include "platforms.h"
#include "providers.h"
#include "shelf.h"

typedef struct lp_visit_s lp_visit_t;

typedef struct {
    lp_store_t     *store;
    lp_pepper_t    *pepper;
    lp_seal_t      *seal;
    lp_providers_t *providers; /* sso.json; never NULL, may be empty */
    lp_platforms_t *platforms; /* lti.json; likewise */
    lp_key_files_t *keys;      /* JWKS and discovery, as leerpoort-keys keeps
                                  them */
    lp_key_ring_t  *ring;      /* Leerpoort's own keys (--keys): Deep Linking,
                                  private_key_jwt; NULL: none */
    lp_http_t      *http;
    const lp_houses_t *houses; /* good for a turn of the loop */
    lp_shelf_t     *shelf;     /* what teachers search; NULL until one does */
    struct lp_session_key_s *session_key;
    struct lp_visits_s *visits; /* those that wait (visits.h) */
} lp_sso_t;

struct lp_visit_s {
    lp_sso_t     *sso;
    lp_request_t  request;
    FCGX_Request  connection;

    /* a route that has to wait */
    void        (*on_tick)(lp_visit_t *visit); /* called each 100 ms while it
                                                  waits; NULL: not */
    void        (*drop)(void *state);          /* frees state; NULL: free() */
    void         *state;
    int64_t       deadline;  /* monotonic ms: then on_late is called */
    void        (*on_late)(lp_visit_t *visit);
    const void   *behind;    /* what it waits for: a provider; none of them
                                gets more places than are free */
    int           waiting;

    /* visit.c's */
    int           whole;     /* nothing of the request is still to come */
    int           ended;     /* answered; freed when the loop's turn is over */
    lp_visit_t   *next;
};

/*
 * A route answers (request.answered), or calls lp_visit_wait() and answers
 * later, from a callback of its own, and then calls lp_visit_done().
 */
typedef void (*lp_visit_run_t)(lp_visit_t *visit);

/*
 * Parks the visit. Returns 0; -1: too many wait, altogether or behind this
 * provider: the caller answers LP_PROBLEM_BUSY, and has kept its state.
 */
int lp_visit_wait(lp_visit_t *visit, const void *behind, int for_ms);

/* The parked visit has its answer: it is finished and freed, its state too. */
void lp_visit_done(lp_visit_t *visit);

/* lp_answer_problem() in the default look, or the school's. */
void lp_visit_problem(lp_visit_t *visit, lp_problem_t problem,
                      unsigned reason, lp_span_t again);

/* 1 where publicUrl is https: cookies are __Host- and Secure. */
int lp_sso_is_secure(const lp_sso_t *sso);

/* ---- the routes ---- */

void lp_visit_sign_in(lp_visit_t *visit);      /* GET, POST /sso/login */
void lp_visit_callback(lp_visit_t *visit);     /* GET /sso/callback[/<name>] */
void lp_visit_sign_out(lp_visit_t *visit);     /* GET, POST /sso/logout */
void lp_visit_backchannel(lp_visit_t *visit);  /* POST /sso/backchannel */
void lp_visit_problem_page(lp_visit_t *visit); /* GET /problem */
void lp_visit_lti_login(lp_visit_t *visit);    /* GET, POST /lti/login */
void lp_visit_lti_launch(lp_visit_t *visit);   /* POST /lti/launch */
void lp_visit_lti_open(lp_visit_t *visit);     /* GET /lti/open/<once> */
void lp_visit_lti_link(lp_visit_t *visit);     /* GET /lti/link/<once> */
void lp_visit_lti_pick(lp_visit_t *visit);     /* POST /lti/pick */
void lp_visit_lti_ready(lp_visit_t *visit);    /* GET /lti/pick/<once> */

#endif
