/*
 * A session is renewed: its token has run out, and a click came by for the next
 * one. No provider is asked.
 *
 * Two tabs at once renew one session twice: both tokens are good. They collide
 * at most once a second, since a token issued in the same second as the one
 * before changes nothing in Redis.
 */

#include <openssl/crypto.h>

#include "../core/keys.h"
#include "../workers/number.h"
#include "sealed_field.h"
#include "session_life.h"

#define ATTEMPTS 20 /* of a transaction that others were quicker than */

static lp_session_renewal_t renew(lp_visit_t *visit, lp_who_t *who,
                                  const lp_session_hash_t *hash,
                                  int *conflict);
static lp_session_renewal_t renew_read(lp_visit_t *visit,
                                       lp_session_t *session, lp_who_t *who,
                                       const lp_session_hash_t *hash);
static lp_session_renewal_t renew_time(lp_visit_t *visit,
                                       lp_session_t *session, lp_who_t *who,
                                       int *is_same);
static lp_store_status_t renew_write(const lp_session_t *session,
                                     lp_sso_t *sso);
static lp_session_renewal_t end_it(const lp_session_t *session,
                                   lp_store_t *store);

lp_session_renewal_t
lp_session_renew(lp_visit_t *visit, lp_who_t *who)
{
    lp_session_renewal_t result = LP_SESSION_FAILED;
    lp_session_hash_t    hash;
    lp_who_t             own;
    unsigned             attempt;
    int                  conflict = 1;

    if (who == NULL) {
        who = &own;
    }
    memset(who, 0, sizeof(*who));
    if (lp_session_of_browser(&hash, visit) != 0) {
        return LP_SESSION_NONE;
    }
    for (attempt = 0; attempt < ATTEMPTS && conflict; attempt++) {
        result = renew(visit, who, &hash, &conflict);
    }
    lp_store_unwatch(visit->sso->store);
    if (result != LP_SESSION_RENEWED || who == &own) {
        lp_who_wipe(who);
    }
    return result;
}

/* *conflict: somebody changed what was read; again. */
static lp_session_renewal_t
renew(lp_visit_t *visit, lp_who_t *who, const lp_session_hash_t *hash,
      int *conflict)
{
    lp_sso_t            *sso = visit->sso;
    lp_session_renewal_t result;
    lp_store_status_t    status;
    lp_session_t         session;
    char                 token[LP_TOKEN_MAX + 1];
    size_t               len;
    int                  is_same;

    *conflict = 0;
    result = renew_read(visit, &session, who, hash);
    if (result == LP_SESSION_RENEWED) {
        result = renew_time(visit, &session, who, &is_same);
    }
    if (result != LP_SESSION_RENEWED) {
        return result;
    }
    len = lp_session_make_token(&session, sso, who, token);
    if (len == 0) {
        return LP_SESSION_FAILED;
    }
    if (!is_same) {
        status = renew_write(&session, sso);
        *conflict = status == LP_STORE_CONFLICT;
        if (status != LP_STORE_OK) {
            return LP_SESSION_FAILED;
        }
    }
    lp_session_put_token(visit, (lp_span_t) {token, len});
    OPENSSL_cleanse(token, sizeof(token));
    return LP_SESSION_RENEWED;
}

/* RENEWED: so far it may be. */
static lp_session_renewal_t
renew_read(lp_visit_t *visit, lp_session_t *session, lp_who_t *who,
           const lp_session_hash_t *hash)
{
    lp_sso_t         *sso = visit->sso;
    const lp_sites_t *sites = lp_sites(sso->providers);
    char              name[LP_KEY_MAX];
    lp_span_t         key = {name, lp_session_key(name, hash)}, sealed;

    lp_session_ask(sso->store, hash);
    if (lp_store_run(sso->store) != LP_STORE_OK) {
        return lp_store_wrong_type(sso->store) ? LP_SESSION_NONE
                                               : LP_SESSION_FAILED;
    }
    if (lp_session_read(session, &sealed, sso->store, hash, 0) != 0
        || lp_service_now() >= session->until
        || lp_who_open(sso->seal, who, key, sealed) != 0) {
        return LP_SESSION_NONE;
    }
    if (lp_provider_by_name(sites, lp_span_of(session->provider)) == NULL) {
        return end_it(session, sso->store);
    }
    return LP_SESSION_RENEWED;
}

/* The time of the new token. *is_same: Redis has it already. */
static lp_session_renewal_t
renew_time(lp_visit_t *visit, lp_session_t *session, lp_who_t *who,
           int *is_same)
{
    lp_sso_t          *sso = visit->sso;
    int64_t            now = lp_service_now(), issue;
    lp_owner_t         owner;
    lp_tokens_before_t found;

    if (lp_owner_of(&owner, sso, who) != LP_STORE_OK) {
        return LP_SESSION_FAILED;
    }
    lp_tokens_before_ask(sso->store, &owner);
    if (lp_store_run(sso->store) != LP_STORE_OK) {
        return LP_SESSION_FAILED;
    }
    found = lp_tokens_before_read(sso->store, &owner, 0);
    if (found.revoked > session->at) {
        return end_it(session, sso->store);
    }
    issue = found.before > now ? found.before : now;
    if (issue > now + LP_ISSUE_AHEAD || issue >= session->until) {
        return LP_SESSION_NONE;
    }
    *is_same = session->used == issue;
    session->used = issue;
    return LP_SESSION_RENEWED;
}

static lp_store_status_t
renew_write(const lp_session_t *session, lp_sso_t *sso)
{
    char        name[LP_KEY_MAX];
    lp_span_t   key = {name, lp_session_key(name, &session->hash)};
    lp_number_t used, seconds;

    lp_store_begin(sso->store);
    lp_store_add(sso->store,
                 LP_WORDS(lp_span("HSET"), key, lp_span("used"),
                          lp_number(&used, (uint64_t) session->used)));
    lp_store_add(sso->store,
                 LP_WORDS(lp_span("EXPIRE"), key,
                          lp_number(&seconds,
                                    (uint64_t) lp_session_left(
                                        session, lp_sites(sso->providers)))));
    return lp_store_commit(sso->store);
}

/* It is over whether or not it can be deleted now. */
static lp_session_renewal_t
end_it(const lp_session_t *session, lp_store_t *store)
{
    lp_store_unwatch(store);
    lp_session_delete(store, session);
    (void) lp_store_run(store);
    return LP_SESSION_NONE;
}

/* When a token may be issued, for others than sessions. */

lp_store_status_t
lp_session_issue_at(lp_sso_t *sso, const lp_who_t *who, int64_t *at)
{
    lp_owner_t         owner;
    lp_store_status_t  status;
    lp_tokens_before_t found;

    *at = lp_service_now();
    status = lp_owner_of(&owner, sso, who);
    if (status != LP_STORE_OK) {
        return status;
    }
    lp_tokens_before_ask(sso->store, &owner);
    lp_store_run(sso->store);
    lp_store_unwatch(sso->store);
    if (lp_store_status(sso->store) != LP_STORE_OK) {
        return lp_store_status(sso->store);
    }
    found = lp_tokens_before_read(sso->store, &owner, 0);
    if (found.before > *at + LP_ISSUE_AHEAD) {
        return LP_STORE_REFUSED;
    }
    *at = found.before > *at ? found.before : *at;
    return LP_STORE_OK;
}
