/*
 * Where a run may go: to this machine, or to a target whose operator has said
 * so. Anything else is refused before the first click.
 */

#ifndef LP_LOAD_TARGET_H
#define LP_LOAD_TARGET_H

#include "engine.h"

/* The path that a target outside this machine must answer with
   "leerpoort-load sha256:<hex of the token's SHA-256> until:YYYYMMDD". */
#define LP_OPT_IN_PATH "/.well-known/leerpoort-load"

typedef struct {
    const char *url;       /* http(s)://host[:port] */
    const char *opt_in;    /* a file with the token; NULL: none */
    const char *ca;
    const char *token_url; /* of the sellers, for whom the CA is as well */
    int         insecure;
    const char *prefix;    /* "/go/"; NULL: that */
    const char *login;     /* what the login begins with; NULL: 401 */
} lp_target_options_t;

/* Whether what was given makes sense, without going anywhere. LP_YES; LP_USAGE
   after lp_say(). */
int lp_target_check_options(const lp_target_options_t *options);

/*
 * Checks options as above, resolves, tries TLS (handshake.h), asks. The address
 * that was asked is the one that is used. Returns LP_YES; LP_USAGE where it
 * must not be, LP_NO where nobody is there, both after lp_say().
 * lp_target_free() must follow either way; ca must live as long.
 */
int lp_target_aim(lp_aim_t *aim, const lp_target_options_t *options);

void lp_target_free(lp_aim_t *aim);

#endif
