/*
 * The issuer's files. Its private keys are new for each population, and good
 * for nothing else; still nobody else may read them, for an edge that believes
 * them lets their owner in as any pupil of the rehearsal.
 */

#include "issuer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/base64url.h"
#include "../core/private_jwk.h"
#include "../workers/key_file.h"
#include "../workers/say.h"
#include "json_file.h"
#include "new_file.h"

#define CONF_MAX     (LP_FILE_MAX * 2 + 1024)
#define KEY_NAME_MAX 32

static void
name_key(char name[KEY_NAME_MAX], lp_alg_t alg)
{
    snprintf(name, KEY_NAME_MAX, "keys/%s.jwk", lp_alg_name(alg));
}

static int
key_path(char *path, const char *dir, lp_alg_t alg)
{
    char name[KEY_NAME_MAX];

    name_key(name, alg);
    return lp_file_path(path, dir, name);
}

/* Making. */

static int
make_key(const char *dir, lp_alg_t alg)
{
    lp_private_key_t key;
    json_t          *jwk;
    char             name[KEY_NAME_MAX];
    int              rc = -1;

    name_key(name, alg);
    /* a short kid: it stands in each of millions of tokens */
    if (lp_private_key_new(&key, alg, lp_alg_name(alg)) == 0) {
        jwk = lp_jwk_write(&key, 1);
        rc = lp_json_file_write(dir, name, 0600, jwk, JSON_INDENT(2));
        json_decref(jwk);
    }
    lp_private_key_free(&key);
    return rc;
}

static int
load_key(lp_private_key_t *key, const char *dir, lp_alg_t alg)
{
    char path[LP_FILE_MAX];

    if (key_path(path, dir, alg) != 0
        || lp_key_file_load(key, path, alg, NULL) != 0) {
        return -1;
    }
    if (!key->is_private || key->pkey == NULL
        || strcmp(key->kid, lp_alg_name(alg)) != 0) {
        lp_say("%s is not the key that leerpoort-load made there", path);
        return -1;
    }
    return 0;
}

/* Appends the public half, of a key that is made where there is none. */
static int
publish_key(json_t *keys, const char *dir, lp_alg_t alg)
{
    lp_private_key_t key;
    char             path[LP_FILE_MAX];
    int              rc;

    if (key_path(path, dir, alg) != 0) {
        return -1;
    }
    if (access(path, F_OK) != 0 && errno == ENOENT
        && make_key(dir, alg) != 0) {
        return -1;
    }
    memset(&key, 0, sizeof(key));
    rc = load_key(&key, dir, alg);
    if (rc == 0) {
        rc = json_array_append_new(keys, lp_jwk_write(&key, 0));
    }
    lp_private_key_free(&key);
    return rc;
}

static int
make_keys(const char *dir, const lp_token_algs_t *algs)
{
    char     path[LP_FILE_MAX];
    json_t  *keys = json_array(), *jwks;
    unsigned i;
    int      rc;

    rc = lp_file_path(path, dir, "keys");
    if (rc == 0 && mkdir(path, 0700) != 0 && errno != EEXIST) {
        lp_say("%s cannot be made: %s", path, strerror(errno));
        rc = -1;
    }
    for (i = 0; rc == 0 && i < algs->algs.n; i++) {
        rc = publish_key(keys, dir, algs->algs.list[i]);
    }
    jwks = json_pack("{s:o}", "keys", keys);
    if (rc == 0) {
        rc = lp_json_file_write(dir, "jwks.json", 0644, jwks, JSON_INDENT(2));
    }
    json_decref(jwks);
    return rc;
}

/* A path as a quoted word of nginx's configuration. */
static int
quote(char *dst, size_t cap, const char *path)
{
    size_t n = 0;

    dst[n++] = '"';
    for (; *path != '\0' && n + 4 < cap; path++) {
        if ((unsigned char) *path < 0x20 || *path == '$') {
            return -1;
        }
        if (*path == '"' || *path == '\\') {
            dst[n++] = '\\';
        }
        dst[n++] = *path;
    }
    dst[n++] = '"';
    dst[n] = '\0';
    return *path == '\0' ? 0 : -1;
}

static int
write_conf(const char *dir, const lp_token_algs_t *algs, const char *jwks)
{
    char     names[128], conf[CONF_MAX];
    unsigned i;
    int      n = 0;

    names[0] = '\0';
    for (i = 0; i < algs->algs.n; i++) {
        n += snprintf(names + n, sizeof(names) - (size_t) n, " %s",
                      lp_alg_name(algs->algs.list[i]));
    }
    n = snprintf(conf, sizeof(conf),
                 "# For the edge of a rehearsal, inside http. The key is\n"
                 "# leerpoort-load's: take this out of an edge that is not\n"
                 "# rehearsed any more.\n"
                 "leerpoort_issuer load {\n"
                 "    issuer      " LP_ISSUER_NAME ";\n"
                 "    jwks        %s;\n"
                 "    audience    " LP_AUDIENCE_NAME ";\n"
                 "    algorithms %s;\n"
                 "    user        eckid ECK;\n"
                 "    user        sub NEPPI;\n"
                 "    school      org MASTER;\n"
                 "    school      brin OIE_CODE;\n"
                 "}\n",
                 jwks, names);
    return lp_new_file(dir, "issuer.conf", 0644, conf, (size_t) n);
}

static int
make_conf(const char *dir, const lp_token_algs_t *algs)
{
    char  path[LP_FILE_MAX], quoted[LP_FILE_MAX * 2], *real;
    int   rc;

    if (lp_file_path(path, dir, "jwks.json") != 0) {
        return -1;
    }
    real = realpath(path, NULL);
    if (real == NULL) {
        lp_say("%s: %s", path, strerror(errno));
        return -1;
    }
    rc = quote(quoted, sizeof(quoted), real);
    free(real);
    if (rc != 0) {
        lp_say("the path of %s cannot stand in nginx's configuration: no "
               "control characters, no $", path);
        return -1;
    }
    return write_conf(dir, algs, quoted);
}

int
lp_issuer_make(const char *dir, const lp_census_t *census)
{
    lp_token_algs_t algs;

    if (lp_token_algs_read(&algs, census->algs) != 0
        || make_keys(dir, &algs) != 0) {
        return -1;
    }
    return make_conf(dir, &algs);
}

/* Minting. */

static int
open_key(lp_issuer_keys_t *issuer, unsigned i, const char *dir)
{
    lp_alg_t alg = issuer->algs.algs.list[i];
    char     text[128];
    int      n;

    if (load_key(&issuer->key[i], dir, alg) != 0) {
        return -1;
    }
    n = snprintf(text, sizeof(text),
                 "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
                 lp_alg_name(alg), issuer->key[i].kid);
    issuer->header_len[i] = lp_base64url_encode(
        issuer->header[i], (const unsigned char *) text, (size_t) n);
    return 0;
}

int
lp_issuer_open(lp_issuer_keys_t *issuer, const char *dir,
               const lp_census_t *census)
{
    unsigned i;

    memset(issuer, 0, sizeof(*issuer));
    if (lp_token_algs_read(&issuer->algs, census->algs) != 0) {
        return -1;
    }
    for (i = 0; i < issuer->algs.algs.n; i++) {
        if (open_key(issuer, i, dir) != 0) {
            return -1;
        }
    }
    return 0;
}

void
lp_issuer_close(lp_issuer_keys_t *issuer)
{
    unsigned i;

    for (i = 0; i < LP_ALGS; i++) {
        lp_private_key_free(&issuer->key[i]);
    }
}

/* The claims as JSON; nothing in them needs an escape. */
static size_t
write_claims(char *dst, size_t cap, const lp_population_t *population,
             uint32_t member, int64_t iat, int64_t exp)
{
    char       person[LP_PERSON_MAX], school[LP_NAME_MAX];
    lp_class_t class;
    int        alias, n;

    lp_population_class(population,
                        lp_population_class_of(population, member), &class);
    lp_population_person(population, person, member);
    alias = lp_population_alias(population, school, class.school) > 0;
    if (!alias) {
        lp_population_school_id(population, school, class.school);
    }
    n = snprintf(dst, cap,
                 "{\"iss\":\"" LP_ISSUER_NAME "\",\"aud\":\"" LP_AUDIENCE_NAME
                 "\",\"iat\":%lld,\"exp\":%lld,\"%s\":\"%s\",\"%s\":\"%s\"}",
                 (long long) iat, (long long) exp,
                 lp_population_teaches(population, member) ? "sub" : "eckid",
                 person, alias ? "brin" : "org", school);
    return n > 0 && (size_t) n < cap ? (size_t) n : 0;
}

static size_t
sign(const lp_issuer_keys_t *issuer, unsigned i, char *dst, lp_span_t claims)
{
    unsigned char signature[LP_SIGNATURE_MAX];
    size_t        n = issuer->header_len[i], len;

    memcpy(dst, issuer->header[i], n);
    dst[n++] = '.';
    n += lp_base64url_encode(dst + n, (const unsigned char *) claims.data,
                             claims.len);
    len = lp_private_key_sign(&issuer->key[i], signature,
                              (lp_span_t) {dst, n});
    if (len == 0 || n + 1 + LP_BASE64URL_ENCODED(len) > LP_LOAD_TOKEN_MAX) {
        return 0;
    }
    dst[n++] = '.';
    return n + lp_base64url_encode(dst + n, signature, len);
}

size_t
lp_issuer_mint(const lp_issuer_keys_t *issuer,
               const lp_population_t *population, uint32_t member,
               int64_t iat, int64_t exp, char *dst)
{
    char     claims[1024];
    uint32_t class = lp_population_class_of(population, member);
    size_t   len;
    lp_class_t of;

    lp_population_class(population, class, &of);
    len = write_claims(claims, sizeof(claims), population, member, iat, exp);
    return len == 0 ? 0
                    : sign(issuer, lp_token_algs_of(&issuer->algs, of.school),
                           dst, (lp_span_t) {claims, len});
}

/*
 * A pupil's is the longest: the first member teaches, the second learns. An
 * alias is a character longer than a school's own id, of which there are no
 * more than five digits.
 */
size_t
lp_issuer_longest(const lp_issuer_keys_t *issuer,
                  const lp_population_t *population, int64_t iat, int64_t exp)
{
    char     claims[1024], token[LP_LOAD_TOKEN_MAX];
    size_t   len, n, longest = 0;
    unsigned i;

    len = write_claims(claims, sizeof(claims) - 4, population, 1, iat, exp);
    if (len == 0) {
        return 0;
    }
    memset(claims + len, ' ', 4);
    for (i = 0; i < issuer->algs.algs.n; i++) {
        n = sign(issuer, i, token, (lp_span_t) {claims, len + 4});
        if (n == 0) {
            return 0;
        }
        longest = n > longest ? n : longest;
    }
    return longest;
}
