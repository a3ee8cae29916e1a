/*
 * A session begins: somebody has signed in. The cookies go out only when Redis
 * has what they stand for; whatever fails before leaves the browser's former
 * session as it was.
 */

#include "session.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <time.h>

#include "../core/keys.h"
#include "../workers/number.h"
#include "end_session.h"
#include "sealed_field.h"
#include "session_life.h"

#define WORDS_MAX 32
#define DROPS_MAX 16   /* sessions that make room for one */

/* A session that is to begin. */
typedef struct {
    lp_session_t session;
    lp_session_t former;     /* of this browser */
    int          has_former;
    lp_session_hash_t drops[DROPS_MAX]; /* too many of this subject */
    unsigned     n_drops;
    char         secret[LP_RANDOM_LEN + 1];
    char         token[LP_TOKEN_MAX + 1];
    size_t       token_len;
    char         who[LP_SEAL_SEALED_MAX];
    size_t       who_len;
    char         id_token[LP_SEAL_SEALED_MAX];
    size_t       id_token_len; /* 0: none */
} beginning_t;

static lp_store_status_t prepare(beginning_t *new, lp_visit_t *visit,
                                 const lp_who_t *who,
                                 const lp_session_origin_t *origin);
static int name_it(beginning_t *new, lp_sso_t *sso,
                   const lp_session_origin_t *origin);
static lp_store_status_t look_around(beginning_t *new, lp_visit_t *visit);
static int has_error(const lp_store_t *store, unsigned n);
static void note_drops(beginning_t *new, const redisReply *reply);
static int time_it(lp_session_t *session, const lp_sites_t *sites,
                   int64_t before);
static int seal_it(beginning_t *new, lp_sso_t *sso, const lp_who_t *who,
                   const lp_session_origin_t *origin);
static lp_store_status_t write_it(beginning_t *new, lp_sso_t *sso);
static void add_session_cookie(lp_visit_t *visit, lp_span_t secret);
static void add_session(const beginning_t *new, lp_store_t *store,
                        const lp_sites_t *sites);
static uint64_t microseconds(void);
static void add_index(const lp_session_t *session, lp_session_index_t index,
                      lp_store_t *store, int64_t life);

lp_store_status_t
lp_session_begin(lp_visit_t *visit, const lp_who_t *who,
                 const lp_session_origin_t *origin)
{
    beginning_t      *new = calloc(1, sizeof(beginning_t));
    lp_store_status_t status = LP_STORE_REFUSED;
    lp_sso_t         *sso = visit->sso;
    lp_session_hash_t former;

    if (new == NULL) {
        return status;
    }
    status = prepare(new, visit, who, origin);
    if (status == LP_STORE_OK) {
        status = write_it(new, sso);
    }
    if (status == LP_STORE_OK) {
        lp_session_put_token(visit,
                             (lp_span_t) {new->token, new->token_len});
        add_session_cookie(visit, (lp_span_t) {new->secret, LP_RANDOM_LEN});
        if (lp_session_of_browser(&former, visit) == 0) {
            lp_session_hide_former(visit);
        }
    }
    OPENSSL_cleanse(new, sizeof(*new));
    free(new);
    return status;
}

/* All but the writing. */
static lp_store_status_t
prepare(beginning_t *new, lp_visit_t *visit, const lp_who_t *who,
        const lp_session_origin_t *origin)
{
    lp_sso_t          *sso = visit->sso;
    lp_store_status_t  status;
    lp_tokens_before_t found;

    if (who->n_users == 0 || name_it(new, sso, origin) != 0) {
        return LP_STORE_REFUSED;
    }
    status = lp_owner_of(&new->session.owner, sso, who);
    if (status != LP_STORE_OK) {
        return status;
    }
    status = look_around(new, visit);
    if (status != LP_STORE_OK) {
        return status;
    }
    found = lp_tokens_before_read(sso->store, &new->session.owner, 0);
    if (time_it(&new->session, lp_sites(sso->providers), found.before) != 0
        || seal_it(new, sso, who, origin) != 0) {
        return LP_STORE_REFUSED;
    }
    new->token_len = lp_session_make_token(&new->session, sso, who, new->token);
    return new->token_len == 0 ? LP_STORE_REFUSED : LP_STORE_OK;
}

static int
name_it(beginning_t *new, lp_sso_t *sso, const lp_session_origin_t *origin)
{
    lp_session_t *session = &new->session;
    lp_span_t     issuer = origin->provider->issuer;
    lp_span_t     provider = origin->provider->name;

    if (provider.len > LP_PROVIDER_NAME_MAX || lp_random(new->secret) != 0
        || lp_secret_hash(session->hash.text, "session",
                          (lp_span_t) {new->secret, LP_RANDOM_LEN})
               != 0) {
        return -1;
    }
    memcpy(session->provider, provider.data, provider.len);
    if (lp_session_index_hash(&session->index[LP_BY_SUBJECT], sso,
                              LP_BY_SUBJECT, issuer, origin->subject)
        != 0) {
        return -1;
    }
    return origin->sid.len == 0
               ? 0
               : lp_session_index_hash(&session->index[LP_BY_SID], sso,
                                       LP_BY_SID, issuer, origin->sid);
}

/*
 * One round trip: "!", of which the replies come first, the subject's sessions
 * that are too many, the browser's former one. Nothing of it need be the same
 * when the new one is written.
 */
static lp_store_status_t
look_around(beginning_t *new, lp_visit_t *visit)
{
    lp_store_t       *store = visit->sso->store;
    lp_session_hash_t former;
    lp_number_t       number;
    char              name[LP_KEY_MAX], last[LP_NUMBER_MAX + 1] = "-";
    lp_span_t         text = lp_number(&number, LP_SESSIONS_MAX);
    unsigned          at;
    int has_cookie = lp_session_of_browser(&former, visit) == 0;

    at = lp_tokens_before_ask(store, &new->session.owner);
    memcpy(last + 1, text.data, text.len);
    lp_store_add(store,
                 LP_WORDS(lp_span("ZRANGE"),
                          ((lp_span_t) {
                              name, lp_session_index_key(
                                        name, LP_BY_SUBJECT,
                                        &new->session.index[LP_BY_SUBJECT])}),
                          lp_span("0"), ((lp_span_t) {last, 1 + text.len})));
    if (has_cookie) {
        lp_session_ask(store, &former);
    }
    lp_store_run(store);
    lp_store_unwatch(store);
    if (lp_store_status(store) != LP_STORE_OK
        && (!lp_store_wrong_type(store) || has_error(store, at + 1))) {
        return lp_store_status(store);
    }
    note_drops(new, lp_store_reply(store, at));
    new->has_former = has_cookie
                      && lp_session_read(&new->former, NULL, store, &former,
                                         at + 1)
                             == 0;
    return LP_STORE_OK;
}

/* Among the first n replies: what a browser says that it had is no reason to
   turn anybody away. */
static int
has_error(const lp_store_t *store, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        if (lp_store_reply(store, i)->type == REDIS_REPLY_ERROR) {
            return 1;
        }
    }
    return 0;
}

static void
note_drops(beginning_t *new, const redisReply *reply)
{
    size_t i;

    for (i = 0; reply != NULL && i < reply->elements
                && new->n_drops < DROPS_MAX;
         i++) {
        if (lp_store_text(reply->element[i]).len == LP_SECRET_HASH_LEN) {
            memcpy(new->drops[new->n_drops++].text, reply->element[i]->str,
                   LP_SECRET_HASH_LEN);
        }
    }
}

/* -1: no token may be issued now. */
static int
time_it(lp_session_t *session, const lp_sites_t *sites, int64_t before)
{
    int64_t now = lp_service_now();

    if (before > now + LP_ISSUE_AHEAD) {
        return -1;
    }
    session->at = before > now ? before : now;
    session->used = session->at;
    session->until = session->at + sites->session_life;
    return 0;
}

/* The id_token is kept for whoever will ask for it when its person signs out,
   and where it is not too long: without it the provider asks its own people. */
static int
seal_it(beginning_t *new, lp_sso_t *sso, const lp_who_t *who,
        const lp_session_origin_t *origin)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, lp_session_key(name, &new->session.hash)};

    new->who_len = lp_who_seal(sso->seal, new->who, key, who);
    if (origin->id_token.len > 0 && origin->id_token.len <= LP_SEAL_TEXT_MAX
        && lp_end_session_endpoint(sso, origin->provider).len > 0) {
        new->id_token_len = lp_sealed_close(sso->seal, new->id_token, key,
                                            "idt", origin->id_token);
    }
    return new->who_len == 0 ? -1 : 0;
}

static lp_store_status_t
write_it(beginning_t *new, lp_sso_t *sso)
{
    const lp_sites_t *sites = lp_sites(sso->providers);
    lp_store_t       *store = sso->store;
    lp_session_t      dropped;
    unsigned          i;

    memset(&dropped, 0, sizeof(dropped));
    dropped.index[LP_BY_SUBJECT] = new->session.index[LP_BY_SUBJECT];
    lp_store_begin(store);
    add_session(new, store, sites);
    for (i = 0; i < LP_INDEXES; i++) {
        if (new->session.index[i].text[0] != '\0') {
            add_index(&new->session, (lp_session_index_t) i, store,
                      sites->session_life + LP_ISSUE_AHEAD);
        }
    }
    for (i = 0; i < new->n_drops; i++) {
        dropped.hash = new->drops[i];
        lp_session_delete(store, &dropped);
    }
    if (new->has_former) {
        lp_session_delete(store, &new->former);
    }
    return lp_store_commit(store);
}

static void
add_session(const beginning_t *new, lp_store_t *store, const lp_sites_t *sites)
{
    static const char *const users[LP_TOKEN_USERS] = {"user", "user2",
                                                      "user3"};
    static const char *const places[] = {"sub", "sid"};
    const lp_session_t      *session = &new->session;
    const lp_owner_t        *owner = &session->owner;
    char                     name[LP_KEY_MAX];
    lp_span_t                words[WORDS_MAX];
    lp_span_t                key = {name, lp_session_key(name, &session->hash)};
    lp_number_t              at, until, used, seconds;
    unsigned                 i, n = 0;

#define PUT(field, value) \
    (words[n++] = lp_span_of(field), words[n++] = (value))

    words[n++] = lp_span("HSET");
    words[n++] = key;
    PUT("who", ((lp_span_t) {new->who, new->who_len}));
    for (i = 0; i < owner->n_users && i < LP_TOKEN_USERS; i++) {
        PUT(users[i], ((lp_span_t) {owner->users[i], LP_USER_KEY_LEN}));
    }
    if (owner->school_len > 0) {
        PUT("school", ((lp_span_t) {owner->school, owner->school_len}));
    }
    for (i = 0; i < LP_INDEXES; i++) {
        if (session->index[i].text[0] != '\0') {
            PUT(places[i], ((lp_span_t) {session->index[i].text,
                                         LP_SECRET_HASH_LEN}));
        }
    }
    if (new->id_token_len > 0) {
        PUT("idt", ((lp_span_t) {new->id_token, new->id_token_len}));
    }
    PUT("provider", lp_span_of(session->provider));
    PUT("at", lp_number(&at, (uint64_t) session->at));
    PUT("until", lp_number(&until, (uint64_t) session->until));
    PUT("used", lp_number(&used, (uint64_t) session->used));
#undef PUT

    lp_store_add(store, (lp_words_t) {words, n});
    lp_store_add(store,
                 LP_WORDS(lp_span("EXPIRE"), key,
                          lp_number(&seconds, (uint64_t) lp_session_left(
                                                  session, sites))));
}

/* The order of sign-ins, which may be several in a second. */
static uint64_t
microseconds(void)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    return (uint64_t) at.tv_sec * 1000000 + (uint64_t) at.tv_nsec / 1000;
}

/* An index lives as long as the longest of its sessions; the oldest of too
   many leave it. */
static void
add_index(const lp_session_t *session, lp_session_index_t index,
          lp_store_t *store, int64_t life)
{
    static const lp_span_t when[] = {lp_span("NX"), lp_span("GT")};
    char                   name[LP_KEY_MAX], last[LP_NUMBER_MAX + 1] = "-";
    lp_number_t            score, seconds, most;
    lp_span_t key = {name, lp_session_index_key(name, index,
                                                &session->index[index])};
    lp_span_t text = lp_number(&most, LP_SESSIONS_MAX + 1);
    unsigned  i;

    memcpy(last + 1, text.data, text.len);
    lp_store_add(store,
                 LP_WORDS(lp_span("ZADD"), key,
                          lp_number(&score, microseconds()),
                          ((lp_span_t) {session->hash.text,
                                        LP_SECRET_HASH_LEN})));
    lp_store_add(store, LP_WORDS(lp_span("ZREMRANGEBYRANK"), key,
                                 lp_span("0"),
                                 ((lp_span_t) {last, 1 + text.len})));
    for (i = 0; i < 2; i++) {
        lp_store_add(store,
                     LP_WORDS(lp_span("EXPIRE"), key,
                              lp_number(&seconds, (uint64_t) life), when[i]));
    }
}

static void
add_session_cookie(lp_visit_t *visit, lp_span_t secret)
{
    lp_set_cookie_t cookie = {"leerpoort-session", secret, -1, "Lax",
                              lp_sso_is_secure(visit->sso), 0};

    (void) lp_answer_cookie(&visit->request, &cookie);
}
