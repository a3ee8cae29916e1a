/*
 * What can be wrong with an LTI launch beyond its token: one value for each,
 * with a short name for logs and a sentence for the operator. The values are
 * part of support codes, beside those of core/jose_error.h: they begin where
 * those can't reach, and end where a code has no more room.
 */

#ifndef LP_LAUNCH_FAULT_H
#define LP_LAUNCH_FAULT_H

typedef enum {
    LP_LTI_OK = 0,
    LP_LTI_VERSION = 48,    /* not 1.3.0 */
    LP_LTI_MESSAGE_TYPE,    /* missing, or one that we don't know */
    LP_LTI_DEPLOYMENT,      /* missing, or no text of 1 to 255 ASCII */
    LP_LTI_DEPLOYMENT_OTHER,   /* another than the login spoke of */
    LP_LTI_DEPLOYMENT_UNKNOWN, /* not registered */
    LP_LTI_TARGET,          /* target_link_uri: missing, or not this site's */
    LP_LTI_RESOURCE,        /* resource_link.id is missing */
    LP_LTI_ROLES,           /* missing, or not an array of texts */
    LP_LTI_CUSTOM,          /* custom is not an object of texts */
    LP_LTI_SUBJECT,         /* sub is not a text */
    LP_LTI_PRODUCT,         /* names no product */
    LP_LTI_RETURN_URL,      /* deep_link_return_url: missing, not https */
    LP_LTI_ACCEPT,          /* does not accept ltiResourceLink */
    LP_LTI_DATA,            /* data is no text, or too long */
    LP_LTI_CLICK,           /* a product, but not one that can be clicked */
    LP_LTI_PERSON,          /* a claim that is mapped holds no id */
    LP_LTI_FAULTS           /* 64 */
} lp_lti_fault_t;

/* 1 for a value from LP_LTI_VERSION on. */
int lp_lti_fault_exists(unsigned number);

/* "version", "deployment-unknown"; never NULL. */
const char *lp_lti_fault_name(lp_lti_fault_t fault);

/* A sentence in English. */
const char *lp_lti_fault_text(lp_lti_fault_t fault);

#endif
