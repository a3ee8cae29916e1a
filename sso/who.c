/*
 * From claims to ids. What a provider says is believed as far as its form goes:
 * an id that can't be one is refused rather than cut or mended, since a person
 * with a wrong id would silently lose all books.
 *
 * Of each type there is one id: each type is a claim of the session token. The
 * claims that are looked at first, those of the id_token, win.
 */

#include "who.h"

#include <openssl/crypto.h>

#include "../core/json.h"
#include "../core/keys.h"
#include "../core/text.h"
#include "../workers/school_type.h"
#include "../workers/usage_keys.h"

#define ECK_PREFIX "https://ketenid.nl/"
#define ECK_PERIOD 16  /* characters at most: "201703", "pilot" */
#define ECK_HASH   128 /* lower-case hexadecimal digits */

#define ROLE "role"

/* A member by its whole name, else by every beginning of the path that ends at
   a dot. Each step goes down one level of the claims. */
static const json_t *
find_claim(const json_t *claims, lp_span_t path)
{
    const json_t *found = json_object_getn(claims, path.data, path.len);
    const json_t *member;
    lp_span_t     rest;
    size_t        i;

    for (i = 1; found == NULL && i + 1 < path.len; i++) {
        if (path.data[i] != '.') {
            continue;
        }
        member = json_object_getn(claims, path.data, i);
        if (json_is_object(member)) {
            rest = (lp_span_t) {path.data + i + 1, path.len - i - 1};
            found = find_claim(member, rest);
        }
    }
    return found;
}

/* An ECK iD of the form of today; ids that look like none are left alone. */
static int
is_eck(lp_span_t id)
{
    const char *p = id.data, *end = id.data + id.len;
    size_t      prefix = sizeof(ECK_PREFIX) - 1, n;

    if (id.len < prefix || memcmp(p, ECK_PREFIX, prefix) != 0) {
        return 1;
    }
    p += prefix;
    for (n = 0; p < end && *p != '/'; p++, n++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || (*p >= '0' && *p <= '9') || *p == '-')) {
            return 0;
        }
    }
    if (n == 0 || n > ECK_PERIOD || end - p != ECK_HASH + 1) {
        return 0;
    }
    for (p++; p < end; p++) {
        if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f'))) {
            return 0;
        }
    }
    return 1;
}

static int
has_type(const lp_who_id_t *id, lp_span_t type)
{
    return lp_span_equal(lp_span_of(id->type), type);
}

static void
set_id(lp_who_id_t *id, lp_span_t type, lp_span_t text)
{
    memcpy(id->type, type.data, type.len);
    id->type[type.len] = '\0';
    memcpy(id->id, text.data, text.len);
    id->id[text.len] = '\0';
}

/* *text.len 0: the claim is not there. -1: it can't be an id. */
static int
read_id(lp_span_t *text, const json_t *claims, const lp_mapped_t *mapped,
        size_t max)
{
    const json_t *value = find_claim(claims, mapped->path), *one = NULL;
    size_t        i;

    *text = (lp_span_t) {NULL, 0};
    if (json_is_array(value)) {
        for (i = 0; i < json_array_size(value) && !json_is_string(one); i++) {
            one = json_array_get(value, i);
        }
        value = one;
    }
    if (value == NULL || json_is_null(value)) {
        return 0;
    }
    if (!json_is_string(value) || json_string_length(value) > max
        || mapped->id_type.len == 0
        || mapped->id_type.len > LP_ID_TYPE_MAX) {
        return -1;
    }
    *text = lp_json_text(value);
    return lp_has_control(*text) ? -1 : 0;
}

static lp_who_result_t
add_user(lp_who_t *who, const json_t *claims, const lp_mapped_t *mapped)
{
    lp_span_t text;
    unsigned  i;

    for (i = 0; i < who->n_users; i++) {
        if (has_type(&who->users[i], mapped->id_type)) {
            return LP_WHO_OK;
        }
    }
    if (read_id(&text, claims, mapped, LP_USER_ID_MAX) != 0
        || (lp_span_equal(mapped->id_type, lp_span("ECK"))
            && text.len > 0 && !is_eck(text))) {
        return LP_WHO_BAD;
    }
    if (text.len > 0 && who->n_users < LP_TOKEN_USERS) {
        set_id(&who->users[who->n_users++], mapped->id_type, text);
    }
    return LP_WHO_OK;
}

static lp_who_result_t
add_school(lp_who_t *who, const json_t *claims, const lp_mapped_t *mapped)
{
    lp_span_t text;

    if (who->school.type[0] != '\0') {
        return LP_WHO_OK;
    }
    if (read_id(&text, claims, mapped, LP_SCHOOL_ID_MAX) != 0
        || (lp_span_equal(mapped->id_type, lp_span("MASTER"))
            && text.len > 0 && !lp_school_valid(text))) {
        return LP_WHO_BAD;
    }
    if (text.len > 0) {
        set_id(&who->school, mapped->id_type, text);
    }
    return LP_WHO_OK;
}

static int
has_mark(const json_t *claims, const lp_mapped_t *mark)
{
    const json_t *value = find_claim(claims, mark->path), *one;
    size_t        i;

    if (json_is_string(value)) {
        return lp_span_equal(lp_json_text(value), mark->value);
    }
    for (i = 0; i < json_array_size(value); i++) {
        one = json_array_get(value, i);
        if (json_is_string(one)
            && lp_span_equal(lp_json_text(one), mark->value)) {
            return 1;
        }
    }
    return 0;
}

/* Without marks in the configuration it is as at the edge (core/token.h):
   whoever has no ECK iD where the provider gives them. */
static int
lacks_eck(const lp_who_t *who, const lp_mapping_t *mapping)
{
    unsigned i;
    int      given = 0;

    for (i = 0; i < mapping->n_users; i++) {
        given |= lp_span_equal(mapping->users[i].id_type, lp_span("ECK"));
    }
    for (i = 0; i < who->n_users; i++) {
        if (has_type(&who->users[i], lp_span("ECK"))) {
            return 0;
        }
    }
    return given;
}

static void
add_role(lp_who_t *who, const lp_mapping_t *mapping, const json_t *claims)
{
    unsigned i;

    if (mapping->n_employees == 0) {
        who->employee = lacks_eck(who, mapping);
        return;
    }
    for (i = 0; i < mapping->n_employees; i++) {
        who->employee |= has_mark(claims, &mapping->employees[i]);
    }
}

lp_who_result_t
lp_who_add(lp_who_t *who, const lp_mapping_t *mapping, const json_t *claims)
{
    lp_who_result_t result = LP_WHO_OK;
    unsigned        i;

    if (mapping->school.len > LP_SCHOOL_ID_MAX) {
        return LP_WHO_BAD;
    }
    if (mapping->school.len > 0) {
        set_id(&who->school, lp_span("MASTER"), mapping->school);
    }
    for (i = 0; i < mapping->n_users && result == LP_WHO_OK; i++) {
        result = add_user(who, claims, &mapping->users[i]);
    }
    for (i = 0; i < mapping->n_schools && result == LP_WHO_OK; i++) {
        result = add_school(who, claims, &mapping->schools[i]);
    }
    add_role(who, mapping, claims);
    return result;
}

/* A school is known by a name (leerpoort school set), or by open rights. */
static int
is_known(lp_span_t school, lp_store_t *store, lp_store_status_t *status)
{
    char              known[LP_USAGE_KEY_MAX], rights[LP_KEY_MAX];
    lp_span_t         name = {known, lp_key_known_school(known, school)};
    lp_span_t         open = {rights, lp_key_school(rights, school)};
    const redisReply *reply;

    reply = lp_store_ask(store, LP_WORDS(lp_span("EXISTS"), name, open));
    *status = lp_store_status(store);
    return reply != NULL && reply->type == REDIS_REPLY_INTEGER
           && reply->integer > 0;
}

/* A key of another type is no alias. */
static int
has_alias(const lp_who_id_t *school, lp_store_t *store,
          lp_store_status_t *status)
{
    char      name[LP_KEY_MAX];
    lp_span_t key, found;

    key.data = name;
    key.len = lp_key_alias(name, lp_span_of(school->type),
                           lp_span_of(school->id));
    if (key.len == 0) {
        return 0;
    }
    found = lp_store_text(lp_store_ask(store, LP_WORDS(lp_span("GET"), key)));
    *status = lp_store_status(store);
    if (*status == LP_STORE_REFUSED
        && strcmp(lp_store_error(store), "WRONGTYPE") == 0) {
        *status = LP_STORE_OK;
        return 0;
    }
    return found.data != NULL && lp_school_valid(found);
}

lp_who_result_t
lp_who_check(const lp_who_t *who, lp_store_t *store, int school_needed,
             lp_store_status_t *status)
{
    int known;

    *status = LP_STORE_OK;
    if (who->n_users == 0) {
        return LP_WHO_NOBODY;
    }
    if (!school_needed) {
        return LP_WHO_OK;
    }
    if (who->school.type[0] == '\0') {
        return LP_WHO_NO_SCHOOL;
    }
    known = has_type(&who->school, lp_span("MASTER"))
                ? is_known(lp_span_of(who->school.id), store, status)
                : has_alias(&who->school, store, status);
    return known ? LP_WHO_OK : LP_WHO_NO_SCHOOL;
}

json_t *
lp_who_json(const lp_who_t *who)
{
    json_t  *json = json_object();
    unsigned i;
    int      rc = json == NULL ? -1 : 0;

    for (i = 0; rc == 0 && i < who->n_users; i++) {
        rc = json_object_set_new(json, who->users[i].type,
                                 json_string(who->users[i].id));
    }
    if (rc == 0 && who->school.type[0] != '\0') {
        rc = json_object_set_new(json, who->school.type,
                                 json_string(who->school.id));
    }
    if (rc == 0) {
        rc = json_object_set_new(
            json, ROLE, json_string(who->employee ? "employee" : "student"));
    }
    if (rc != 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

int
lp_who_is_school_type(lp_span_t type)
{
    return lp_span_equal(type, lp_span("MASTER")) || lp_school_type(&type);
}

static int
take_member(lp_who_t *who, lp_span_t name, lp_span_t value)
{
    int          is_school = lp_who_is_school_type(name);
    lp_who_id_t *id = &who->school;

    if (lp_span_equal(name, lp_span(ROLE))) {
        who->employee = lp_span_equal(value, lp_span("employee"));
        return 0;
    }
    if (name.len == 0 || name.len > LP_ID_TYPE_MAX || value.len == 0
        || value.len > (is_school ? LP_SCHOOL_ID_MAX : LP_USER_ID_MAX)
        || lp_has_control(value)) {
        return -1;
    }
    if (!is_school) {
        if (who->n_users == LP_TOKEN_USERS) {
            return -1;
        }
        id = &who->users[who->n_users++];
    }
    if (id->type[0] != '\0') {
        return -1; /* two schools */
    }
    set_id(id, name, value);
    return 0;
}

int
lp_who_from_json(lp_who_t *who, const json_t *json)
{
    json_t     *object = (json_t *) json; /* foreach asks for it; it looks */
    json_t     *value;
    const char *name;

    memset(who, 0, sizeof(*who));
    if (!json_is_object(json)) {
        return -1;
    }
    json_object_foreach (object, name, value) {
        if (!json_is_string(value)
            || take_member(who, lp_span_of(name), lp_json_text(value)) != 0) {
            lp_who_wipe(who);
            return -1;
        }
    }
    return 0;
}

int
lp_who_keys(char keys[LP_TOKEN_USERS][LP_USER_KEY_LEN], const lp_who_t *who,
            lp_pepper_t *pepper)
{
    unsigned i;

    for (i = 0; i < who->n_users; i++) {
        if (lp_user_key(keys[i], pepper, lp_span_of(who->users[i].type),
                        lp_span_of(who->users[i].id)) != 0) {
            return -1;
        }
    }
    return 0;
}

void
lp_who_wipe(lp_who_t *who)
{
    OPENSSL_cleanse(who, sizeof(*who));
}
