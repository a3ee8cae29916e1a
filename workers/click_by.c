/*
 * The same person for an activation, a code and the pages.
 */

#include "click_by.h"

#include "school_alias.h"

lp_store_status_t
lp_click_by(lp_service_t *service, const lp_request_t *request, char *school,
            lp_click_by_t *by)
{
    unsigned i;

    memset(by, 0, sizeof(*by));

    for (i = 0; i < request->n_users; i++) {
        by->users[i] = request->users[i];
    }

    by->n_users = request->n_users;
    by->product = request->product;
    by->employee = request->employee;
    by->person = request->person;
    by->issued = request->issued;
    by->likely = request->likely;
    by->today = lp_service_today();

    return lp_request_school(service, request, school, &by->school);
}
