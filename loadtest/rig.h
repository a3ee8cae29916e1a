/*
 * What the parts of one engine share. Read engine.c for the loop, clicks.c for
 * a click's way from its moment to its end, exchange.c for what happens on its
 * connection.
 */

#ifndef LP_LOAD_RIG_H
#define LP_LOAD_RIG_H

#include "clock.h"
#include "engine.h"
#include "pool.h"
#include "slab.h"

/* A click from its moment to its end. */
struct lp_flight_s {
    lp_arrival_t     arrival;
    int64_t          at_ns;      /* its moment, CLOCK_MONOTONIC */
    int64_t          sent_ns;    /* 0: not yet */
    lp_connection_t *connection; /* NULL: it waits for one */
    lp_link_t        order;      /* of all, by moment */
    lp_link_t        wait;
    uint8_t          waits;
    uint8_t          out;        /* sent, and may still be answered */
    uint8_t          retried;
    uint8_t          asked;      /* the file of what was told knows of it */
    uint8_t          repeats;    /* and an earlier click has asked the same */
    uint32_t         product;    /* then */
};

typedef struct {
    const lp_engine_t *engine;
    lp_score_t        *score;
    int                epoll;

    int64_t  connect_ns; /* time limits */
    int64_t  answer_ns;
    int64_t  idle_ns;
    unsigned hold;       /* connections opened ahead */
    unsigned most;       /* that may be open */
    int      capped;     /* fewer than the plan has: descriptors */

    lp_way_t  way;
    lp_pool_t pool;
    lp_slab_t flights;
    lp_slab_t connections;
    lp_slab_t answers;

    lp_queue_t live;    /* flights, by moment */
    lp_queue_t waiting; /* flights without a connection, first come */
    lp_queue_t opening; /* connections */
    lp_queue_t gone;    /* connections whose memory is given back later */
    unsigned   open;

    /* This machine lacks ports, descriptors or memory. */
    int     shortage;       /* errno; 0: it does not */
    int64_t shortage_ns;    /* since then */
    int64_t shortage_seen;  /* the last time */
    int64_t shortage_until; /* no new connection before it */

    lp_expected_t expected;
    char          out[LP_REQUEST_MAX];
    char          in[64 * 1024];
} lp_rig_t;

/* Returns 0, or an errno; lp_rig_end() is for both. */
int lp_rig_start(lp_rig_t *rig, const lp_engine_t *engine);

/* When all connections are closed. */
void lp_rig_end(lp_rig_t *rig);

#endif
