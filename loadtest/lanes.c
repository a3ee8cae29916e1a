/*
 * A lane's batch is sent without waiting; its answers are read when its turn
 * comes again, which is mostly after they have come.
 */

#include "lanes.h"

#include <stdlib.h>

#include "../workers/say.h"
#include "../workers/store_args.h"

#define LANES      16
#define BATCH      8  /* turns that make a batch */
#define TIMEOUT_MS 60000

struct lp_lanes_s {
    lp_store_t *stores[LANES];
    unsigned    now;
    unsigned    turns;
};

static int send_batch(lp_lanes_t *lanes);

int
lp_lanes_open(lp_lanes_t **lanes, const lp_args_t *args)
{
    unsigned i;
    int      rc = LP_YES;

    *lanes = calloc(1, sizeof(**lanes));
    if (*lanes == NULL) {
        lp_say("out of memory");
        return LP_NO;
    }

    for (i = 0; i < LANES && rc == LP_YES; i++) {
        rc = lp_store_of_args(&(*lanes)->stores[i], args, TIMEOUT_MS);
    }
    if (rc != LP_YES) {
        lp_lanes_close(*lanes);
        *lanes = NULL;
    }

    return rc;
}

void
lp_lanes_close(lp_lanes_t *lanes)
{
    unsigned i;

    if (lanes != NULL) {
        for (i = 0; i < LANES; i++) {
            lp_store_destroy(lanes->stores[i]);
        }
        free(lanes);
    }
}

lp_store_t *
lp_lanes_store(lp_lanes_t *lanes)
{
    return lanes->stores[lanes->now];
}

int
lp_lanes_turn(lp_lanes_t *lanes)
{
    if (++lanes->turns < BATCH) {
        return 0;
    }

    return send_batch(lanes);
}

int
lp_lanes_finish(lp_lanes_t *lanes)
{
    unsigned i;

    if (send_batch(lanes) != 0) {
        return -1;
    }

    for (i = 0; i < LANES; i++) {
        if (lp_store_run(lanes->stores[i]) != LP_STORE_OK) {
            lp_store_say(lanes->stores[i]);
            return -1;
        }
    }

    return 0;
}

/* What the lane sent before is read first: a store reads all that it sent. */
static int
send_batch(lp_lanes_t *lanes)
{
    lp_store_t *store = lp_lanes_store(lanes);

    if (lp_store_receive(store) != LP_STORE_OK
        || lp_store_send(store) != LP_STORE_OK) {
        lp_store_say(store);
        return -1;
    }

    lanes->now = (lanes->now + 1) % LANES;
    lanes->turns = 0;

    return 0;
}
