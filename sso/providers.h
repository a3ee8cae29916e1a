/*
 * sso.json (docs/sso.md): the site, its sessions, the identity providers, as
 * the file has them now (workers/conf_file.h).
 */

#ifndef LP_PROVIDERS_H
#define LP_PROVIDERS_H

#include <stdint.h>

#include "../core/alg.h"
#include "../core/language.h"
#include "../workers/conf_members.h"
#include "who.h"

/* Names of providers and of platforms. */
#define LP_PROVIDER_NAME_MAX LP_CONF_LABEL_MAX

typedef struct {
    lp_span_t school; /* master identifier */
    lp_span_t name;   /* for people */
} lp_served_t;

typedef enum {
    LP_AUTH_BASIC = 0, /* client_secret_basic */
    LP_AUTH_POST,      /* client_secret_post */
    LP_AUTH_KEY,       /* private_key_jwt, by a key file or the ring */
    LP_AUTH_NONE       /* a public client: PKCE alone */
} lp_client_auth_t;

typedef struct {
    lp_span_t        name;      /* [a-z0-9-]: of its files, in URLs */
    lp_span_t        title[LP_LANGUAGES];
    lp_span_t        issuer;
    lp_span_t        client_id;
    lp_client_auth_t auth;
    const char      *secret_file; /* NULL: none */
    const char      *key_file;    /* NULL: the ring's signer */
    lp_span_t        scope;       /* "openid" at least */
    const lp_span_t (*parameters)[2]; /* further ones of the request: name,
                                         value; acr_values, domain_hint,
                                         claims as JSON ... */
    unsigned         n_parameters;
    int              asks_age;    /* max_age is among them */
    int64_t          auth_age;    /* seconds: what it says */
    int              userinfo;    /* ask there for claims, too */
    int              own_callback; /* its redirect URI is no other's */
    lp_mapping_t     mapping;
    int              school_needed;
    lp_algs_t        algs;        /* of the id_token */
    int64_t          leeway;      /* seconds */
    const lp_span_t *portals;     /* hints: "magister" */
    unsigned         n_portals;
    const lp_served_t *serves;    /* schools whose people sign in here */
    unsigned         n_serves;
    /* instead of discovery; len 0: as discovered */
    lp_span_t        authorization_endpoint, token_endpoint;
    lp_span_t        userinfo_endpoint, end_session_endpoint;
    lp_span_t        jwks_uri;
} lp_provider_t;

typedef struct {
    lp_span_t   public_url;   /* "https://toegang.example.nl", no slash */
    lp_span_t   click_prefix; /* "/go/" */
    lp_span_t   issuer;       /* iss of session tokens: public_url */
    lp_span_t   audience;     /* aud: public_url, unless said otherwise */
    const char *session_key;  /* JWKS with HS256 secrets, the first signs */
    int64_t     token_life;   /* seconds a session token lives: 900 */
    int64_t     session_life; /* at most, from sign-in: 28800 */
    int64_t     idle;         /* sliding: ends after so long without use; 0:
                                 not sliding */
    int64_t     per_minute;   /* sign-ins that may begin in a minute: 20000 */
    const lp_provider_t *list;
    unsigned    n;
} lp_sites_t;

typedef struct lp_providers_s lp_providers_t;

/* path NULL: no providers. NULL and *reason: what is wrong, and where. */
lp_providers_t *lp_providers_open(const char *path, const char **reason);
void lp_providers_close(lp_providers_t *providers);

/* Good for this turn of the loop: a visit that waits looks its provider up
   again by name. */
const lp_sites_t *lp_sites(lp_providers_t *providers);

const lp_provider_t *lp_provider_by_name(const lp_sites_t *sites,
                                         lp_span_t name);
const lp_provider_t *lp_provider_by_issuer(const lp_sites_t *sites,
                                           lp_span_t issuer);

#endif
