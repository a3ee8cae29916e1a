/*
 * What leerpoort-sso asks of a provider on the back channel: a code for tokens
 * (RFC 6749 section 4.1.3, RFC 7636), and claims for an access token (OpenID
 * Connect Core 5.3). Every answer is judged here; nothing of it but claims goes
 * any further, into logs least of all.
 */

#ifndef LP_EXCHANGE_H
#define LP_EXCHANGE_H

#include "../core/json.h"
#include "../workers/access_token.h"
#include "sign_in.h"

#define LP_EXCHANGE_MS 8000 /* for the token endpoint */
#define LP_USERINFO_MS 5000

typedef enum {
    LP_EXCHANGE_OK = 0,
    LP_EXCHANGE_DOWN,  /* no answer, late, an error of its own */
    LP_EXCHANGE_WRONG  /* an answer that is of no use, today or tomorrow */
} lp_exchange_t;

typedef struct {
    char   id_token[LP_TOKEN_MAX + 1];
    size_t id_token_len;
    char   access_token[LP_ACCESS_TOKEN_MAX + 1]; /* "": none */
} lp_tokens_t;

#define LP_CALLBACK "/sso/callback"
#define LP_CALLBACK_MAX (sizeof(LP_CALLBACK) + 1 + LP_PROVIDER_NAME_MAX)

/* The path of a provider's redirect URI into dst, LP_CALLBACK_MAX bytes:
   "/sso/callback", or with "/<name>" where it has one of its own. */
lp_span_t lp_exchange_callback(char *dst, const lp_provider_t *provider);

/* An endpoint: as configured, else the member of the discovery document. len 0:
   neither says. Good until the loop's next turn. */
lp_span_t lp_exchange_endpoint(lp_sso_t *sso, const lp_provider_t *provider,
                               lp_span_t configured, const char *member);

/*
 * Asks the token endpoint; done hears the reply. owner: as for lp_http_start().
 * But for LP_EXCHANGE_OK, done is not called; *why is a sentence.
 */
lp_exchange_t lp_exchange_start(lp_sso_t *sso, const lp_provider_t *provider,
                                const lp_sign_in_t *sign_in, lp_span_t code,
                                lp_http_done_t done, void *owner,
                                const char **why);

/* Reads its answer. */
lp_exchange_t lp_exchange_read(lp_tokens_t *tokens,
                               const lp_http_reply_t *reply,
                               const char **why);

/* The same for userinfo. */
lp_exchange_t lp_userinfo_start(lp_sso_t *sso, const lp_provider_t *provider,
                                const lp_tokens_t *tokens,
                                lp_http_done_t done, void *owner,
                                const char **why);

/* The claims, of which sub is this one; lp_json_release(*memory). */
lp_exchange_t lp_userinfo_read(json_t **claims, lp_json_memory_t **memory,
                               const lp_http_reply_t *reply, lp_span_t sub,
                               const char **why);

#endif
