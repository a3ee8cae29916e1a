/*
 * Which route of leerpoort-sso answers what. What is asked for wrongly gets a
 * page too, or Edu-V's error form where a machine asks.
 */

#include "../workers/routes.h"
#include "../workers/say.h"
#include "visits.h"

typedef struct {
    const char    *methods; /* "GET, POST": as the header Allow has them */
    const char    *path;    /* as lp_request_is_at() takes it */
    lp_visit_run_t run;
} route_t;

static const route_t routes[] = {
    {"GET, HEAD, POST", "/sso/login", lp_visit_sign_in},
    {"GET", "/sso/callback", lp_visit_callback},
    {"GET", "/sso/callback/", lp_visit_callback},
    {"GET, HEAD, POST", "/sso/logout", lp_visit_sign_out},
    {"POST", "/sso/backchannel", lp_visit_backchannel},
    {"GET, HEAD", "/problem", lp_visit_problem_page},
    {"GET, POST", "/lti/login", lp_visit_lti_login},
    {"GET, POST", "/lti/launch", lp_visit_lti_launch},
    {"GET", "/lti/open/", lp_visit_lti_open},
    {"GET, POST", "/lti/link/", lp_visit_lti_link},
    {"POST", "/lti/pick", lp_visit_lti_pick},
    {"GET", "/lti/pick/", lp_visit_lti_ready},
};

#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

static int
takes(const route_t *route, lp_span_t method)
{
    const char *p = route->methods;
    size_t      len;

    for (; *p != '\0'; p += strspn(p, ", ")) {
        len = strcspn(p, ",");
        if (lp_span_equal(method, (lp_span_t) {p, len})) {
            return 1;
        }
        p += len;
    }
    return 0;
}

static void
refuse_method(lp_visit_t *visit, const route_t *route)
{
    lp_page_look_t look;

    memset(&look, 0, sizeof(look));
    look.houses = visit->sso->houses;
    lp_answer_method(&visit->request, &look, route->methods);
}

static void
run_route(lp_visit_t *visit)
{
    unsigned i;

    for (i = 0; i < N_ROUTES; i++) {
        if (!lp_request_is_at(&visit->request, routes[i].path)) {
            continue;
        }
        if (takes(&routes[i], visit->request.method)) {
            routes[i].run(visit);
        } else {
            refuse_method(visit, &routes[i]);
        }
        return;
    }
    lp_visit_problem(visit, LP_PROBLEM_NOT_FOUND, 0, lp_span(""));
}

void
lp_visit_route(lp_visit_t *visit)
{
    lp_request_t *request = &visit->request;
    const char   *wrong;

    wrong = lp_request_open(request, &visit->connection);
    if (wrong != NULL && strcmp(wrong, "CONTENT_LENGTH") == 0) {
        lp_visit_problem(visit, LP_PROBLEM_BAD_FORM, 0, lp_span(""));
    } else if (wrong != NULL) {
        lp_say("the edge sent a %s that no edge of ours sends: does its "
               "leerpoort_params fit this program?", wrong);
        lp_answer_refuse(request, 500, LP_CODE_OTHER, "the edge and "
                         "leerpoort-sso do not fit together");
    } else if (!lp_span_equal(request->route, lp_span("sso"))) {
        lp_answer_refuse(request, 500, LP_CODE_OTHER,
                         "the edge named no route (LEERPOORT_ROUTE)");
    } else {
        run_route(visit);
    }
}
