/*
 * Which route answers what, and who may call it. The edge has checked token and
 * scope before a request gets here (leerpoort_auth); the worker looks again,
 * because a mistake in nginx.conf must not open a door.
 *
 * Every refusal is {"status", "statusMessage"}, Edu-V's form, but for those of
 * the token endpoint, which are RFC 6749's.
 */

#include "routes.h"

#include "page_routes.h"
#include "say.h"

typedef enum {
    BY_ANYBODY = 0, /* the route looks for itself */
    BY_CLIENT,      /* a client of another party, with one of the scopes */
    BY_PERSON       /* somebody who has signed in */
} caller_t;

#define SCOPES_MAX 3

typedef struct {
    const char    *method;
    const char    *path;   /* as lp_request_is_at() takes it */
    caller_t       caller;
    const char    *scopes[SCOPES_MAX + 1]; /* any of them is enough */
    lp_route_run_t run;
} route_t;

#define USAGE {"usage.entitlor", "usage.seller", "usage.dashboard"}

static const route_t routes[] = {
    {"POST", "/oauth/token", BY_ANYBODY, {NULL}, lp_route_token},
    {"PUT", "/v1/entitlements", BY_CLIENT, {"entitlement.licensor"},
     lp_route_entitlement},
    {"POST", "/v1/entitlements/bulk", BY_CLIENT, {"entitlement.licensor"},
     lp_route_entitlements_bulk},
    {"GET", "/v1/usage/entitlements/", BY_CLIENT, USAGE,
     lp_route_usage_entitlement},
    {"GET", "/v1/usage/school", BY_CLIENT, USAGE, lp_route_usage_school},
    {"POST", "/v1/usage/school/user", BY_CLIENT, USAGE, lp_route_usage_user},
    {"PUT", "/v1/activationcodes", BY_CLIENT, {"activationcode"},
     lp_route_codes},
    {"PUT", "/v1/activationcodes/revoke", BY_CLIENT, {"activationcode"},
     lp_route_codes_revoke},
    {"POST", "/activate/code", BY_PERSON, {NULL}, lp_route_code_redeem},
};

#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

/* NULL after answering 404 or 405. */
static const route_t *
find_route(lp_request_t *request)
{
    const char *allowed = NULL;
    unsigned    i;

    for (i = 0; i < N_ROUTES; i++) {
        if (!lp_request_is_at(request, routes[i].path)) {
            continue;
        }
        if (lp_span_equal(request->method, lp_span_of(routes[i].method))) {
            return &routes[i];
        }
        allowed = routes[i].method;
    }
    if (allowed == NULL) {
        lp_answer_refuse(request, 404, LP_CODE_OTHER,
                         "there is nothing at this path");
        return NULL;
    }
    lp_answer_header(request, "Allow", lp_span_of(allowed));
    lp_answer_refuse(request, 405, LP_CODE_OTHER, "this path takes %s alone",
                     allowed);
    return NULL;
}

static int
has_scope(const route_t *route, const lp_request_t *request)
{
    unsigned i;

    for (i = 0; route->scopes[i] != NULL; i++) {
        if (lp_request_has_scope(request, route->scopes[i])) {
            return 1;
        }
    }
    return 0;
}

/* -1 after answering 401 or 403. */
static int
check_caller(const route_t *route, lp_request_t *request)
{
    if ((route->caller == BY_CLIENT && request->client.len == 0)
        || (route->caller == BY_PERSON && request->n_users == 0)) {
        lp_answer_refuse(request, 401, LP_CODE_SCOPE, "a token is missing");
        return -1;
    }
    if (route->caller == BY_CLIENT && !has_scope(route, request)) {
        lp_answer_refuse(request, 403, LP_CODE_SCOPE,
                         "the token's scope does not allow this: %s",
                         route->scopes[0]);
        return -1;
    }
    return 0;
}

static void
run_api(lp_service_t *service, lp_request_t *request)
{
    const route_t *route = find_route(request);

    if (route != NULL && check_caller(route, request) == 0) {
        route->run(service, request);
    }
}

void
lp_route(lp_service_t *service, FCGX_Request *connection)
{
    lp_request_t request;
    const char  *wrong;

    wrong = lp_request_open(&request, connection);
    if (wrong != NULL && strcmp(wrong, "CONTENT_LENGTH") == 0) {
        lp_answer_refuse(&request, 400, LP_CODE_SCHEMA,
                         "Content-Length: not a number of bytes");
    } else if (wrong != NULL) {
        lp_say("the edge sent a %s that no edge of ours sends: does its "
               "leerpoort_params fit this worker?", wrong);
        lp_answer_refuse(&request, 500, LP_CODE_OTHER,
                         "the edge and the worker do not fit together");
    } else if (lp_span_equal(request.route, lp_span("activate"))) {
        lp_route_activate(service, &request);
    } else if (lp_span_equal(request.route, lp_span("api"))) {
        run_api(service, &request);
    } else if (lp_span_equal(request.route, lp_span("page"))) {
        lp_page_route(service, &request);
    } else {
        lp_answer_refuse(&request, 500, LP_CODE_OTHER,
                         "the edge named no route (LEERPOORT_ROUTE)");
    }
    if (!request.answered) {
        lp_answer_refuse(&request, 500, LP_CODE_OTHER,
                         "the request found no answer");
    }
}
