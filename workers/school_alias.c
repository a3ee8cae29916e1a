/*
 * One GET. A key of another type counts as none, as at the edge.
 */

#include "school_alias.h"

lp_store_status_t
lp_request_school(lp_service_t *service, const lp_request_t *request,
                  char *dst, lp_span_t *school)
{
    lp_store_t       *store = service->store;
    lp_store_status_t status;
    lp_span_t         key, found;
    char              name[LP_KEY_MAX];

    *school = request->school;
    if (school->len > 0 || request->school_type.len == 0) {
        return LP_STORE_OK;
    }

    key = (lp_span_t) {name, lp_key_alias(name, request->school_type,
                                          request->school_id)};
    if (key.len == 0) {
        return LP_STORE_OK;
    }

    found = lp_store_text(lp_store_ask(store, LP_WORDS(lp_span("GET"), key)));
    status = lp_store_status(store);

    if (status == LP_STORE_REFUSED
        && strcmp(lp_store_error(store), "WRONGTYPE") == 0) {
        return LP_STORE_OK;
    }

    if (status == LP_STORE_OK && found.data != NULL
        && lp_school_valid(found)) {
        memcpy(dst, found.data, found.len);
        *school = (lp_span_t) {dst, found.len};
    }

    return status;
}
