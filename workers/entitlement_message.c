/*
 * From JSON to a message: every field of an EntitlementRequest (Edu-V 1.x) that
 * Leerpoort keeps, or decides by, stands in a table with its type, its length
 * and whether it must be there. Fields that no table names are passed over, and
 * so is null for one that may be absent: a seller's next version must not stop
 * a school.
 *
 * A refusal is the path of the field and why: "entitlement.school: is missing".
 * It never repeats what the field held, which may be the id of a person. Ids of
 * persons and codes become hashes here and go no further.
 */

#include <stdio.h>

#include "../core/chars.h"
#include "../core/entitlement.h"
#include "../core/json.h"
#include "../core/licence.h"
#include "../core/text.h"
#include "../core/token.h"
#include "codes.h"
#include "entitlements.h"
#include "json_members.h"
#include "school_type.h"
#include "written_time.h"

#define CREATED_MAX      40 /* bytes of a date-time */
#define CODE_WRITTEN_MAX 96 /* bytes of a code, hyphens and all */
#define QUANTITY_MAX     1000000000

static int take_reference(lp_reading_t *reading, const json_t *value);
static int take_created(lp_reading_t *reading, const json_t *value);
static int take_entitlement(lp_reading_t *reading, const json_t *value);
static int take_id(lp_reading_t *reading, const json_t *value);
static int take_order(lp_reading_t *reading, const json_t *value);
static int take_contract(lp_reading_t *reading, const json_t *value);
static int take_product(lp_reading_t *reading, const json_t *value);
static int take_start(lp_reading_t *reading, const json_t *value);
static int take_until(lp_reading_t *reading, const json_t *value);
static int take_expiration(lp_reading_t *reading, const json_t *value);
static int take_end(lp_reading_t *reading, const json_t *value);
static int take_type(lp_reading_t *reading, const json_t *value);
static int take_status(lp_reading_t *reading, const json_t *value);
static int take_school(lp_reading_t *reading, const json_t *value);
static int take_user(lp_reading_t *reading, const json_t *value);
static int take_code(lp_reading_t *reading, const json_t *value);
static int take_quantity(lp_reading_t *reading, const json_t *value);
static int take_master(lp_reading_t *reading, const json_t *value);
static int take_organisations(lp_reading_t *reading, const json_t *value);
static int take_eck(lp_reading_t *reading, const json_t *value);
static int take_users(lp_reading_t *reading, const json_t *value);
static int take_entry_id(lp_reading_t *reading, const json_t *value);
static int take_entry_type(lp_reading_t *reading, const json_t *value);

static const lp_member_t request_fields[] = {
    {"entitlementReferenceId", JSON_STRING, LP_REFERENCE_MAX, LP_NEEDED,
     take_reference},
    {"created", JSON_STRING, CREATED_MAX, LP_OPTIONAL, take_created},
    {"entitlement", JSON_OBJECT, 0, LP_NEEDED, take_entitlement},
    {NULL, JSON_NULL, 0, LP_OPTIONAL, NULL},
};

/* The type before what depends on it. */
static const lp_member_t entitlement_fields[] = {
    {"entitlementId", JSON_STRING, LP_UUID_LEN, LP_NEEDED, take_id},
    {"entitlementType", JSON_STRING, LP_FIELD_MAX, LP_NEEDED, take_type},
    {"entitlementStatus", JSON_STRING, LP_FIELD_MAX, LP_NEEDED, take_status},
    {"productId", JSON_STRING, LP_FIELD_MAX, LP_NEEDED, take_product},
    {"deliveryOrderId", JSON_STRING, LP_FIELD_MAX, LP_OPTIONAL, take_order},
    {"contractId", JSON_STRING, LP_FIELD_MAX, LP_OPTIONAL, take_contract},
    {"startDate", JSON_STRING, LP_DATE_LEN, LP_NEEDED, take_start},
    {"activationUntilDate", JSON_STRING, LP_DATE_LEN, LP_NEEDED, take_until},
    {"expirationDate", JSON_STRING, LP_DATE_LEN, LP_OPTIONAL, take_expiration},
    {"endDate", JSON_STRING, LP_DATE_LEN, LP_OPTIONAL, take_end},
    {"school", JSON_OBJECT, 0, LP_OPTIONAL, take_school},
    {"user", JSON_OBJECT, 0, LP_OPTIONAL, take_user},
    {"activationCode", JSON_STRING, CODE_WRITTEN_MAX, LP_OPTIONAL, take_code},
    {"quantity", JSON_INTEGER, 0, LP_OPTIONAL, take_quantity},
    {"created", JSON_STRING, CREATED_MAX, LP_OPTIONAL, take_created},
    {NULL, JSON_NULL, 0, LP_OPTIONAL, NULL},
};

static const lp_member_t school_fields[] = {
    {"organisationMasterIdentifier", JSON_STRING, LP_FIELD_MAX, LP_OPTIONAL,
     take_master},
    {"organisationIds", JSON_ARRAY, 0, LP_OPTIONAL, take_organisations},
    {NULL, JSON_NULL, 0, LP_OPTIONAL, NULL},
};

static const lp_member_t organisation_fields[] = {
    {"organisationIdType", JSON_STRING, LP_FIELD_MAX, LP_NEEDED,
     take_entry_type},
    {"organisationId", JSON_STRING, LP_SCHOOL_ID_MAX, LP_NEEDED, take_entry_id},
    {NULL, JSON_NULL, 0, LP_OPTIONAL, NULL},
};

static const lp_member_t user_fields[] = {
    {"userMasterIdentifier", JSON_STRING, LP_USER_ID_MAX, LP_OPTIONAL,
     take_eck},
    {"userIds", JSON_ARRAY, 0, LP_OPTIONAL, take_users},
    {NULL, JSON_NULL, 0, LP_OPTIONAL, NULL},
};

static const lp_member_t user_id_fields[] = {
    {"userIdType", JSON_STRING, LP_ID_TYPE_MAX, LP_NEEDED, take_entry_type},
    {"userId", JSON_STRING, LP_USER_ID_MAX, LP_NEEDED, take_entry_id},
    {NULL, JSON_NULL, 0, LP_OPTIONAL, NULL},
};

/* What a type of entitlement must name. */
static const struct {
    int school, user, code;
} needs[LP_TYPES] = {
    [LP_TYPE_SCHOOL_STUDENT] = {1, 1, 0},
    [LP_TYPE_SCHOOL_EMPLOYEE] = {1, 1, 0},
    [LP_TYPE_SCHOOL_CODE] = {1, 0, 1},
    [LP_TYPE_CUSTOMER_STUDENT] = {0, 1, 0},
    [LP_TYPE_CUSTOMER_CODE] = {0, 0, 1},
    [LP_TYPE_OPEN] = {1, 0, 0},
};

static int check_whole(lp_reading_t *reading);

int
lp_message_read(lp_service_t *service, const json_t *json,
                lp_message_t *message, lp_verdict_t *verdict)
{
    lp_reading_t reading = {service, message, verdict, {0}, 0, {NULL, 0},
                         {NULL, 0}};

    memset(message, 0, sizeof(*message));
    memset(verdict, 0, sizeof(*verdict));
    if (!json_is_object(json)) {
        snprintf(verdict->reason, sizeof(verdict->reason),
                 "the message is no JSON object");
        verdict->result = LP_REFUSED_FIELD;
        verdict->code = LP_CODE_SCHEMA;
        return -1;
    }
    if (lp_members_read(&reading, request_fields, json) != 0) {
        return -1;
    }
    lp_reading_enter(&reading, "entitlement");
    return check_whole(&reading);
}

static int
take_reference(lp_reading_t *reading, const json_t *value)
{
    lp_span_t text = lp_json_text(value);
    size_t    i;

    for (i = 0; i < text.len; i++) {
        if ((unsigned char) text.data[i] > 0x7e) {
            return lp_refuse(reading, "is not printable ASCII");
        }
    }
    memcpy(reading->message->reference, text.data, text.len);
    reading->message->reference_len = text.len;
    return 0;
}

static int
take_entitlement(lp_reading_t *reading, const json_t *value)
{
    return lp_members_read(reading, entitlement_fields, value);
}

static int
take_id(lp_reading_t *reading, const json_t *value)
{
    char *dst = reading->message->wanted.entitlement;

    if (json_string_length(value) != LP_UUID_LEN
        || lp_entitlement_read(dst, json_string_value(value)) != 0) {
        return lp_refuse(reading, "is no uuid");
    }
    memcpy(reading->verdict->entitlement, dst, LP_ENTITLEMENT_LEN);
    return 0;
}

static int
take_order(lp_reading_t *reading, const json_t *value)
{
    return lp_field_set(&reading->message->wanted.order,
                        lp_json_text(value));
}

static int
take_contract(lp_reading_t *reading, const json_t *value)
{
    return lp_field_set(&reading->message->wanted.contract,
                        lp_json_text(value));
}

static int
take_product(lp_reading_t *reading, const json_t *value)
{
    if (!lp_product_valid(lp_json_text(value))) {
        return lp_refuse(reading, "is not made of A-Z a-z 0-9 . _ -, a letter "
                                  "or digit first");
    }
    return lp_field_set(&reading->message->wanted.product, lp_json_text(value));
}

static int
take_day(lp_reading_t *reading, const json_t *value, uint32_t *day)
{
    *day = json_string_length(value) == LP_DATE_LEN
               ? lp_date_read(json_string_value(value))
               : 0;
    return *day == 0 ? lp_refuse(reading, "is no date of the form YYYY-MM-DD")
                     : 0;
}

static int
take_start(lp_reading_t *reading, const json_t *value)
{
    return take_day(reading, value, &reading->message->wanted.from);
}

static int
take_until(lp_reading_t *reading, const json_t *value)
{
    uint32_t *until = &reading->message->wanted.until;

    if (take_day(reading, value, until) != 0) {
        return -1;
    }
    if (reading->service->until_excluded) {
        *until = lp_day_add(*until, -1);
    }
    if (*until < reading->message->wanted.from) {
        return lp_refuse(reading, reading->service->until_excluded
                                      ? "is not after startDate"
                                      : "is before startDate");
    }
    return 0;
}

static int
take_expiration(lp_reading_t *reading, const json_t *value)
{
    return take_day(reading, value, &reading->message->wanted.minimum);
}

static int
take_end(lp_reading_t *reading, const json_t *value)
{
    return take_day(reading, value, &reading->message->end);
}

static int
take_type(lp_reading_t *reading, const json_t *value)
{
    lp_record_t *wanted = &reading->message->wanted;

    wanted->type = lp_type_find(lp_json_text(value));
    if (wanted->type == LP_TYPE_NONE) {
        return lp_refuse(reading,
                         "is none of school-student, school-employee, "
                         "school-activationcode, customer-student, "
                         "customer-activationcode");
    }
    return 0;
}

static int
take_status(lp_reading_t *reading, const json_t *value)
{
    lp_message_t *message = reading->message;

    message->status = lp_status_find(lp_json_text(value));
    if (message->status == LP_STATUS_NONE) {
        return lp_refuse(reading, "is none of created, entitled, licensed, "
                                  "cancelled, blocked");
    }
    message->unblocks = message->status == LP_STATUS_ENTITLED
                        || message->status == LP_STATUS_LICENSED;
    return 0;
}

static int
take_school(lp_reading_t *reading, const json_t *value)
{
    if (!needs[reading->message->wanted.type].school) {
        return 0;
    }
    return lp_members_read(reading, school_fields, value);
}

static int
take_master(lp_reading_t *reading, const json_t *value)
{
    if (!lp_school_valid(lp_json_text(value))) {
        return lp_refuse(reading, "is not made of A-Z a-z 0-9 _ . -");
    }
    return lp_field_set(&reading->message->wanted.school, lp_json_text(value));
}

static int
take_entry_id(lp_reading_t *reading, const json_t *value)
{
    reading->id = lp_json_text(value);
    return 0;
}

static int
take_entry_type(lp_reading_t *reading, const json_t *value)
{
    reading->type = lp_json_text(value);
    return 0;
}

/* An id of a type that is not known, or more ids than count, do no harm. */
static int
keep_alias(lp_reading_t *reading)
{
    lp_message_t *message = reading->message;
    lp_alias_t   *alias = &message->aliases[message->n_aliases];

    if (message->n_aliases < LP_ALIASES_MAX && lp_school_type(&reading->type)) {
        alias->type = reading->type;
        message->n_aliases++;
        return lp_field_set(&alias->id, reading->id);
    }
    return 0;
}

static int
take_organisations(lp_reading_t *reading, const json_t *value)
{
    if (reading->message->wanted.school.len > 0) {
        return 0;
    }
    return lp_members_list(reading, value, organisation_fields, keep_alias);
}

static int
take_user(lp_reading_t *reading, const json_t *value)
{
    if (!needs[reading->message->wanted.type].user) {
        return 0;
    }
    return lp_members_read(reading, user_fields, value);
}

/* The same person by two equal ids is one. */
static int
keep_user(lp_reading_t *reading, lp_span_t type, lp_span_t id)
{
    lp_record_t *wanted = &reading->message->wanted;
    char         user[LP_USER_KEY_LEN];
    unsigned     i;

    if (lp_user_key(user, reading->service->pepper, type, id) != 0) {
        return lp_refuse(reading, "could not be hashed");
    }
    for (i = 0; i < wanted->n_users; i++) {
        if (memcmp(wanted->users[i], user, LP_USER_KEY_LEN) == 0) {
            return 0;
        }
    }
    if (wanted->n_users == LP_TOKEN_USERS) {
        return lp_refuse(reading, "is one more than the three ids that a user "
                                  "may have");
    }
    memcpy(wanted->users[wanted->n_users++], user, LP_USER_KEY_LEN);
    return 0;
}

static int
take_eck(lp_reading_t *reading, const json_t *value)
{
    return keep_user(reading, lp_span("ECK"), lp_json_text(value));
}

static int
keep_user_id(lp_reading_t *reading)
{
    size_t i;

    for (i = 0; i < reading->type.len; i++) {
        if (!lp_char_is((unsigned char) reading->type.data[i], LP_CHAR_NAME)
            || reading->type.data[i] == '.') {
            return lp_refuse_at(reading, "userIdType",
                                "is not made of A-Z a-z 0-9 _ -");
        }
    }
    if (lp_span_equal(reading->type, lp_span("ECK"))) {
        return lp_refuse_at(reading, "userIdType",
                            "may not be ECK: that id is userMasterIdentifier");
    }
    return keep_user(reading, reading->type, reading->id);
}

/* They count only where there is no ECK iD. */
static int
take_users(lp_reading_t *reading, const json_t *value)
{
    if (reading->message->wanted.n_users > 0) {
        return 0;
    }
    return lp_members_list(reading, value, user_id_fields, keep_user_id);
}

static int
take_code(lp_reading_t *reading, const json_t *value)
{
    lp_message_t *message = reading->message;
    char          canonical[LP_CODE_TEXT_MAX];
    size_t        len;

    if (!needs[message->wanted.type].code) {
        return 0;
    }
    len = lp_code_canonical(canonical, lp_json_text(value));
    if (len == 0
        || lp_code_hash(message->code, reading->service->pepper,
                        (lp_span_t) {canonical, len})
               != 0) {
        return lp_refuse(reading, "is not 8 to 64 letters and digits, with "
                                  "hyphens between them or not");
    }
    message->has_code = 1;
    return 0;
}

/* How many may activate: of a whole school's right, which is not Edu-V's. */
static int
take_quantity(lp_reading_t *reading, const json_t *value)
{
    json_int_t n = json_integer_value(value);

    if (n < 0 || n > QUANTITY_MAX) {
        return lp_refuse(reading, "is not from 0 to 1000000000");
    }
    if (reading->message->wanted.type == LP_TYPE_OPEN) {
        reading->message->wanted.quantity = (uint64_t) n;
    }
    return 0;
}

static int
take_created(lp_reading_t *reading, const json_t *value)
{
    int64_t at = lp_date_time_read(json_string_value(value));

    if (at <= 0) {
        return lp_refuse(reading,
                         "is no time of the form YYYY-MM-DDTHH:MM:SSZ");
    }
    reading->message->wanted.created = at;
    return 0;
}

/* What needs more than one field to be seen. */
static int
check_whole(lp_reading_t *reading)
{
    const lp_message_t *message = reading->message;
    lp_type_t           type = message->wanted.type;
    char                why[80];
    const char         *missing = NULL;

    if (needs[type].school && message->wanted.school.len == 0
        && message->n_aliases == 0) {
        missing = "school";
    } else if (needs[type].user && message->wanted.n_users == 0) {
        missing = "user";
    } else if (needs[type].code && !message->has_code) {
        missing = "activationCode";
    }
    if (missing != NULL) {
        snprintf(why, sizeof(why), "is missing, or names none: %s needs it",
                 lp_type_name(type));
        return lp_refuse_at(reading, missing, why);
    }
    if (!message->unblocks && message->end == 0) {
        snprintf(why, sizeof(why), "is missing: status %s needs it",
                 lp_status_name(message->status));
        return lp_refuse_at(reading, "endDate", why);
    }
    return 0;
}
