/*
 * Ending sessions must not lose to a renewal that runs at the same time: what
 * is read (the session, with the time of its newest token, and "!") is watched,
 * and all is written in one transaction. So either the renewal comes first, and
 * its token is among those that are refused; or it finds no session.
 */

#include "session_store.h"

#include "../core/keys.h"
#include "../workers/number.h"

#define ATTEMPTS   20 /* of a transaction that others were quicker than */
#define BATCH      8  /* sessions in one */
#define GUESS_MAX  1024 /* bytes of issuer and subject */

static const struct {
    const char *key;
    const char *type; /* in the hash, where no id type of a user is so named */
} indexes[LP_INDEXES] = {
    [LP_BY_SUBJECT] = {"subs", "|sub"},
    [LP_BY_SID] = {"sids", "|sid"},
};

typedef enum {
    WHO = 0, USER, USER2, USER3, SCHOOL, PROVIDER, AT, UNTIL, USED, SUB, SID,
    FIELDS
} field_t;

static const char *const fields[FIELDS] = {
    "who",   "user",     "user2", "user3", "school", "provider",
    "at",    "until",    "used",  "sub",   "sid",
};

/* Sessions that are being ended, and where the replies about them are. */
typedef struct {
    lp_session_t list[BATCH];
    unsigned     at[BATCH];
    unsigned     n;
} batch_t;

static size_t write_key(char *dst, const char *kind,
                        const lp_session_hash_t *hash);
static int read_owner(lp_owner_t *owner, const lp_span_t *values);
static int read_hash(lp_session_hash_t *hash, lp_span_t text);
static lp_store_status_t end_batch(lp_sso_t *sso,
                                   const lp_session_hash_t *list, unsigned n,
                                   int without_sid);
static lp_store_status_t read_batch(lp_store_t *store, batch_t *batch,
                                    const lp_session_hash_t *list, unsigned n,
                                    int without_sid);
static lp_store_status_t write_batch(lp_sso_t *sso, const batch_t *batch);

size_t
lp_session_key(char *dst, const lp_session_hash_t *hash)
{
    return write_key(dst, "session", hash);
}

size_t
lp_session_index_key(char *dst, lp_session_index_t index,
                     const lp_session_hash_t *hash)
{
    return write_key(dst, indexes[index].key, hash);
}

static size_t
write_key(char *dst, const char *kind, const lp_session_hash_t *hash)
{
    return lp_key_of(dst, kind,
                     (lp_span_t) {hash->text, sizeof(hash->text)});
}

int
lp_session_index_hash(lp_session_hash_t *hash, lp_sso_t *sso,
                      lp_session_index_t index, lp_span_t issuer,
                      lp_span_t subject)
{
    char text[GUESS_MAX];

    if (issuer.len > sizeof(text) / 2
        || subject.len >= sizeof(text) - issuer.len) {
        return -1;
    }
    memcpy(text, issuer.data, issuer.len);
    text[issuer.len] = '\n'; /* that no issuer has in its name */
    memcpy(text + issuer.len + 1, subject.data, subject.len);
    return lp_user_key(hash->text, sso->pepper,
                       lp_span_of(indexes[index].type),
                       (lp_span_t) {text, issuer.len + 1 + subject.len});
}

int
lp_session_of_browser(lp_session_hash_t *hash, const lp_visit_t *visit)
{
    lp_span_t secret = lp_request_cookie(&visit->request, "leerpoort-session",
                                         lp_sso_is_secure(visit->sso));

    return secret.len == LP_RANDOM_LEN
                   && lp_secret_hash(hash->text, "session", secret) == 0
               ? 0
               : -1;
}

void
lp_session_ask(lp_store_t *store, const lp_session_hash_t *hash)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, lp_session_key(name, hash)};
    lp_span_t words[2 + FIELDS];
    unsigned  i;

    lp_store_add(store, LP_WORDS(lp_span("WATCH"), key));
    words[0] = lp_span("HMGET");
    words[1] = key;
    for (i = 0; i < FIELDS; i++) {
        words[2 + i] = lp_span_of(fields[i]);
    }
    lp_store_add(store, (lp_words_t) {words, 2 + FIELDS});
}

int
lp_session_read(lp_session_t *session, lp_span_t *who, const lp_store_t *store,
                const lp_session_hash_t *hash, unsigned at)
{
    const redisReply *reply = lp_store_reply(store, at + 1);
    lp_span_t         values[FIELDS];
    unsigned          i;

    memset(session, 0, sizeof(*session));
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != FIELDS) {
        return -1;
    }
    for (i = 0; i < FIELDS; i++) {
        values[i] = lp_store_text(reply->element[i]);
    }
    session->hash = *hash;
    session->at = lp_number_read(values[AT]);
    session->until = lp_number_read(values[UNTIL]);
    session->used = lp_number_read(values[USED]);
    if (values[WHO].len == 0 || values[PROVIDER].len > LP_PROVIDER_NAME_MAX
        || values[PROVIDER].len == 0 || session->at < 0 || session->until < 0
        || session->used < 0 || read_owner(&session->owner, values) != 0
        || read_hash(&session->index[LP_BY_SUBJECT], values[SUB]) != 0
        || read_hash(&session->index[LP_BY_SID], values[SID]) != 0) {
        return -1;
    }
    memcpy(session->provider, values[PROVIDER].data, values[PROVIDER].len);
    if (who != NULL) {
        *who = values[WHO];
    }
    return 0;
}

static int
read_owner(lp_owner_t *owner, const lp_span_t *values)
{
    unsigned i;

    for (i = USER; i <= USER3 && values[i].data != NULL; i++) {
        if (values[i].len != LP_USER_KEY_LEN) {
            return -1;
        }
        memcpy(owner->users[owner->n_users++], values[i].data,
               LP_USER_KEY_LEN);
    }
    if (owner->n_users == 0
        || (values[SCHOOL].len > 0 && !lp_school_valid(values[SCHOOL]))) {
        return -1;
    }
    if (values[SCHOOL].len > 0) {
        memcpy(owner->school, values[SCHOOL].data, values[SCHOOL].len);
    }
    owner->school_len = values[SCHOOL].len;
    return 0;
}

static int
read_hash(lp_session_hash_t *hash, lp_span_t text)
{
    if (text.data == NULL) {
        return 0;
    }
    if (text.len != sizeof(hash->text)) {
        return -1;
    }
    memcpy(hash->text, text.data, text.len);
    return 0;
}

/* Ending. */

lp_store_status_t
lp_sessions_end(lp_sso_t *sso, const lp_session_hash_t *list, unsigned n,
                int without_sid)
{
    lp_store_status_t status = LP_STORE_OK;
    unsigned          attempt, size;

    while (n > 0 && status == LP_STORE_OK) {
        size = n > BATCH ? BATCH : n;
        status = LP_STORE_CONFLICT;
        for (attempt = 0;
             attempt < ATTEMPTS && status == LP_STORE_CONFLICT; attempt++) {
            status = end_batch(sso, list, size, without_sid);
        }
        list += size;
        n -= size;
    }
    return status;
}

static lp_store_status_t
end_batch(lp_sso_t *sso, const lp_session_hash_t *list, unsigned n,
          int without_sid)
{
    lp_store_status_t status;
    batch_t           batch;
    unsigned          i, at = 0;

    status = read_batch(sso->store, &batch, list, n, without_sid);
    if (status != LP_STORE_OK || batch.n == 0) {
        lp_store_unwatch(sso->store);
        return status;
    }
    for (i = 0; i < batch.n; i++) {
        batch.at[i] = at;
        at += lp_tokens_before_ask(sso->store, &batch.list[i].owner);
    }
    status = lp_store_run(sso->store);
    if (status != LP_STORE_OK) {
        lp_store_unwatch(sso->store);
        return status;
    }
    return write_batch(sso, &batch);
}

/* Those that are there and are meant. */
static lp_store_status_t
read_batch(lp_store_t *store, batch_t *batch, const lp_session_hash_t *list,
           unsigned n, int without_sid)
{
    lp_session_t *session;
    unsigned      i;

    batch->n = 0;
    for (i = 0; i < n; i++) {
        lp_session_ask(store, &list[i]);
    }
    if (lp_store_run(store) != LP_STORE_OK) {
        return lp_store_status(store);
    }
    for (i = 0; i < n; i++) {
        session = &batch->list[batch->n];
        if (lp_session_read(session, NULL, store, &list[i], 2 * i) == 0
            && (!without_sid || session->index[LP_BY_SID].text[0] == '\0')) {
            batch->n++;
        }
    }
    return LP_STORE_OK;
}

static lp_store_status_t
write_batch(lp_sso_t *sso, const batch_t *batch)
{
    const lp_sites_t *sites = lp_sites(sso->providers);
    int64_t           since = lp_service_now();
    unsigned          i;

    for (i = 0; i < batch->n; i++) {
        if (batch->list[i].used >= since) {
            since = batch->list[i].used + 1;
        }
    }
    lp_store_begin(sso->store);
    for (i = 0; i < batch->n; i++) {
        lp_tokens_before_set(sso->store, &batch->list[i].owner, batch->at[i],
                             since, sites->session_life);
        lp_session_delete(sso->store, &batch->list[i]);
    }
    return lp_store_commit(sso->store);
}

void
lp_session_delete(lp_store_t *store, const lp_session_t *session)
{
    lp_span_t hash = {session->hash.text, sizeof(session->hash.text)};
    char      name[LP_KEY_MAX];
    unsigned  i;

    lp_store_add(store,
                 LP_WORDS(lp_span("DEL"),
                          ((lp_span_t) {
                              name, lp_session_key(name, &session->hash)})));
    for (i = 0; i < LP_INDEXES; i++) {
        if (session->index[i].text[0] == '\0') {
            continue;
        }
        lp_store_add(store,
                     LP_WORDS(lp_span("ZREM"),
                              ((lp_span_t) {
                                  name, lp_session_index_key(
                                            name, (lp_session_index_t) i,
                                            &session->index[i])}),
                              hash));
    }
}

lp_store_status_t
lp_sessions_list(lp_sso_t *sso, lp_session_index_t index,
                 const lp_session_hash_t *hash, lp_session_hash_t *list,
                 unsigned *n)
{
    const redisReply *reply;
    char              name[LP_KEY_MAX];
    lp_span_t         key = {name, lp_session_index_key(name, index, hash)};
    size_t            i;

    *n = 0;
    reply = lp_store_ask(sso->store,
                         LP_WORDS(lp_span("ZRANGE"), key, lp_span("0"),
                                  lp_span("-1")));
    if (reply == NULL) {
        return lp_store_status(sso->store);
    }
    for (i = 0; i < reply->elements && *n < LP_SESSIONS_MAX; i++) {
        if (lp_store_text(reply->element[i]).len == LP_SECRET_HASH_LEN) {
            memcpy(list[(*n)++].text, reply->element[i]->str,
                   LP_SECRET_HASH_LEN);
        }
    }
    return LP_STORE_OK;
}
