/*
 * The schema of parties.json (docs/operations.md). A member that is not known
 * is refused like one that is wrong: in a file that decides who may call, a
 * misspelt name must not be a setting that is silently absent.
 *
 * Texts stay where the JSON reader put them; only what is composed (names of
 * files, lists of scopes) is allocated here.
 */

#include "parties_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../core/chars.h"
#include "../core/json.h"

#define PARTIES_MAX  1000
#define CLIENTS_MAX  32 /* of one party */
#define SCOPES_MAX   32 /* of one client */
#define OIN_LEN      20
#define TEXT_MAX     256 /* bytes of any text */
#define LIFETIME     3600
#define LIFETIME_MIN 60
#define LIFETIME_MAX 21600 /* 6 hours: NL GOV profile for OAuth */

typedef struct {
    lp_parties_file_t *file;
    const char        *folder;
    char              *reason;
    char               where[64]; /* "parties[2].clients[0]." */
} reader_t;

/* What a text must be like; NULL: anything without control bytes. */
typedef int (*valid_pt)(lp_span_t text);

typedef struct {
    const char *name;
    valid_pt    valid;
    const char *expected; /* what valid asks for, in words */
    size_t      offset;   /* of the span; NO_SPAN: read elsewhere */
    int         needed;
} member_t;

#define NO_SPAN ((size_t) -1)

static int is_oin(lp_span_t text);
static int is_url(lp_span_t text);
static int is_name(lp_span_t text);
static int is_scopes(lp_span_t text);

#define AN_URL  is_url, "an https:// URL (http:// only to loopback)"
#define A_NAME  is_name, "visible ASCII without quotes"
#define A_TEXT  NULL, "a text without control characters"
#define NO_TEXT NULL, NULL

#define IN(type, field) offsetof(type, field)

static const member_t list_members[] = {
    {"issuer", A_NAME, IN(lp_party_list_t, issuer), 0},
    {"audience", A_NAME, IN(lp_party_list_t, audience), 0},
    {"tokenEndpoint", AN_URL, IN(lp_party_list_t, token_endpoint), 0},
    {"tokenLifetime", NO_TEXT, NO_SPAN, 0},
    {"parties", NO_TEXT, NO_SPAN, 0},
    {NULL, NO_TEXT, NO_SPAN, 0},
};

static const member_t party_members[] = {
    {"oin", is_oin, "20 digits", IN(lp_party_t, oin), 1},
    {"name", A_TEXT, IN(lp_party_t, name), 1},
    {"role", A_TEXT, IN(lp_party_t, role), 0},
    {"baseUrl", AN_URL, IN(lp_party_t, base_url), 0},
    {"tokenUrl", AN_URL, IN(lp_party_t, token_url), 0},
    {"clientId", A_NAME, IN(lp_party_t, client_id), 0},
    {"keyFile", NO_TEXT, NO_SPAN, 0},
    {"scope", is_scopes, "scopes with single spaces between them",
     IN(lp_party_t, scope), 0},
    {"clients", NO_TEXT, NO_SPAN, 0},
    {NULL, NO_TEXT, NO_SPAN, 0},
};

static const member_t client_members[] = {
    {"clientId", A_NAME, IN(lp_client_t, client_id), 1},
    {"jwks", NO_TEXT, NO_SPAN, 0},
    {"scopes", NO_TEXT, NO_SPAN, 0},
    {NULL, NO_TEXT, NO_SPAN, 0},
};

static int read_list(reader_t *reader, const json_t *root);

int
lp_parties_file_read(lp_parties_file_t *file, lp_span_t text,
                     const char *folder, char *reason)
{
    lp_json_memory_t *memory;
    lp_json_error_t   error;
    reader_t          reader = {file, folder, reason, ""};
    json_t           *root;

    memset(file, 0, sizeof(*file));
    root = lp_json_read(text, &memory, &error);
    if (root == NULL) {
        snprintf(reason, LP_PARTIES_REASON_MAX, "%s",
                 error == LP_JSON_TWICE ? "a member is there twice"
                                        : "it is not one JSON object");
        return -1;
    }
    file->memory = memory;
    if (read_list(&reader, root) != 0) {
        lp_parties_file_free(file);
        return -1;
    }
    return 0;
}

void
lp_parties_file_free(lp_parties_file_t *file)
{
    lp_party_t *party;
    unsigned    i, j;

    for (i = 0; i < file->n_clients; i++) {
        free(file->jwks[i]);
    }
    free(file->jwks);
    for (i = 0; i < file->list.n; i++) {
        party = &file->list.list[i];
        for (j = 0; j < party->n_clients; j++) {
            free((char *) party->clients[j].scopes.data);
        }
        free(party->clients);
        free((char *) party->key_file);
    }
    free(file->list.list);
    lp_json_release(file->memory);
    memset(file, 0, sizeof(*file));
}

/* "<where><name>: <what>"; returns -1. */
static int __attribute__((format(printf, 3, 4)))
refuse(reader_t *reader, const char *name, const char *format, ...)
{
    char    what[256];
    va_list list;

    va_start(list, format);
    vsnprintf(what, sizeof(what), format, list);
    va_end(list);
    snprintf(reader->reason, LP_PARTIES_REASON_MAX, "%s%s: %s", reader->where,
             name, what);
    return -1;
}

static int
no_memory(reader_t *reader)
{
    return refuse(reader, "", "out of memory");
}

/* Texts. */

static int
is_plain(lp_span_t text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if ((unsigned char) text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return 0;
        }
    }
    return text.len > 0 && text.len <= TEXT_MAX;
}

static int
is_name(lp_span_t text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] <= 0x20 || text.data[i] > 0x7e || text.data[i] == '"'
            || text.data[i] == '\\') {
            return 0;
        }
    }
    return 1;
}

static int
is_oin(lp_span_t text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (!lp_char_is((unsigned char) text.data[i], LP_CHAR_DIGIT)) {
            return 0;
        }
    }
    return text.len == OIN_LEN;
}

/* Scope tokens (RFC 6749 section 3.3) with single spaces. */
static int
is_scopes(lp_span_t text)
{
    size_t i;
    char   before = ' ';

    for (i = 0; i < text.len; i++) {
        if (text.data[i] == ' ') {
            if (before == ' ') {
                return 0;
            }
        } else if (!is_name((lp_span_t) {text.data + i, 1})) {
            return 0;
        }
        before = text.data[i];
    }
    return before != ' ';
}

static int
begins(lp_span_t text, const char *with)
{
    size_t len = strlen(with);

    return text.len > len && memcmp(text.data, with, len) == 0;
}

static int
is_loopback(lp_span_t host)
{
    return lp_span_equal(host, lp_span("127.0.0.1"))
           || lp_span_equal(host, lp_span("localhost"))
           || lp_span_equal(host, lp_span("[::1]"));
}

/* A host name, an address, [::1]; a port. No user, no query, no fragment. */
static int
is_url(lp_span_t text)
{
    const char *end = text.data + text.len, *p, *host;
    int         plain = begins(text, "http://");

    if (!is_name(text) || (!plain && !begins(text, "https://"))) {
        return 0;
    }
    host = text.data + (plain ? 7 : 8);
    p = host;
    if (p < end && *p == '[') {
        while (p < end && *p != ']') {
            p++;
        }
        p += p < end;
    } else {
        while (p < end && lp_char_is((unsigned char) *p, LP_CHAR_NAME)) {
            p++;
        }
    }
    if (p == host
        || (plain && !is_loopback((lp_span_t) {host, (size_t) (p - host)}))) {
        return 0;
    }
    if (p < end && *p == ':') {
        for (p++; p < end && lp_char_is((unsigned char) *p, LP_CHAR_DIGIT);
             p++) { }
    }
    return (p == end || *p == '/')
           && memchr(p, '?', (size_t) (end - p)) == NULL
           && memchr(p, '#', (size_t) (end - p)) == NULL;
}

/* Members. */

static lp_span_t
text_of(const json_t *value)
{
    return (lp_span_t) {json_string_value(value), json_string_length(value)};
}

static const member_t *
find_member(const member_t *members, const char *name)
{
    while (members->name != NULL && strcmp(members->name, name) != 0) {
        members++;
    }
    return members->name == NULL ? NULL : members;
}

static int
check_names(reader_t *reader, const json_t *object, const member_t *members)
{
    const char *name;
    json_t     *value;

    json_object_foreach((json_t *) object, name, value) {
        if (find_member(members, name) == NULL) {
            return refuse(reader, is_name(lp_span_of(name))
                                          && strlen(name) < 64 ? name : "?",
                          "there is no such member");
        }
    }
    return 0;
}

static int
read_text(reader_t *reader, const json_t *object, const member_t *member,
          lp_span_t *span)
{
    const json_t *value = json_object_get(object, member->name);

    if (value == NULL) {
        return member->needed ? refuse(reader, member->name, "it is missing")
                              : 0;
    }
    *span = text_of(value);
    if (!json_is_string(value) || !is_plain(*span)
        || (member->valid != NULL && !member->valid(*span))) {
        return refuse(reader, member->name, "%s is expected, of at most %d "
                      "bytes", member->expected, TEXT_MAX);
    }
    return 0;
}

/* Every text of an object, into the structure that base is. */
static int
read_texts(reader_t *reader, const json_t *object, const member_t *members,
           void *base)
{
    const member_t *m;

    if (!json_is_object(object)) {
        return refuse(reader, "", "an object is expected");
    }
    if (check_names(reader, object, members) != 0) {
        return -1;
    }
    for (m = members; m->name != NULL; m++) {
        if (m->offset != NO_SPAN
            && read_text(reader, object, m,
                         (lp_span_t *) ((char *) base + m->offset)) != 0) {
            return -1;
        }
    }
    return 0;
}

/* The name of a file, made relative to the folder; NULL after refusing. */
static char *
read_path(reader_t *reader, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    char         *path;
    size_t        size;

    if (!json_is_string(value) || !is_plain(text_of(value))) {
        refuse(reader, name, "the name of a file is expected");
        return NULL;
    }
    size = strlen(reader->folder) + json_string_length(value) + 2;
    path = malloc(size);
    if (path == NULL) {
        no_memory(reader);
        return NULL;
    }
    if (json_string_value(value)[0] == '/') {
        snprintf(path, size, "%s", json_string_value(value));
    } else {
        snprintf(path, size, "%s/%s", reader->folder,
                 json_string_value(value));
    }
    return path;
}

/* An array of at most max; *n 0 where it is absent. */
static int
read_array(reader_t *reader, const json_t *object, const char *name,
           unsigned max, const json_t **array, unsigned *n)
{
    *n = 0;
    *array = json_object_get(object, name);
    if (*array == NULL) {
        return 0;
    }
    if (!json_is_array(*array) || json_array_size(*array) > max) {
        return refuse(reader, name, "an array of at most %u is expected", max);
    }
    *n = (unsigned) json_array_size(*array);
    return 0;
}

/* Clients. */

/* ["a", "b"] as "a b". */
static int
read_scopes(reader_t *reader, const json_t *object, lp_client_t *client)
{
    const json_t *array;
    lp_span_t     scope;
    unsigned      i, n;
    size_t        len = 0;
    char         *text;

    if (read_array(reader, object, "scopes", SCOPES_MAX, &array, &n) != 0) {
        return -1;
    }
    text = malloc(n * (TEXT_MAX + 1) + 1);
    if (text == NULL) {
        return no_memory(reader);
    }
    client->scopes.data = text;
    for (i = 0; i < n; i++) {
        scope = text_of(json_array_get(array, i));
        if (scope.data == NULL || !is_plain(scope) || !is_name(scope)) {
            return refuse(reader, "scopes", "texts of visible ASCII without "
                          "quotes are expected");
        }
        memcpy(text + len, scope.data, scope.len);
        len += scope.len;
        text[len++] = ' ';
    }
    client->scopes.len = len == 0 ? 0 : len - 1;
    return 0;
}

static int
add_jwks(reader_t *reader, const json_t *object)
{
    lp_parties_file_t *file = reader->file;
    char             **more;

    more = realloc(file->jwks, (file->n_clients + 1) * sizeof(char *));
    if (more == NULL) {
        return no_memory(reader);
    }
    file->jwks = more;
    file->jwks[file->n_clients] = read_path(reader, object, "jwks");
    if (file->jwks[file->n_clients] == NULL) {
        return -1;
    }
    file->n_clients++;
    return 0;
}

static int
read_clients(reader_t *reader, const json_t *object, lp_party_t *party,
             unsigned i)
{
    const json_t      *array, *item;
    const lp_client_t *other;
    lp_client_t       *client;
    unsigned           j, n;

    if (read_array(reader, object, "clients", CLIENTS_MAX, &array, &n) != 0) {
        return -1;
    }
    party->clients = calloc(n + 1, sizeof(lp_client_t));
    if (party->clients == NULL) {
        return no_memory(reader);
    }
    for (j = 0; j < n; j++) {
        snprintf(reader->where, sizeof(reader->where),
                 "parties[%u].clients[%u].", i, j);
        item = json_array_get(array, j);
        client = &party->clients[party->n_clients++];
        if (read_texts(reader, item, client_members, client) != 0
            || read_scopes(reader, item, client) != 0
            || add_jwks(reader, item) != 0) {
            return -1;
        }
        lp_party_by_client(&reader->file->list, client->client_id, &other);
        if (other != client) {
            return refuse(reader, "clientId", "it is there twice");
        }
    }
    return 0;
}

/* Parties. */

/* Whom we ask for a token needs to know who we are. */
static int
check_sending(reader_t *reader, const json_t *object, lp_party_t *party)
{
    if (json_object_get(object, "keyFile") != NULL) {
        party->key_file = read_path(reader, object, "keyFile");
        if (party->key_file == NULL) {
            return -1;
        }
    }
    if (party->token_url.len > 0 && party->client_id.len == 0) {
        return refuse(reader, "clientId", "it is missing; tokenUrl needs it");
    }
    if (party->token_url.len > 0 && party->key_file == NULL) {
        return refuse(reader, "keyFile", "it is missing; tokenUrl needs it");
    }
    while (party->base_url.len > 0
           && party->base_url.data[party->base_url.len - 1] == '/') {
        party->base_url.len--;
    }
    return 0;
}

static int
read_party(reader_t *reader, const json_t *object, unsigned i)
{
    lp_party_list_t *list = &reader->file->list;
    lp_party_t      *party = &list->list[list->n++];

    snprintf(reader->where, sizeof(reader->where), "parties[%u].", i);
    if (read_texts(reader, object, party_members, party) != 0
        || check_sending(reader, object, party) != 0) {
        return -1;
    }
    if (lp_party_by_oin(list, party->oin) != party) {
        return refuse(reader, "oin", "it is there twice");
    }
    return read_clients(reader, object, party, i);
}

/* What tokens are made of is needed where somebody may ask for one. */
static int
check_tokens(reader_t *reader, const json_t *root)
{
    lp_party_list_t *list = &reader->file->list;
    const json_t    *lifetime = json_object_get(root, "tokenLifetime");
    const char      *missing = NULL;

    reader->where[0] = '\0';
    list->token_lifetime = LIFETIME;
    if (lifetime != NULL) {
        list->token_lifetime = json_integer_value(lifetime);
        if (!json_is_integer(lifetime)
            || list->token_lifetime < LIFETIME_MIN
            || list->token_lifetime > LIFETIME_MAX) {
            return refuse(reader, "tokenLifetime", "%d to %d seconds are "
                          "expected", LIFETIME_MIN, LIFETIME_MAX);
        }
    }
    if (list->issuer.len == 0) {
        missing = "issuer";
    } else if (list->audience.len == 0) {
        missing = "audience";
    } else if (list->token_endpoint.len == 0) {
        missing = "tokenEndpoint";
    }
    return missing == NULL || reader->file->n_clients == 0
               ? 0
               : refuse(reader, missing, "it is missing; clients need it");
}

static int
read_list(reader_t *reader, const json_t *root)
{
    lp_party_list_t *list = &reader->file->list;
    const json_t    *array;
    unsigned         i, n;

    if (read_texts(reader, root, list_members, list) != 0
        || read_array(reader, root, "parties", PARTIES_MAX, &array, &n) != 0) {
        return -1;
    }
    list->list = calloc(n + 1, sizeof(lp_party_t));
    if (list->list == NULL) {
        return no_memory(reader);
    }
    for (i = 0; i < n; i++) {
        if (read_party(reader, json_array_get(array, i), i) != 0) {
            return -1;
        }
    }
    return check_tokens(reader, root);
}
