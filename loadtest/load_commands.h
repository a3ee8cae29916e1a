/*
 * What leerpoort-load can do, and the options of its own. Each returns LP_YES,
 * LP_NO after saying why, LP_USAGE; run and verify also
 * LP_INVALID (3).
 */

#ifndef LP_LOAD_COMMANDS_H
#define LP_LOAD_COMMANDS_H

#include "../workers/command_line.h"

enum {
    LP_LOAD_PUPILS = LP_OPTS,
    LP_LOAD_SEED,
    LP_LOAD_PRODUCTS,
    LP_LOAD_ZIPF,
    LP_LOAD_ALGS,
    LP_LOAD_MIX,
    LP_LOAD_DAY,
    LP_LOAD_JOBS,
    LP_LOAD_LIFE,
    LP_LOAD_NOW,
    LP_LOAD_API,
    LP_LOAD_CLIENT,
    LP_LOAD_CLIENT_KEY,
    LP_LOAD_TOKEN_URL,
    LP_LOAD_BULK,
    LP_LOAD_TARGET,
    LP_LOAD_PREFIX,
    LP_LOAD_LOGIN,
    LP_LOAD_OUT,
    LP_LOAD_SCALE,
    LP_LOAD_FIT,
    LP_LOAD_SHARD,
    LP_LOAD_START_AT,
    LP_LOAD_CORES,
    LP_LOAD_HOOKS,
    LP_LOAD_OPT_IN,
    LP_LOAD_INSECURE,
    LP_LOAD_STOP_EARLY,
    LP_LOAD_PLAIN,
    LP_LOAD_MAX_RATE,
    LP_LOAD_MAX_SECONDS,
    LP_LOAD_STOP_FILE,
    LP_LOAD_RUN,
    LP_LOAD_HTML,
    LP_LOAD_BEFORE,
    LP_LOAD_OPTS
};

int lp_load_population(const lp_args_t *args);
int lp_load_mint(const lp_args_t *args);
int lp_load_seed(const lp_args_t *args);
int lp_load_plan_list(const lp_args_t *args);
int lp_load_plan_show(const lp_args_t *args);
int lp_load_run(const lp_args_t *args);
int lp_load_verify(const lp_args_t *args);
int lp_load_report(const lp_args_t *args);
int lp_load_merge(const lp_args_t *args);
int lp_load_compare(const lp_args_t *args);

#endif
