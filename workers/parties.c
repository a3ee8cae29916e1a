/*
 * The parties as their files have them now. parties.json and each client's JWKS
 * are looked at once a second at most, when somebody asks; a new file counts
 * only when all of it is right. A JWKS that breaks leaves the keys in force
 * that were read before, also across a change of parties.json.
 */

#include "parties_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "input.h"
#include "say.h"
#include "watched_file.h"

#define FILE_BYTES_MAX (1024 * 1024)

static const lp_algs_t client_algs = {2, {LP_ALG_RS256, LP_ALG_PS256}};

struct lp_parties_s {
    char             *path;   /* NULL: there are no parties */
    char             *folder; /* that path lies in */
    lp_watched_t      watched;
    lp_watched_t     *jwks; /* of each client, in their order */
    lp_parties_file_t file;
    int64_t           looked_at;
};

static char reason_text[LP_PARTIES_REASON_MAX + 512];

static int load(lp_parties_t *parties);
static void look(lp_parties_t *parties);

static char *
folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL) {
        return strdup(".");
    }
    return strndup(path, slash == path ? 1 : (size_t) (slash - path));
}

lp_parties_t *
lp_parties_open(const char *path, const char **reason)
{
    lp_parties_t *parties = calloc(1, sizeof(lp_parties_t));

    *reason = "out of memory";
    if (parties == NULL || path == NULL) {
        return parties;
    }
    parties->path = strdup(path);
    parties->folder = folder_of(path);
    if (parties->path == NULL || parties->folder == NULL) {
        lp_parties_close(parties);
        return NULL;
    }
    lp_watched_changed(&parties->watched, path);
    parties->looked_at = lp_watched_clock();
    if (load(parties) != 0) {
        *reason = reason_text;
        lp_parties_close(parties);
        return NULL;
    }
    return parties;
}

static void
free_file(lp_parties_file_t *file)
{
    unsigned i, j;

    for (i = 0; i < file->list.n; i++) {
        for (j = 0; j < file->list.list[i].n_clients; j++) {
            lp_jwks_free(file->list.list[i].clients[j].keys);
        }
    }
    lp_parties_file_free(file);
}

void
lp_parties_close(lp_parties_t *parties)
{
    free_file(&parties->file);
    free(parties->jwks);
    free(parties->folder);
    free(parties->path);
    free(parties);
}

const lp_party_list_t *
lp_parties(lp_parties_t *parties)
{
    if (parties->path != NULL && parties->looked_at != lp_watched_clock()) {
        parties->looked_at = lp_watched_clock();
        look(parties);
    }
    return &parties->file.list;
}

const lp_party_t *
lp_party_by_oin(const lp_party_list_t *list, lp_span_t oin)
{
    unsigned i;

    for (i = 0; i < list->n; i++) {
        if (lp_span_equal(list->list[i].oin, oin)) {
            return &list->list[i];
        }
    }
    return NULL;
}

const lp_party_t *
lp_party_by_client(const lp_party_list_t *list, lp_span_t client_id,
                   const lp_client_t **client)
{
    const lp_party_t *party;
    unsigned          i, j;

    for (i = 0; i < list->n; i++) {
        party = &list->list[i];
        for (j = 0; j < party->n_clients; j++) {
            if (lp_span_equal(party->clients[j].client_id, client_id)) {
                if (client != NULL) {
                    *client = &party->clients[j];
                }
                return party;
            }
        }
    }
    return NULL;
}

/* Clients in their order, as file->jwks has them. */

static lp_client_t *
client_at(const lp_parties_file_t *file, unsigned k)
{
    unsigned i;

    for (i = 0; k >= file->list.list[i].n_clients; i++) {
        k -= file->list.list[i].n_clients;
    }
    return &file->list.list[i].clients[k];
}

/* The client's keys as its file has them; NULL, said, where it has none. */
static lp_jwks_t *
read_jwks(const char *path, lp_span_t client)
{
    lp_input_t  input;
    lp_jwks_t  *keys;
    const char *reason;

    if (lp_input_file(&input, path, LP_JWKS_TEXT_MAX) != 0) {
        return NULL;
    }
    keys = lp_jwks_parse(lp_input_span(&input), &client_algs, NULL, NULL,
                         &reason);
    lp_input_free(&input);
    if (keys == NULL) {
        lp_say("%s, of the client %.*s: %s", path, (int) client.len,
               client.data, reason);
    }
    return keys;
}

static void
refresh_jwks(lp_parties_t *parties, unsigned k)
{
    lp_client_t *client = client_at(&parties->file, k);
    lp_jwks_t   *keys;

    if (!lp_watched_changed(&parties->jwks[k], parties->file.jwks[k])) {
        return;
    }
    keys = read_jwks(parties->file.jwks[k], client->client_id);
    if (keys != NULL) {
        lp_jwks_free(client->keys);
        client->keys = keys;
    }
}

/* Moves keys to the same client of a newer file, where its JWKS is the same
   file: what was read stays in force until something better is. */
static void
hand_over(lp_parties_t *parties, lp_parties_file_t *to, lp_watched_t *watched)
{
    lp_client_t *old, *client;
    unsigned     i, k;

    for (k = 0; k < to->n_clients; k++) {
        client = client_at(to, k);
        for (i = 0; i < parties->file.n_clients; i++) {
            old = client_at(&parties->file, i);
            if (lp_span_equal(old->client_id, client->client_id)
                && strcmp(parties->file.jwks[i], to->jwks[k]) == 0) {
                client->keys = old->keys;
                old->keys = NULL;
                watched[k] = parties->jwks[i];
            }
        }
    }
}

/* Reads parties.json; -1 and reason_text where it can't be used. */
static int
load(lp_parties_t *parties)
{
    lp_parties_file_t file;
    lp_watched_t     *watched;
    lp_input_t        input;
    char              why[LP_PARTIES_REASON_MAX];
    unsigned          k;
    int               rc;

    if (lp_input_file(&input, parties->path, FILE_BYTES_MAX) != 0) {
        snprintf(reason_text, sizeof(reason_text),
                 "the parties' file is not there");
        return -1;
    }
    rc = lp_parties_file_read(&file, lp_input_span(&input), parties->folder,
                              why);
    lp_input_free(&input);
    watched = calloc(file.n_clients + 1, sizeof(lp_watched_t));
    if (rc != 0 || watched == NULL) {
        snprintf(reason_text, sizeof(reason_text), "%s: %s", parties->path,
                 rc != 0 ? why : "out of memory");
        lp_parties_file_free(&file);
        free(watched);
        return -1;
    }
    for (k = 0; k < file.n_clients; k++) {
        watched[k].size = -1; /* like no file, not even one that is absent */
    }
    hand_over(parties, &file, watched);
    free_file(&parties->file);
    free(parties->jwks);
    parties->file = file;
    parties->jwks = watched;
    for (k = 0; k < file.n_clients; k++) {
        refresh_jwks(parties, k);
    }
    return 0;
}

static void
look(lp_parties_t *parties)
{
    unsigned k;

    if (lp_watched_changed(&parties->watched, parties->path)) {
        if (load(parties) != 0) {
            lp_say("%s; the parties stay as they were", reason_text);
        }
        return;
    }
    for (k = 0; k < parties->file.n_clients; k++) {
        refresh_jwks(parties, k);
    }
}
