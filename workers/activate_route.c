/*
 * The route behind leerpoort_activate. The edge has decided that this click
 * activates; it is decided again here, on what Redis has now. Either way the
 * request goes back to where it came from: with a licence the edge decides on
 * fresh rights and redirects, without one it gives the outcome as its answer.
 *
 * A click that comes back does not come here a second time: the edge sees to
 * that.
 */

#include "licences.h"

#define TEXT "text/plain"

static lp_outcome_t activate(lp_service_t *service,
                             const lp_request_t *request);
static lp_store_status_t find_school(lp_service_t *service,
                                     const lp_request_t *request, char *dst,
                                     lp_span_t *school);
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
    char          school[LP_SCHOOL_ID_MAX];
    unsigned      i;

    if (request->n_users == 0 || request->product.len == 0) {
        return LP_BAD_REQUEST;
    }

    memset(&by, 0, sizeof(by));
    by.school = request->school;

    if (find_school(service, request, school, &by.school) != LP_STORE_OK) {
        return LP_UNAVAILABLE;
    }

    for (i = 0; i < request->n_users; i++) {
        by.users[i] = request->users[i];
    }

    by.n_users = request->n_users;
    by.product = request->product;
    by.employee = request->employee;
    by.person = request->person;
    by.today = lp_service_today();

    return lp_activate(service, &by, NULL);
}

/* An alias that is unknown, or leads to no school's id: no school. */
static lp_store_status_t
find_school(lp_service_t *service, const lp_request_t *request, char *dst,
            lp_span_t *school)
{
    char      name[LP_KEY_MAX];
    lp_span_t key, found;

    if (school->len > 0 || request->school_type.len == 0) {
        return LP_STORE_OK;
    }

    key = (lp_span_t) {name, lp_key_alias(name, request->school_type,
                                          request->school_id)};
    if (key.len == 0) {
        return LP_STORE_OK;
    }

    found = lp_store_text(lp_store_ask(service->store,
                                       LP_WORDS(lp_span("GET"), key)));

    if (found.data != NULL && lp_school_valid(found)) {
        memcpy(dst, found.data, found.len);
        *school = (lp_span_t) {dst, found.len};
    }

    /* a key of another type counts as none, as at the edge */
    return strcmp(lp_store_error(service->store), "WRONGTYPE") == 0
               ? LP_STORE_OK : lp_store_status(service->store);
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
