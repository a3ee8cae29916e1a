/*
 * A supplier (usage.entitlor, usage.seller) sees what it sent itself: that
 * needs no consent, it is its own trade. A dashboard sees a whole school, but
 * only where the school has said so. A token with both kinds of scope gets what
 * either allows.
 */

#include "usage_viewer.h"

#include "../core/json.h"
#include "../core/text.h"
#include "entitlements.h"
#include "school_type.h"
#include "usage_keys.h"

#define BODY_ORGANISATIONS 16 /* ids in a SchoolReference, at most */

static int refuse_field(lp_request_t *request, const char *name,
                        const char *why);
static int alias_school(lp_value_t *dst, lp_service_t *service,
                        lp_request_t *request,
                        const lp_school_asked_t *asked);
static int read_school(lp_request_t *request, const json_t *school,
                       lp_school_asked_t *asked);
static int read_user(lp_service_t *service, lp_request_t *request,
                     const json_t *user,
                     char users[LP_TOKEN_USERS][LP_USER_KEY_LEN],
                     unsigned *n);
static int read_user_id(lp_service_t *service, lp_request_t *request,
                        const json_t *entry, char *dst);
static int is_odd(const json_t *object, const char *name);
static int is_text(lp_span_t text, size_t max);

int
lp_viewer_open(lp_viewer_t *viewer, lp_service_t *service,
               lp_request_t *request)
{
    const lp_party_t  *party;
    const lp_client_t *client;

    memset(viewer, 0, sizeof(*viewer));
    viewer->dashboard = lp_request_has_scope(request, LP_SCOPE_DASHBOARD);

    if (lp_request_has_scope(request, LP_SCOPE_ENTITLOR)
        || lp_request_has_scope(request, LP_SCOPE_SELLER)) {
        party = lp_party_by_client(lp_parties(service->parties),
                                   request->client, &client);
        if (party != NULL) {
            viewer->party = party->oin;
        }
    }

    if (viewer->party.len > 0 || viewer->dashboard) {
        return 0;
    }

    lp_answer_refuse(request, 403, LP_CODE_SCOPE,
                     "the token has none of the scopes " LP_SCOPE_ENTITLOR
                     ", " LP_SCOPE_SELLER ", " LP_SCOPE_DASHBOARD
                     ", or its client belongs to no party");
    return -1;
}

int
lp_viewer_owns(const lp_viewer_t *viewer, const lp_record_t *record)
{
    return viewer->party.len > 0
           && lp_span_equal(viewer->party, lp_field(&record->party));
}

int
lp_viewer_permit(lp_viewer_t *viewer, lp_service_t *service,
                 lp_request_t *request, lp_span_t school)
{
    int consents = 0;

    if (viewer->dashboard && school.len > 0) {
        consents = lp_school_consents(service, school);
        if (consents == -1) {
            lp_answer_unavailable(request);
            return -1;
        }
    }

    viewer->all = consents;

    if (!consents && viewer->party.len == 0) {
        lp_answer_refuse(request, 403, LP_CODE_CONSENT,
                         "there is no school that has consented to "
                         LP_SCOPE_DASHBOARD);
        return -1;
    }

    return 0;
}

int
lp_school_consents(lp_service_t *service, lp_span_t school)
{
    const redisReply *reply;
    lp_span_t         key;
    char              name[LP_USAGE_KEY_MAX];

    key = (lp_span_t) {name, lp_key_known_school(name, school)};
    reply = lp_store_ask(service->store,
                         LP_WORDS(lp_span("HGET"), key,
                                  lp_span(LP_CONSENT_DASHBOARD)));

    return reply == NULL ? -1
                         : lp_span_equal(lp_store_text(reply), lp_span("1"));
}

int
lp_school_find(lp_value_t *dst, lp_service_t *service, lp_request_t *request,
               const lp_school_asked_t *asked)
{
    const redisReply *reply;
    lp_span_t         key;
    char              name[LP_USAGE_KEY_MAX];

    if (asked->master.len == 0) {
        if (alias_school(dst, service, request, asked) != 0) {
            return -1;
        }
    } else if (!lp_school_valid(asked->master)
               || lp_field_set(dst, asked->master) != 0) {
        return refuse_field(request, asked->names[0],
                            "is 1 to 64 of A-Z a-z 0-9 _ . -");
    }

    key = (lp_span_t) {name, lp_key_known_school(name, lp_field(dst))};
    reply = lp_store_ask(service->store, LP_WORDS(lp_span("EXISTS"), key));

    if (reply == NULL) {
        lp_answer_unavailable(request);
        return -1;
    }
    if (reply->integer != 1) {
        lp_answer_refuse(request, 404, LP_CODE_SCHOOL_UNKNOWN,
                         "this school is not known");
        return -1;
    }

    return 0;
}

int
lp_user_asked(lp_service_t *service, lp_request_t *request,
              const json_t *body, lp_school_asked_t *asked,
              char users[LP_TOKEN_USERS][LP_USER_KEY_LEN], unsigned *n)
{
    const json_t *school = json_object_get(body, "school");

    memset(asked, 0, sizeof(*asked));
    asked->names[0] = "school.organisationMasterIdentifier";
    asked->names[1] = "school.organisationIds.organisationIdType";
    asked->names[2] = "school.organisationIds.organisationId";

    if (school != NULL && !json_is_null(school)
        && read_school(request, school, asked) != 0) {
        return -1;
    }

    return read_user(service, request, json_object_get(body, "user"), users,
                     n);
}

static int
refuse_field(lp_request_t *request, const char *name, const char *why)
{
    lp_answer_refuse(request, 400, LP_CODE_SCHEMA, "%s: %s", name, why);

    return -1;
}

static int
alias_school(lp_value_t *dst, lp_service_t *service, lp_request_t *request,
             const lp_school_asked_t *asked)
{
    const redisReply *reply;
    lp_span_t         type = asked->type, school;
    char              key[LP_KEY_MAX];
    size_t            len;

    if (!lp_school_type(&type)) {
        return refuse_field(request, asked->names[1],
                            "is OIE_CODE, BP_ID, DD_ID, AS_ID or V_ID");
    }
    if (!lp_school_id_valid(asked->id)
        || (len = lp_key_alias(key, type, asked->id)) == 0) {
        return refuse_field(request, asked->names[2],
                            "is empty, too long or has control characters");
    }

    reply = lp_store_ask(service->store,
                         LP_WORDS(lp_span("GET"), ((lp_span_t) {key, len})));
    if (reply == NULL) {
        lp_answer_unavailable(request);
        return -1;
    }

    school = lp_store_text(reply);
    if (!lp_school_valid(school) || lp_field_set(dst, school) != 0) {
        lp_answer_refuse(request, 404, LP_CODE_SCHOOL_UNKNOWN,
                         "this school is not known");
        return -1;
    }

    return 0;
}

/* The master identifier where there is one, else the first id of a type that
   is known. */
static int
read_school(lp_request_t *request, const json_t *school,
            lp_school_asked_t *asked)
{
    const json_t *list, *entry;
    lp_span_t     type;
    size_t        i;

    if (!json_is_object(school)) {
        return refuse_field(request, "school", "is no object");
    }

    if (is_odd(school, "organisationMasterIdentifier")) {
        return refuse_field(request, asked->names[0], "is no string");
    }

    asked->master = lp_json_member(school, "organisationMasterIdentifier");
    if (asked->master.len > 0) {
        return 0;
    }

    list = json_object_get(school, "organisationIds");
    if (!json_is_array(list) || json_array_size(list) == 0
        || json_array_size(list) > BODY_ORGANISATIONS) {
        return refuse_field(request, asked->names[0],
                            "is missing, and there are no organisationIds "
                            "either (1 to 16)");
    }

    for (i = 0; i < json_array_size(list) && asked->id.len == 0; i++) {
        entry = json_array_get(list, i);
        type = lp_json_member(entry, "organisationIdType");

        if (lp_school_type(&type)) {
            asked->type = type;
            asked->id = lp_json_member(entry, "organisationId");
        }
    }

    return asked->id.len > 0
               ? 0 : refuse_field(request, "school.organisationIds",
                                  "has no id of a type that is known");
}

/* An ECK iD counts alone; else up to three other ids. */
static int
read_user(lp_service_t *service, lp_request_t *request, const json_t *user,
          char users[LP_TOKEN_USERS][LP_USER_KEY_LEN], unsigned *n)
{
    const json_t *list;
    lp_span_t     master;
    size_t        i;

    *n = 0;
    if (!json_is_object(user)) {
        return refuse_field(request, "user", "is missing, or no object");
    }

    if (is_odd(user, "userMasterIdentifier")) {
        return refuse_field(request, "user.userMasterIdentifier",
                            "is no string");
    }

    master = lp_json_member(user, "userMasterIdentifier");
    if (master.len > 0) {
        if (!is_text(master, LP_USER_ID_MAX)
            || lp_user_key(users[0], service->pepper, lp_span("ECK"), master)
                   != 0) {
            return refuse_field(request, "user.userMasterIdentifier",
                                "is too long or has control characters");
        }
        *n = 1;
        return 0;
    }

    list = json_object_get(user, "userIds");
    if (!json_is_array(list) || json_array_size(list) == 0
        || json_array_size(list) > LP_TOKEN_USERS) {
        return refuse_field(request, "user.userMasterIdentifier",
                            "is missing, and there are no userIds either (1 "
                            "to 3)");
    }

    for (i = 0; i < json_array_size(list); i++) {
        if (read_user_id(service, request, json_array_get(list, i),
                         users[*n]) != 0) {
            return -1;
        }
        (*n)++;
    }

    return 0;
}

static int
read_user_id(lp_service_t *service, lp_request_t *request,
             const json_t *entry, char *dst)
{
    lp_span_t type = lp_json_member(entry, "userIdType");
    lp_span_t id = lp_json_member(entry, "userId");

    if (type.data == NULL || !lp_school_valid(type)
        || type.len > LP_ID_TYPE_MAX
        || memchr(type.data, '.', type.len) != NULL
        || lp_span_equal(type, lp_span("ECK"))) {
        return refuse_field(request, "user.userIds.userIdType",
                            "is missing, or is not 1 to 16 of A-Z a-z 0-9 "
                            "_ -; an ECK iD is a userMasterIdentifier");
    }
    if (!is_text(id, LP_USER_ID_MAX)
        || lp_user_key(dst, service->pepper, type, id) != 0) {
        return refuse_field(request, "user.userIds.userId",
                            "is missing, too long or has control characters");
    }

    return 0;
}

/* It is there, but no text: what is meant is not what would be looked for. */
static int
is_odd(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return value != NULL && !json_is_null(value) && !json_is_string(value);
}

static int
is_text(lp_span_t text, size_t max)
{
    return text.len > 0 && text.len <= max && !lp_has_control(text);
}
