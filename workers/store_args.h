/*
 * A store as a command line asks for it.
 */

#ifndef LP_STORE_ARGS_H
#define LP_STORE_ARGS_H

#include "command_line.h"
#include "store.h"

/*
 * --redis (else LEERPOORT_REDIS, else Debian's socket), --user and
 * --password-file. Returns LP_YES and *store; LP_NO or LP_USAGE after saying
 * why. Nothing is connected yet.
 */
int lp_store_of_args(lp_store_t **store, const lp_args_t *args, int timeout_ms);

/* LP_YES; LP_NO after saying why. path may be NULL: no password. */
int lp_store_password_usable(const char *path);

/* Says why a run of the store failed: for people. Returns LP_NO. */
int lp_store_say(const lp_store_t *store);

#endif
