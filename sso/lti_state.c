/*
 * launch:{NN}:<hash of state>: platform, nonce, deployment, browser (a hash of
 * the cookie).
 */

#include "lti_state.h"

#include <stdio.h>

#define COOKIE_NAME_MAX 32
#define TEXTS           4

/* Where it is kept, and all that is kept of it. */
typedef struct {
    lp_span_t       key;
    lp_begun_text_t texts[TEXTS];
    char            browser[LP_SECRET_HASH_LEN + 1];
    char            name[LP_KEY_MAX];
    char            cookie[COOKIE_NAME_MAX];
} place_t;

static int find_place(place_t *place, lp_span_t state,
                      lp_launch_state_t *launch);
static void set_cookie(lp_visit_t *visit, const char *name, lp_span_t value);
static lp_begun_t check_browser(const lp_visit_t *visit,
                                const place_t *place);
static int has_any_cookie(const lp_visit_t *visit);

/* A cookie of before stays, so that a launch that has begun beside this one in
   the same slot is not cut off. */
lp_begun_t
lp_launch_store(lp_visit_t *visit, lp_launch_state_t *launch, char *state)
{
    lp_begun_t result = lp_begun_count(visit->sso, "signins:lti");
    lp_span_t  browser;
    place_t    place;
    char       secret[LP_RANDOM_LEN + 1];

    if (result != LP_BEGUN_OK) {
        return result;
    }
    if (lp_random(state) != 0 || lp_random(launch->nonce) != 0
        || lp_random(secret) != 0
        || find_place(&place, (lp_span_t) {state, LP_RANDOM_LEN}, launch)
               != 0) {
        return LP_BEGUN_FAILED;
    }
    browser = lp_begun_cookie(visit, place.cookie);
    if (browser.len == 0) {
        browser = (lp_span_t) {secret, LP_RANDOM_LEN};
    }
    if (lp_secret_hash(place.browser, "launch-browser", browser) != 0) {
        return LP_BEGUN_FAILED;
    }
    result = lp_begun_write(visit->sso, place.key, place.texts, TEXTS);
    if (result == LP_BEGUN_OK) {
        set_cookie(visit, place.cookie, browser);
    }
    return result;
}

static int
find_place(place_t *place, lp_span_t state, lp_launch_state_t *launch)
{
    const lp_begun_text_t texts[TEXTS] = {
        {"platform", launch->platform, sizeof(launch->platform), 0},
        {"nonce", launch->nonce, sizeof(launch->nonce), 1},
        {"deployment", launch->deployment, sizeof(launch->deployment), 0},
        {"browser", place->browser, sizeof(place->browser), 1}};

    memset(place, 0, sizeof(*place));
    memcpy(place->texts, texts, sizeof(texts));
    place->key.data = place->name;
    place->key.len = lp_secret_key(place->name, "launch", "launch", state);
    if (place->key.len == 0) {
        return -1;
    }
    /* the hash's characters are as good as random */
    snprintf(place->cookie, sizeof(place->cookie), LP_LAUNCH_COOKIE "%x",
             (unsigned char) place->name[place->key.len - 2]
                 % LP_LAUNCH_SLOTS);
    return 0;
}

static void
set_cookie(lp_visit_t *visit, const char *name, lp_span_t value)
{
    lp_set_cookie_t cookie;

    memset(&cookie, 0, sizeof(cookie));
    cookie.name = name;
    cookie.value = value;
    cookie.max_age = LP_BEGUN_LIFE;
    cookie.same_site = "None";
    cookie.secure = lp_sso_is_secure(visit->sso);
    cookie.partitioned = cookie.secure;
    lp_answer_cookie(&visit->request, &cookie);
}

lp_begun_t
lp_launch_take(lp_visit_t *visit, lp_span_t state, lp_launch_state_t *launch)
{
    lp_begun_t result;
    place_t    place;

    memset(launch, 0, sizeof(*launch));
    if (state.len != LP_RANDOM_LEN) {
        return LP_BEGUN_UNKNOWN;
    }
    if (find_place(&place, state, launch) != 0) {
        return LP_BEGUN_FAILED;
    }
    result = lp_begun_read(visit->sso, place.key, place.texts, TEXTS);
    if (result == LP_BEGUN_OK) {
        result = check_browser(visit, &place);
    }
    return result == LP_BEGUN_OK ? lp_begun_take(visit->sso, place.key)
                                 : result;
}

static lp_begun_t
check_browser(const lp_visit_t *visit, const place_t *place)
{
    lp_span_t value = lp_request_cookie(&visit->request, place->cookie,
                                        lp_sso_is_secure(visit->sso));
    char      hash[LP_SECRET_HASH_LEN];

    if (value.data == NULL) {
        return has_any_cookie(visit) ? LP_BEGUN_OTHER : LP_BEGUN_OK;
    }
    if (lp_secret_hash(hash, "launch-browser", value) != 0) {
        return LP_BEGUN_FAILED;
    }
    return memcmp(place->browser, hash, sizeof(hash)) == 0 ? LP_BEGUN_OK
                                                           : LP_BEGUN_OTHER;
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

lp_begun_t
lp_launch_use_nonce(lp_sso_t *sso, lp_span_t nonce)
{
    const redisReply *reply;
    lp_span_t         key;
    char              name[LP_KEY_MAX], life[16];

    key.data = name;
    key.len = lp_secret_key(name, "nonce", "nonce", nonce);
    if (key.len == 0) {
        return LP_BEGUN_FAILED;
    }
    snprintf(life, sizeof(life), "%d", LP_BEGUN_LIFE);
    reply = lp_store_ask(sso->store,
                         LP_WORDS(lp_span("SET"), key, lp_span("1"),
                                  lp_span("NX"), lp_span("EX"),
                                  lp_span_of(life)));
    if (reply == NULL) {
        return LP_BEGUN_FAILED;
    }
    return reply->type == REDIS_REPLY_STATUS ? LP_BEGUN_OK
                                             : LP_BEGUN_UNKNOWN;
}
