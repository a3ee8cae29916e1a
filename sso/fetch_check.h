/*
 * What may be written: metadata and keys as they came from a network, judged
 * and reduced to what readers need.
 */

#ifndef LP_FETCH_CHECK_H
#define LP_FETCH_CHECK_H

#include "../core/span.h"

#define LP_DISCOVERY_MAX  65536      /* bytes of a discovery document */
#define LP_FETCH_URL_MAX  2048       /* bytes of any address */
#define LP_FETCH_KEYS_MAX (256 * 1024) /* bytes of a JWKS document */

/*
 * Writes the address of an issuer's metadata into dst (LP_FETCH_URL_MAX + 1
 * bytes): the issuer without a slash at its end, then
 * "/.well-known/openid-configuration" (OpenID Connect Discovery 1.0, section
 * 4.1). -1: too long.
 */
int lp_discovery_url(char *dst, lp_span_t issuer);

/*
 * Judges a discovery document: one JSON object whose issuer is exactly this
 * one, and whose endpoints are https (http to this machine where the issuer is
 * so itself). jwks_uri: LP_FETCH_URL_MAX + 1 bytes; "" where it names none.
 * Returns the document to be written, NUL-terminated, to be freed; NULL and
 * *why, a sentence without foreign text.
 */
char *lp_discovery_check(lp_span_t text, lp_span_t issuer, char *jwks_uri,
                         const char **why);

typedef struct {
    unsigned keys;     /* that are usable */
    unsigned left_out;
    const char *first; /* why the first of those was left out; NULL: none */
} lp_key_count_t;

/*
 * Judges a JWKS document: at least one key that verifies signatures, none of
 * them a shared secret. Returns one that holds the usable keys and of them the
 * public members alone, to be freed; NULL and *why.
 */
char *lp_keys_check(lp_span_t text, lp_key_count_t *count, const char **why);

#endif
