/*
 * The engine: one process that sends what the schedule says and judges what
 * comes back. One thread, epoll, as many connections as the limits allow. It
 * prints nothing and writes nothing but its score.
 */

#ifndef LP_ENGINE_H
#define LP_ENGINE_H

#include <sys/socket.h>

#include "expect.h"
#include "score.h"
#include "told.h"

/* Where it goes. All of it was checked before (target.h). */
typedef struct {
    struct sockaddr_storage address;
    socklen_t   address_len;
    int         loopback;
    int         tls;
    const char *name;     /* for TLS: SNI, and the name to verify */
    const char *ca;       /* PEM; NULL: the system's */
    int         insecure; /* 1: any certificate, on loopback alone */
    lp_wire_t   wire;
} lp_aim_t;

typedef struct {
    const lp_plan_t       *plan; /* its connections: this engine's part */
    const lp_population_t *population;
    const lp_aim_t        *aim;
    unsigned    shard, shards;
    int64_t     start_ns; /* CLOCK_MONOTONIC: when second 0 begins */
    lp_score_t *score;
    lp_told_t  *told;     /* NULL: not kept */
} lp_engine_t;

/*
 * Runs the whole plan. Returns 0; -1 where it could not go on (score->failed
 * has the errno: EMFILE, EADDRNOTAVAIL, ENOMEM ...); what is scored until then
 * stands.
 */
int lp_engine_run(const lp_engine_t *engine);

#endif
