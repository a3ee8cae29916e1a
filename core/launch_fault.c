/*
 * The table of faults. The sentences hold no part of a launch.
 */

#include "launch_fault.h"

static const struct {
    const char *name;
    const char *text;
} faults[LP_LTI_FAULTS - LP_LTI_VERSION] = {
    {"version", "the claim version is not 1.3.0"},
    {"message-type", "the claim message_type is neither "
                     "LtiResourceLinkRequest nor LtiDeepLinkingRequest"},
    {"deployment", "the claim deployment_id is missing, or no ASCII text of 1 "
                   "to 255"},
    {"deployment-other", "the claim deployment_id is another than "
                         "lti_deployment_id of the login"},
    {"deployment-unknown", "the deployment is not registered in lti.json"},
    {"target-link-uri", "the claim target_link_uri is missing, or leads to "
                        "another site"},
    {"resource-link", "the claim resource_link has no id"},
    {"roles", "the claim roles is missing, or not an array of texts"},
    {"custom", "the claim custom is not an object, or product or path in it is "
               "no text"},
    {"sub", "the claim sub is not a text of 1 to 255 bytes"},
    {"product", "neither the custom parameter product nor target_link_uri "
                "names a product"},
    {"return-url", "deep_link_return_url is missing, or not an https URL"},
    {"accept-types", "accept_types has no ltiResourceLink: the platform takes "
                     "no links"},
    {"data", "the member data of deep_linking_settings is no text, or too "
             "long"},
    {"click", "the product or the path can't be those of a click"},
    {"person", "a claim that is mapped to a person or a school holds what "
               "can't be an id"},
};

int
lp_lti_fault_exists(unsigned number)
{
    return number >= LP_LTI_VERSION && number < LP_LTI_FAULTS;
}

const char *
lp_lti_fault_name(lp_lti_fault_t fault)
{
    return lp_lti_fault_exists(fault) ? faults[fault - LP_LTI_VERSION].name
                                      : "none";
}

const char *
lp_lti_fault_text(lp_lti_fault_t fault)
{
    return lp_lti_fault_exists(fault) ? faults[fault - LP_LTI_VERSION].text
                                      : "nothing is wrong with the launch";
}
