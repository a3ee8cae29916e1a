/*
 * Client assertions (RFC 7523, private_key_jwt): the short-lived token by which
 * a client of another party shows who it is when it asks for an access token.
 */

#ifndef LP_ASSERTION_H
#define LP_ASSERTION_H

#include <stdint.h>

#include "../core/token.h"
#include "parties.h"
#include "store.h"

typedef enum {
    LP_ASSERTION_OK = 0,
    LP_ASSERTION_REFUSED, /* *why says why, for the client's developer */
    LP_ASSERTION_NO_KEYS, /* the client's JWKS can't be read now */
    LP_ASSERTION_NO_STORE /* whether it was used before is not known */
} lp_assertion_t;

/*
 * Checks an assertion; token: room for it, lp_token_close() must follow
 * whatever this returns. *client is set only for LP_ASSERTION_OK.
 */
lp_assertion_t lp_assertion_check(lp_token_t *token, lp_span_t text,
                                  const lp_party_list_t *list, int64_t now,
                                  const lp_client_t **client,
                                  const char **why);

/*
 * Marks a checked assertion as used, in Redis. LP_ASSERTION_OK for whoever is
 * first; all others are refused until it has expired.
 */
lp_assertion_t lp_assertion_use(const lp_token_t *token, lp_store_t *store,
                                lp_span_t client_id, int64_t now,
                                const char **why);

#endif
