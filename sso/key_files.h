/*
 * What leerpoort-keys fetched: <folder>/<name>.jwks.json and
 * <folder>/<name>.discovery.json, each read again when it changes. Reading
 * never waits for a network. Who meets a key that is not there asks for it by a
 * datagram to leerpoort-keys, and looks again in a moment.
 */

#ifndef LP_KEY_FILES_H
#define LP_KEY_FILES_H

#include <jansson.h>

#include "../core/alg.h"
#include "../core/jwks.h"

typedef struct lp_key_files_s lp_key_files_t;

/* socket: where leerpoort-keys listens; NULL: nobody is asked. A folder that
   can't be looked into is said, and may come to be one. */
lp_key_files_t *lp_key_files_open(const char *folder, const char *socket);
void lp_key_files_close(lp_key_files_t *files);

/* NULL: not there, or broken from the beginning: a broken file leaves what was
   read before in force. Good until the loop's next turn. */
const lp_jwks_t *lp_key_files_jwks(lp_key_files_t *files, lp_span_t name,
                                   const lp_algs_t *algs);

/* An OpenID Provider's metadata whose issuer is this one; NULL: not there.
   Good until the loop's next turn. */
const json_t *lp_key_files_discovery(lp_key_files_t *files, lp_span_t name,
                                     lp_span_t issuer);

/*
 * Asks leerpoort-keys to fetch the keys of this issuer anew. Never waits; at
 * most once a second for an issuer. The datagram is the issuer's identifier.
 */
void lp_key_files_ask(lp_key_files_t *files, lp_span_t issuer);

#endif
