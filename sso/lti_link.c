/*
 * A hash for each link:
 *
 *     who       the ids, sealed, as the session had them
 *     user ...  the user keys (user, user2, user3), for whoever erases
 *     school, platform, at
 *
 * It is found by the subject alone, and by nobody who does not know it.
 */

#include "lti_link.h"

#include <stdio.h>

#include "../core/keys.h"
#include "lti_claims.h"
#include "sealed_field.h"

#define SUBJECT_MAX (256 + 1 + LP_LTI_TEXT_MAX)
#define NUMBER_MAX  24
#define WORDS_MAX   16

static const lp_span_t user_fields[LP_TOKEN_USERS] = {
    lp_span("user"), lp_span("user2"), lp_span("user3"),
};

static int hash_of(char *hash, lp_sso_t *sso, const lp_platform_t *platform,
                   lp_span_t subject);
static void add_link(lp_store_t *store, const lp_platform_t *platform,
                     const lp_owner_t *owner, lp_span_t key, lp_span_t who);

int
lp_link_find(lp_sso_t *sso, const lp_platform_t *platform, lp_span_t subject,
             lp_who_t *who)
{
    lp_span_t key, sealed;
    char      hash[LP_USER_KEY_LEN], name[LP_KEY_MAX], life[NUMBER_MAX];

    if (hash_of(hash, sso, platform, subject) != 0) {
        return -1;
    }
    key.data = name;
    key.len = lp_key_of(name, "link", (lp_span_t) {hash, sizeof(hash)});
    snprintf(life, sizeof(life), "%d", LP_LINK_LIFE);
    lp_store_add(sso->store,
                 LP_WORDS(lp_span("HGET"), key, lp_span("who")));
    lp_store_add(sso->store,
                 LP_WORDS(lp_span("EXPIRE"), key, lp_span_of(life)));
    if (lp_store_run(sso->store) != LP_STORE_OK) {
        return -1;
    }
    sealed = lp_store_text(lp_store_reply(sso->store, 0));
    return sealed.data != NULL && lp_who_open(sso->seal, who, key, sealed) == 0;
}

/* Who can see Redis must not find somebody by guessing at subjects. */
static int
hash_of(char *hash, lp_sso_t *sso, const lp_platform_t *platform,
        lp_span_t subject)
{
    char   text[SUBJECT_MAX];
    size_t len = platform->issuer.len;

    if (len + 1 + subject.len > sizeof(text)) {
        return -1;
    }
    memcpy(text, platform->issuer.data, len);
    text[len++] = '|'; /* which no issuer has */
    memcpy(text + len, subject.data, subject.len);
    return lp_user_key(hash, sso->pepper, lp_span("LTI"),
                       (lp_span_t) {text, len + subject.len});
}

int
lp_link_fits(lp_sso_t *sso, const lp_who_t *who, const lp_who_id_t *school)
{
    lp_owner_t own, asked;
    lp_who_t   stand_in;

    if (school->type[0] == '\0') {
        return 1;
    }
    memset(&stand_in, 0, sizeof(stand_in));
    stand_in.school = *school;
    return lp_owner_of(&own, sso, who) == LP_STORE_OK
           && lp_owner_of(&asked, sso, &stand_in) == LP_STORE_OK
           && asked.school_len > 0
           && lp_span_equal((lp_span_t) {own.school, own.school_len},
                            (lp_span_t) {asked.school, asked.school_len});
}

lp_store_status_t
lp_link_store(lp_sso_t *sso, const lp_platform_t *platform, lp_span_t subject,
              const lp_who_t *who, const lp_owner_t *owner)
{
    lp_span_t key;
    size_t    len;
    char      hash[LP_USER_KEY_LEN], name[LP_KEY_MAX];
    char      sealed[LP_SEAL_SEALED_MAX];

    if (hash_of(hash, sso, platform, subject) != 0) {
        return LP_STORE_REFUSED;
    }
    key.data = name;
    key.len = lp_key_of(name, "link", (lp_span_t) {hash, sizeof(hash)});
    len = lp_who_seal(sso->seal, sealed, key, who);
    if (len == 0) {
        return LP_STORE_REFUSED;
    }
    lp_store_begin(sso->store);
    add_link(sso->store, platform, owner, key, (lp_span_t) {sealed, len});
    return lp_store_commit(sso->store);
}

static void
add_link(lp_store_t *store, const lp_platform_t *platform,
         const lp_owner_t *owner, lp_span_t key, lp_span_t who)
{
    lp_span_t  words[WORDS_MAX];
    lp_words_t command = {words, 0};
    unsigned   i, n = 0;
    char       at[NUMBER_MAX], life[NUMBER_MAX];

    snprintf(life, sizeof(life), "%d", LP_LINK_LIFE);
    snprintf(at, sizeof(at), "%lld", (long long) lp_service_now());
    words[n++] = lp_span("HSET");
    words[n++] = key;
    words[n++] = lp_span("who");
    words[n++] = who;
    words[n++] = lp_span("school");
    words[n++] = (lp_span_t) {owner->school, owner->school_len};
    words[n++] = lp_span("platform");
    words[n++] = platform->name;
    words[n++] = lp_span("at");
    words[n++] = lp_span_of(at);
    for (i = 0; i < owner->n_users; i++) {
        words[n++] = user_fields[i];
        words[n++] = (lp_span_t) {owner->users[i], LP_USER_KEY_LEN};
    }
    command.n = n;
    lp_store_add(store, LP_WORDS(lp_span("DEL"), key));
    lp_store_add(store, command);
    lp_store_add(store,
                 LP_WORDS(lp_span("EXPIRE"), key, lp_span_of(life)));
}
