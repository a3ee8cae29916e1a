/*
 * lti.json (docs/lti.md): the registered LTI 1.3 platforms, as the file has
 * them now (workers/conf_file.h).
 */

#ifndef LP_PLATFORMS_H
#define LP_PLATFORMS_H

#include "providers.h"

typedef struct {
    lp_span_t id;     /* deployment_id */
    lp_span_t school; /* master identifier; len 0: by claim */
} lp_deployment_t;

typedef struct {
    lp_span_t    name;   /* [a-z0-9-] */
    lp_span_t    title[LP_LANGUAGES];
    lp_span_t    issuer;
    lp_span_t    client_id;
    lp_span_t    authorization_endpoint;
    lp_span_t    jwks_uri;
    const lp_deployment_t *deployments;
    unsigned     n_deployments;
    lp_mapping_t mapping;    /* paths may begin with "custom." */
    int          link;       /* who has no id may link an account, once */
    int          new_window; /* in a frame: a link to a new window, instead of
                                the book in the frame */
    lp_span_t    frames;     /* origins that may frame our pages, blanks
                                between; the LMS's */
    lp_algs_t    algs;
    int64_t      leeway;
} lp_platform_t;

typedef struct {
    const lp_platform_t *list;
    unsigned             n;
} lp_platform_list_t;

typedef struct lp_platforms_s lp_platforms_t;

/* path NULL: no platforms. NULL and *reason: what is wrong, and where. */
lp_platforms_t *lp_platforms_open(const char *path, const char **reason);
void lp_platforms_close(lp_platforms_t *platforms);

/* Good for this turn of the loop: a visit that waits looks its platform up
   again by name. */
const lp_platform_list_t *lp_platform_list(lp_platforms_t *platforms);

/* client_id.len 0: the only one of that issuer. */
const lp_platform_t *lp_platform_find(const lp_platform_list_t *list,
                                      lp_span_t issuer, lp_span_t client_id);

const lp_platform_t *lp_platform_by_name(const lp_platform_list_t *list,
                                         lp_span_t name);

#endif
