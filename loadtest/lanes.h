/*
 * Many writes into Redis: batches over several connections in turn. With
 * `appendfsync always` Redis waits for the disk once for all that it has read
 * from all of its clients, 16 KB from each: one connection alone would wait
 * sixteen times as often.
 *
 * What is in one batch is done in its order; between batches there is none.
 */

#ifndef LP_LANES_H
#define LP_LANES_H

#include "../workers/command_line.h"
#include "../workers/store.h"

typedef struct lp_lanes_s lp_lanes_t;

/* By --redis, --user and --password-file. LP_YES; LP_NO or LP_USAGE after
   saying why, and *lanes is NULL. */
int lp_lanes_open(lp_lanes_t **lanes, const lp_args_t *args);
void lp_lanes_close(lp_lanes_t *lanes);

/* The store to add commands to. */
lp_store_t *lp_lanes_store(lp_lanes_t *lanes);

/* Sends the batch where it is long enough. 0; -1 after lp_say(). */
int lp_lanes_turn(lp_lanes_t *lanes);

/* Sends what is left and waits for all of it. 0; -1 after lp_say(). */
int lp_lanes_finish(lp_lanes_t *lanes);

#endif
