/*
 * leerpoort jws verify, leerpoort token verify: the verification that the edge
 * does, at the command line.
 *
 * Many key sets name no algorithm for their keys. The edge then takes the first
 * of the issuer's algorithms that a key fits. A command line usually
 * allows many, and so here the token's own algorithm comes first: still one
 * algorithm for each key, and still one of those that are allowed.
 */

#include "verify_command.h"

#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "commands.h"
#include "input.h"
#include "say.h"

_Static_assert(LP_REPEATED_MAX <= LP_ISSUER_AUDIENCES,
               "every --aud must fit into the issuer");

#define LEEWAY_MAX  86400        /* seconds: a day */
#define MAX_AGE_MAX (366 * 86400)

static int
refuse_token(lp_jose_error_t error)
{
    lp_say("token refused: %s: %s", lp_jose_error_name(error),
           lp_jose_error_text(error));
    return LP_NO;
}

/* A set without a usable key is as bad as no set: both end here. */
lp_jwks_t *
lp_jwks_from_args(const lp_args_t *args, const lp_algs_t *algs, lp_alg_t alg,
                  lp_jwks_refused_pt refused, void *data)
{
    const char *path = args->value[LP_OPT_JWKS], *reason = NULL;
    lp_input_t  text;
    lp_algs_t   order = {0, {LP_ALG_UNKNOWN}};
    lp_jwks_t  *jwks;
    unsigned    i;

    if (lp_input_file(&text, path, LP_JWKS_TEXT_MAX) != 0) {
        return NULL;
    }
    lp_algs_add(&order, alg);
    for (i = 0; i < algs->n; i++) {
        lp_algs_add(&order, algs->list[i]);
    }
    jwks = lp_jwks_parse(lp_input_span(&text), &order, refused, data, &reason);
    if (jwks == NULL) {
        lp_say("key set %s refused: %s", path, reason);
    }
    lp_input_free(&text);
    return jwks;
}

static lp_jose_error_t
verify_jws(const lp_args_t *args, lp_jws_t *jws, const lp_algs_t *algs,
           int *said)
{
    lp_jose_error_t error;
    lp_jwks_t      *keys;

    if (!lp_algs_has(algs, jws->alg)) {
        return LP_JOSE_ALG_REFUSED;
    }
    keys = lp_jwks_from_args(args, algs, jws->alg, NULL, NULL);
    if (keys == NULL) {
        *said = 1;
        return LP_JOSE_KEY_UNKNOWN;
    }
    error = lp_jws_verify(jws, keys, algs);
    lp_jwks_free(keys);
    return error;
}

int
lp_command_jws_verify(const lp_args_t *args)
{
    lp_jose_error_t error;
    lp_input_t      text;
    lp_algs_t       algs;
    lp_jws_t        jws;
    int             rc, said = 0;

    rc = lp_args_algs(args, LP_OPT_ALGS, &lp_algs_jws, &algs);
    if (rc != LP_YES) {
        return rc;
    }
    if (lp_input_stdin(&text, LP_TOKEN_MAX) != 0) {
        return LP_NO;
    }
    error = lp_jws_parse(&jws, lp_input_span(&text));
    if (error == LP_JOSE_OK) {
        error = verify_jws(args, &jws, &algs, &said);
    }
    if (error == LP_JOSE_OK) {
        fwrite(jws.payload.data, 1, jws.payload.len, stdout);
    } else if (!said) {
        refuse_token(error);
    }
    lp_input_free(&text);
    return error == LP_JOSE_OK ? LP_YES : LP_NO;
}

int
lp_issuer_from_args(const lp_args_t *args, lp_issuer_t *issuer, int64_t *now)
{
    unsigned i;
    int      rc;

    memset(issuer, 0, sizeof(*issuer));
    if (args->value[LP_OPT_ISS] != NULL) {
        issuer->iss = lp_span_of(args->value[LP_OPT_ISS]);
    }
    for (i = 0; i < args->n_repeated; i++) {
        issuer->audiences[i] = lp_span_of(args->repeated[i]);
    }
    issuer->n_audiences = args->n_repeated;
    *now = (int64_t) time(NULL);
    rc = lp_args_algs(args, LP_OPT_ALGS, &lp_algs_token, &issuer->algs);
    if (rc == LP_YES) {
        rc = lp_args_number(args, LP_OPT_NOW, LP_TIME_MAX, now);
    }
    if (rc == LP_YES) {
        rc = lp_args_number(args, LP_OPT_LEEWAY, LEEWAY_MAX, &issuer->leeway);
    }
    if (rc == LP_YES) {
        rc = lp_args_number(args, LP_OPT_MAX_AGE, MAX_AGE_MAX,
                            &issuer->max_age);
    }
    return rc;
}

/* One object on one line, in ASCII: safe for terminals and for line readers. */
static void
print_claims(const lp_token_t *token)
{
    json_dumpf(token->claims, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    fputc('\n', stdout);
}

static int
check_token(const lp_args_t *args, lp_token_t *token, lp_issuer_t *issuer,
            int64_t now)
{
    lp_jose_error_t error;
    lp_jwks_t      *keys;

    if (!lp_algs_has(&issuer->algs, token->jws.alg)) {
        return refuse_token(LP_JOSE_ALG_REFUSED);
    }
    keys = lp_jwks_from_args(args, &issuer->algs, token->jws.alg, NULL, NULL);
    if (keys == NULL) {
        return LP_NO;
    }
    issuer->keys = keys;
    error = lp_token_check(token, issuer, now);
    lp_jwks_free(keys);
    if (error != LP_JOSE_OK) {
        return refuse_token(error);
    }
    print_claims(token);
    return LP_YES;
}

int
lp_command_token_verify(const lp_args_t *args)
{
    lp_jose_error_t error;
    lp_issuer_t     issuer;
    lp_token_t      token;
    lp_input_t      text;
    int64_t         now;
    int             rc;

    rc = lp_issuer_from_args(args, &issuer, &now);
    if (rc != LP_YES) {
        return rc;
    }
    if (lp_input_stdin(&text, LP_TOKEN_MAX) != 0) {
        return LP_NO;
    }
    error = lp_token_open(&token, lp_input_span(&text));
    rc = error == LP_JOSE_OK ? check_token(args, &token, &issuer, now)
                             : refuse_token(error);
    lp_token_close(&token);
    lp_input_free(&text);
    return rc;
}
