/*
 * The other parties: parties.json (docs/operations.md), read again when it
 * changes. Whom Leerpoort may tell what, and who may call Leerpoort.
 */

#ifndef LP_PARTIES_H
#define LP_PARTIES_H

#include <stdint.h>

#include "../core/jwks.h"
#include "../core/span.h"

typedef struct {
    lp_span_t  client_id;
    lp_span_t  scopes; /* that it may ask for, space-separated */
    lp_jwks_t *keys;   /* of its file "jwks"; NULL: not readable now */
} lp_client_t;

typedef struct {
    lp_span_t    oin;       /* 20 digits */
    lp_span_t    name;
    lp_span_t    role;      /* "aanspraakmanager" ... */
    lp_span_t    base_url;  /* len 0: nothing is sent to it */
    lp_span_t    token_url; /* len 0: no token is asked for */
    lp_span_t    client_id; /* Leerpoort's own, at that party */
    const char  *key_file;  /* Leerpoort's private key there; NULL: none */
    lp_span_t    scope;     /* asked for there */
    lp_client_t *clients;   /* who calls Leerpoort on its behalf */
    unsigned     n_clients;
} lp_party_t;

typedef struct {
    lp_span_t   issuer;         /* iss of our tokens */
    lp_span_t   audience;       /* aud of our tokens */
    lp_span_t   token_endpoint; /* aud of their assertions */
    int64_t     token_lifetime; /* seconds, 60 to 21600 */
    lp_party_t *list;
    unsigned    n;
} lp_party_list_t;

typedef struct lp_parties_s lp_parties_t;

/*
 * path NULL: no parties. A file that can't be read or is wrong: NULL, and
 * *reason says what and where.
 */
lp_parties_t *lp_parties_open(const char *path, const char **reason);

/* NULL is none. */
void lp_parties_close(lp_parties_t *parties);

/* The parties as the files have them now (conf_file.h). The clients' keys are
   good until the next call. */
const lp_party_list_t *lp_parties(lp_parties_t *parties);

/* NULL: there is none. */
const lp_party_t *lp_party_by_oin(const lp_party_list_t *list, lp_span_t oin);
const lp_party_t *lp_party_by_client(const lp_party_list_t *list,
                                     lp_span_t client_id,
                                     const lp_client_t **client);

#endif
