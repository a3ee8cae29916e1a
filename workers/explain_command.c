/*
 * leerpoort token explain: why a token is accepted or refused, for the operator
 * to whom a school has sent one. It shows facts, layer by layer, then
 * the verdict of the same function that the edge asks.
 *
 * The answer ends up in tickets and mails: it names algorithms, keys, issuer,
 * audience, times and the names of claims, never the value of another
 * claim (a person's id may stand in each) and never the signature. All of
 * it is escaped: a token's text is whatever a stranger wrote.
 */

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../core/base64url.h"
#include "../core/json.h"
#include "commands.h"
#include "input.h"
#include "say.h"
#include "verify_command.h"

#define TEXT_MAX  1024 /* bytes of one fact */
#define NAMES_MAX 8    /* kids, audiences and claims that are named */
#define SHOWN_MAX 64   /* bytes of each */

typedef struct {
    const lp_args_t *args;
    lp_issuer_t      issuer;
    lp_token_t       token;
    int64_t          now;
    json_t          *facts; /* label to text, in the order of the layers */
    lp_jose_error_t  error;
} explain_t;

static void fact(explain_t *explain, const char *label, const char *format,
                 ...) __attribute__((format(printf, 3, 4)));

static void
fact(explain_t *explain, const char *label, const char *format, ...)
{
    char    text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    json_object_set_new(explain->facts, label, json_string(text));
}

static const char *
show_json(char *dst, const json_t *value)
{
    lp_span_t text;

    if (value == NULL) {
        return "none";
    }
    if (!json_is_string(value)) {
        return "not a string";
    }
    text = lp_json_text(value);
    if (text.len == 0) {
        return "empty";
    }
    return lp_escape(dst, text, SHOWN_MAX);
}

/* Appends ", <name>" while there is room for it. */
static void
append(char *list, const char *name)
{
    size_t len = strlen(list);

    snprintf(list + len, TEXT_MAX - len, "%s%s", len == 0 ? "" : ", ", name);
}

/*
 * The header, read leniently: what core/ refuses is just what has to be shown.
 */
static void
explain_header(explain_t *explain, lp_span_t text)
{
    unsigned char decoded[LP_TOKEN_MAX];
    const char   *dot = memchr(text.data, '.', text.len);
    char          alg[LP_ESCAPED_MAX], kid[LP_ESCAPED_MAX];
    char          typ[LP_ESCAPED_MAX];
    json_t       *header = NULL;
    size_t        len;

    fact(explain, "token", "%s%zu bytes",
         text.len > LP_TOKEN_MAX ? "more than " : "",
         text.len > LP_TOKEN_MAX ? (size_t) LP_TOKEN_MAX : text.len);
    if (dot != NULL
        && lp_base64url_decode(
               decoded, sizeof(decoded), &len,
               (lp_span_t) {text.data, (size_t) (dot - text.data)})
               == 0) {
        header = json_loadb((const char *) decoded, len, 0, NULL);
    }
    if (!json_is_object(header)) {
        fact(explain, "header", "not a JSON object in base64url: this is not "
                                "a token, or only a part of one");
    } else {
        fact(explain, "header", "alg %s, kid %s, typ %s",
             show_json(alg, json_object_get(header, "alg")),
             show_json(kid, json_object_get(header, "kid")),
             show_json(typ, json_object_get(header, "typ")));
    }
    json_decref(header);
}

/* The key set */

static void
left_out(void *data, size_t index, const char *reason)
{
    char label[40];

    snprintf(label, sizeof(label), "set key %zu", index + 1);
    fact(data, label, "left out: %s", reason);
}

/* The kids of the set, for the operator who looks for one. */
static void
list_kids(explain_t *explain)
{
    const char *path = explain->args->value[LP_OPT_JWKS];
    char        list[TEXT_MAX] = "", kid[LP_ESCAPED_MAX];
    lp_input_t  text;
    json_t     *set, *keys, *key;
    size_t      i;

    if (lp_input_file(&text, path, LP_JWKS_TEXT_MAX) != 0) {
        return;
    }
    set = json_loadb(text.bytes, text.len, 0, NULL);
    keys = json_object_get(set, "keys");
    json_array_foreach(keys, i, key) {
        if (i == NAMES_MAX) {
            append(list, "...");
            break;
        }
        append(list, show_json(kid, json_object_get(key, "kid")));
    }
    fact(explain, "set kids", "%s", list[0] == '\0' ? "none" : list);
    json_decref(set);
    lp_input_free(&text);
}

/* The algorithm that the key with this kid is bound to. */
static lp_alg_t
bound_alg(const lp_jwks_t *keys, lp_span_t kid)
{
    const lp_key_t *key;
    int             alg;

    for (alg = LP_ALG_UNKNOWN + 1; alg < LP_ALGS; alg++) {
        if (lp_jwks_find(keys, kid, (lp_alg_t) alg, &key) == LP_JOSE_OK) {
            return (lp_alg_t) alg;
        }
    }
    return LP_ALG_UNKNOWN;
}

static void
explain_key(explain_t *explain)
{
    const lp_jws_t  *jws = &explain->token.jws;
    const lp_jwks_t *keys = explain->issuer.keys;
    const lp_key_t  *key;
    lp_jose_error_t  error;

    error = lp_jwks_find(keys, jws->kid, jws->alg, &key);
    switch (error) {
    case LP_JOSE_OK:
        fact(explain, "key", "%s, bound to %s",
             jws->kid.data == NULL ? "the only one that fits"
                                   : "the one with the token's kid",
             lp_alg_name(jws->alg));
        error = lp_key_verify(key, jws->signed_text, jws->signature,
                              jws->signature_len);
        fact(explain, "signature", "%s",
             error == LP_JOSE_OK ? "valid" : "not by this key");
        return;
    case LP_JOSE_KEY_ALG:
        fact(explain, "key", "the one with the token's kid, but bound to %s",
             lp_alg_name(bound_alg(keys, jws->kid)));
        break;
    case LP_JOSE_KEY_AMBIGUOUS:
        fact(explain, "key", "the token names none, and several fit %s",
             lp_alg_name(jws->alg));
        break;
    default:
        fact(explain, "key", "none of the %zu usable ones is the token's",
             lp_jwks_count(keys));
        break;
    }
    list_kids(explain);
}

/* The claims */

static void
explain_issuer(explain_t *explain, const json_t *claims)
{
    const char   *asked = explain->args->value[LP_OPT_ISS];
    const json_t *iss = json_object_get(claims, "iss");
    char          shown[LP_ESCAPED_MAX];
    const char   *end = "";

    if (asked == NULL) {
        end = " (not compared: no --iss)";
    } else if (json_is_string(iss)) {
        end = strlen(asked) == json_string_length(iss)
                      && strcmp(asked, json_string_value(iss)) == 0
                  ? " (as asked for)"
                  : " (not the one asked for)";
    }
    fact(explain, "issuer", "%s%s", show_json(shown, iss), end);
}

static void
explain_audience(explain_t *explain, const json_t *claims)
{
    const json_t *aud = json_object_get(claims, "aud"), *one;
    char          list[TEXT_MAX] = "", shown[LP_ESCAPED_MAX];
    size_t        i;

    json_array_foreach(aud, i, one) {
        if (i == NAMES_MAX) {
            append(list, "...");
            break;
        }
        append(list, show_json(shown, one));
    }
    if (list[0] == '\0') {
        append(list, json_is_array(aud) ? "an empty list"
                                        : show_json(shown, aud));
    }
    fact(explain, "audience", "%s%s", list,
         explain->args->n_repeated == 0 ? " (not compared: no --aud)" : "");
}

static void
explain_time(explain_t *explain, const json_t *claims, const char *name,
             const char *label)
{
    const json_t *value = json_object_get(claims, name);
    json_int_t    at;
    char          when[LP_WHEN_MAX];

    if (value == NULL) {
        if (strcmp(name, "nbf") != 0) {
            fact(explain, label, "no claim %s", name);
        }
        return;
    }
    at = json_integer_value(value);
    if (!json_is_integer(value) || at < 0 || at > LP_TIME_MAX) {
        fact(explain, label, "%s is not a whole number of seconds from 1970 "
                             "to 9999", name);
        return;
    }
    fact(explain, label, "%s", lp_when(when, at, explain->now));
}

static void
explain_claims(explain_t *explain)
{
    json_t     *claims = explain->token.claims, *value;
    const char *name;
    char        list[TEXT_MAX] = "", shown[LP_ESCAPED_MAX];
    unsigned    n = 0;

    explain_issuer(explain, claims);
    explain_audience(explain, claims);
    explain_time(explain, claims, "iat", "issued");
    explain_time(explain, claims, "nbf", "not before");
    explain_time(explain, claims, "exp", "expires");
    json_object_foreach(claims, name, value) {
        if (n++ == NAMES_MAX * 2) {
            append(list, "...");
            break;
        }
        append(list, lp_escape(shown, lp_span_of(name), SHOWN_MAX));
    }
    fact(explain, "claims", "%s", list[0] == '\0' ? "none" : list);
}

/* What was not asked for is taken from the token, so that the rest counts. */
static void
believe_token(explain_t *explain)
{
    lp_issuer_t  *issuer = &explain->issuer;
    const json_t *claims = explain->token.claims, *aud;

    if (issuer->iss.data == NULL) {
        issuer->iss = explain->token.iss;
    }
    if (issuer->iss.data == NULL) {
        issuer->iss = lp_span("");
    }
    if (issuer->n_audiences > 0) {
        return;
    }
    aud = json_object_get(claims, "aud");
    if (json_is_array(aud)) {
        aud = json_array_get(aud, 0);
    }
    issuer->audiences[0] = lp_span("");
    if (json_is_string(aud)) {
        issuer->audiences[0] = lp_json_text(aud);
    }
    issuer->n_audiences = 1;
}

/* Returns LP_YES, or LP_NO after saying that the key set is of no use. */
static int
check_token(explain_t *explain)
{
    lp_jwks_t *keys;

    if (!lp_algs_has(&explain->issuer.algs, explain->token.jws.alg)) {
        explain->error = LP_JOSE_ALG_REFUSED;
        return LP_YES;
    }
    keys = lp_jwks_from_args(explain->args, &explain->issuer.algs,
                             explain->token.jws.alg, left_out, explain);
    if (keys == NULL) {
        return LP_NO;
    }
    explain->issuer.keys = keys;
    explain_key(explain);
    believe_token(explain);
    explain->error = lp_token_check(&explain->token, &explain->issuer,
                                    explain->now);
    explain->issuer.keys = NULL;
    lp_jwks_free(keys);
    return LP_YES;
}

static int
explain_layers(explain_t *explain)
{
    int rc = LP_YES;

    if (explain->error == LP_JOSE_OK) {
        rc = check_token(explain);
    }
    if (explain->token.claims != NULL) {
        explain_claims(explain);
    }
    return rc;
}

/* The answer */

static void
print_facts(const explain_t *explain)
{
    const char *label;
    json_t     *text;

    json_object_foreach(explain->facts, label, text) {
        printf("%-11s %s\n", label, json_string_value(text));
    }
}

static void
print_json(const explain_t *explain, const char *reason, const char *sentence)
{
    json_t *answer;

    answer = json_pack("{s:b, s:s?, s:s?, s:O}", "accepted", reason == NULL,
                       "reason", reason, "sentence", sentence, "facts",
                       explain->facts);
    json_dumpf(answer, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(answer);
}

static int
print_answer(const explain_t *explain, int rc)
{
    const char *reason = NULL, *sentence = NULL;
    int         as_json = explain->args->value[LP_OPT_JSON] != NULL;

    if (rc != LP_YES) {
        reason = "key-set";
        sentence = "The key set holds no key that can be used.";
    } else if (explain->error != LP_JOSE_OK) {
        reason = lp_jose_error_name(explain->error);
        sentence = lp_jose_error_text(explain->error);
    }
    if (as_json) {
        print_json(explain, reason, sentence);
    } else {
        print_facts(explain);
        printf("%-11s %s%s%s%s\n", "verdict",
               reason == NULL ? "accepted" : "refused: ",
               reason == NULL ? "" : reason, reason == NULL ? "" : ": ",
               reason == NULL ? "" : sentence);
    }
    if (reason != NULL) {
        lp_say("token refused: %s", reason);
    }
    return reason == NULL ? LP_YES : LP_NO;
}

int
lp_command_token_explain(const lp_args_t *args)
{
    static explain_t explain;
    lp_input_t       text;
    int              rc;

    explain.args = args;
    rc = lp_issuer_from_args(args, &explain.issuer, &explain.now);
    if (rc != LP_YES) {
        return rc;
    }
    if (lp_input_stdin(&text, LP_TOKEN_MAX) != 0) {
        return LP_NO;
    }
    explain.facts = json_object();
    explain_header(&explain, lp_input_span(&text));
    explain.error = lp_token_open(&explain.token, lp_input_span(&text));
    rc = print_answer(&explain, explain_layers(&explain));
    lp_token_close(&explain.token);
    json_decref(explain.facts);
    lp_input_free(&text);
    return rc;
}
