/*
 * Field names and formats are those of Edu-V 1.0: Entitlement (confirmation),
 * Usage (InitialActivation), ActivationCode (confirmations). Dates are days,
 * times are UTC with a Z. Ids that a receiver matches repeats by
 * (entitlementReceiveId, responseReferenceId) are derived from what they
 * answer, so that a message that is sent twice is the same message.
 */

#include "messages.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <jansson.h>

#include "../core/day.h"
#include "../core/entitlement.h"
#include "codes.h"
#include "number.h"

#define DAY_LEN       8
#define CODE_LEN      29
#define UUID_ROOM     (LP_UUID_LEN + 1)

typedef json_t *(*write_t)(const lp_letter_t *letter, lp_seal_t *seal,
                           const char **reason);

typedef struct {
    const char *name; /* the field "kind" */
    const char *path;
    write_t     write;
} kind_t;

static json_t *write_activation(const lp_letter_t *letter, lp_seal_t *seal,
                                const char **reason);
static json_t *write_confirmation(const lp_letter_t *letter, lp_seal_t *seal,
                                  const char **reason);
static json_t *write_codes(const lp_letter_t *letter, lp_seal_t *seal,
                           const char **reason);
static json_t *write_revoked(const lp_letter_t *letter, lp_seal_t *seal,
                             const char **reason);

static const kind_t kinds[] = {
    [LP_LETTER_UNKNOWN] = {"", "", NULL},
    [LP_LETTER_ACTIVATION] = {"activation", "/usage/activation",
                              write_activation},
    [LP_LETTER_CONFIRMATION] = {"confirmation", "/entitlements/confirmations",
                                write_confirmation},
    [LP_LETTER_CODES_MADE] = {"codes", "/activationcodes/confirmations",
                              write_codes},
    [LP_LETTER_CODES_REVOKED] = {"codes-revoked",
                                 "/activationcodes/revoke/confirmations",
                                 write_revoked},
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static size_t
bytes_of(const redisReply *fields, unsigned n)
{
    size_t   len = 0;
    unsigned i;

    for (i = 0; i < 2 * n; i++) {
        len += lp_store_text(fields->element[i]).len;
    }
    return len;
}

/* How many fields of the reply can be kept. */
static unsigned
count_fields(const redisReply *fields)
{
    size_t n;

    if (fields == NULL || fields->type != REDIS_REPLY_ARRAY) {
        return 0;
    }
    n = fields->elements / 2;
    if (n > LP_LETTER_FIELDS) {
        n = LP_LETTER_FIELDS;
    }
    while (n > 0 && bytes_of(fields, (unsigned) n) > LP_LETTER_MAX) {
        n--;
    }
    return (unsigned) n;
}

static lp_span_t
keep(char **at, const redisReply *reply)
{
    lp_span_t text = lp_store_text(reply), kept = {*at, text.len};

    if (text.len > 0) {
        memcpy(*at, text.data, text.len);
    }
    *at += text.len;
    return kept;
}

int
lp_letter_read(lp_letter_t *letter, const redisReply *fields)
{
    lp_span_t kind;
    char     *at;
    unsigned  i;

    memset(letter, 0, sizeof(*letter));
    letter->n = count_fields(fields);
    letter->bytes = malloc(bytes_of(fields, letter->n) + 1);
    if (letter->bytes == NULL) {
        return -1;
    }
    at = letter->bytes;
    for (i = 0; i < letter->n; i++) {
        letter->fields[i].name = keep(&at, fields->element[2 * i]);
        letter->fields[i].value = keep(&at, fields->element[2 * i + 1]);
    }
    kind = lp_letter_value(letter, "kind");
    for (i = LP_LETTER_UNKNOWN + 1; i < N_KINDS; i++) {
        if (lp_span_equal(kind, lp_span_of(kinds[i].name))) {
            letter->kind = (lp_letter_kind_t) i;
        }
    }
    return 0;
}

void
lp_letter_free(lp_letter_t *letter)
{
    free(letter->bytes);
    memset(letter, 0, sizeof(*letter));
}

lp_span_t
lp_letter_value(const lp_letter_t *letter, const char *name)
{
    unsigned i;

    for (i = 0; i < letter->n; i++) {
        if (lp_span_equal(letter->fields[i].name, lp_span_of(name))) {
            return letter->fields[i].value;
        }
    }
    return (lp_span_t) {NULL, 0};
}

lp_span_t
lp_letter_subject(const lp_letter_t *letter)
{
    lp_span_t subject = lp_letter_value(letter, "entitlement");

    return subject.len > 0 ? subject : lp_letter_value(letter, "product");
}

const char *
lp_letter_path(lp_letter_kind_t kind)
{
    return kinds[kind].path;
}

void
lp_letter_wipe(char *text)
{
    if (text != NULL) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
}

char *
lp_letter_write(const lp_letter_t *letter, lp_seal_t *seal,
                const char **reason)
{
    json_t *body;
    char   *text;

    *reason = "it is no message that this version knows";
    if (letter->kind == LP_LETTER_UNKNOWN) {
        return NULL;
    }
    *reason = "a field is missing or can't be read";
    body = kinds[letter->kind].write(letter, seal, reason);
    if (body == NULL) {
        return NULL;
    }
    text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}

/* Values. Each setter returns -1 where the field can't be written. */

static int
set(json_t *body, const char *name, json_t *value)
{
    return value == NULL ? -1 : json_object_set_new(body, name, value);
}

/* A field of the letter as it stands; it must be there. */
static int
set_text(json_t *body, const char *name, const lp_letter_t *letter,
         const char *field)
{
    lp_span_t text = lp_letter_value(letter, field);

    if (text.len == 0) {
        return -1;
    }
    return set(body, name, json_stringn(text.data, text.len));
}

static int
set_entitlement(json_t *body, const lp_letter_t *letter)
{
    lp_span_t text = lp_letter_value(letter, "entitlement");
    char      packed[LP_ENTITLEMENT_LEN + 1], read[LP_ENTITLEMENT_LEN];
    char      uuid[UUID_ROOM];

    if (text.len != LP_ENTITLEMENT_LEN) {
        return -1;
    }
    memcpy(packed, text.data, text.len);
    packed[text.len] = '\0';
    if (lp_entitlement_read(read, packed) != 0) {
        return -1;
    }
    return set(body, "entitlementId",
               json_string(lp_entitlement_uuid(uuid, read)));
}

static int
set_day(json_t *body, const char *name, const lp_letter_t *letter,
        const char *field)
{
    lp_span_t text = lp_letter_value(letter, field);
    char      day[DAY_LEN + 3];

    if (text.len != DAY_LEN || lp_number_read(text) < 0
        || !lp_day_valid((uint32_t) lp_number_read(text))) {
        return -1;
    }
    snprintf(day, sizeof(day), "%.4s-%.2s-%.2s", text.data, text.data + 4,
             text.data + 6);
    return set(body, name, json_string(day));
}

static int
set_timestamp(json_t *body, const lp_letter_t *letter)
{
    int64_t   at = lp_number_read(lp_letter_value(letter, "at"));
    time_t    t = (time_t) at;
    struct tm tm;
    char      text[32];

    if (at < 0 || gmtime_r(&t, &tm) == NULL
        || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        return -1;
    }
    return set(body, "processedTimestamp", json_string(text));
}

/* The id by which a receiver knows a repeat. */
static int
set_receive_id(json_t *body, const char *name, const lp_letter_t *letter)
{
    char id[UUID_ROOM];

    if (lp_receive_id(id, lp_letter_value(letter, "ref"),
                      lp_letter_subject(letter)) != 0) {
        return -1;
    }
    return set(body, name, json_string(id));
}

/* Messages. */

static json_t *
check(json_t *body, int failed)
{
    if (failed) {
        json_decref(body);
        return NULL;
    }
    return body;
}

static json_t *
write_confirmation(const lp_letter_t *letter, lp_seal_t *seal,
                   const char **reason)
{
    json_t *body = json_object();

    (void) seal;
    (void) reason;
    return check(
        body,
        set_text(body, "entitlementReferenceId", letter, "ref") != 0
            || set_receive_id(body, "entitlementReceiveId", letter) != 0
            || set_entitlement(body, letter) != 0
            || set_text(body, "productId", letter, "product") != 0
            || set_timestamp(body, letter) != 0
            || set_text(body, "newEntitlementStatus", letter, "status") != 0);
}

/* The five types of Edu-V; a whole school's right is told as what it gives. */
static int
set_type(json_t *body, const lp_letter_t *letter)
{
    lp_type_t type = lp_type_find(lp_letter_value(letter, "type"));

    if (type == LP_TYPE_NONE) {
        return -1;
    }
    if (type == LP_TYPE_OPEN) {
        type = LP_TYPE_SCHOOL_STUDENT;
    }
    return set(body, "entitlementType", json_string(lp_type_name(type)));
}

static int
set_school(json_t *body, const lp_letter_t *letter)
{
    lp_span_t school = lp_letter_value(letter, "school");

    if (school.len == 0) {
        return 0;
    }
    return set(body, "school",
               json_pack("{s:s%}", "organisationMasterIdentifier",
                         school.data, school.len));
}

/* Opens what is sealed; the text is JSON (user) or itself (a code). */
static json_t *
open_sealed(const lp_letter_t *letter, lp_seal_t *seal, const char *field,
            int is_json)
{
    char    text[LP_SEAL_TEXT_MAX];
    size_t  len = 0;
    json_t *value = NULL;

    if (seal != NULL
        && lp_seal_open(seal, text, &len, field,
                        lp_letter_value(letter, field)) == 0) {
        value = is_json ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL)
                        : json_stringn(text, len);
    }
    OPENSSL_cleanse(text, sizeof(text));
    return value;
}

static int
set_sealed(json_t *body, const char *name, const lp_letter_t *letter,
           lp_seal_t *seal, const char *field, const char **reason)
{
    json_t *value;

    if (lp_letter_value(letter, field).len == 0) {
        return 0;
    }
    value = open_sealed(letter, seal, field, strcmp(field, "person") == 0);
    if (value == NULL) {
        *reason = "what is sealed in it can't be opened: is --seal the file "
                  "of the workers?";
        return -1;
    }
    return json_object_set_new(body, name, value);
}

static json_t *
write_activation(const lp_letter_t *letter, lp_seal_t *seal,
                 const char **reason)
{
    json_t *body = json_object();

    return check(
        body,
        set_entitlement(body, letter) != 0
            || set_text(body, "productId", letter, "product") != 0
            || set_type(body, letter) != 0 || set_school(body, letter) != 0
            || set_sealed(body, "user", letter, seal, "person", reason) != 0
            || set_sealed(body, "activationCode", letter, seal, "code",
                          reason) != 0
            || set_day(body, "usageDate", letter, "day") != 0
            || set(body, "usageType", json_string("initial-activation")) != 0
            || set_day(body, "expirationDate", letter, "until") != 0);
}

/* Made again, as the worker made them that took the request in. */
static json_t *
make_code(const lp_letter_t *letter, lp_seal_t *seal, unsigned i)
{
    char    name[LP_CODE_NAME_MAX], code[CODE_LEN];
    json_t *value;
    size_t  len;

    len = lp_code_name(name, lp_letter_value(letter, "party"),
                       lp_letter_value(letter, "ref"), i);
    if (len == 0
        || lp_seal_code(seal, code, (lp_span_t) {name, len}) != 0) {
        return NULL;
    }
    value = json_stringn(code, CODE_LEN);
    OPENSSL_cleanse(code, sizeof(code));
    return value;
}

static int
set_codes(json_t *body, const lp_letter_t *letter, lp_seal_t *seal)
{
    int64_t i, n = lp_number_read(lp_letter_value(letter, "quantity"));
    json_t *codes = json_array(), *code;

    if (seal == NULL || n < 1 || n > LP_CODES_QUANTITY_MAX) {
        json_decref(codes);
        return -1;
    }
    for (i = 0; i < n; i++) {
        code = make_code(letter, seal, (unsigned) i);
        if (code == NULL || json_array_append_new(codes, code) != 0) {
            json_decref(codes);
            return -1;
        }
    }
    return set(body, "activationCodes", codes);
}

static int
set_answer(json_t *body, const lp_letter_t *letter)
{
    return set_text(body, "requestReferenceId", letter, "ref") != 0
           || set_receive_id(body, "responseReferenceId", letter) != 0
           || set_text(body, "productId", letter, "product") != 0
           || set_timestamp(body, letter) != 0
           || set(body, "success", json_true()) != 0
           || set(body, "status", json_integer(0)) != 0;
}

static json_t *
write_codes(const lp_letter_t *letter, lp_seal_t *seal, const char **reason)
{
    json_t *body = json_object();

    (void) reason;
    return check(body, set_answer(body, letter) != 0
                           || set_codes(body, letter, seal) != 0);
}

static json_t *
write_revoked(const lp_letter_t *letter, lp_seal_t *seal, const char **reason)
{
    json_t *body = json_object();

    (void) seal;
    (void) reason;
    return check(body, set_answer(body, letter) != 0);
}
