/*
 * The parties as their files have them now. Each client's JWKS is looked at as
 * parties.json is: once a second at most, when somebody asks. One that breaks
 * leaves the keys in force that were read before, also across a change of
 * parties.json.
 */

#include "parties_file.h"

#include <stdlib.h>

#include "conf_file.h"
#include "input.h"
#include "say.h"
#include "watched_file.h"

static const lp_algs_t client_algs = {2, {LP_ALG_RS256, LP_ALG_PS256}};

/* One reading of parties.json. */
typedef struct {
    lp_parties_file_t file;
    lp_watched_t     *jwks; /* of each client, in their order */
} reading_t;

struct lp_parties_s {
    lp_conf_file_t *file;
    reading_t      *now; /* NULL: nobody has asked, or there are no parties */
    int64_t         looked_at;
};

static void *read_file(lp_span_t text, const char *folder, char *reason);
static void free_reading(void *reading);
static lp_client_t *client_at(const lp_parties_file_t *file, unsigned k);
static void refresh_jwks(reading_t *reading, unsigned k);
static void hand_over(const reading_t *from, reading_t *to);

static const lp_conf_reader_t reader = {"the parties", LP_PARTIES_FILE_MAX,
                                        read_file, free_reading};

lp_parties_t *
lp_parties_open(const char *path, const char **reason)
{
    lp_parties_t *parties = calloc(1, sizeof(lp_parties_t));

    *reason = "out of memory";
    if (parties == NULL) {
        return NULL;
    }
    parties->file = lp_conf_file_open(&reader, path, reason);
    if (parties->file == NULL) {
        free(parties);
        return NULL;
    }
    (void) lp_parties(parties);
    return parties;
}

static void *
read_file(lp_span_t text, const char *folder, char *reason)
{
    reading_t *reading = calloc(1, sizeof(reading_t));
    unsigned   k;

    if (reading == NULL
        || lp_parties_file_read(&reading->file, text, folder, reason) != 0) {
        free(reading);
        return NULL;
    }
    reading->jwks = calloc(reading->file.n_clients + 1, sizeof(lp_watched_t));
    if (reading->jwks == NULL) {
        free_reading(reading);
        return NULL;
    }
    for (k = 0; k < reading->file.n_clients; k++) {
        reading->jwks[k].size = -1; /* like no file, not even an absent one */
    }
    return reading;
}

static void
free_reading(void *reading)
{
    reading_t *it = reading;
    unsigned   k;

    for (k = 0; k < it->file.n_clients; k++) {
        lp_jwks_free(client_at(&it->file, k)->keys);
    }
    lp_parties_file_free(&it->file);
    free(it->jwks);
    free(it);
}

void
lp_parties_close(lp_parties_t *parties)
{
    if (parties != NULL) {
        lp_conf_file_close(parties->file);
        free(parties);
    }
}

const lp_party_list_t *
lp_parties(lp_parties_t *parties)
{
    static const lp_party_list_t none;
    reading_t                   *reading = lp_conf_file_now(parties->file);
    int64_t                      at = lp_watched_clock();
    unsigned                     k;

    if (reading == NULL) {
        return &none;
    }
    if (reading != parties->now || parties->looked_at != at) {
        if (reading != parties->now && parties->now != NULL) {
            hand_over(parties->now, reading);
        }
        parties->now = reading;
        parties->looked_at = at;
        for (k = 0; k < reading->file.n_clients; k++) {
            refresh_jwks(reading, k);
        }
    }
    return &reading->file.list;
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
refresh_jwks(reading_t *reading, unsigned k)
{
    lp_client_t *client = client_at(&reading->file, k);
    lp_jwks_t   *keys;

    if (!lp_watched_changed(&reading->jwks[k], reading->file.jwks[k])) {
        return;
    }
    keys = read_jwks(reading->file.jwks[k], client->client_id);
    if (keys != NULL) {
        lp_jwks_free(client->keys);
        client->keys = keys;
    }
}

/* Moves keys to the same client of a newer file, where its JWKS is the same
   file: what was read stays in force until something better is. */
static void
hand_over(const reading_t *from, reading_t *to)
{
    lp_client_t *old, *client;
    unsigned     i, k;

    for (k = 0; k < to->file.n_clients; k++) {
        client = client_at(&to->file, k);
        for (i = 0; i < from->file.n_clients; i++) {
            old = client_at(&from->file, i);
            if (lp_span_equal(old->client_id, client->client_id)
                && strcmp(from->file.jwks[i], to->file.jwks[k]) == 0) {
                client->keys = old->keys;
                old->keys = NULL;
                to->jwks[k] = from->jwks[i];
            }
        }
    }
}
