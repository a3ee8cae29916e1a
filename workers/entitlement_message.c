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
#include <time.h>

#include "../core/chars.h"
#include "../core/day.h"
#include "../core/licence.h"
#include "../core/token.h"
#include "codes.h"
#include "entitlement.h"
#include "entitlements.h"

#define PATH_MAX_BYTES 128
#define CREATED_MAX    40 /* bytes of a date-time */
#define DATE_LEN       10
#define CODE_WRITTEN_MAX 96 /* bytes of a code, hyphens and all */
#define QUANTITY_MAX   1000000000

/* How far the reading is, and where. */
typedef struct {
    lp_service_t *service;
    lp_message_t *message;
    lp_verdict_t *verdict;
    char          path[PATH_MAX_BYTES];
    size_t        path_len;
    /* of the list entry in hand */
    lp_span_t     id;
    lp_span_t     type;
} reading_t;

typedef enum { MAY = 0, MUST } need_t;

typedef struct field_s field_t;

struct field_s {
    const char *name;
    json_type   type;
    size_t      max; /* bytes of a string */
    need_t      need;
    int (*take)(reading_t *reading, const json_t *value);
};

static int take_reference(reading_t *reading, const json_t *value);
static int take_created(reading_t *reading, const json_t *value);
static int take_entitlement(reading_t *reading, const json_t *value);
static int take_id(reading_t *reading, const json_t *value);
static int take_order(reading_t *reading, const json_t *value);
static int take_contract(reading_t *reading, const json_t *value);
static int take_product(reading_t *reading, const json_t *value);
static int take_start(reading_t *reading, const json_t *value);
static int take_until(reading_t *reading, const json_t *value);
static int take_expiration(reading_t *reading, const json_t *value);
static int take_end(reading_t *reading, const json_t *value);
static int take_type(reading_t *reading, const json_t *value);
static int take_status(reading_t *reading, const json_t *value);
static int take_school(reading_t *reading, const json_t *value);
static int take_user(reading_t *reading, const json_t *value);
static int take_code(reading_t *reading, const json_t *value);
static int take_quantity(reading_t *reading, const json_t *value);
static int take_master(reading_t *reading, const json_t *value);
static int take_organisations(reading_t *reading, const json_t *value);
static int take_eck(reading_t *reading, const json_t *value);
static int take_users(reading_t *reading, const json_t *value);
static int take_entry_id(reading_t *reading, const json_t *value);
static int take_entry_type(reading_t *reading, const json_t *value);

static const field_t request_fields[] = {
    {"entitlementReferenceId", JSON_STRING, LP_REFERENCE_MAX, MUST,
     take_reference},
    {"created", JSON_STRING, CREATED_MAX, MAY, take_created},
    {"entitlement", JSON_OBJECT, 0, MUST, take_entitlement},
    {NULL, JSON_NULL, 0, MAY, NULL},
};

/* The type before what depends on it. */
static const field_t entitlement_fields[] = {
    {"entitlementId", JSON_STRING, LP_UUID_LEN, MUST, take_id},
    {"entitlementType", JSON_STRING, LP_FIELD_MAX, MUST, take_type},
    {"entitlementStatus", JSON_STRING, LP_FIELD_MAX, MUST, take_status},
    {"productId", JSON_STRING, LP_FIELD_MAX, MUST, take_product},
    {"deliveryOrderId", JSON_STRING, LP_FIELD_MAX, MAY, take_order},
    {"contractId", JSON_STRING, LP_FIELD_MAX, MAY, take_contract},
    {"startDate", JSON_STRING, DATE_LEN, MUST, take_start},
    {"activationUntilDate", JSON_STRING, DATE_LEN, MUST, take_until},
    {"expirationDate", JSON_STRING, DATE_LEN, MAY, take_expiration},
    {"endDate", JSON_STRING, DATE_LEN, MAY, take_end},
    {"school", JSON_OBJECT, 0, MAY, take_school},
    {"user", JSON_OBJECT, 0, MAY, take_user},
    {"activationCode", JSON_STRING, CODE_WRITTEN_MAX, MAY, take_code},
    {"quantity", JSON_INTEGER, 0, MAY, take_quantity},
    {"created", JSON_STRING, CREATED_MAX, MAY, take_created},
    {NULL, JSON_NULL, 0, MAY, NULL},
};

static const field_t school_fields[] = {
    {"organisationMasterIdentifier", JSON_STRING, LP_FIELD_MAX, MAY,
     take_master},
    {"organisationIds", JSON_ARRAY, 0, MAY, take_organisations},
    {NULL, JSON_NULL, 0, MAY, NULL},
};

static const field_t organisation_fields[] = {
    {"organisationIdType", JSON_STRING, LP_FIELD_MAX, MUST, take_entry_type},
    {"organisationId", JSON_STRING, LP_SCHOOL_ID_MAX, MUST, take_entry_id},
    {NULL, JSON_NULL, 0, MAY, NULL},
};

static const field_t user_fields[] = {
    {"userMasterIdentifier", JSON_STRING, LP_USER_ID_MAX, MAY, take_eck},
    {"userIds", JSON_ARRAY, 0, MAY, take_users},
    {NULL, JSON_NULL, 0, MAY, NULL},
};

static const field_t user_id_fields[] = {
    {"userIdType", JSON_STRING, LP_ID_TYPE_MAX, MUST, take_entry_type},
    {"userId", JSON_STRING, LP_USER_ID_MAX, MUST, take_entry_id},
    {NULL, JSON_NULL, 0, MAY, NULL},
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

static int read_fields(reading_t *reading, const field_t *fields,
                       const json_t *object);
static int check_whole(reading_t *reading);

/* Sets the verdict: the path in hand, then why. Returns -1. */
static int
refuse(reading_t *reading, const char *why)
{
    reading->verdict->result = LP_REFUSED_FIELD;
    reading->verdict->code = LP_CODE_SCHEMA;
    snprintf(reading->verdict->reason, sizeof(reading->verdict->reason),
             "%.*s: %s", (int) reading->path_len, reading->path, why);
    return -1;
}

/* Goes down to a member; returns the length to come back to. */
static size_t
enter(reading_t *reading, const char *name)
{
    size_t before = reading->path_len, room = sizeof(reading->path) - before;
    int    n;

    n = snprintf(reading->path + before, room, "%s%s", before > 0 ? "." : "",
                 name);
    if (n > 0) {
        reading->path_len += (size_t) n < room ? (size_t) n : room - 1;
    }
    return before;
}

static int
refuse_at(reading_t *reading, const char *name, const char *why)
{
    enter(reading, name);
    return refuse(reading, why);
}

int
lp_message_read(lp_service_t *service, const json_t *json,
                lp_message_t *message, lp_verdict_t *verdict)
{
    reading_t reading = {service, message, verdict, {0}, 0, {NULL, 0},
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
    if (read_fields(&reading, request_fields, json) != 0) {
        return -1;
    }
    enter(&reading, "entitlement");
    return check_whole(&reading);
}

static const char *
type_words(json_type type)
{
    switch (type) {
    case JSON_OBJECT:
        return "is no object";
    case JSON_ARRAY:
        return "is no list";
    case JSON_INTEGER:
        return "is no whole number";
    default:
        return "is no string";
    }
}

static int
has_control(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if ((unsigned char) text[i] < 0x20 || text[i] == 0x7f) {
            return 1;
        }
    }
    return 0;
}

static lp_span_t
text_of(const json_t *value)
{
    return (lp_span_t) {json_string_value(value), json_string_length(value)};
}

/* 1: it counts; 0: it is absent, and may be; -1: refused. */
static int
check_field(reading_t *reading, const field_t *field, const json_t *value)
{
    char why[64];

    if (value == NULL || json_is_null(value)) {
        return field->need == MUST ? refuse(reading, "is missing") : 0;
    }
    if (json_typeof(value) != field->type) {
        return refuse(reading, type_words(field->type));
    }
    if (field->type != JSON_STRING) {
        return 1;
    }
    if (json_string_length(value) == 0) {
        return field->need == MUST ? refuse(reading, "is empty") : 0;
    }
    if (json_string_length(value) > field->max) {
        snprintf(why, sizeof(why), "is longer than %zu bytes", field->max);
        return refuse(reading, why);
    }
    if (has_control(json_string_value(value), json_string_length(value))) {
        return refuse(reading, "holds a control character");
    }
    return 1;
}

static int
read_fields(reading_t *reading, const field_t *fields, const json_t *object)
{
    const json_t *value;
    size_t        before;
    int           counts;

    for (; fields->name != NULL; fields++) {
        before = enter(reading, fields->name);
        value = json_object_get(object, fields->name);
        counts = check_field(reading, fields, value);
        if (counts < 0 || (counts > 0 && fields->take(reading, value) != 0)) {
            return -1;
        }
        reading->path_len = before;
    }
    return 0;
}

static int
take_reference(reading_t *reading, const json_t *value)
{
    lp_span_t text = text_of(value);
    size_t    i;

    for (i = 0; i < text.len; i++) {
        if ((unsigned char) text.data[i] > 0x7e) {
            return refuse(reading, "is not printable ASCII");
        }
    }
    memcpy(reading->message->reference, text.data, text.len);
    reading->message->reference_len = text.len;
    return 0;
}

static int
take_entitlement(reading_t *reading, const json_t *value)
{
    return read_fields(reading, entitlement_fields, value);
}

static int
take_id(reading_t *reading, const json_t *value)
{
    char *dst = reading->message->wanted.entitlement;

    if (json_string_length(value) != LP_UUID_LEN
        || lp_entitlement_read(dst, json_string_value(value)) != 0) {
        return refuse(reading, "is no uuid");
    }
    memcpy(reading->verdict->entitlement, dst, LP_ENTITLEMENT_LEN);
    return 0;
}

static int
take_order(reading_t *reading, const json_t *value)
{
    return lp_field_set(&reading->message->wanted.order, text_of(value));
}

static int
take_contract(reading_t *reading, const json_t *value)
{
    return lp_field_set(&reading->message->wanted.contract, text_of(value));
}

static int
take_product(reading_t *reading, const json_t *value)
{
    if (!lp_product_valid(text_of(value))) {
        return refuse(reading, "is not made of A-Z a-z 0-9 . _ -, a letter or "
                               "digit first");
    }
    return lp_field_set(&reading->message->wanted.product, text_of(value));
}

/* YYYY-MM-DD at text; 0: it is no day of the calendar. */
static uint32_t
read_day(const char *text)
{
    uint32_t day = 0;
    unsigned i;

    for (i = 0; i < DATE_LEN; i++) {
        if (i == 4 || i == 7) {
            if (text[i] != '-') {
                return 0;
            }
        } else if (!lp_char_is((unsigned char) text[i], LP_CHAR_DIGIT)) {
            return 0;
        } else {
            day = day * 10 + (uint32_t) (text[i] - '0');
        }
    }
    return lp_day_valid(day) ? day : 0;
}

static int
take_day(reading_t *reading, const json_t *value, uint32_t *day)
{
    *day = json_string_length(value) == DATE_LEN
               ? read_day(json_string_value(value))
               : 0;
    return *day == 0 ? refuse(reading, "is no date of the form YYYY-MM-DD")
                     : 0;
}

static int
take_start(reading_t *reading, const json_t *value)
{
    return take_day(reading, value, &reading->message->wanted.from);
}

static int
take_until(reading_t *reading, const json_t *value)
{
    uint32_t *until = &reading->message->wanted.until;

    if (take_day(reading, value, until) != 0) {
        return -1;
    }
    if (reading->service->until_excluded) {
        *until = lp_day_add(*until, -1);
    }
    if (*until < reading->message->wanted.from) {
        return refuse(reading, reading->service->until_excluded
                                   ? "is not after startDate"
                                   : "is before startDate");
    }
    return 0;
}

static int
take_expiration(reading_t *reading, const json_t *value)
{
    return take_day(reading, value, &reading->message->wanted.minimum);
}

static int
take_end(reading_t *reading, const json_t *value)
{
    return take_day(reading, value, &reading->message->end);
}

static int
take_type(reading_t *reading, const json_t *value)
{
    lp_record_t *wanted = &reading->message->wanted;

    wanted->type = lp_type_find(text_of(value));
    if (wanted->type == LP_TYPE_NONE) {
        return refuse(reading,
                      "is none of school-student, school-employee, "
                      "school-activationcode, customer-student, "
                      "customer-activationcode");
    }
    return 0;
}

static int
take_status(reading_t *reading, const json_t *value)
{
    lp_message_t *message = reading->message;

    message->status = lp_status_find(text_of(value));
    if (message->status == LP_STATUS_NONE) {
        return refuse(reading, "is none of created, entitled, licensed, "
                               "cancelled, blocked");
    }
    message->unblocks = message->status == LP_STATUS_ENTITLED
                        || message->status == LP_STATUS_LICENSED;
    return 0;
}

static int
take_school(reading_t *reading, const json_t *value)
{
    if (!needs[reading->message->wanted.type].school) {
        return 0;
    }
    return read_fields(reading, school_fields, value);
}

static int
take_master(reading_t *reading, const json_t *value)
{
    if (!lp_school_valid(text_of(value))) {
        return refuse(reading, "is not made of A-Z a-z 0-9 _ . -");
    }
    return lp_field_set(&reading->message->wanted.school, text_of(value));
}

int
lp_school_type(lp_span_t *type)
{
    static const char *const types[] = {"OIE_CODE", "BP_ID", "DD_ID", "AS_ID",
                                        "V_ID"};
    unsigned                 i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (lp_span_equal(lp_span_of(types[i]), *type)) {
            *type = lp_span_of(types[i]);
            return 1;
        }
    }
    return 0;
}

int
lp_school_id_valid(lp_span_t id)
{
    return id.len > 0 && id.len <= LP_SCHOOL_ID_MAX
           && !has_control(id.data, id.len);
}

static int
take_entry_id(reading_t *reading, const json_t *value)
{
    reading->id = text_of(value);
    return 0;
}

static int
take_entry_type(reading_t *reading, const json_t *value)
{
    reading->type = text_of(value);
    return 0;
}

/* Reads each entry of a list of {id, type} and gives it to keep. */
static int
read_list(reading_t *reading, const json_t *list, const field_t *fields,
          int (*keep)(reading_t *reading))
{
    const json_t *entry;
    size_t        i, before = reading->path_len;
    int           n;

    for (i = 0; i < json_array_size(list); i++) {
        n = snprintf(reading->path + before, sizeof(reading->path) - before,
                     "[%zu]", i);
        reading->path_len = before + (n > 0 ? (size_t) n : 0);
        entry = json_array_get(list, i);
        if (!json_is_object(entry)) {
            return refuse(reading, type_words(JSON_OBJECT));
        }
        if (read_fields(reading, fields, entry) != 0 || keep(reading) != 0) {
            return -1;
        }
    }
    reading->path_len = before;
    return 0;
}

/* An id of a type that is not known, or more ids than count, do no harm. */
static int
keep_alias(reading_t *reading)
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
take_organisations(reading_t *reading, const json_t *value)
{
    if (reading->message->wanted.school.len > 0) {
        return 0;
    }
    return read_list(reading, value, organisation_fields, keep_alias);
}

static int
take_user(reading_t *reading, const json_t *value)
{
    if (!needs[reading->message->wanted.type].user) {
        return 0;
    }
    return read_fields(reading, user_fields, value);
}

/* The same person by two equal ids is one. */
static int
keep_user(reading_t *reading, lp_span_t type, lp_span_t id)
{
    lp_record_t *wanted = &reading->message->wanted;
    char         user[LP_USER_KEY_LEN];
    unsigned     i;

    if (lp_user_key(user, reading->service->pepper, type, id) != 0) {
        return refuse(reading, "could not be hashed");
    }
    for (i = 0; i < wanted->n_users; i++) {
        if (memcmp(wanted->users[i], user, LP_USER_KEY_LEN) == 0) {
            return 0;
        }
    }
    if (wanted->n_users == LP_TOKEN_USERS) {
        return refuse(reading, "is one more than the three ids that a user "
                               "may have");
    }
    memcpy(wanted->users[wanted->n_users++], user, LP_USER_KEY_LEN);
    return 0;
}

static int
take_eck(reading_t *reading, const json_t *value)
{
    return keep_user(reading, lp_span("ECK"), text_of(value));
}

static int
keep_user_id(reading_t *reading)
{
    size_t i;

    for (i = 0; i < reading->type.len; i++) {
        if (!lp_char_is((unsigned char) reading->type.data[i], LP_CHAR_NAME)
            || reading->type.data[i] == '.') {
            return refuse_at(reading, "userIdType",
                             "is not made of A-Z a-z 0-9 _ -");
        }
    }
    if (lp_span_equal(reading->type, lp_span("ECK"))) {
        return refuse_at(reading, "userIdType",
                         "may not be ECK: that id is userMasterIdentifier");
    }
    return keep_user(reading, reading->type, reading->id);
}

/* They count only where there is no ECK iD. */
static int
take_users(reading_t *reading, const json_t *value)
{
    if (reading->message->wanted.n_users > 0) {
        return 0;
    }
    return read_list(reading, value, user_id_fields, keep_user_id);
}

static int
take_code(reading_t *reading, const json_t *value)
{
    lp_message_t *message = reading->message;
    char          canonical[LP_CODE_TEXT_MAX];
    size_t        len;

    if (!needs[message->wanted.type].code) {
        return 0;
    }
    len = lp_code_canonical(canonical, text_of(value));
    if (len == 0
        || lp_code_hash(message->code, reading->service->pepper,
                        (lp_span_t) {canonical, len})
               != 0) {
        return refuse(reading, "is not 8 to 64 letters and digits, with "
                               "hyphens between them or not");
    }
    message->has_code = 1;
    return 0;
}

/* How many may activate: of a whole school's right, which is not Edu-V's. */
static int
take_quantity(reading_t *reading, const json_t *value)
{
    json_int_t n = json_integer_value(value);

    if (n < 0 || n > QUANTITY_MAX) {
        return refuse(reading, "is not from 0 to 1000000000");
    }
    if (reading->message->wanted.type == LP_TYPE_OPEN) {
        reading->message->wanted.quantity = (uint64_t) n;
    }
    return 0;
}

static int
two_digits(const char *text, int *n)
{
    if (!lp_char_is((unsigned char) text[0], LP_CHAR_DIGIT)
        || !lp_char_is((unsigned char) text[1], LP_CHAR_DIGIT)) {
        return -1;
    }
    *n = (text[0] - '0') * 10 + text[1] - '0';
    return 0;
}

/* RFC 3339 section 5.6, seconds and all; a fraction is passed over. */
static int64_t
read_time(const char *text)
{
    struct tm tm = {0};
    uint32_t  day;
    int       hours = 0, minutes = 0, sign;

    if (strlen(text) < DATE_LEN + 10) {
        return -1;
    }
    day = read_day(text);
    if (day == 0 || (text[10] != 'T' && text[10] != 't' && text[10] != ' ')
        || two_digits(text + 11, &tm.tm_hour) != 0 || text[13] != ':'
        || two_digits(text + 14, &tm.tm_min) != 0 || text[16] != ':'
        || two_digits(text + 17, &tm.tm_sec) != 0 || tm.tm_hour > 23
        || tm.tm_min > 59 || tm.tm_sec > 60) {
        return -1;
    }
    tm.tm_year = (int) (day / 10000) - 1900;
    tm.tm_mon = (int) (day / 100 % 100) - 1;
    tm.tm_mday = (int) (day % 100);
    text += 19;
    if (*text == '.') {
        text += 1 + strspn(text + 1, "0123456789");
    }
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
        return timegm(&tm);
    }
    sign = *text == '+' ? 1 : *text == '-' ? -1 : 0;
    if (sign == 0 || strlen(text) != 6 || two_digits(text + 1, &hours) != 0
        || text[3] != ':' || two_digits(text + 4, &minutes) != 0 || hours > 23
        || minutes > 59) {
        return -1;
    }
    return timegm(&tm) - sign * (hours * 3600 + minutes * 60);
}

static int
take_created(reading_t *reading, const json_t *value)
{
    int64_t at = read_time(json_string_value(value));

    if (at <= 0) {
        return refuse(reading, "is no time of the form YYYY-MM-DDTHH:MM:SSZ");
    }
    reading->message->wanted.created = at;
    return 0;
}

/* What needs more than one field to be seen. */
static int
check_whole(reading_t *reading)
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
        return refuse_at(reading, missing, why);
    }
    if (!message->unblocks && message->end == 0) {
        snprintf(why, sizeof(why), "is missing: status %s needs it",
                 lp_status_name(message->status));
        return refuse_at(reading, "endDate", why);
    }
    return 0;
}
