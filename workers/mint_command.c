/*
 * leerpoort token mint, token jwks, key new: an issuer for tests, benchmarks
 * and the demo. A batch signs one token for each line of claims, so that a
 * load test can have hundreds of thousands of pupils (ES256: 48,000 a second,
 * RS256 of 2048 bits: 4,000, measured on one core of a 2-core VM).
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../core/base64url.h"
#include "../core/private_jwk.h"
#include "../core/token.h"
#include "commands.h"
#include "input.h"
#include "key_file.h"
#include "say.h"

#define EXPIRES_MAX (100 * 366 * 86400LL) /* seconds: a hundred years */
#define HEADER_MAX  4096                  /* bytes of the encoded header */

#define SIGNED_MAX                                                             \
    (HEADER_MAX + 1 + LP_BASE64URL_ENCODED(LP_CLAIMS_MAX * 2))

/* All that is alike in the tokens of one run. */
typedef struct {
    lp_private_key_t key;
    const lp_args_t *args;
    int64_t          now;
    int64_t          expires_in; /* -1: not asked for */
    char             header[HEADER_MAX];
    size_t           header_len;
    char             text[SIGNED_MAX]; /* header.payload */
} mint_t;

static int
read_alg(const lp_args_t *args, lp_opt_t option, lp_alg_t *alg)
{
    const char *name = args->value[option];

    *alg = LP_ALG_UNKNOWN;
    if (name == NULL) {
        return LP_YES;
    }
    *alg = lp_alg_find(lp_span_of(name));
    if (*alg == LP_ALG_UNKNOWN) {
        return lp_args_refuse(args, "--alg takes one of RS256 RS384 RS512 "
                                    "PS256 PS384 PS512 ES256 ES384 ES512 "
                                    "EdDSA HS256");
    }
    return LP_YES;
}

/* {"alg":...,"typ":...,"kid":...}, encoded once for all tokens. */
static int
build_header(mint_t *mint)
{
    const char *typ = mint->args->value[LP_OPT_TYP];
    json_t     *header = json_object();
    char       *text = NULL;
    int         rc;

    typ = typ == NULL ? "JWT" : typ;
    rc = json_object_set_new(header, "alg",
                             json_string(lp_alg_name(mint->key.alg)));
    if (typ[0] != '\0') {
        rc |= json_object_set_new(header, "typ", json_string(typ));
    }
    if (mint->key.kid[0] != '\0') {
        rc |= json_object_set_new(header, "kid", json_string(mint->key.kid));
    }
    if (rc == 0) {
        text = json_dumps(header, JSON_COMPACT);
    }
    json_decref(header);
    if (text == NULL
        || LP_BASE64URL_ENCODED(strlen(text)) > sizeof(mint->header)) {
        lp_say("kid and typ must be UTF-8 and short");
        free(text);
        return -1;
    }
    mint->header_len = lp_base64url_encode(
        mint->header, (const unsigned char *) text, strlen(text));
    free(text);
    return 0;
}

static json_t *
audience(const lp_args_t *args)
{
    json_t  *list;
    unsigned i;

    if (args->n_repeated == 1) {
        return json_string(args->repeated[0]);
    }
    list = json_array();
    for (i = 0; i < args->n_repeated; i++) {
        if (json_array_append_new(list, json_string(args->repeated[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static int
add_claims(const mint_t *mint, json_t *claims)
{
    const lp_args_t *args = mint->args;
    int              rc = 0;

    if (args->value[LP_OPT_SET_ISS] != NULL) {
        rc |= json_object_set_new(claims, "iss",
                                  json_string(args->value[LP_OPT_SET_ISS]));
    }
    if (args->n_repeated > 0) {
        rc |= json_object_set_new(claims, "aud", audience(args));
    }
    if (mint->expires_in >= 0) {
        rc |= json_object_set_new(claims, "iat", json_integer(mint->now));
        rc |= json_object_set_new(
            claims, "exp", json_integer(mint->now + mint->expires_in));
    }
    return rc;
}

/* header.payload into mint->text; returns its length, 0 where it is too long */
static size_t
build_text(mint_t *mint, json_t *claims)
{
    char  *payload = json_dumps(claims, JSON_COMPACT);
    size_t len, n = 0;

    if (payload == NULL) {
        return 0;
    }
    len = strlen(payload);
    if (len <= LP_CLAIMS_MAX * 2) {
        memcpy(mint->text, mint->header, mint->header_len);
        n = mint->header_len;
        mint->text[n++] = '.';
        n += lp_base64url_encode(mint->text + n,
                                 (const unsigned char *) payload, len);
    }
    free(payload);
    return n;
}

static int
mint_claims(mint_t *mint, json_t *claims)
{
    unsigned char signature[LP_SIGNATURE_MAX];
    char          encoded[LP_BASE64URL_ENCODED(LP_SIGNATURE_MAX)];
    size_t        len, n;

    if (add_claims(mint, claims) != 0) {
        lp_say("--iss and --aud must be UTF-8");
        return LP_NO;
    }
    len = build_text(mint, claims);
    if (len == 0) {
        lp_say("the claims are too long");
        return LP_NO;
    }
    n = lp_private_key_sign(&mint->key, signature,
                            (lp_span_t) {mint->text, len});
    if (n == 0) {
        lp_say("OpenSSL could not sign: is the key whole?");
        return LP_NO;
    }
    n = lp_base64url_encode(encoded, signature, n);
    fwrite(mint->text, 1, len, stdout);
    fputc('.', stdout);
    fwrite(encoded, 1, n, stdout);
    fputc('\n', stdout);
    return ferror(stdout) ? LP_NO : LP_YES;
}

/* line 0: there is only one. */
static int
mint_token(mint_t *mint, lp_span_t text, unsigned long line)
{
    json_t *claims;
    int     rc;

    claims = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(claims)) {
        json_decref(claims);
        if (line == 0) {
            lp_say("standard input is not a JSON object of claims");
        } else {
            lp_say("line %lu is not a JSON object of claims", line);
        }
        return LP_NO;
    }
    rc = mint_claims(mint, claims);
    json_decref(claims);
    return rc;
}

static int
mint_batch(mint_t *mint)
{
    static char   line[LP_CLAIMS_MAX + 2];
    unsigned long n = 0;
    size_t        len;
    int           rc = LP_YES;

    while (rc == LP_YES && fgets(line, sizeof(line), stdin) != NULL) {
        n++;
        len = strlen(line);
        if (len == sizeof(line) - 1 && line[len - 1] != '\n') {
            lp_say("line %lu is longer than %d bytes", n, LP_CLAIMS_MAX);
            return LP_NO;
        }
        rc = mint_token(mint, (lp_span_t) {line, len}, n);
    }
    return rc;
}

static int
mint_one(mint_t *mint)
{
    lp_input_t text;
    int        rc;

    if (lp_input_stdin(&text, LP_CLAIMS_MAX) != 0) {
        return LP_NO;
    }
    if (text.len > LP_CLAIMS_MAX) {
        lp_say("the claims are longer than %d bytes", LP_CLAIMS_MAX);
        rc = LP_NO;
    } else {
        rc = mint_token(mint, lp_input_span(&text), 0);
    }
    lp_input_free(&text);
    return rc;
}

static int
mint_with_key(mint_t *mint, lp_alg_t alg)
{
    const lp_args_t *args = mint->args;

    if (lp_key_file_load(&mint->key, args->value[LP_OPT_KEY], alg,
                            args->value[LP_OPT_KID]) != 0) {
        return LP_NO;
    }
    if (!mint->key.is_private) {
        lp_say("%s is a public key; signing takes the private one",
               args->value[LP_OPT_KEY]);
        return LP_NO;
    }
    lp_input_warn_open(args->value[LP_OPT_KEY], "key");
    if (build_header(mint) != 0) {
        return LP_NO;
    }
    return args->value[LP_OPT_BATCH] == NULL ? mint_one(mint)
                                             : mint_batch(mint);
}

int
lp_command_token_mint(const lp_args_t *args)
{
    static mint_t mint;
    lp_alg_t      alg;
    int           rc;

    mint.args = args;
    mint.now = (int64_t) time(NULL);
    mint.expires_in = -1;
    rc = read_alg(args, LP_OPT_SIGN_ALG, &alg);
    if (rc == LP_YES) {
        rc = lp_args_number(args, LP_OPT_MINT_NOW, LP_TIME_MAX, &mint.now);
    }
    if (rc == LP_YES) {
        rc = lp_args_number(args, LP_OPT_EXPIRES_IN, EXPIRES_MAX,
                            &mint.expires_in);
    }
    if (rc != LP_YES) {
        return rc;
    }
    rc = mint_with_key(&mint, alg);
    lp_private_key_free(&mint.key);
    return rc;
}

/* token jwks, key new */

static int
add_public(const lp_args_t *args, const char *path, lp_alg_t alg,
           json_t *keys)
{
    lp_private_key_t key;
    json_t          *jwk = NULL;
    int              rc = LP_NO;

    if (lp_key_file_load(&key, path, alg, args->value[LP_OPT_KID]) == 0) {
        jwk = lp_jwk_write(&key, 0);
        if (jwk == NULL) {
            lp_say("%s: a shared secret has no public half", path);
        } else {
            rc = json_array_append_new(keys, jwk) == 0 ? LP_YES : LP_NO;
        }
    }
    lp_private_key_free(&key);
    return rc;
}

int
lp_command_token_jwks(const lp_args_t *args)
{
    json_t  *keys;
    lp_alg_t alg;
    unsigned i;
    int      rc;

    rc = read_alg(args, LP_OPT_SIGN_ALG, &alg);
    if (rc != LP_YES) {
        return rc;
    }
    if (args->n_repeated > 1
        && (alg != LP_ALG_UNKNOWN || args->value[LP_OPT_KID] != NULL)) {
        return lp_args_refuse(args, "--alg and --kid are for a single key");
    }
    keys = json_array();
    for (i = 0; rc == LP_YES && i < args->n_repeated; i++) {
        rc = add_public(args, args->repeated[i], alg, keys);
    }
    keys = json_pack("{s:o}", "keys", keys);
    if (rc == LP_YES) {
        json_dumpf(keys, stdout, JSON_INDENT(2));
        fputc('\n', stdout);
    }
    json_decref(keys);
    return rc;
}

int
lp_command_key_new(const lp_args_t *args)
{
    lp_private_key_t key;
    json_t          *jwk = NULL;
    lp_alg_t         alg;
    int              rc;

    rc = read_alg(args, LP_OPT_NEW_ALG, &alg);
    if (rc != LP_YES) {
        return rc;
    }
    if (lp_private_key_new(&key, alg, args->value[LP_OPT_KID]) != 0) {
        lp_say("there is no key: --kid has more than %d bytes, or OpenSSL "
               "failed", LP_KID_MAX);
    } else {
        jwk = lp_jwk_write(&key, 1);
        if (jwk == NULL) {
            lp_say("the key could not be written: --kid must be UTF-8");
        }
    }
    lp_private_key_free(&key);
    if (jwk == NULL) {
        return LP_NO;
    }
    json_dumpf(jwk, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(jwk);
    return LP_YES;
}
