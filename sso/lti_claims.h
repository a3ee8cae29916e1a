/*
 * What a platform says in a launch (LTI 1.3 core, sections 4.3 and 5; Deep
 * Linking 2.0, section 4.4), read from the claims of an id_token whose
 * signature, issuer, audience, time and nonce have been checked. All else that
 * can be wrong with a launch is found here, and has a name.
 */

#ifndef LP_LTI_CLAIMS_H
#define LP_LTI_CLAIMS_H

#include <jansson.h>

#include "../core/launch_fault.h"
#include "platforms.h"

#define LP_LTI_PREFIX      "https://purl.imsglobal.org/spec/lti/claim/"
#define LP_LTI_DL_SETTINGS                                                     \
    "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
#define LP_DEPLOYMENT_MAX 255  /* bytes: LTI 1.3 core, section 5.3.3 */
#define LP_LTI_URL_MAX    2048 /* bytes of a URL that we follow or compare */
#define LP_LTI_TEXT_MAX   255  /* bytes of a text for people */

#define LP_LTI_DATA_MAX   8192 /* bytes of deep_linking_settings.data */

/* product[/path] below the click's prefix: LP_PATH_MAX and a product's id. */
#define LP_LTI_CLICK_MAX 640

typedef struct {
    int       deep_linking; /* LtiDeepLinkingRequest; else a resource link */
    const lp_deployment_t *deployment;
    lp_span_t subject;      /* len 0: anonymous */
    lp_span_t person;       /* name of the person at the platform, for that
                               person's eyes alone; len 0: not told. It may lie
                               in joined */
    lp_span_t resource;     /* resource_link.id */
    lp_span_t locale;       /* len 0: not told */
    int       in_frame;     /* or may be: document_target is not "window" */
    size_t    click_len;    /* 0: no product is named */
    char      click[LP_LTI_CLICK_MAX]; /* "<product>[/<path>]" */
    char      joined[2 * LP_LTI_TEXT_MAX + 2]; /* given and family name */

    /* Deep Linking */
    lp_span_t return_url;
    lp_span_t data;         /* data NULL: none */
    int       multiple;
} lp_launch_t;

typedef struct {
    const lp_platform_t *platform;
    lp_span_t            public_url;   /* without a slash at its end */
    lp_span_t            click_prefix; /* "/go/" */
    lp_span_t            deployment;   /* that the login spoke of; len 0 */
} lp_launch_site_t;

/*
 * Reads a launch. The spans lie in claims, or in *launch itself. Of several
 * faults the first in the order of lp_lti_fault_t is told, but for the product,
 * which comes last. A resource link without a product is LP_LTI_PRODUCT.
 */
lp_lti_fault_t lp_launch_read(lp_launch_t *launch,
                              const lp_launch_site_t *site,
                              const json_t *claims);

/*
 * The claims as a mapping reads them: those of LTI by their short names
 * ("custom", "roles", "lis" ...), in place of members that have these names.
 * Custom parameters that the platform has left as it found them
 * ("$User.username") or blank are not there: everybody would have the same one.
 * A new reference; NULL: no memory.
 */
json_t *lp_launch_short(const json_t *claims);

/*
 * The target of a click from a text below the prefix; with a query or without
 * one. Returns the length of "<product>[/<path>]", no NUL; 0: it is none.
 */
size_t lp_launch_click(char *dst, lp_span_t below);

#endif
