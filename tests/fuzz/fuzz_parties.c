/*
 * parties.json: what is read is within its bounds, each party and client is
 * found by its name, and written anew it reads as the same. What is refused is
 * so with the name of the member.
 */

#include <jansson.h>

#include "../../workers/parties_file.h"
#include "must.h"

#define FOLDER "/f"

static void check_list(const lp_parties_file_t *file);
static void check_party(const lp_party_list_t *list, unsigned i);
static json_t *write_list(const lp_parties_file_t *file);
static json_t *write_party(const lp_parties_file_t *file,
                           const lp_party_t *party, unsigned *n_clients);
static json_t *write_client(const lp_client_t *client, const char *jwks);
static void put(json_t *object, const char *name, lp_span_t text);
static void check_again(json_t *written);


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char              reason[LP_CONF_REASON_MAX];
    lp_parties_file_t file;

    memset(reason, 0xff, sizeof(reason));

    if (lp_parties_file_read(&file, (lp_span_t) {(const char *) bytes, len},
                             FOLDER, reason) != 0) {
        must_be_conf_reason(reason);
        must(file.list.list == NULL && file.jwks == NULL);
        return 0;
    }

    check_list(&file);
    check_again(write_list(&file));
    lp_parties_file_free(&file);

    return 0;
}


static void
check_list(const lp_parties_file_t *file)
{
    const lp_party_list_t *list = &file->list;
    unsigned               i, n;

    must(list->n <= 1000);
    must(list->token_lifetime >= 60 && list->token_lifetime <= 21600);

    n = 0;
    for (i = 0; i < list->n; i++) {
        check_party(list, i);
        n += list->list[i].n_clients;
    }

    must(n == file->n_clients);
    for (i = 0; i < n; i++) {
        must(file->jwks[i][0] == '/');
    }
    must(n == 0 || (list->issuer.len > 0 && list->audience.len > 0
                    && list->token_endpoint.len > 0));
}


static void
check_party(const lp_party_list_t *list, unsigned i)
{
    const lp_party_t  *party = &list->list[i];
    const lp_client_t *client;
    unsigned           j;

    must(party->oin.len == 20 && party->name.len > 0);
    must(strspn(party->oin.data, "0123456789") == 20);
    must(lp_party_by_oin(list, party->oin) == party);
    must(party->token_url.len == 0
         || (party->client_id.len > 0 && party->key_file != NULL));
    must(party->base_url.len == 0
         || (memcmp(party->base_url.data, "http", 4) == 0
             && party->base_url.data[party->base_url.len - 1] != '/'));
    must(party->n_clients <= 32);

    for (j = 0; j < party->n_clients; j++) {
        must(party->clients[j].client_id.len > 0);
        must(party->clients[j].client_id.len <= 256);
        must(lp_party_by_client(list, party->clients[j].client_id, &client)
             == party);
        must(client == &party->clients[j]);
    }
}


static json_t *
write_list(const lp_parties_file_t *file)
{
    const lp_party_list_t *list = &file->list;
    json_t                *object, *parties;
    unsigned               i, n_clients;

    object = json_object();
    parties = json_array();
    n_clients = 0;

    put(object, "issuer", list->issuer);
    put(object, "audience", list->audience);
    put(object, "tokenEndpoint", list->token_endpoint);
    json_object_set_new(object, "tokenLifetime",
                        json_integer(list->token_lifetime));

    for (i = 0; i < list->n; i++) {
        json_array_append_new(parties, write_party(file, &list->list[i],
                                                   &n_clients));
    }
    json_object_set_new(object, "parties", parties);

    return object;
}


static json_t *
write_party(const lp_parties_file_t *file, const lp_party_t *party,
            unsigned *n_clients)
{
    json_t  *object, *clients;
    unsigned i;

    object = json_object();
    clients = json_array();

    put(object, "oin", party->oin);
    put(object, "name", party->name);
    put(object, "role", party->role);
    put(object, "baseUrl", party->base_url);
    put(object, "tokenUrl", party->token_url);
    put(object, "clientId", party->client_id);
    put(object, "scope", party->scope);
    if (party->key_file != NULL) {
        put(object, "keyFile", lp_span_of(party->key_file));
    }

    for (i = 0; i < party->n_clients; i++) {
        json_array_append_new(clients,
                              write_client(&party->clients[i],
                                           file->jwks[(*n_clients)++]));
    }
    json_object_set_new(object, "clients", clients);

    return object;
}


static json_t *
write_client(const lp_client_t *client, const char *jwks)
{
    json_t   *object, *scopes;
    lp_span_t rest = client->scopes;
    size_t    len;

    object = json_object();
    scopes = json_array();
    put(object, "clientId", client->client_id);
    put(object, "jwks", lp_span_of(jwks));

    while (rest.len > 0) {
        for (len = 0; len < rest.len && rest.data[len] != ' '; len++) { }
        json_array_append_new(scopes, json_stringn(rest.data, len));
        len += len < rest.len;
        rest.data += len;
        rest.len -= len;
    }
    json_object_set_new(object, "scopes", scopes);

    return object;
}


static void
put(json_t *object, const char *name, lp_span_t text)
{
    if (text.len > 0) {
        must(json_object_set_new(object, name,
                                 json_stringn(text.data, text.len)) == 0);
    }
}


/* Names of files have grown by the folder, and may have grown too long. */
static void
check_again(json_t *written)
{
    char              reason[LP_CONF_REASON_MAX], *text;
    lp_parties_file_t file;
    json_t           *again;

    text = json_dumps(written, JSON_COMPACT);
    must(text != NULL);

    if (lp_parties_file_read(&file, lp_span_of(text), FOLDER, reason) == 0) {
        again = write_list(&file);
        must(json_equal(written, again));
        json_decref(again);
        lp_parties_file_free(&file);
    } else {
        must(strstr(reason, "the name of a file is expected") != NULL);
    }

    free(text);
    json_decref(written);
}
