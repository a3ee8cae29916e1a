/*
 * The hashes are those that the edge looks at (ngx_http_leerpoort_rights.c),
 * and that workers/revoked.c does. The key beside one lies in the same slot and
 * changes in the same transaction; it expires when no session is left that is
 * older than it.
 */

#include "tokens_before.h"

#include "../core/keys.h"
#include "../workers/number.h"

#define FIELD     lp_span("!")
#define BESIDE    "signout"
#define HASHES    (2 * LP_TOKEN_USERS)
#define NAME_ROOM (LP_KEY_MAX + sizeof(BESIDE))
#define UNREADABLE INT64_MAX

/* A hash of rights, and the key beside it. */
typedef struct {
    char      name[NAME_ROOM]; /* "signout:{NN}:..."; its end is "u"'s */
    char      hash[LP_KEY_MAX];
    lp_span_t beside;
    lp_span_t rights;
} place_t;

static lp_store_status_t find_school(lp_owner_t *owner, lp_store_t *store,
                                     const lp_who_id_t *school);
static unsigned list_places(place_t *places, const lp_owner_t *owner);
static unsigned add_place(place_t *places, unsigned n, lp_span_t school,
                          lp_span_t user);
static int64_t written(const lp_store_t *store, unsigned i);
static int64_t revoked_until(const lp_store_t *store, unsigned i,
                             int64_t since);

lp_store_status_t
lp_owner_of(lp_owner_t *owner, lp_sso_t *sso, const lp_who_t *who)
{
    memset(owner, 0, sizeof(*owner));
    if (lp_who_keys(owner->users, who, sso->pepper) != 0) {
        return LP_STORE_REFUSED;
    }
    owner->n_users = who->n_users;
    return find_school(owner, sso->store, &who->school);
}

static lp_store_status_t
find_school(lp_owner_t *owner, lp_store_t *store, const lp_who_id_t *school)
{
    lp_span_t found = lp_span_of(school->id), key;
    char      name[LP_KEY_MAX];

    if (school->type[0] == '\0') {
        return LP_STORE_OK;
    }
    if (strcmp(school->type, "MASTER") != 0) {
        key.data = name;
        key.len = lp_key_alias(name, lp_span_of(school->type), found);
        if (key.len == 0) {
            return LP_STORE_OK;
        }
        found = lp_store_text(lp_store_ask(store,
                                           LP_WORDS(lp_span("GET"), key)));
        if (lp_store_status(store) != LP_STORE_OK
            && !lp_store_wrong_type(store)) {
            return lp_store_status(store);
        }
    }
    if (found.data != NULL && lp_school_valid(found)) {
        memcpy(owner->school, found.data, found.len);
        owner->school_len = found.len;
    }
    return LP_STORE_OK;
}

int
lp_store_wrong_type(const lp_store_t *store)
{
    return lp_store_status(store) == LP_STORE_REFUSED
           && strcmp(lp_store_error(store), "WRONGTYPE") == 0;
}

static unsigned
list_places(place_t *places, const lp_owner_t *owner)
{
    lp_span_t school = {owner->school, owner->school_len}, user;
    unsigned  i, n = 0;

    for (i = 0; i < owner->n_users; i++) {
        user = (lp_span_t) {owner->users[i], LP_USER_KEY_LEN};
        if (school.len > 0) {
            n = add_place(places, n, school, user);
        }
        n = add_place(places, n, lp_span(""), user);
    }
    return n;
}

static unsigned
add_place(place_t *places, unsigned n, lp_span_t school, lp_span_t user)
{
    place_t *place = &places[n];
    size_t   len = lp_key_user(place->hash, school, user);

    if (len == 0) {
        return n; /* can't be: both are of a known length */
    }
    place->rights = (lp_span_t) {place->hash, len};
    memcpy(place->name, BESIDE, sizeof(BESIDE) - 1);
    memcpy(place->name + sizeof(BESIDE) - 1, place->hash + 1, len - 1);
    place->beside = (lp_span_t) {place->name, sizeof(BESIDE) - 1 + len - 1};
    return n + 1;
}

unsigned
lp_tokens_before_ask(lp_store_t *store, const lp_owner_t *owner)
{
    place_t   places[HASHES];
    lp_span_t words[1 + 2 * HASHES];
    unsigned  i, n = list_places(places, owner);

    if (n == 0) {
        return 0;
    }
    words[0] = lp_span("WATCH");
    for (i = 0; i < n; i++) {
        words[1 + 2 * i] = places[i].rights;
        words[2 + 2 * i] = places[i].beside;
    }
    lp_store_add(store, (lp_words_t) {words, 1 + 2 * n});
    for (i = 0; i < n; i++) {
        lp_store_add(store,
                     LP_WORDS(lp_span("HGET"), places[i].rights, FIELD));
        lp_store_add(store, LP_WORDS(lp_span("GET"), places[i].beside));
    }
    return 1 + 2 * n;
}

lp_tokens_before_t
lp_tokens_before_read(const lp_store_t *store, const lp_owner_t *owner,
                      unsigned at)
{
    lp_tokens_before_t found = {0, 0};
    place_t            places[HASHES];
    unsigned           i, n = list_places(places, owner);
    int64_t            since, until;

    for (i = 0; i < n; i++) {
        since = written(store, at + 1 + 2 * i);
        until = revoked_until(store, at + 2 + 2 * i, since);
        found.before = since > found.before ? since : found.before;
        found.revoked = until > found.revoked ? until : found.revoked;
    }
    return found;
}

/* "!" as the i-th reply has it: 0 where there is none. */
static int64_t
written(const lp_store_t *store, unsigned i)
{
    const redisReply *reply = lp_store_reply(store, i);
    lp_span_t         text = lp_store_text(reply);
    int64_t           since;

    if (reply == NULL || reply->type == REDIS_REPLY_NIL) {
        return 0;
    }
    since = lp_number_read(text);
    return since == -1 ? UNREADABLE : since;
}

/* What of it an operator wrote; i: the reply for the key beside it. */
static int64_t
revoked_until(const lp_store_t *store, unsigned i, int64_t since)
{
    lp_span_t   text = lp_store_text(lp_store_reply(store, i)), first;
    const char *blank;
    int64_t     until;

    blank = text.len == 0 ? NULL : memchr(text.data, ' ', text.len);
    if (blank == NULL) {
        return since;
    }
    first = (lp_span_t) {text.data, (size_t) (blank - text.data)};
    text.data = blank + 1;
    text.len -= first.len + 1;
    until = lp_number_read(text);
    return until != -1 && lp_number_read(first) == since ? until : since;
}

void
lp_tokens_before_set(lp_store_t *store, const lp_owner_t *owner, unsigned at,
                     int64_t since, int64_t life)
{
    place_t     places[HASHES];
    unsigned    i, n = list_places(places, owner);
    char        both[2 * LP_NUMBER_MAX + 1];
    lp_number_t number, until, seconds;
    lp_span_t   text, rest;
    int64_t     old;

    for (i = 0; i < n; i++) {
        old = written(store, at + 1 + 2 * i);
        if (old >= since) {
            continue;
        }
        text = lp_number(&number, (uint64_t) since);
        rest = lp_number(&until, (uint64_t) revoked_until(
                                     store, at + 2 + 2 * i, old));
        memcpy(both, text.data, text.len);
        both[text.len] = ' ';
        memcpy(both + text.len + 1, rest.data, rest.len);
        lp_store_add(store,
                     LP_WORDS(lp_span("HSET"), places[i].rights, FIELD, text));
        lp_store_add(store,
                     LP_WORDS(lp_span("SET"), places[i].beside,
                              ((lp_span_t) {both, text.len + 1 + rest.len}),
                              lp_span("EX"),
                              lp_number(&seconds, (uint64_t) life)));
    }
}
