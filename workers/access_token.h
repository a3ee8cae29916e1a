/*
 * Access tokens of other parties: what Leerpoort asks for at their token
 * endpoint (OAuth 2.0 client credentials, private_key_jwt: RFC 6749, 7523) and
 * what it makes of the answer. No token and no assertion is ever logged.
 */

#ifndef LP_ACCESS_TOKEN_H
#define LP_ACCESS_TOKEN_H

#include <stdint.h>

#include "../core/private_key.h"
#include "parties.h"

#define LP_ACCESS_TOKEN_MAX 8192 /* bytes of a token */

typedef struct {
    char   *value;      /* NULL: none */
    int64_t good_until; /* monotonic ms: a little before it expires */
} lp_access_token_t;

/*
 * The body of a token request, NUL-terminated, of the type
 * application/x-www-form-urlencoded; lp_access_token_wipe() it. NULL, and
 * *reason: the party's entry lacks a key or a client id, or the key can't be
 * used. now: Unix time.
 */
char *lp_access_token_ask(const lp_party_t *party, int64_t now,
                          const char **reason);

/*
 * The assertion alone (private_key_jwt: RFC 7523 section 3), NUL-terminated;
 * lp_access_token_wipe() it. audience: the endpoint that it is for. NULL:
 * OpenSSL, or memory.
 */
char *lp_client_assertion(const lp_private_key_t *key, lp_span_t client_id,
                          lp_span_t audience, int64_t now);

void lp_access_token_wipe(char *text);

/*
 * Reads the answer (RFC 6749 section 5.1). clock: monotonic ms at which it was
 * asked for. Returns 0; -1 where it holds no bearer token that can be sent.
 */
int lp_access_token_read(lp_access_token_t *token, lp_span_t body,
                         int64_t clock);

/* 1 where there is a token and it is good for a while. */
int lp_access_token_good(const lp_access_token_t *token, int64_t clock);

/* Forgets it. */
void lp_access_token_drop(lp_access_token_t *token);

#endif
