/*
 * What leerpoort-keys fetches: the providers of sso.json, the platforms of
 * lti.json and the rows of sources.json as one list. Read again when one of the
 * files changes; a broken new file leaves the old one in force.
 */

#ifndef LP_SOURCES_H
#define LP_SOURCES_H

#include "../core/span.h"

/* Names that share issuer and addresses are one source: it is fetched once,
   and its files are written for each of them. */
typedef struct {
    char   **names; /* of its files; at least one */
    unsigned n_names;
    char    *issuer;
    char    *discovery; /* where its metadata are; NULL: not fetched */
    char    *jwks_uri;  /* NULL: as its metadata say */
} lp_source_t;

typedef struct {
    lp_source_t *list;
    unsigned     n;
} lp_source_list_t;

typedef struct lp_sources_s lp_sources_t;

/* sso.json, lti.json, sources.json (own); each may be NULL. NULL and *reason:
   what is wrong, and where. */
lp_sources_t *lp_sources_open(const char *sso, const char *lti,
                              const char *own, const char **reason);
void lp_sources_close(lp_sources_t *sources);

/* The list as the files have it (looked at once a second); *changed: it is
   another one than the last time. */
const lp_source_list_t *lp_source_list(lp_sources_t *sources, int *changed);

/* 1 where both are fetched from the same places. */
int lp_source_same(const lp_source_t *a, const lp_source_t *b);

/* A copy of its own; -1: no memory, and *copy is all zeros. */
int lp_source_copy(lp_source_t *copy, const lp_source_t *source);
void lp_source_free(lp_source_t *source);

#endif
