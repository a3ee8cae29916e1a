/*
 * sso.json: what is read is within its bounds, each provider is found by name
 * and issuer, and all that goes into an URL or a header can stand there. What
 * is refused is so with the name of the member.
 */

#include "../../sso/providers_file.h"
#include "../../sso/sign_in.h"
#include "must.h"

#define FOLDER "/f"

static void check_sites(const lp_sites_t *sites);
static void check_provider(const lp_sites_t *sites, const lp_provider_t *p);
static void check_visible(lp_span_t text, size_t max);
static void check_url(lp_span_t text, size_t max);
static void check_back(const lp_sites_t *sites, lp_span_t text);


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lp_span_t           text = {(const char *) bytes, len};
    char                reason[LP_CONF_REASON_MAX];
    lp_providers_file_t file;

    memset(reason, 0xff, sizeof(reason));

    if (lp_providers_file_read(&file, text, FOLDER, reason) != 0) {
        must_be_conf_reason(reason);
        must(file.sites.list == NULL && file.memory == NULL);
        lp_providers_file_none(&file);
        check_back(&file.sites, text);
        return 0;
    }

    check_sites(&file.sites);
    check_back(&file.sites, text);
    lp_providers_file_free(&file);

    return 0;
}


static void
check_sites(const lp_sites_t *sites)
{
    unsigned i;

    check_url(sites->public_url, 256);
    must(lp_span_equal(sites->issuer, sites->public_url));
    must(sites->audience.len > 0);
    must(sites->session_key != NULL && sites->session_key[0] == '/');
    must(sites->click_prefix.data[0] == '/');
    must(sites->click_prefix.data[sites->click_prefix.len - 1] == '/');
    must(sites->token_life >= 60 && sites->token_life <= 3600);
    must(sites->session_life >= sites->token_life);
    must(sites->idle >= 0 && sites->per_minute >= 1);
    must(sites->n <= LP_PROVIDERS_MAX);

    for (i = 0; i < sites->n; i++) {
        check_provider(sites, &sites->list[i]);
    }
}


static void
check_provider(const lp_sites_t *sites, const lp_provider_t *p)
{
    unsigned i;

    must(p->name.len > 0 && p->name.len <= LP_PROVIDER_NAME_MAX);
    must(lp_provider_by_name(sites, p->name) == p);
    must(lp_provider_by_issuer(sites, p->issuer) == p);
    check_url(p->issuer, 256);
    check_visible(p->client_id, 256);
    must(p->title[LP_DUTCH].len > 0 && p->title[LP_ENGLISH].len > 0);
    must(p->scope.len >= 6);
    must(p->auth > LP_AUTH_POST || p->secret_file != NULL);
    must(p->algs.n > 0 && !lp_algs_has(&p->algs, LP_ALG_HS256));
    must(p->leeway >= 0 && p->leeway <= 300);
    must(p->mapping.n_users > 0 && p->mapping.n_users <= LP_MAPPING_MAX);
    must(p->n_parameters <= LP_PARAMETERS_MAX);
    for (i = 0; i < p->n_parameters; i++) {
        check_visible(p->parameters[i][0], 64);
        must(!lp_span_equal(p->parameters[i][0], lp_span("state")));
        must(p->parameters[i][1].len > 0);
    }
    for (i = 0; i < p->n_portals; i++) {
        check_visible(p->portals[i], 64);
    }
    for (i = 0; i < p->n_serves; i++) {
        check_visible(p->serves[i].school, 64);
        must(p->serves[i].name.len > 0);
    }
    check_url(p->authorization_endpoint, LP_ENDPOINT_MAX);
    check_url(p->token_endpoint, LP_ENDPOINT_MAX);
    check_url(p->userinfo_endpoint, LP_ENDPOINT_MAX);
    check_url(p->end_session_endpoint, LP_ENDPOINT_MAX);
    check_url(p->jwks_uri, LP_ENDPOINT_MAX);
}


static void
check_visible(lp_span_t text, size_t max)
{
    size_t i;

    must(text.len > 0 && text.len <= max);
    for (i = 0; i < text.len; i++) {
        must(text.data[i] > 0x20 && text.data[i] < 0x7f);
    }
}


/* Absent, or one that leads nowhere but where it says. */
static void
check_url(lp_span_t text, size_t max)
{
    if (text.len == 0) {
        return;
    }
    check_visible(text, max);
    must(text.len > 8 && memcmp(text.data, "http", 4) == 0);
    must(memchr(text.data, '#', text.len) == NULL);
    must(memchr(text.data, '\\', text.len) == NULL);
}


static void
check_back(const lp_sites_t *sites, lp_span_t text)
{
    char   path[LP_RETURN_MAX + 1];
    size_t i;

    if (lp_return_check(path, sites, text) != 0) {
        return;
    }
    must(path[0] == '/' && path[1] != '/' && path[1] != '\\');
    for (i = 0; path[i] != '\0'; i++) {
        must(path[i] > 0x20 && path[i] < 0x7f && path[i] != '\\');
    }
}
