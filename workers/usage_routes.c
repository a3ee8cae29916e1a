/*
 * GET /v1/usage/entitlements/{id} and POST /v1/usage/school/user: how often and
 * until when what was sent is used. GET /v1/usage/school has a file of its own.
 * What a caller may not see is answered as if it were not there.
 */

#include <stdlib.h>

#include "names.h"
#include "../core/entitlement.h"
#include "usage_totals.h"
#include "usage_viewer.h"

#define USER_MAX     1024 /* entitlements of a user */
#define ENTITLEMENTS "/v1/usage/entitlements/"

typedef struct {
    lp_service_t *service;
    lp_request_t *request;
    lp_viewer_t   viewer;
    lp_value_t    school; /* len 0: a private customer */
} view_t;

static void answer_known(view_t *view, const lp_record_t *record);
static int find_rights(view_t *view,
                       char users[LP_TOKEN_USERS][LP_USER_KEY_LEN],
                       unsigned n, lp_names_t *found);
static int take_rights(const redisReply *reply, lp_names_t *found);
static int list_usage(view_t *view, lp_names_t *found, json_t *list);
static int append_usage(view_t *view, const lp_record_t *record,
                        lp_names_t *told, json_t *list);

void
lp_route_usage_entitlement(lp_service_t *service, lp_request_t *request)
{
    view_t      view = {.service = service, .request = request};
    lp_record_t record;
    lp_span_t   id = request->path;
    char        text[LP_UUID_LEN + 1], entitlement[LP_ENTITLEMENT_LEN];

    if (lp_viewer_open(&view.viewer, service, request) != 0) {
        return;
    }

    if (id.len != sizeof(ENTITLEMENTS) - 1 + LP_UUID_LEN) {
        lp_answer_refuse(request, 400, LP_CODE_SCHEMA,
                         "id: is no uuid");
        return;
    }

    memcpy(text, id.data + sizeof(ENTITLEMENTS) - 1, LP_UUID_LEN);
    text[LP_UUID_LEN] = '\0';

    if (lp_entitlement_read(entitlement, text) != 0) {
        lp_answer_refuse(request, 400, LP_CODE_SCHEMA,
                         "id: is no uuid");
        return;
    }

    if (lp_record_find(service->store, &record, entitlement)
        != LP_STORE_OK) {
        lp_answer_unavailable(request);
        return;
    }

    if (!record.exists) {
        lp_answer_refuse(request, 404, LP_CODE_ENTITLEMENT_UNKNOWN,
                         "this entitlement is not known");
        return;
    }

    answer_known(&view, &record);
}

void
lp_route_usage_user(lp_service_t *service, lp_request_t *request)
{
    view_t            view = {.service = service, .request = request};
    lp_school_asked_t asked;
    lp_names_t        found = {0};
    json_t           *body, *list;
    char              users[LP_TOKEN_USERS][LP_USER_KEY_LEN];
    unsigned          n;
    int               rc;

    if (lp_viewer_open(&view.viewer, service, request) != 0) {
        return;
    }

    body = lp_request_json(request, LP_BODY_MAX);
    if (body == NULL) {
        return;
    }

    rc = lp_user_asked(service, request, body, &asked, users, &n);
    if (rc == 0 && (asked.master.len > 0 || asked.id.len > 0)) {
        rc = lp_school_find(&view.school, service, request, &asked);
    }
    json_decref(body);

    if (rc != 0
        || lp_viewer_permit(&view.viewer, service, request,
                            lp_field(&view.school)) != 0) {
        return;
    }

    list = json_array();
    if (find_rights(&view, users, n, &found) == 0
        && list_usage(&view, &found, list) == 0) {
        lp_answer_json(request, 200, list);
    } else {
        json_decref(list);
        lp_answer_unavailable(request);
    }

    lp_names_free(&found);
}

/* To a supplier another party's is not known; a dashboard may be told that
   consent is missing, as it must know the school. */
static void
answer_known(view_t *view, const lp_record_t *record)
{
    json_t *answer;
    int     consents = 0;

    if (!lp_viewer_owns(&view->viewer, record) && view->viewer.dashboard
        && record->school.len > 0) {
        consents = lp_school_consents(view->service,
                                      lp_field(&record->school));
        if (consents == -1) {
            lp_answer_unavailable(view->request);
            return;
        }
        if (consents == 0) {
            lp_answer_refuse(view->request, 403, LP_CODE_CONSENT,
                             "the school has not consented to "
                             LP_SCOPE_DASHBOARD);
            return;
        }
    }

    if (!consents && !lp_viewer_owns(&view->viewer, record)) {
        lp_answer_refuse(view->request, 404, LP_CODE_ENTITLEMENT_UNKNOWN,
                         "this entitlement is not known");
        return;
    }

    answer = lp_usage_json(record, record->entitlement);
    if (answer == NULL) {
        lp_answer_unavailable(view->request);
        return;
    }

    lp_answer_json(view->request, 200, answer);
}

/* The entitlements that the user's rights name: those at the school, and the
   private ones, which a dashboard has nothing to do with. */
static int
find_rights(view_t *view, char users[LP_TOKEN_USERS][LP_USER_KEY_LEN],
            unsigned n, lp_names_t *found)
{
    lp_store_t *store = view->service->store;
    lp_span_t   user, key, none = {NULL, 0};
    char        name[LP_KEY_MAX];
    unsigned    i, asked = 0;

    key.data = name;

    for (i = 0; i < n; i++) {
        user = (lp_span_t) {users[i], LP_USER_KEY_LEN};

        if (view->school.len > 0) {
            key.len = lp_key_user(name, lp_field(&view->school), user);
            lp_store_add(store, LP_WORDS(lp_span("HGETALL"), key));
            asked++;
        }

        if (view->viewer.party.len > 0) {
            key.len = lp_key_user(name, none, user);
            lp_store_add(store, LP_WORDS(lp_span("HGETALL"), key));
            asked++;
        }
    }

    if (lp_store_run(store) != LP_STORE_OK) {
        return -1;
    }

    for (i = 0; i < asked; i++) {
        if (take_rights(lp_store_reply(store, i), found) != 0) {
            return -1;
        }
    }

    return 0;
}

static int
take_rights(const redisReply *reply, lp_names_t *found)
{
    lp_right_t right;
    size_t     i;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        return -1;
    }

    for (i = 1; i < reply->elements && found->n < USER_MAX; i += 2) {
        if (lp_right_parse(&right, lp_store_text(reply->element[i])) == 0
            && lp_names_add(found, (lp_span_t) {right.entitlement,
                                                LP_ENTITLEMENT_LEN})
                   == LP_NAMES_FULL) {
            return -1;
        }
    }

    return 0;
}

/* found grows by those that come next in a chain. */
static int
list_usage(view_t *view, lp_names_t *found, json_t *list)
{
    lp_names_t  told = {0};
    lp_record_t record;
    uint32_t    i;
    char        entitlement[LP_ENTITLEMENT_LEN];
    int         rc = 0;

    for (i = 0; i < found->n && rc == 0; i++) {
        memcpy(entitlement, lp_name(found, i).data, LP_ENTITLEMENT_LEN);

        if (lp_record_find(view->service->store, &record, entitlement)
            != LP_STORE_OK) {
            rc = -1;
            break;
        }

        if (!record.exists) {
            continue;
        }

        if (record.has_next && found->n < USER_MAX
            && lp_names_add(found, (lp_span_t) {record.next,
                                                LP_ENTITLEMENT_LEN})
                   == LP_NAMES_FULL) {
            rc = -1;
        }

        rc |= append_usage(view, &record, &told, list);
    }

    lp_names_free(&told);

    return rc;
}

/* A licence of an open right goes by the open right's id, once. */
static int
append_usage(view_t *view, const lp_record_t *record, lp_names_t *told,
             json_t *list)
{
    const char *id = record->has_open ? record->open : record->entitlement;
    uint32_t    before = told->n;

    if (!lp_viewer_owns(&view->viewer, record)
        && !(view->viewer.all && record->school.len > 0
             && lp_span_equal(lp_field(&record->school),
                              lp_field(&view->school)))) {
        return 0;
    }

    switch (lp_names_add(told, (lp_span_t) {id, LP_ENTITLEMENT_LEN})) {
    case LP_NAMES_FULL:
        return -1;
    default:
        return told->n == before
                   ? 0 : json_array_append_new(list,
                                               lp_usage_json(record, id));
    }
}
