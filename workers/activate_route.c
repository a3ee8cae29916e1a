/*
 * The route behind leerpoort_activate. The edge has decided that this click
 * activates; it is decided again here, on what Redis has now. Either way the
 * request goes back to where it came from: with a licence the edge decides on
 * fresh rights and redirects, without one it gives the outcome as its answer.
 *
 * A click that comes back does not come here a second time: the edge sees to
 * that.
 */

#include "click_by.h"

#define TEXT "text/plain"

static lp_outcome_t activate(lp_service_t *service,
                             const lp_request_t *request);
static int is_path(lp_span_t uri);

void
lp_route_activate(lp_service_t *service, lp_request_t *request)
{
    lp_outcome_t outcome;
    lp_span_t    name;

    if (!is_path(request->uri)) {
        lp_answer_refuse(request, 400, LP_CODE_OTHER, "no path to go back to");
        return;
    }

    outcome = activate(service, request);

    if (outcome != LP_REDIRECT) {
        name = lp_span_of(lp_outcome_name(outcome));
        lp_answer_header(request, "Leerpoort-Outcome", name);
    }

    lp_answer_header(request, "X-Accel-Redirect", request->uri);
    lp_answer_begin(request, 200, TEXT);
}

static lp_outcome_t
activate(lp_service_t *service, const lp_request_t *request)
{
    lp_click_by_t by;
    char          school[LP_FIELD_MAX];

    if (request->n_users == 0 || request->product.len == 0) {
        return LP_BAD_REQUEST;
    }

    if (lp_click_by(service, request, school, &by) != LP_STORE_OK) {
        return LP_UNAVAILABLE;
    }

    return lp_activate(service, &by, NULL);
}

/* nginx takes what follows X-Accel-Redirect as a URI of its own. */
static int
is_path(lp_span_t uri)
{
    size_t i;

    for (i = 0; i < uri.len; i++) {
        if ((unsigned char) uri.data[i] <= 0x20 || uri.data[i] == 0x7f) {
            return 0;
        }
    }

    return uri.len > 0 && uri.data[0] == '/';
}
