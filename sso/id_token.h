/*
 * Tokens of providers and platforms: id_token (OpenID Connect Core 3.1.3.7; LTI
 * 1.3 security framework 5.1.3), logout_token (Back-Channel Logout 2.6).
 */

#ifndef LP_ID_TOKEN_H
#define LP_ID_TOKEN_H

#include "../core/token.h"
#include "key_files.h"

typedef struct {
    lp_span_t        name;      /* of its key files */
    lp_span_t        issuer;
    lp_span_t        client_id; /* aud; with several, azp */
    const lp_algs_t *algs;
    int64_t          leeway;
    int64_t          nonce_age; /* seconds that the nonce may have waited; 0:
                                   exp alone decides */
    int              asks_age;  /* the request had max_age: auth_time must be
                                   there, and not so many seconds ago */
    int64_t          auth_age;
    lp_span_t        nonce;     /* exactly; data NULL: must have none */
    int              logout;    /* a logout_token: typ logout+jwt is allowed,
                                   events must be there, sub or sid */
    int              anonymous; /* it may be without sub (LTI) */
} lp_expected_token_t;

typedef enum {
    LP_ID_TOKEN_OK = 0,
    LP_ID_TOKEN_NO_KEY,  /* a kid that is not known, or no keys at all: they
                            have been asked for; look again in a moment */
    LP_ID_TOKEN_BAD
} lp_id_token_t;

#define LP_SUBJECT_MAX 255 /* bytes of sub (OpenID Connect Core 2) and sid */

/*
 * Checks alg (HS256 never), typ, signature, iss, aud and azp, exp, iat, nbf,
 * sub and nonce, or what a logout_token must have. token: room for it; then its
 * claims may be believed. lp_token_close() must follow whatever it returns.
 * But for LP_ID_TOKEN_OK: *error says why, LP_JOSE_OK where none of those fits;
 * *why is a sentence, which holds nothing of the token.
 */
lp_id_token_t lp_id_token_check(lp_token_t *token, lp_span_t text,
                                const lp_expected_token_t *expected,
                                lp_key_files_t *keys, int64_t now,
                                lp_jose_error_t *error, const char **why);

/* Whether a checked id_token's at_hash, where it has one, is that of the access
   token (OpenID Connect Core 3.1.3.6). Returns 0, -1. */
int lp_id_token_at_hash(const lp_token_t *token, lp_span_t access_token);

#endif
