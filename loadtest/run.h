/*
 * A run as its parent process sees it: engines and sellers beside it, the
 * plan's faults, the operator's keys and signals, finished seconds to disk.
 */

#ifndef LP_RUN_H
#define LP_RUN_H

#include "engine.h"
#include "result.h"
#include "seller.h"

typedef struct {
    const lp_plan_t           *plan; /* scaled and fitted; its connections are
                                        those of one engine, its API traffic
                                        this machine's */
    const lp_population_t     *population;
    const lp_aim_t            *aim;
    const lp_seller_options_t *seller; /* NULL: the plan has no API traffic */
    lp_told_t  *told;
    const char *out;        /* a folder that is there */
    const char *hooks;      /* NULL: the plan has no faults */
    const char *stop_file;  /* NULL: none */
    unsigned    cores;
    unsigned    shard, shards; /* of machines: 0 to shards - 1 */
    int         stop_early;
    int         plain;
    double      max_factor; /* beyond which + does nothing */
    int64_t     start_ns;   /* CLOCK_MONOTONIC */
} lp_run_t;

/*
 * Runs it to its end, and fills what a result has beyond its names and its
 * conclusion. result must have its plan. Returns 0; -1 after lp_say() where it
 * could not begin, and then there is nothing to conclude.
 */
int lp_run(lp_result_t *result, const lp_run_t *run);

#endif
