/*
 * A hash "once:{NN}:<hash>" with the document in pieces, each of what can be
 * sealed at once. A piece is bound to its place, to how many there are, and to
 * the key that it lies under: whoever can write to Redis can take pieces away,
 * and no more than that.
 */

#include "once.h"

#include <stdio.h>
#include <stdlib.h>

#include "../core/keys.h"
#include "sealed_field.h"

#define PIECES_MAX ((LP_ONCE_TEXT_MAX + LP_SEAL_TEXT_MAX - 1) \
                    / LP_SEAL_TEXT_MAX)
#define PIECE_MAX  24

static const struct {
    const char *salt;
    int         life;
} kinds[] = {
    [LP_ONCE_OPEN] = {"open", 300},
    [LP_ONCE_LINK] = {"link", 900}, /* a sign-in lies between */
    [LP_ONCE_PICK] = {"pick", 3600},
    [LP_ONCE_READY] = {"ready", 600}, /* as long as the answer is good */
};

static lp_store_status_t put_pieces(lp_sso_t *sso, lp_span_t key, int life,
                                    lp_span_t text);
static json_t *open_pieces(lp_sso_t *sso, lp_span_t key,
                           const redisReply *reply);
static void name_piece(char *dst, unsigned i, unsigned n);

lp_store_status_t
lp_once_put(lp_sso_t *sso, lp_once_t kind, const json_t *document,
            char *secret)
{
    lp_store_status_t status = LP_STORE_REFUSED;
    lp_span_t         key;
    char              name[LP_KEY_MAX];
    char             *text;

    if (lp_random(secret) != 0) {
        return LP_STORE_REFUSED;
    }
    key.data = name;
    key.len = lp_secret_key(name, "once", kinds[kind].salt,
                            (lp_span_t) {secret, LP_RANDOM_LEN});
    text = json_dumps(document, JSON_COMPACT);
    if (text != NULL && key.len > 0 && strlen(text) <= LP_ONCE_TEXT_MAX) {
        status = put_pieces(sso, key, kinds[kind].life, lp_span_of(text));
    }
    free(text);
    return status;
}

static lp_store_status_t
put_pieces(lp_sso_t *sso, lp_span_t key, int life, lp_span_t text)
{
    char     sealed[LP_SEAL_SEALED_MAX], piece[PIECE_MAX];
    char     seconds[16], field[16];
    unsigned n, i, broken = 0;
    size_t   len;

    n = (unsigned) ((text.len + LP_SEAL_TEXT_MAX - 1) / LP_SEAL_TEXT_MAX);
    lp_store_begin(sso->store);
    for (i = 0; i < n; i++) {
        len = text.len > LP_SEAL_TEXT_MAX ? LP_SEAL_TEXT_MAX : text.len;
        name_piece(piece, i, n);
        snprintf(field, sizeof(field), "%u", i);
        len = lp_sealed_close(sso->seal, sealed, key, piece,
                              (lp_span_t) {text.data, len});
        broken |= len == 0;
        lp_store_add(sso->store,
                     LP_WORDS(lp_span("HSET"), key, lp_span_of(field),
                              ((lp_span_t) {sealed, len})));
        len = text.len > LP_SEAL_TEXT_MAX ? LP_SEAL_TEXT_MAX : text.len;
        text.data += len;
        text.len -= len;
    }
    snprintf(seconds, sizeof(seconds), "%d", life);
    lp_store_add(sso->store,
                 LP_WORDS(lp_span("EXPIRE"), key, lp_span_of(seconds)));
    if (lp_store_commit(sso->store) != LP_STORE_OK) {
        return lp_store_status(sso->store);
    }
    return broken ? LP_STORE_REFUSED : LP_STORE_OK;
}

static void
name_piece(char *dst, unsigned i, unsigned n)
{
    snprintf(dst, PIECE_MAX, "%u/%u", i, n);
}

int
lp_once_get(lp_sso_t *sso, lp_once_t kind, lp_span_t secret, int take,
            json_t **document)
{
    const redisReply *reply;
    lp_span_t         key;
    char              name[LP_KEY_MAX];

    *document = NULL;
    if (secret.len != LP_RANDOM_LEN) {
        return 0;
    }
    key.data = name;
    key.len = lp_secret_key(name, "once", kinds[kind].salt, secret);
    if (key.len == 0) {
        return -1;
    }
    lp_store_begin(sso->store);
    lp_store_add(sso->store, LP_WORDS(lp_span("HGETALL"), key));
    if (take) {
        lp_store_add(sso->store, LP_WORDS(lp_span("DEL"), key));
    }
    if (lp_store_commit(sso->store) != LP_STORE_OK) {
        return -1;
    }
    reply = lp_store_exec(sso->store);
    if (reply == NULL || reply->elements == 0) {
        return -1;
    }
    *document = open_pieces(sso, key, reply->element[0]);
    return *document != NULL;
}

/* Of an HGETALL, whose fields come in any order; what does not open is not
   there. */
static json_t *
open_pieces(lp_sso_t *sso, lp_span_t key, const redisReply *reply)
{
    char      piece[PIECE_MAX], field[16];
    lp_span_t sealed;
    unsigned  n, i, j;
    size_t    len, used = 0;
    json_t   *document;
    char     *text;

    n = (unsigned) (reply->elements / 2);
    if (reply->type != REDIS_REPLY_ARRAY || n == 0 || n > PIECES_MAX) {
        return NULL;
    }
    text = malloc((size_t) n * LP_SEAL_TEXT_MAX);
    if (text == NULL) {
        return NULL;
    }
    for (i = 0; i < n; i++) {
        name_piece(piece, i, n);
        snprintf(field, sizeof(field), "%u", i);
        sealed = (lp_span_t) {NULL, 0};
        for (j = 0; j < n; j++) {
            if (lp_span_equal(lp_store_text(reply->element[2 * j]),
                              lp_span_of(field))) {
                sealed = lp_store_text(reply->element[2 * j + 1]);
            }
        }
        if (sealed.data == NULL
            || lp_sealed_open(sso->seal, text + used, &len, key, piece, sealed)
                   != 0) {
            free(text);
            return NULL;
        }
        used += len;
    }
    document = json_loadb(text, used, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    return document;
}
