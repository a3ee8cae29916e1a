/*
 * The schema of parties.json (docs/operations.md). A member that is not known
 * is refused like one that is wrong: in a file that decides who may call, a
 * misspelt name must not be a setting that is silently absent.
 *
 * Texts stay where the JSON reader put them; only what is composed (names of
 * files, lists of scopes) is allocated here.
 */

#include "parties_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "../core/chars.h"
#include "conf_members.h"

#define PARTIES_MAX  1000
#define CLIENTS_MAX  32 /* of one party */
#define SCOPES_MAX   32 /* of one client */
#define OIN_LEN      20
#define LIFETIME     3600
#define LIFETIME_MIN 60
#define LIFETIME_MAX 21600 /* 6 hours: NL GOV profile for OAuth */

typedef struct {
    lp_parties_file_t *file;
    lp_conf_t         *conf;
} reader_t;

static int is_oin(lp_span_t text);
static int is_scopes(lp_span_t text);

#define AN_URL  LP_CONF_TEXT, lp_conf_is_url,                                  \
                "an https:// URL (http:// only to loopback)"
#define A_NAME  LP_CONF_TEXT, lp_conf_is_name, "visible ASCII without quotes"
#define A_TEXT  LP_CONF_TEXT, NULL, NULL
#define OTHER   LP_CONF_ELSE, NULL, NULL, 0, 0, 0, 0

#define MAY(type, field)  offsetof(type, field), 0, 0, 0
#define MUST(type, field) offsetof(type, field), 1, 0, 0

static const lp_conf_member_t list_members[] = {
    {"issuer", A_NAME, MAY(lp_party_list_t, issuer)},
    {"audience", A_NAME, MAY(lp_party_list_t, audience)},
    {"tokenEndpoint", AN_URL, MAY(lp_party_list_t, token_endpoint)},
    {"tokenLifetime", LP_CONF_SECONDS, NULL, NULL,
     offsetof(lp_party_list_t, token_lifetime), 0, LIFETIME_MIN, LIFETIME_MAX},
    {"parties", OTHER},
    {NULL, OTHER},
};

static const lp_conf_member_t party_members[] = {
    {"oin", LP_CONF_TEXT, is_oin, "20 digits", MUST(lp_party_t, oin)},
    {"name", A_TEXT, MUST(lp_party_t, name)},
    {"role", A_TEXT, MAY(lp_party_t, role)},
    {"baseUrl", AN_URL, MAY(lp_party_t, base_url)},
    {"tokenUrl", AN_URL, MAY(lp_party_t, token_url)},
    {"clientId", A_NAME, MAY(lp_party_t, client_id)},
    {"keyFile", LP_CONF_FILE, NULL, NULL, MAY(lp_party_t, key_file)},
    {"scope", LP_CONF_TEXT, is_scopes, "scopes with single spaces between them",
     MAY(lp_party_t, scope)},
    {"clients", OTHER},
    {NULL, OTHER},
};

static const lp_conf_member_t client_members[] = {
    {"clientId", A_NAME, MUST(lp_client_t, client_id)},
    {"jwks", OTHER},
    {"scopes", OTHER},
    {NULL, OTHER},
};

/* What a client has beside its members: the name of its JWKS. */
static const lp_conf_member_t jwks_members[] = {
    {"clientId", OTHER},
    {"jwks", LP_CONF_FILE, NULL, NULL, 0, 1, 0, 0},
    {"scopes", OTHER},
    {NULL, OTHER},
};

static int read_list(reader_t *reader, const json_t *root);

int
lp_parties_file_read(lp_parties_file_t *file, lp_span_t text,
                     const char *folder, char *reason)
{
    lp_conf_t     conf = {.folder = folder};
    reader_t      reader = {file, &conf};
    const json_t *root;

    conf.reason = reason;
    memset(file, 0, sizeof(*file));
    root = lp_conf_root(&conf, text, &file->memory);
    if (root == NULL || read_list(&reader, root) != 0) {
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

/* Texts. */

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
        } else if (!lp_conf_is_name((lp_span_t) {text.data + i, 1})) {
            return 0;
        }
        before = text.data[i];
    }
    return before != ' ';
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

    if (lp_conf_array(reader->conf, object, "scopes", SCOPES_MAX, &array, &n)
        != 0) {
        return -1;
    }
    text = malloc(n * (LP_CONF_TEXT_MAX + 1) + 1);
    if (text == NULL) {
        return lp_conf_no_memory(reader->conf);
    }
    client->scopes.data = text;
    for (i = 0; i < n; i++) {
        if (lp_conf_text(reader->conf, "scopes", json_array_get(array, i),
                         LP_CONF_TEXT_MAX, &scope) != 0) {
            return -1;
        }
        if (!lp_conf_is_name(scope)) {
            return lp_conf_refuse(reader->conf, "scopes", "texts of visible "
                                  "ASCII without quotes are expected");
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
        return lp_conf_no_memory(reader->conf);
    }
    file->jwks = more;
    file->jwks[file->n_clients] = NULL;
    if (lp_conf_read(reader->conf, object, jwks_members,
                     &file->jwks[file->n_clients]) != 0) {
        return -1;
    }
    file->n_clients++;
    return 0;
}

static int
read_clients(reader_t *reader, const json_t *object, lp_party_t *party)
{
    const json_t      *array, *item;
    const lp_client_t *other;
    lp_client_t       *client;
    unsigned           j, n;
    size_t             here;

    if (lp_conf_array(reader->conf, object, "clients", CLIENTS_MAX, &array, &n)
        != 0) {
        return -1;
    }
    party->clients = calloc(n + 1, sizeof(lp_client_t));
    if (party->clients == NULL) {
        return lp_conf_no_memory(reader->conf);
    }
    for (j = 0; j < n; j++) {
        here = lp_conf_enter(reader->conf, "clients", (int) j);
        item = json_array_get(array, j);
        client = &party->clients[party->n_clients++];
        if (lp_conf_read(reader->conf, item, client_members, client) != 0
            || read_scopes(reader, item, client) != 0
            || add_jwks(reader, item) != 0) {
            return -1;
        }
        lp_party_by_client(&reader->file->list, client->client_id, &other);
        if (other != client) {
            return lp_conf_refuse(reader->conf, "clientId",
                                  "it is there twice");
        }
        lp_conf_leave(reader->conf, here);
    }
    return 0;
}

/* Parties. */

/* Whom we ask for a token needs to know who we are. */
static int
check_sending(reader_t *reader, lp_party_t *party)
{
    if (party->token_url.len > 0 && party->client_id.len == 0) {
        return lp_conf_refuse(reader->conf, "clientId",
                              "it is missing; tokenUrl needs it");
    }
    if (party->token_url.len > 0 && party->key_file == NULL) {
        return lp_conf_refuse(reader->conf, "keyFile",
                              "it is missing; tokenUrl needs it");
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
    size_t           here = lp_conf_enter(reader->conf, "parties", (int) i);

    if (lp_conf_read(reader->conf, object, party_members, party) != 0
        || check_sending(reader, party) != 0) {
        return -1;
    }
    if (lp_party_by_oin(list, party->oin) != party) {
        return lp_conf_refuse(reader->conf, "oin", "it is there twice");
    }
    if (read_clients(reader, object, party) != 0) {
        return -1;
    }
    lp_conf_leave(reader->conf, here);
    return 0;
}

/* What tokens are made of is needed where somebody may ask for one. */
static int
check_tokens(reader_t *reader)
{
    const lp_party_list_t *list = &reader->file->list;
    const char            *missing = NULL;

    if (list->issuer.len == 0) {
        missing = "issuer";
    } else if (list->audience.len == 0) {
        missing = "audience";
    } else if (list->token_endpoint.len == 0) {
        missing = "tokenEndpoint";
    }
    return missing == NULL || reader->file->n_clients == 0
               ? 0
               : lp_conf_refuse(reader->conf, missing,
                                "it is missing; clients need it");
}

static int
read_list(reader_t *reader, const json_t *root)
{
    lp_party_list_t *list = &reader->file->list;
    const json_t    *array;
    unsigned         i, n;

    list->token_lifetime = LIFETIME;
    if (lp_conf_read(reader->conf, root, list_members, list) != 0
        || lp_conf_array(reader->conf, root, "parties", PARTIES_MAX, &array,
                         &n) != 0) {
        return -1;
    }
    list->list = calloc(n + 1, sizeof(lp_party_t));
    if (list->list == NULL) {
        return lp_conf_no_memory(reader->conf);
    }
    for (i = 0; i < n; i++) {
        if (read_party(reader, json_array_get(array, i), i) != 0) {
            return -1;
        }
    }
    return check_tokens(reader);
}
