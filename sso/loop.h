/*
 * The loop of leerpoort-sso: connections, visits that wait, outgoing requests,
 * signals, all in one thread with one wait.
 */

#ifndef LP_LOOP_H
#define LP_LOOP_H

#include "../workers/listener.h"
#include "../workers/pages_file.h"
#include "visits.h"

typedef struct {
    lp_sso_t        *sso;
    lp_listener_t   *listener;
    lp_pages_file_t *pages;
    int64_t          requests; /* that are left */
    int              durable;  /* lp_serving_redis()'s */
} lp_loop_t;

/*
 * Serves until a signal comes or so many requests were taken, and then until
 * the last visit that waits has its answer. Returns an exit code.
 */
int lp_loop_run(lp_loop_t *loop);

#endif
