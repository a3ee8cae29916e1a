/*
 * launch:{NN}:<hash>, a hash: platform, nonce, deployment, browser (a hash of
 * the cookie). Who deletes it has it: of two that come with one state, one sees
 * that it was gone.
 */

#include "lti_state.h"

#include <stdio.h>

#include "../core/chars.h"
#include "once.h"

#define COOKIE_NAME_MAX 32
#define MINUTE_LIFE     "120" /* seconds that a minute's counter is kept */

typedef struct {
    char name[LP_KEY_MAX];
    char cookie[COOKIE_NAME_MAX];
} place_t;

static int place_of(place_t *place, lp_span_t *key, lp_span_t state);
static int64_t count_minute(lp_store_t *store);
static lp_launch_result_t write_state(lp_visit_t *visit, lp_span_t key,
                                      const lp_launch_state_t *launch,
                                      lp_span_t browser);
static lp_span_t own_cookie(const lp_visit_t *visit, const char *name);
static lp_launch_result_t check_browser(const lp_visit_t *visit,
                                        const char *cookie,
                                        lp_span_t browser);
static int has_any_cookie(const lp_visit_t *visit);
static lp_span_t field(const redisReply *reply, const char *name);
static int copy(char *dst, size_t size, lp_span_t text);

lp_launch_result_t
lp_launch_store(lp_visit_t *visit, lp_launch_state_t *launch, char *state)
{
    lp_sso_t          *sso = visit->sso;
    lp_set_cookie_t    cookie;
    lp_launch_result_t result;
    lp_span_t          key;
    int64_t            begun;
    place_t            place = {"", ""};
    char               secret[LP_RANDOM_LEN + 1];

    begun = count_minute(sso->store);
    if (begun < 0) {
        return LP_LAUNCH_FAILED;
    }
    if (begun > lp_sites(sso->providers)->per_minute) {
        return LP_LAUNCH_TOO_MANY;
    }
    if (lp_random(state) != 0 || lp_random(launch->nonce) != 0
        || lp_random(secret) != 0
        || place_of(&place, &key, (lp_span_t) {state, LP_RANDOM_LEN}) != 0) {
        return LP_LAUNCH_FAILED;
    }
    memset(&cookie, 0, sizeof(cookie));
    cookie.name = place.cookie;
    cookie.value = own_cookie(visit, place.cookie);
    if (cookie.value.len == 0) {
        cookie.value = (lp_span_t) {secret, LP_RANDOM_LEN};
    }
    result = write_state(visit, key, launch, cookie.value);
    if (result == LP_LAUNCH_OK) {
        cookie.max_age = LP_LAUNCH_LIFE;
        cookie.same_site = "None";
        cookie.secure = lp_sso_is_secure(sso);
        cookie.partitioned = cookie.secure;
        lp_answer_cookie(&visit->request, &cookie);
    }
    return result;
}

static int
place_of(place_t *place, lp_span_t *key, lp_span_t state)
{
    key->data = place->name;
    key->len = lp_secret_key(place->name, "launch", "launch", state);
    if (key->len == 0) {
        return -1;
    }
    /* the hash's characters are as good as random */
    snprintf(place->cookie, sizeof(place->cookie), LP_LAUNCH_COOKIE "%x",
             (unsigned char) place->name[key->len - 2] % LP_LAUNCH_SLOTS);
    return 0;
}

/* Launches in this minute, over all processes; -1: Redis failed. */
static int64_t
count_minute(lp_store_t *store)
{
    const redisReply *reply;
    lp_span_t         key;
    char              name[64];

    snprintf(name, sizeof(name), "signins:lti:%lld",
             (long long) (lp_service_now() / 60));
    key = lp_span_of(name);
    lp_store_add(store, LP_WORDS(lp_span("INCR"), key));
    lp_store_add(store,
                 LP_WORDS(lp_span("EXPIRE"), key, lp_span(MINUTE_LIFE)));
    if (lp_store_run(store) != LP_STORE_OK) {
        return -1;
    }
    reply = lp_store_reply(store, 0);
    return reply != NULL && reply->type == REDIS_REPLY_INTEGER
               ? (int64_t) reply->integer : -1;
}

static lp_launch_result_t
write_state(lp_visit_t *visit, lp_span_t key, const lp_launch_state_t *launch,
            lp_span_t browser)
{
    lp_store_t *store = visit->sso->store;
    char        hash[LP_SECRET_HASH_LEN], life[16];

    if (lp_secret_hash(hash, "launch-browser", browser) != 0) {
        return LP_LAUNCH_FAILED;
    }
    snprintf(life, sizeof(life), "%d", LP_LAUNCH_LIFE);
    lp_store_begin(store);
    lp_store_add(store,
                 LP_WORDS(lp_span("HSET"), key, lp_span("platform"),
                          lp_span_of(launch->platform), lp_span("nonce"),
                          lp_span_of(launch->nonce), lp_span("deployment"),
                          lp_span_of(launch->deployment), lp_span("browser"),
                          ((lp_span_t) {hash, sizeof(hash)})));
    lp_store_add(store, LP_WORDS(lp_span("EXPIRE"), key, lp_span_of(life)));
    return lp_store_commit(store) == LP_STORE_OK ? LP_LAUNCH_OK
                                                 : LP_LAUNCH_FAILED;
}

/* The one of before, so that a launch that has begun beside this one in the
   same slot is not cut off. len 0: none of ours. */
static lp_span_t
own_cookie(const lp_visit_t *visit, const char *name)
{
    lp_span_t value = lp_request_cookie(&visit->request, name,
                                        lp_sso_is_secure(visit->sso));
    size_t    i;

    for (i = 0; i < value.len; i++) {
        if (!lp_char_is((unsigned char) value.data[i], LP_CHAR_NAME)) {
            return (lp_span_t) {NULL, 0};
        }
    }
    return value.len == LP_RANDOM_LEN ? value : (lp_span_t) {NULL, 0};
}

lp_launch_result_t
lp_launch_take(lp_visit_t *visit, lp_span_t state, lp_launch_state_t *launch)
{
    lp_store_t        *store = visit->sso->store;
    const redisReply  *reply;
    lp_launch_result_t result;
    lp_span_t          key;
    place_t            place = {"", ""};

    memset(launch, 0, sizeof(*launch));
    if (state.len != LP_RANDOM_LEN) {
        return LP_LAUNCH_UNKNOWN;
    }
    if (place_of(&place, &key, state) != 0) {
        return LP_LAUNCH_FAILED;
    }
    reply = lp_store_ask(store, LP_WORDS(lp_span("HGETALL"), key));
    if (reply == NULL) {
        return LP_LAUNCH_FAILED;
    }
    if (field(reply, "nonce").len != LP_RANDOM_LEN
        || copy(launch->platform, sizeof(launch->platform),
                field(reply, "platform")) != 0
        || copy(launch->nonce, sizeof(launch->nonce), field(reply, "nonce"))
               != 0
        || copy(launch->deployment, sizeof(launch->deployment),
                field(reply, "deployment")) != 0) {
        return LP_LAUNCH_UNKNOWN;
    }
    result = check_browser(visit, place.cookie, field(reply, "browser"));
    if (result != LP_LAUNCH_OK) {
        return result;
    }
    reply = lp_store_ask(store, LP_WORDS(lp_span("DEL"), key));
    if (reply == NULL) {
        return LP_LAUNCH_FAILED;
    }
    return reply->type == REDIS_REPLY_INTEGER && reply->integer == 1
               ? LP_LAUNCH_OK : LP_LAUNCH_UNKNOWN;
}

static lp_launch_result_t
check_browser(const lp_visit_t *visit, const char *cookie, lp_span_t browser)
{
    lp_span_t value = lp_request_cookie(&visit->request, cookie,
                                        lp_sso_is_secure(visit->sso));
    char      hash[LP_SECRET_HASH_LEN];

    if (value.data == NULL) {
        return has_any_cookie(visit) ? LP_LAUNCH_OTHER : LP_LAUNCH_OK;
    }
    if (lp_secret_hash(hash, "launch-browser", value) != 0) {
        return LP_LAUNCH_FAILED;
    }
    return lp_span_equal(browser, (lp_span_t) {hash, sizeof(hash)})
               ? LP_LAUNCH_OK : LP_LAUNCH_OTHER;
}

/* Of any launch: then this browser keeps cookies here. */
static int
has_any_cookie(const lp_visit_t *visit)
{
    char     name[COOKIE_NAME_MAX];
    unsigned i;

    for (i = 0; i < LP_LAUNCH_SLOTS; i++) {
        snprintf(name, sizeof(name), LP_LAUNCH_COOKIE "%x", i);
        if (lp_request_cookie(&visit->request, name,
                              lp_sso_is_secure(visit->sso)).data != NULL) {
            return 1;
        }
    }
    return 0;
}

static lp_span_t
field(const redisReply *reply, const char *name)
{
    size_t i;

    for (i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements;
         i += 2) {
        if (lp_span_equal(lp_store_text(reply->element[i]),
                          lp_span_of(name))) {
            return lp_store_text(reply->element[i + 1]);
        }
    }
    return (lp_span_t) {NULL, 0};
}

static int
copy(char *dst, size_t size, lp_span_t text)
{
    if (text.data == NULL || text.len >= size) {
        return -1;
    }
    memcpy(dst, text.data, text.len);
    dst[text.len] = '\0';
    return 0;
}

lp_launch_result_t
lp_launch_use_nonce(lp_sso_t *sso, lp_span_t nonce)
{
    const redisReply *reply;
    lp_span_t         key;
    char              name[LP_KEY_MAX], life[16];

    key.data = name;
    key.len = lp_secret_key(name, "nonce", "nonce", nonce);
    if (key.len == 0) {
        return LP_LAUNCH_FAILED;
    }
    snprintf(life, sizeof(life), "%d", LP_LAUNCH_LIFE);
    reply = lp_store_ask(sso->store,
                         LP_WORDS(lp_span("SET"), key, lp_span("1"),
                                  lp_span("NX"), lp_span("EX"),
                                  lp_span_of(life)));
    if (reply == NULL) {
        return LP_LAUNCH_FAILED;
    }
    return reply->type == REDIS_REPLY_STATUS ? LP_LAUNCH_OK
                                             : LP_LAUNCH_UNKNOWN;
}
