/*
 * signin:{NN}:<hash of state>: provider, nonce, verifier, back, keep, browser
 * (a hash of the cookie).
 *
 * All tabs of a browser share one cookie. Two that begin at the same moment in
 * a browser without it get two, of which the browser keeps the last. So the
 * first sign-in of a browser gets a second cookie, whose name is of its state
 * alone, and either of them will do.
 */

#include "sign_in.h"

#include <stdio.h>

#define BROWSER_COOKIE "leerpoort-browser"
#define OWN_COOKIE_MAX (sizeof(BROWSER_COOKIE) + 1 + 8)
#define TEXTS          6

/* Where it is kept, and all that is kept of it. */
typedef struct {
    lp_span_t       key;
    lp_begun_text_t texts[TEXTS];
    char            browser[LP_SECRET_HASH_LEN + 1];
    char            name[LP_KEY_MAX];
    char            own_cookie[OWN_COOKIE_MAX]; /* of this sign-in alone */
} place_t;

static int find_place(place_t *place, lp_span_t state, lp_sign_in_t *sign_in);
static void set_cookies(lp_visit_t *visit, const place_t *place,
                        lp_span_t secret);
static int is_way_back(const lp_visit_t *visit, const char *back);
static lp_begun_t check_browser(lp_visit_t *visit, const place_t *place);

lp_begun_t
lp_sign_in_store(lp_visit_t *visit, lp_sign_in_t *sign_in, char *state)
{
    lp_span_t  browser = lp_begun_cookie(visit, BROWSER_COOKIE);
    lp_begun_t result = lp_begun_count(visit->sso, "signins");
    place_t    place;
    char       secret[LP_RANDOM_LEN + 1];
    int        is_new = browser.len == 0;

    if (result != LP_BEGUN_OK) {
        return result;
    }
    if (lp_random(state) != 0 || lp_random(sign_in->nonce) != 0
        || lp_random(sign_in->verifier) != 0 || lp_random(secret) != 0
        || find_place(&place, (lp_span_t) {state, LP_RANDOM_LEN}, sign_in)
               != 0) {
        return LP_BEGUN_FAILED;
    }
    if (is_new) {
        browser = (lp_span_t) {secret, LP_RANDOM_LEN};
    }
    if (lp_secret_hash(place.browser, "browser", browser) != 0) {
        return LP_BEGUN_FAILED;
    }
    result = lp_begun_write(visit->sso, place.key, place.texts, TEXTS);
    if (result == LP_BEGUN_OK && is_new) {
        set_cookies(visit, &place, browser);
    }
    return result;
}

static int
find_place(place_t *place, lp_span_t state, lp_sign_in_t *sign_in)
{
    const lp_begun_text_t texts[TEXTS] = {
        {"provider", sign_in->provider, sizeof(sign_in->provider), 0},
        {"nonce", sign_in->nonce, sizeof(sign_in->nonce), 1},
        {"verifier", sign_in->verifier, sizeof(sign_in->verifier), 1},
        {"back", sign_in->back, sizeof(sign_in->back), 0},
        {"keep", sign_in->keep, sizeof(sign_in->keep), 0},
        {"browser", place->browser, sizeof(place->browser), 1}};

    memset(place, 0, sizeof(*place));
    memcpy(place->texts, texts, sizeof(texts));
    place->key.data = place->name;
    place->key.len = lp_secret_key(place->name, "signin", "signin", state);
    if (place->key.len == 0) {
        return -1;
    }
    /* the hash's last characters are as good as any eight */
    snprintf(place->own_cookie, sizeof(place->own_cookie),
             BROWSER_COOKIE "-%.8s", place->name + place->key.len - 8);
    return 0;
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
    cookie.max_age = LP_BEGUN_LIFE;
    lp_answer_cookie(&visit->request, &cookie);
}

lp_begun_t
lp_sign_in_take(lp_visit_t *visit, lp_span_t state, lp_sign_in_t *sign_in)
{
    lp_begun_t result;
    place_t    place;

    memset(sign_in, 0, sizeof(*sign_in));
    if (state.len != LP_RANDOM_LEN) {
        return LP_BEGUN_UNKNOWN;
    }
    if (find_place(&place, state, sign_in) != 0) {
        return LP_BEGUN_FAILED;
    }
    result = lp_begun_read(visit->sso, place.key, place.texts, TEXTS);
    if (result == LP_BEGUN_OK && !is_way_back(visit, sign_in->back)) {
        result = LP_BEGUN_UNKNOWN;
    }
    if (result == LP_BEGUN_OK) {
        result = check_browser(visit, &place);
    }
    return result == LP_BEGUN_OK ? lp_begun_take(visit->sso, place.key)
                                 : result;
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
static lp_begun_t
check_browser(lp_visit_t *visit, const place_t *place)
{
    lp_span_t       found[2] = {lp_begun_cookie(visit, BROWSER_COOKIE),
                                lp_begun_cookie(visit, place->own_cookie)};
    lp_set_cookie_t remove;
    char            hash[LP_SECRET_HASH_LEN];
    int             i;

    for (i = 0; i < 2; i++) {
        if (found[i].len == 0) {
            continue;
        }
        if (lp_secret_hash(hash, "browser", found[i]) != 0) {
            return LP_BEGUN_FAILED;
        }
        if (memcmp(place->browser, hash, sizeof(hash)) == 0) {
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
        return LP_BEGUN_OK;
    }
    return found[0].len == 0 && found[1].len == 0 ? LP_BEGUN_NO_COOKIE
                                                  : LP_BEGUN_OTHER;
}
