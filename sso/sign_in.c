/*
 * Sign-ins that have begun. signin:{NN}:<hash of state>, a hash: provider,
 * nonce, verifier, back, browser (a hash of the cookie). Who deletes it has it:
 * of two that come with one state, one sees that it was gone.
 *
 * All tabs of a browser share one cookie. Two that begin at the same moment in
 * a browser without it get two, of which the browser keeps the last. So the
 * first sign-in of a browser gets a second cookie, whose name is of its state
 * alone, and either of them will do.
 *
 * How many may begin is counted by the minute in Redis, over all processes:
 * whoever comes without end fills no more of Redis than ten such minutes.
 */

#include "sign_in.h"

#include <openssl/rand.h>
#include <stdio.h>

#include "../core/base64url.h"
#include "../core/chars.h"
#include "once.h"

#define LIFE         600 /* seconds: a person who types a password, twice */
#define LIFE_TEXT    "600"
#define MINUTE_LIFE  "120" /* seconds that a minute's counter is kept */
#define RANDOM_BYTES 32

#define BROWSER_COOKIE "leerpoort-browser"
#define OWN_COOKIE_MAX (sizeof(BROWSER_COOKIE) + 1 + 8)

typedef struct {
    char name[LP_KEY_MAX];
    char own_cookie[OWN_COOKIE_MAX]; /* of this sign-in alone */
} place_t;

static int place_of(place_t *place, lp_span_t *key, lp_span_t state);
static int64_t count_minute(lp_store_t *store);
static lp_sign_in_result_t write_sign_in(lp_visit_t *visit, lp_span_t key,
                                         const lp_sign_in_t *sign_in,
                                         lp_span_t browser);
static lp_span_t cookie_of(const lp_visit_t *visit, const char *name);
static void set_cookies(lp_visit_t *visit, const place_t *place,
                        lp_span_t secret);
static int read_sign_in(lp_sign_in_t *sign_in, const redisReply *reply);
static int is_way_back(const lp_visit_t *visit, const char *back);
static lp_sign_in_result_t check_browser(lp_visit_t *visit,
                                         const place_t *place,
                                         lp_span_t browser);
static lp_span_t field(const redisReply *reply, const char *name);
static int copy(char *dst, size_t size, lp_span_t text);

int
lp_random(char *dst)
{
    unsigned char bytes[RANDOM_BYTES];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return -1;
    }
    dst[lp_base64url_encode(dst, bytes, sizeof(bytes))] = '\0';
    return 0;
}

lp_sign_in_result_t
lp_sign_in_store(lp_visit_t *visit, lp_sign_in_t *sign_in, char *state)
{
    lp_sso_t           *sso = visit->sso;
    lp_span_t           browser = cookie_of(visit, BROWSER_COOKIE), key;
    lp_sign_in_result_t result;
    int64_t             begun;
    place_t             place;
    char                secret[LP_RANDOM_LEN + 1];
    int                 is_new = browser.len == 0;

    begun = count_minute(sso->store);
    if (begun < 0) {
        return LP_SIGN_IN_FAILED;
    }
    if (begun > lp_sites(sso->providers)->per_minute) {
        return LP_SIGN_IN_TOO_MANY;
    }
    if (lp_random(state) != 0 || lp_random(sign_in->nonce) != 0
        || lp_random(sign_in->verifier) != 0 || lp_random(secret) != 0
        || place_of(&place, &key, (lp_span_t) {state, LP_RANDOM_LEN}) != 0) {
        return LP_SIGN_IN_FAILED;
    }
    if (is_new) {
        browser = (lp_span_t) {secret, LP_RANDOM_LEN};
    }
    result = write_sign_in(visit, key, sign_in, browser);
    if (result == LP_SIGN_IN_OK && is_new) {
        set_cookies(visit, &place, browser);
    }
    return result;
}

static int
place_of(place_t *place, lp_span_t *key, lp_span_t state)
{
    key->data = place->name;
    key->len = lp_secret_key(place->name, "signin", "signin", state);
    if (key->len == 0) {
        return -1;
    }
    /* the hash's last characters are as good as any eight */
    snprintf(place->own_cookie, sizeof(place->own_cookie),
             BROWSER_COOKIE "-%s", place->name + key->len - 8);
    return 0;
}

/* Sign-ins that began in this minute; -1: Redis failed. */
static int64_t
count_minute(lp_store_t *store)
{
    const redisReply *reply;
    lp_span_t         key;
    char              name[64];

    snprintf(name, sizeof(name), "signins:%lld",
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

static lp_sign_in_result_t
write_sign_in(lp_visit_t *visit, lp_span_t key, const lp_sign_in_t *sign_in,
              lp_span_t browser)
{
    lp_store_t *store = visit->sso->store;
    char        hash[LP_SECRET_HASH_LEN];

    if (lp_secret_hash(hash, "browser", browser) != 0) {
        return LP_SIGN_IN_FAILED;
    }
    lp_store_begin(store);
    lp_store_add(store,
                 LP_WORDS(lp_span("HSET"), key, lp_span("provider"),
                          lp_span_of(sign_in->provider), lp_span("nonce"),
                          lp_span_of(sign_in->nonce), lp_span("verifier"),
                          lp_span_of(sign_in->verifier), lp_span("back"),
                          lp_span_of(sign_in->back), lp_span("browser"),
                          ((lp_span_t) {hash, sizeof(hash)})));
    lp_store_add(store, LP_WORDS(lp_span("EXPIRE"), key, lp_span(LIFE_TEXT)));
    return lp_store_commit(store) == LP_STORE_OK ? LP_SIGN_IN_OK
                                                 : LP_SIGN_IN_FAILED;
}

/* len 0: absent, or none that we made. */
static lp_span_t
cookie_of(const lp_visit_t *visit, const char *name)
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

static void
set_cookies(lp_visit_t *visit, const place_t *place, lp_span_t secret)
{
    lp_set_cookie_t cookie;

    memset(&cookie, 0, sizeof(cookie));
    cookie.name = BROWSER_COOKIE;
    cookie.value = secret;
    cookie.max_age = -1;
    cookie.same_site = "Lax";
    cookie.secure = lp_sso_is_secure(visit->sso);
    lp_answer_cookie(&visit->request, &cookie);
    cookie.name = place->own_cookie;
    cookie.max_age = LIFE;
    lp_answer_cookie(&visit->request, &cookie);
}

lp_sign_in_result_t
lp_sign_in_take(lp_visit_t *visit, lp_span_t state, lp_sign_in_t *sign_in)
{
    lp_store_t         *store = visit->sso->store;
    const redisReply   *reply;
    lp_sign_in_result_t result;
    lp_span_t           key;
    place_t             place;

    memset(sign_in, 0, sizeof(*sign_in));
    if (state.len != LP_RANDOM_LEN) {
        return LP_SIGN_IN_UNKNOWN;
    }
    if (place_of(&place, &key, state) != 0) {
        return LP_SIGN_IN_FAILED;
    }
    reply = lp_store_ask(store, LP_WORDS(lp_span("HGETALL"), key));
    if (reply == NULL) {
        return LP_SIGN_IN_FAILED;
    }
    if (read_sign_in(sign_in, reply) != 0
        || !is_way_back(visit, sign_in->back)) {
        return LP_SIGN_IN_UNKNOWN;
    }
    result = check_browser(visit, &place, field(reply, "browser"));
    if (result != LP_SIGN_IN_OK) {
        return result;
    }
    reply = lp_store_ask(store, LP_WORDS(lp_span("DEL"), key));
    if (reply == NULL) {
        return LP_SIGN_IN_FAILED;
    }
    return reply->type == REDIS_REPLY_INTEGER && reply->integer == 1
               ? LP_SIGN_IN_OK : LP_SIGN_IN_UNKNOWN;
}

static int
read_sign_in(lp_sign_in_t *sign_in, const redisReply *reply)
{
    return field(reply, "nonce").len != LP_RANDOM_LEN
                   || field(reply, "verifier").len != LP_RANDOM_LEN
                   || copy(sign_in->provider, sizeof(sign_in->provider),
                           field(reply, "provider")) != 0
                   || copy(sign_in->nonce, sizeof(sign_in->nonce),
                           field(reply, "nonce")) != 0
                   || copy(sign_in->verifier, sizeof(sign_in->verifier),
                           field(reply, "verifier")) != 0
                   || copy(sign_in->back, sizeof(sign_in->back),
                           field(reply, "back")) != 0
               ? -1 : 0;
}

/* Redis is believed no more than a link is: where browsers are sent to is
   looked at when they are. */
static int
is_way_back(const lp_visit_t *visit, const char *back)
{
    char path[LP_RETURN_MAX + 1];

    return lp_return_check(path, lp_sites(visit->sso->providers),
                           lp_span_of(back)) == 0
           && strcmp(path, back) == 0;
}

/* The sign-in's own cookie has done its work, whatever it says. */
static lp_sign_in_result_t
check_browser(lp_visit_t *visit, const place_t *place, lp_span_t browser)
{
    lp_span_t       found[2] = {cookie_of(visit, BROWSER_COOKIE),
                                cookie_of(visit, place->own_cookie)};
    lp_set_cookie_t remove;
    char            hash[LP_SECRET_HASH_LEN];
    int             i;

    for (i = 0; i < 2; i++) {
        if (found[i].len == 0) {
            continue;
        }
        if (lp_secret_hash(hash, "browser", found[i]) != 0) {
            return LP_SIGN_IN_FAILED;
        }
        if (lp_span_equal(browser, (lp_span_t) {hash, sizeof(hash)})) {
            break;
        }
    }
    if (found[1].len > 0) {
        memset(&remove, 0, sizeof(remove));
        remove.name = place->own_cookie;
        remove.value = lp_span("");
        remove.same_site = "Lax";
        remove.secure = lp_sso_is_secure(visit->sso);
        lp_answer_cookie(&visit->request, &remove);
    }
    if (i < 2) {
        return LP_SIGN_IN_OK;
    }
    return found[0].len == 0 && found[1].len == 0 ? LP_SIGN_IN_NO_COOKIE
                                                  : LP_SIGN_IN_OTHER;
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
