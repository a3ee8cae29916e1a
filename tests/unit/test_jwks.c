/*
 * Protects key sets: one key, one algorithm; weak and unsound keys stay
 * out; no signature passes that its key did not make, whatever its form, and
 * whenever memory runs out.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base64url.h"
#include "jwks.h"
#include "minting.h"

#define P256_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define P256_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define ED_X   "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define EC     "\"kty\":\"EC\",\"crv\":\"P-256\","
#define EC_KEY EC "\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\""
#define ED_KEY "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\""
#define ZEROS  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const lp_algs_t all_algs = {
    11,
    {LP_ALG_RS256, LP_ALG_RS384, LP_ALG_RS512, LP_ALG_PS256, LP_ALG_PS384,
     LP_ALG_PS512, LP_ALG_ES256, LP_ALG_ES384, LP_ALG_ES512, LP_ALG_EDDSA,
     LP_ALG_HS256},
};

/* What the last set said of the keys that it left out. */
static struct {
    unsigned n;
    uint64_t places; /* bit i: key i */
    char     reason[200];
} refused;

static void
note_refused(void *data, size_t index, const char *reason)
{
    assert_ptr_equal(data, &refused);
    assert_true(index < LP_JWKS_KEYS_MAX);
    assert_int_equal(reason[strlen(reason) - 1], '.');

    refused.n++;
    refused.places |= UINT64_C(1) << index;
    snprintf(refused.reason, sizeof(refused.reason), "%s", reason);
}


static lp_jwks_t *
parse_text(lp_span_t text, const lp_algs_t *algs, const char **reason)
{
    lp_jwks_t *set;

    memset(&refused, 0, sizeof(refused));
    *reason = NULL;
    set = lp_jwks_parse(text, algs, note_refused, &refused, reason);
    assert_int_equal(ERR_peek_error(), 0);

    return set;
}


static lp_jwks_t *
parse_keys(const char *keys, const lp_algs_t *algs)
{
    char       *text;
    lp_jwks_t  *set;
    const char *reason;

    text = mint_text("{\"keys\":[%s]}", keys);
    set = parse_text(lp_span_of(text), algs, &reason);
    free(text);

    return set;
}


/* A set of one key, which belongs to alg and signs what it verifies. */
static const lp_key_t *
only_key(const lp_jwks_t *set, lp_alg_t alg)
{
    const lp_key_t *key;

    assert_non_null(set);
    assert_int_equal(lp_jwks_find(set, (lp_span_t) {NULL, 0}, alg, &key),
                     LP_JOSE_OK);

    return key;
}


static void
test_every_algorithm_verifies_its_own_signature_alone(void **state)
{
    int             alg, i;
    char           *members, *jwk;
    size_t          len;
    lp_jwks_t      *set;
    const lp_key_t *key;
    unsigned char   sig[2048];
    static const char text[] = "header.payload";

    (void) state;

    for (alg = LP_ALG_UNKNOWN + 1; alg < LP_ALGS; alg++) {
        members = mint_text("\"alg\":\"%s\",", lp_alg_name(alg));
        jwk = mint_jwk(mint_key(alg), members);
        set = parse_keys(jwk, &all_algs);
        key = only_key(set, alg);
        assert_int_equal(lp_jwks_has_secret(set), alg == LP_ALG_HS256);

        len = mint_signature(sig, mint_key(alg), alg, text, strlen(text));

        /* contexts are used again and again: a failure must not stick */
        for (i = 0; i < 3; i++) {
            assert_int_equal(lp_key_verify(key, lp_span(text), sig, len),
                             LP_JOSE_OK);
            sig[len / 2] ^= 1;
            assert_int_equal(lp_key_verify(key, lp_span(text), sig, len),
                             LP_JOSE_SIGNATURE);
            sig[len / 2] ^= 1;
            assert_int_equal(lp_key_verify(key, lp_span("header.Payload"), sig,
                                           len), LP_JOSE_SIGNATURE);
            assert_int_equal(lp_key_verify(key, lp_span(text), sig, len - 1),
                             LP_JOSE_SIGNATURE);
            assert_int_equal(lp_key_verify(key, lp_span(text), sig, len + 1),
                             LP_JOSE_SIGNATURE);
            assert_int_equal(lp_key_verify(key, lp_span(text), NULL, 0),
                             LP_JOSE_SIGNATURE);
            assert_int_equal(ERR_peek_error(), 0);
        }

        lp_jwks_free(set);
        free(jwk);
        free(members);
    }
}


/* The same RSA key under each of the six algorithms, against all six. */
static void
test_a_key_serves_one_algorithm(void **state)
{
    int              bound, made;
    char            *members, *jwk;
    size_t           len;
    EVP_PKEY        *rsa;
    lp_jwks_t       *set;
    const lp_key_t  *key;
    unsigned char    sig[2048];
    lp_jose_error_t  error;

    (void) state;

    rsa = mint_key(LP_ALG_RS256);

    for (bound = LP_ALG_RS256; bound <= LP_ALG_PS512; bound++) {
        members = mint_text("\"kid\":\"k\",\"alg\":\"%s\",",
                            lp_alg_name(bound));
        jwk = mint_jwk(rsa, members);
        set = parse_keys(jwk, &all_algs);
        key = only_key(set, bound);

        for (made = LP_ALG_RS256; made <= LP_ALG_PS512; made++) {
            len = mint_signature(sig, rsa, made, "text", 4);
            error = lp_key_verify(key, lp_span("text"), sig, len);
            assert_int_equal(error, made == bound ? LP_JOSE_OK
                                                  : LP_JOSE_SIGNATURE);
            assert_int_equal(lp_jwks_find(set, lp_span("k"), made, &key),
                             made == bound ? LP_JOSE_OK : LP_JOSE_KEY_ALG);
            assert_int_equal(lp_jwks_find(set, (lp_span_t) {NULL, 0}, made,
                                          &key),
                             made == bound ? LP_JOSE_OK : LP_JOSE_KEY_UNKNOWN);
        }

        lp_jwks_free(set);
        free(jwk);
        free(members);
    }
}


static void
test_a_key_without_alg_takes_the_first_that_fits(void **state)
{
    char           *jwk;
    lp_jwks_t      *set;
    const lp_algs_t first = {3, {LP_ALG_ES256, LP_ALG_PS384, LP_ALG_RS256}};
    const lp_algs_t none = {2, {LP_ALG_ES256, LP_ALG_HS256}};

    (void) state;

    jwk = mint_jwk(mint_key(LP_ALG_RS256), "");

    set = parse_keys(jwk, &first);
    only_key(set, LP_ALG_PS384);
    lp_jwks_free(set);

    assert_null(parse_keys(jwk, &none));
    assert_int_equal(refused.n, 1);

    free(jwk);
}


/* PS256 with a salt of another length than the digest's (RFC 7518, 3.5). */
static void
test_pss_takes_one_length_of_salt(void **state)
{
    int             salt;
    char           *jwk;
    size_t          len;
    EVP_PKEY       *rsa;
    lp_jwks_t      *set;
    EVP_MD_CTX     *ctx;
    EVP_PKEY_CTX   *options;
    unsigned char   sig[512];

    (void) state;

    rsa = mint_key(LP_ALG_PS256);
    jwk = mint_jwk(rsa, "\"alg\":\"PS256\",");
    set = parse_keys(jwk, &all_algs);

    for (salt = 0; salt <= 64; salt += 16) {
        len = sizeof(sig);
        ctx = EVP_MD_CTX_new();
        assert_int_equal(EVP_DigestSignInit(ctx, &options, EVP_sha256(), NULL,
                                            rsa), 1);
        EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(options, salt);
        assert_int_equal(EVP_DigestSign(ctx, sig, &len,
                                        (const unsigned char *) "text", 4), 1);
        EVP_MD_CTX_free(ctx);

        assert_int_equal(lp_key_verify(only_key(set, LP_ALG_PS256),
                                       lp_span("text"), sig, len),
                         salt == 32 ? LP_JOSE_OK : LP_JOSE_SIGNATURE);
    }

    lp_jwks_free(set);
    free(jwk);
}


/* CVE-2022-21449 and its kin: 0, 1, the order, more. */
static void
test_ecdsa_numbers_out_of_range_are_refused(void **state)
{
    int             i, j, a;
    char           *jwk;
    BIGNUM         *order;
    size_t          n;
    lp_jwks_t      *set;
    unsigned char   sig[132], values[5][66];
    static const struct {
        lp_alg_t alg;
        size_t   size;
    } curves[] = {
        {LP_ALG_ES256, 32},
        {LP_ALG_ES384, 48},
        {LP_ALG_ES512, 66},
    };

    (void) state;

    for (a = 0; a < 3; a++) {
        n = curves[a].size;
        jwk = mint_jwk(mint_key(curves[a].alg), "");
        set = parse_keys(jwk, &all_algs);

        order = NULL;
        assert_int_equal(EVP_PKEY_get_bn_param(mint_key(curves[a].alg),
                                               OSSL_PKEY_PARAM_EC_ORDER,
                                               &order), 1);
        memset(values, 0, sizeof(values));
        values[1][n - 1] = 1;
        assert_int_equal(BN_bn2binpad(order, values[2], (int) n), n);
        BN_add_word(order, 1);
        assert_int_equal(BN_bn2binpad(order, values[3], (int) n), n);
        memset(values[4], 0xff, n);
        BN_free(order);

        for (i = 0; i < 5; i++) {
            for (j = 0; j < 5; j++) {
                memcpy(sig, values[i], n);
                memcpy(sig + n, values[j], n);
                assert_int_equal(lp_key_verify(only_key(set, curves[a].alg),
                                               lp_span("text"), sig, 2 * n),
                                 LP_JOSE_SIGNATURE);
            }
        }

        lp_jwks_free(set);
        free(jwk);
    }
}


/* Many signatures, so that numbers with leading zeros are among them: one in
   256 for each half. */
static void
test_ecdsa_numbers_of_every_length_verify(void **state)
{
    int            i, short_ones;
    char          *jwk, text[16];
    size_t         len;
    lp_jwks_t     *set;
    unsigned char  sig[2048];

    (void) state;

    short_ones = 0;
    jwk = mint_jwk(mint_key(LP_ALG_ES256), "");
    set = parse_keys(jwk, &all_algs);

    for (i = 0; i < 100000 && short_ones < 3; i++) {
        snprintf(text, sizeof(text), "%d", i);
        len = mint_signature(sig, mint_key(LP_ALG_ES256), LP_ALG_ES256, text,
                             strlen(text));
        assert_int_equal(len, 64);

        if (sig[0] == 0 || sig[32] == 0) {
            short_ones++;

        } else if (i > 10) {
            continue;
        }

        assert_int_equal(lp_key_verify(only_key(set, LP_ALG_ES256),
                                       lp_span_of(text), sig, len),
                         LP_JOSE_OK);
    }

    assert_int_equal(short_ones, 3);
    lp_jwks_free(set);
    free(jwk);
}


/* DER where raw numbers belong, padded and cut ones. */
static void
test_ecdsa_takes_raw_numbers_only(void **state)
{
    char           *jwk;
    size_t          len;
    EVP_PKEY       *ec;
    lp_jwks_t      *set;
    EVP_MD_CTX     *ctx;
    unsigned char   sig[2048];
    const lp_key_t *key;

    (void) state;

    ec = mint_key(LP_ALG_ES256);
    jwk = mint_jwk(ec, "");
    set = parse_keys(jwk, &all_algs);
    key = only_key(set, LP_ALG_ES256);

    len = sizeof(sig);
    ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, ec), 1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &len,
                                    (const unsigned char *) "text", 4), 1);
    EVP_MD_CTX_free(ctx);
    assert_int_equal(lp_key_verify(key, lp_span("text"), sig, len),
                     LP_JOSE_SIGNATURE);

    len = mint_signature(sig, ec, LP_ALG_ES256, "text", 4);
    memset(sig + len, 0, 2);
    assert_int_equal(lp_key_verify(key, lp_span("text"), sig, len),
                     LP_JOSE_OK);
    assert_int_equal(lp_key_verify(key, lp_span("text"), sig, len + 2),
                     LP_JOSE_SIGNATURE);

    lp_jwks_free(set);
    free(jwk);
}


/* The public key as an HMAC secret: in the set it is an RSA key, whatever the
   token says, and no text of it becomes a secret. */
static void
test_a_public_key_is_no_secret(void **state)
{
    char           *jwk;
    lp_jwks_t      *set;
    const lp_key_t *key;
    const lp_algs_t both = {2, {LP_ALG_HS256, LP_ALG_RS256}};

    (void) state;

    jwk = mint_jwk(mint_key(LP_ALG_RS256), "\"kid\":\"k\",");
    set = parse_keys(jwk, &both);
    assert_non_null(set);
    assert_int_equal(lp_jwks_has_secret(set), 0);
    assert_int_equal(lp_jwks_find(set, lp_span("k"), LP_ALG_HS256, &key),
                     LP_JOSE_KEY_ALG);
    assert_int_equal(lp_jwks_find(set, (lp_span_t) {NULL, 0}, LP_ALG_HS256,
                                  &key), LP_JOSE_KEY_UNKNOWN);
    lp_jwks_free(set);
    free(jwk);

    jwk = mint_jwk(mint_key(LP_ALG_RS256), "\"alg\":\"HS256\",");
    assert_null(parse_keys(jwk, &both));
    free(jwk);
}


static void
test_keys_that_are_left_out(void **state)
{
    char                    *keys;
    size_t                   i;
    lp_jwks_t               *set;
    static const char *const bad[] = {
        /* shape */
        "1", "null", "\"key\"", "[]", "{}",
        "{\"kty\":1}", "{\"kty\":null}", "{\"kty\":\"\"}",
        "{\"kty\":\"ec\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\""
        P256_Y "\"}",
        "{\"kty\":\"OKP\"}", "{\"kty\":\"AKP\",\"alg\":\"ML-DSA-44\"}",

        /* purpose */
        "{\"use\":\"enc\"," EC_KEY "}", "{\"use\":\"\"," EC_KEY "}",
        "{\"use\":\"SIG\"," EC_KEY "}", "{\"use\":1," EC_KEY "}",
        "{\"use\":null," EC_KEY "}", "{\"use\":[\"sig\"]," EC_KEY "}",
        "{\"key_ops\":[]," EC_KEY "}", "{\"key_ops\":[\"sign\"]," EC_KEY "}",
        "{\"key_ops\":\"verify\"," EC_KEY "}",
        "{\"key_ops\":[\"verify\",1]," EC_KEY "}",
        "{\"key_ops\":null," EC_KEY "}",

        /* names */
        "{\"kid\":1," EC_KEY "}", "{\"kid\":null," EC_KEY "}",
        "{\"alg\":1," EC_KEY "}", "{\"alg\":null," EC_KEY "}",
        "{\"alg\":\"none\"," EC_KEY "}", "{\"alg\":\"\"," EC_KEY "}",
        "{\"alg\":\"ES384\"," EC_KEY "}", "{\"alg\":\"RS256\"," EC_KEY "}",
        "{\"alg\":\"EdDSA\"," EC_KEY "}", "{\"alg\":\"HS256\"," EC_KEY "}",
        "{\"alg\":\"ES256\"," ED_KEY "}", "{\"alg\":\"ECDH-ES\"," EC_KEY "}",

        /* elliptic curves: other curve, off the curve, infinity, lengths */
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" P256_X "\",\"y\":\""
        P256_Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" P256_X "\",\"y\":\""
        P256_Y "\"}",
        "{" EC "\"x\":\"" P256_X "\"}", "{" EC "\"y\":\"" P256_Y "\"}",
        "{" EC "\"x\":\"" P256_Y "\",\"y\":\"" P256_X "\"}",
        "{" EC "\"x\":\"" ZEROS "A\",\"y\":\"" ZEROS "A\"}",
        "{" EC "\"x\":\"\",\"y\":\"\"}",
        "{" EC "\"x\":\"AA\",\"y\":\"AA\"}",
        "{" EC "\"x\":\"" P256_X "=\",\"y\":\"" P256_Y "\"}",
        "{" EC "\"x\":\"" P256_X "\",\"y\":\"" ZEROS "A\"}",
        "{" EC "\"x\":1,\"y\":2}",

        /* Edwards curves */
        "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"" ED_X "\"}",
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" ED_X "\"}",
        "{\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "AA\"}",

        /* secrets of 0 and of 31 bytes, and none */
        "{\"kty\":\"oct\",\"k\":\"\"}", "{\"kty\":\"oct\"}",
        "{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg\""
        "}",
        "{\"kty\":\"oct\",\"alg\":\"HS512\",\"k\":\"" SECRET "\"}",
        "{\"kty\":\"oct\",\"k\":\"+" SECRET "\"}",
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {

        /* alone, and before and behind keys that are fine */
        set = parse_keys(bad[i], &all_algs);
        if (set != NULL || refused.n != 1) {
            fail_msg("accepted: %s", bad[i]);
        }

        keys = mint_text("{" EC_KEY "},%s,{" ED_KEY "}", bad[i]);
        set = parse_keys(keys, &all_algs);
        assert_non_null(set);
        assert_int_equal(lp_jwks_count(set), 2);
        assert_int_equal(refused.places, 2);
        only_key(set, LP_ALG_ES256);
        only_key(set, LP_ALG_EDDSA);
        lp_jwks_free(set);
        free(keys);
    }
}


static void
test_keys_that_are_taken(void **state)
{
    size_t                   i;
    lp_jwks_t               *set;
    static const char *const good[] = {
        "{" EC_KEY "}",
        "{" ED_KEY "}",
        "{\"kty\":\"oct\",\"k\":\"" SECRET "\"}",
        "{\"use\":\"sig\",\"key_ops\":[\"verify\"]," EC_KEY "}",
        "{\"key_ops\":[\"sign\",\"verify\"]," ED_KEY "}",
        "{\"alg\":\"ES256\",\"kid\":\"\",\"x5c\":[1],\"d\":2," EC_KEY "}",
        "{\"alg\":\"EdDSA\",\"ext\":true," ED_KEY "}",
    };

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        set = parse_keys(good[i], &all_algs);
        if (set == NULL) {
            fail_msg("refused: %s: %s", good[i], refused.reason);
        }

        assert_int_equal(lp_jwks_count(set), 1);
        lp_jwks_free(set);
    }
}


/* refusal: NULL, or words of the reason for which such a key is left out. */
static void
assert_rsa(const unsigned char *n, size_t n_len, const unsigned char *e,
           size_t e_len, const char *refusal)
{
    char      *n_part, *e_part, *jwk;
    lp_jwks_t *set;

    n_part = mint_part(n, n_len);
    e_part = mint_part(e, e_len);
    jwk = mint_text("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", n_part,
                    e_part);

    set = parse_keys(jwk, &all_algs);
    if (refusal == NULL) {
        assert_non_null(set);

    } else {
        assert_null(set);
        if (strstr(refused.reason, refusal) == NULL) {
            fail_msg("'%s' instead of '%s'", refused.reason, refusal);
        }
    }

    lp_jwks_free(set);
    free(jwk);
    free(e_part);
    free(n_part);
}


static void
test_weak_rsa_keys_are_left_out(void **state)
{
    size_t         i, len;
    BIGNUM        *bn;
    EVP_PKEY      *weak;
    unsigned char  n[2100];
    static const struct {
        unsigned char bytes[10];
        size_t        len;
        const char   *refusal;
    } exponents[] = {
        {{1, 0, 1}, 3, NULL},
        {{0, 1, 0, 1}, 4, NULL},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8, NULL},
        {{0}, 1, "exponent is even"},
        {{1}, 1, "below 65537"},
        {{3}, 1, "below 65537"},
        {{17}, 1, "below 65537"},
        {{0xff, 0xff}, 2, "below 65537"},
        {{1, 0, 0}, 3, "exponent is even"},
        {{1, 0, 2}, 3, "exponent is even"},
        {{1, 0, 0, 0, 0, 0, 0, 0, 1}, 9, "longer than 64 bits"},
    };

    (void) state;

    bn = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(mint_key(LP_ALG_RS256), "n", &bn),
                     1);
    memset(n, 0, sizeof(n));
    assert_int_equal(BN_bn2binpad(bn, n + 8, 256), 256);
    BN_free(bn);

    for (i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++) {
        assert_rsa(n + 8, 256, exponents[i].bytes, exponents[i].len,
                   exponents[i].refusal);
    }

    /* leading zeros neither hurt nor count */
    assert_rsa(n, 264, exponents[0].bytes, 3, NULL);
    assert_rsa(n, 263, exponents[0].bytes, 3, "shorter than 2048");

    /* even; one bit short */
    n[8 + 255] &= 0xfe;
    assert_rsa(n + 8, 256, exponents[0].bytes, 3, "modulus is even");
    n[8 + 255] |= 1;
    n[8] = 0x7f;
    assert_rsa(n + 8, 256, exponents[0].bytes, 3, "shorter than 2048");

    /* a power of two and one: 3 divides it */
    memset(n, 0, sizeof(n));
    n[0] = 0x80;
    n[255] = 1;
    assert_rsa(n, 256, exponents[0].bytes, 3, "not sound");

    memset(n, 0xff, sizeof(n));
    assert_rsa(n, 2049, exponents[0].bytes, 3, "longer than 16384");
    assert_rsa(n, sizeof(n), exponents[0].bytes, 3, "longer than 16384");

    weak = EVP_RSA_gen(1024);
    assert_non_null(weak);
    bn = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(weak, "n", &bn), 1);
    len = (size_t) BN_bn2bin(bn, n);
    assert_rsa(n, len, exponents[0].bytes, 3, "shorter than 2048");
    BN_free(bn);
    EVP_PKEY_free(weak);
}


/*
 * The eight points of small order and their other spellings, which many
 * libraries list; and points that are none. Little endian, as in a JWK.
 */
static void
test_unsound_ed25519_keys_are_left_out(void **state)
{
    char                    *part, *jwk;
    size_t                   i, len;
    unsigned char            x[32];
    static const char *const bad[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0200000000000000000000000000000000000000000000000000000000000000",
        "0700000000000000000000000000000000000000000000000000000000000000",
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(OPENSSL_hexstr2buf_ex(x, sizeof(x), &len, bad[i],
                                               '\0'), 1);
        assert_int_equal(len, sizeof(x));

        part = mint_part(x, sizeof(x));
        jwk = mint_text("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}",
                        part);

        if (parse_keys(jwk, &all_algs) != NULL) {
            fail_msg("accepted: %s", bad[i]);
        }

        assert_non_null(strstr(refused.reason, "small order"));
        free(jwk);
        free(part);
    }
}


/* That the arithmetic takes every real key. */
static void
test_sound_ed25519_keys_are_taken(void **state)
{
    int        i;
    char      *jwk;
    EVP_PKEY  *key;
    lp_jwks_t *set;

    (void) state;

    for (i = 0; i < 200; i++) {
        key = mint_new_key(LP_ALG_EDDSA);
        jwk = mint_jwk(key, "");
        set = parse_keys(jwk, &all_algs);
        assert_non_null(set);
        lp_jwks_free(set);
        free(jwk);
        EVP_PKEY_free(key);
    }
}


static void
test_keys_that_share_a_kid_are_all_left_out(void **state)
{
    lp_jwks_t      *set;
    const lp_key_t *key;

    (void) state;

    set = parse_keys("{\"kid\":\"a\"," EC_KEY "},{\"kid\":\"b\"," ED_KEY "},"
                     "{\"kid\":\"a\"," ED_KEY "}", &all_algs);
    assert_non_null(set);
    assert_int_equal(lp_jwks_count(set), 1);
    assert_int_equal(refused.places, 5);
    assert_int_equal(lp_jwks_find(set, lp_span("a"), LP_ALG_ES256, &key),
                     LP_JOSE_KEY_UNKNOWN);
    assert_int_equal(lp_jwks_find(set, lp_span("b"), LP_ALG_EDDSA, &key),
                     LP_JOSE_OK);
    lp_jwks_free(set);

    /* also where the other one would not be used anyway */
    assert_null(parse_keys("{\"kid\":\"a\"," EC_KEY "},"
                           "{\"kid\":\"\\u0061\",\"use\":\"enc\"}",
                           &all_algs));
}


static void
test_finding_a_key(void **state)
{
    lp_jwks_t      *set;
    const lp_key_t *key, *other;

    (void) state;

    set = parse_keys("{" ED_KEY "},{\"kid\":\"a\"," EC_KEY "},{\"kid\":\"b\","
                     EC_KEY "},{\"kid\":\"\",\"kty\":\"oct\",\"k\":\"" SECRET
                     "\"}", &all_algs);
    assert_non_null(set);
    assert_int_equal(lp_jwks_count(set), 4);

    assert_int_equal(lp_jwks_find(set, lp_span("a"), LP_ALG_ES256, &key),
                     LP_JOSE_OK);
    assert_int_equal(lp_jwks_find(set, lp_span("b"), LP_ALG_ES256, &other),
                     LP_JOSE_OK);
    assert_ptr_not_equal(key, other);
    assert_int_equal(lp_jwks_find(set, lp_span("c"), LP_ALG_ES256, &key),
                     LP_JOSE_KEY_UNKNOWN);
    assert_int_equal(lp_jwks_find(set, lp_span("A"), LP_ALG_ES256, &key),
                     LP_JOSE_KEY_UNKNOWN);
    assert_int_equal(lp_jwks_find(set, (lp_span_t) {"a\0", 2}, LP_ALG_ES256,
                                  &key), LP_JOSE_KEY_UNKNOWN);
    assert_int_equal(lp_jwks_find(set, lp_span("a"), LP_ALG_EDDSA, &key),
                     LP_JOSE_KEY_ALG);

    /* no kid; then a kid that is empty, which is not the same */
    assert_int_equal(lp_jwks_find(set, (lp_span_t) {NULL, 0}, LP_ALG_ES256,
                                  &key), LP_JOSE_KEY_AMBIGUOUS);
    assert_int_equal(lp_jwks_find(set, (lp_span_t) {NULL, 0}, LP_ALG_EDDSA,
                                  &key), LP_JOSE_OK);
    assert_int_equal(lp_jwks_find(set, (lp_span_t) {NULL, 0}, LP_ALG_RS256,
                                  &key), LP_JOSE_KEY_UNKNOWN);
    assert_int_equal(lp_jwks_find(set, lp_span(""), LP_ALG_HS256, &key),
                     LP_JOSE_OK);
    assert_int_equal(lp_jwks_find(set, lp_span(""), LP_ALG_EDDSA, &key),
                     LP_JOSE_KEY_ALG);

    lp_jwks_free(set);
}


static void
test_documents_that_are_no_key_set(void **state)
{
    int         i;
    char       *text, *p;
    size_t      n;
    lp_jwks_t  *set;
    const char *reason;
    static const struct {
        const char *text;
        const char *reason;
    } documents[] = {
        {"", "not a JSON object"},
        {"null", "not a JSON object"},
        {"[]", "not a JSON object"},
        {"[{" EC_KEY "}]", "not a JSON object"},
        {"-----BEGIN PUBLIC KEY-----", "not a JSON object"},
        {"{\"keys\":[{" EC_KEY "}]", "not a JSON object"},
        {"\xef\xbb\xbf{\"keys\":[{" EC_KEY "}]}", "not a JSON object"},
        {"{}", "no array"},
        {"{" EC_KEY "}", "no array"},
        {"{\"keys\":null}", "no array"},
        {"{\"keys\":{" EC_KEY "}}", "no array"},
        {"{\"keys\":[]}", "empty"},
        {"{\"keys\":[{}]}", "no key that may be used"},
        {"{\"keys\":[{" EC_KEY "}],\"keys\":[]}", "twice"},
        {"{\"keys\":[{\"kty\":\"oct\"," EC_KEY "}]}", "twice"},
    };

    (void) state;

    for (i = 0; i < (int) (sizeof(documents) / sizeof(documents[0])); i++) {
        assert_null(parse_text(lp_span_of(documents[i].text), &all_algs,
                               &reason));
        if (reason == NULL || strstr(reason, documents[i].reason) == NULL) {
            fail_msg("%s: %s", documents[i].text, reason);
        }
        assert_int_equal(reason[strlen(reason) - 1], '.');
    }

    /* 64 keys and one more; with white space to the last byte allowed */
    text = malloc(LP_JWKS_TEXT_MAX + 1);
    assert_non_null(text);
    memset(text, ' ', LP_JWKS_TEXT_MAX + 1);
    p = text;
    memcpy(p, "{\"keys\":[", 9);
    p += 9;

    for (i = 0; i <= LP_JWKS_KEYS_MAX; i++) {
        n = strlen("{" EC_KEY "},");
        memcpy(p, "{" EC_KEY "},", n);
        p += n;

        if (i == LP_JWKS_KEYS_MAX - 1) {
            memcpy(p - 1, "]}", 2);
            set = parse_text((lp_span_t) {text, LP_JWKS_TEXT_MAX}, &all_algs,
                             &reason);
            assert_non_null(set);
            assert_int_equal(lp_jwks_count(set), LP_JWKS_KEYS_MAX);
            lp_jwks_free(set);

            assert_null(parse_text((lp_span_t) {text, LP_JWKS_TEXT_MAX + 1},
                                   &all_algs, &reason));
            assert_non_null(strstr(reason, "256 KB"));
            memcpy(p - 1, ", ", 2);
        }
    }

    memcpy(p - 1, "]}", 2);
    assert_null(parse_text((lp_span_t) {text, LP_JWKS_TEXT_MAX}, &all_algs,
                           &reason));
    assert_non_null(strstr(reason, "more than 64"));
    free(text);
}


/*
 * OpenSSL's allocations: how many succeed before all fail; -1 for no end. The
 * functions are set before OpenSSL allocates for the first time.
 */
static long allocations_left = -1;

static int
allocation_fails(void)
{
    if (allocations_left < 0) {
        return 0;
    }

    return allocations_left == 0 || allocations_left-- == 0;
}


static void *
failing_malloc(size_t size, const char *file, int line)
{
    (void) file;
    (void) line;

    return allocation_fails() ? NULL : malloc(size);
}


static void *
failing_realloc(void *p, size_t size, const char *file, int line)
{
    (void) file;
    (void) line;

    return allocation_fails() ? NULL : realloc(p, size);
}


static void
plain_free(void *p, const char *file, int line)
{
    (void) file;
    (void) line;

    free(p);
}


static void
test_verifying_without_memory_never_says_yes_to_a_wrong_signature(
    void **state)
{
    int              alg;
    long             n;
    char            *members, *jwk;
    size_t           len;
    lp_jwks_t       *set;
    unsigned char    good[2048], bad[2048];
    const lp_key_t  *key;
    lp_jose_error_t  said_good, said_bad;

    (void) state;

    for (alg = LP_ALG_UNKNOWN + 1; alg < LP_ALGS; alg++) {
        members = mint_text("\"alg\":\"%s\",", lp_alg_name(alg));
        jwk = mint_jwk(mint_key(alg), members);
        set = parse_keys(jwk, &all_algs);
        key = only_key(set, alg);

        len = mint_signature(good, mint_key(alg), alg, "text", 4);
        memcpy(bad, good, len);
        bad[len - 1] ^= 1;

        n = 0;

        do {
            allocations_left = n;
            said_good = lp_key_verify(key, lp_span("text"), good, len);
            allocations_left = n++;
            said_bad = lp_key_verify(key, lp_span("text"), bad, len);
            allocations_left = -1;

            assert_int_not_equal(said_bad, LP_JOSE_OK);
            assert_int_equal(ERR_peek_error(), 0);

            /* and the key is as good as before */
            assert_int_equal(lp_key_verify(key, lp_span("text"), good, len),
                             LP_JOSE_OK);
        } while (said_good != LP_JOSE_OK && n < 1000);

        assert_int_equal(said_good, LP_JOSE_OK);
        lp_jwks_free(set);
        free(jwk);
        free(members);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_every_algorithm_verifies_its_own_signature_alone),
        cmocka_unit_test(test_a_key_serves_one_algorithm),
        cmocka_unit_test(test_a_key_without_alg_takes_the_first_that_fits),
        cmocka_unit_test(test_pss_takes_one_length_of_salt),
        cmocka_unit_test(test_ecdsa_numbers_out_of_range_are_refused),
        cmocka_unit_test(test_ecdsa_numbers_of_every_length_verify),
        cmocka_unit_test(test_ecdsa_takes_raw_numbers_only),
        cmocka_unit_test(test_a_public_key_is_no_secret),
        cmocka_unit_test(test_keys_that_are_left_out),
        cmocka_unit_test(test_keys_that_are_taken),
        cmocka_unit_test(test_weak_rsa_keys_are_left_out),
        cmocka_unit_test(test_unsound_ed25519_keys_are_left_out),
        cmocka_unit_test(test_sound_ed25519_keys_are_taken),
        cmocka_unit_test(test_keys_that_share_a_kid_are_all_left_out),
        cmocka_unit_test(test_finding_a_key),
        cmocka_unit_test(test_documents_that_are_no_key_set),
        cmocka_unit_test(
            test_verifying_without_memory_never_says_yes_to_a_wrong_signature),
    };

    if (CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free)
        != 1)
    {
        return 1;
    }

    return cmocka_run_group_tests(tests, NULL, NULL);
}
