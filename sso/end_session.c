/*
 * There is no state in the request: the page to which the provider sends people
 * back says only that they are signed out, to whoever comes there.
 */

#include "end_session.h"

#include "../core/json.h"
#include "../workers/conf_members.h"
#include "parameters.h"

lp_span_t
lp_end_session_endpoint(lp_sso_t *sso, const lp_provider_t *provider)
{
    lp_span_t found = provider->end_session_endpoint;

    if (found.len > 0) {
        return found;
    }
    found = lp_json_member(lp_key_files_discovery(sso->keys, provider->name,
                                                  provider->issuer),
                           "end_session_endpoint");
    return found.len > 0 && lp_conf_is_endpoint(found) ? found : lp_span("");
}

void
lp_end_session_url(lp_text_t *out, lp_span_t endpoint, const lp_sites_t *sites,
                   const lp_provider_t *provider, lp_span_t hint)
{
    lp_parameters_to(out, endpoint);
    lp_text_add(out, lp_span("client_id="));
    lp_text_query(out, provider->client_id);
    lp_text_add(out, lp_span("&post_logout_redirect_uri="));
    lp_text_query(out, sites->public_url);
    lp_text_query(out, lp_span(LP_SIGNED_OUT));
    if (hint.len > 0) {
        lp_parameter_add(out, "id_token_hint", hint);
    }
}
