/*
 * A cookie with the provider's name: nothing that says who somebody is.
 */

#include "last_provider.h"

#define COOKIE "leerpoort-provider"
#define LIFE   (180 * 86400)

static void answer(lp_visit_t *visit, lp_span_t name, int life);

static lp_span_t
find(const lp_visit_t *visit)
{
    return lp_request_cookie(&visit->request, COOKIE,
                             lp_sso_is_secure(visit->sso));
}

const lp_provider_t *
lp_last_provider(const lp_visit_t *visit, const lp_sites_t *sites)
{
    lp_span_t name = find(visit);

    return name.len == 0 ? NULL : lp_provider_by_name(sites, name);
}

void
lp_last_provider_keep(lp_visit_t *visit, const lp_provider_t *provider)
{
    answer(visit, provider->name, LIFE);
}

void
lp_last_provider_forget(lp_visit_t *visit, lp_span_t name)
{
    if (lp_span_equal(find(visit), name)) {
        answer(visit, lp_span(""), 0);
    }
}

static void
answer(lp_visit_t *visit, lp_span_t name, int life)
{
    lp_set_cookie_t cookie = {.name = COOKIE, .value = name, .max_age = life,
                              .same_site = "Lax",
                              .secure = lp_sso_is_secure(visit->sso)};

    lp_answer_cookie(&visit->request, &cookie);
}
