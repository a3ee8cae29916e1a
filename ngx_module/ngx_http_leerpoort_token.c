/*
 * Whose click is it: the identity that the request's token stands for, in the
 * zone or by verifying it.
 *
 * A verified token is remembered in the zone under its SHA-256: all of it, so
 * that nobody can choose two tokens that meet. What is remembered counts only
 * while the issuer's fingerprint is the same (the keys, the audience ... that
 * it was verified with), and never beyond its own exp. Refused tokens are not
 * remembered.
 *
 * The SHA-256 of 800 bytes takes 0.55 us, as much as all else that the module
 * does for a click. So each worker has the tokens that it met last at hand
 * (ngx_http_leerpoort_at_hand.c). The same conditions hold for them.
 */

#include "ngx_http_leerpoort.h"

#include <openssl/evp.h>

#define NGX_HTTP_LEERPOORT_DIGEST    32

static ngx_int_t ngx_http_leerpoort_take(ngx_http_leerpoort_ctx_t *ctx);
static lp_jose_error_t ngx_http_leerpoort_recall_or_verify(
    ngx_http_leerpoort_ctx_t *ctx, lp_span_t token, time_t token_time);
static lp_outcome_t ngx_http_leerpoort_refusal(lp_jose_error_t error);
static ngx_int_t ngx_http_leerpoort_digest(u_char *digest, lp_span_t token);
static ngx_int_t ngx_http_leerpoort_recall(ngx_http_leerpoort_ctx_t *ctx,
    uint64_t hash, lp_span_t digest, time_t token_time);
static ngx_uint_t ngx_http_leerpoort_counts(ngx_http_leerpoort_ctx_t *ctx,
    time_t token_time);
static void ngx_http_leerpoort_remember(ngx_http_leerpoort_ctx_t *ctx,
    uint64_t hash, lp_span_t digest);
static lp_jose_error_t ngx_http_leerpoort_verify(
    ngx_http_leerpoort_main_conf_t *mcf, lp_span_t text,
    ngx_http_leerpoort_identity_t *identity);
static lp_jose_error_t ngx_http_leerpoort_judge(
    ngx_http_leerpoort_main_conf_t *mcf, lp_token_t *token,
    ngx_http_leerpoort_identity_t *identity);
static void ngx_http_leerpoort_identity_school(
    ngx_http_leerpoort_identity_t *identity, const lp_id_t *school);


/*
 * Finds the request's token, and lets what is known of it be on its way.
 * ctx->token.data NULL: there is none.
 */
void
ngx_http_leerpoort_seek(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_uint_t  tossed;

    tossed = 0;

    if (ctx->fresh && ctx->kept_token.data) {
        ctx->token = ctx->kept_token;

    } else if (ngx_http_leerpoort_find_token(ctx->request, &ctx->token,
                                             &tossed)
               != NGX_OK)
    {
        ctx->token.data = NULL;
        return;
    }

    ctx->tossed = tossed != 0;
    ngx_http_leerpoort_at_hand_expect(ctx->token);
}


/*
 * Whose is the token that was found? Returns NGX_OK with ctx->identity, or
 * NGX_DECLINED with ctx->outcome: login or bad-token.
 */
ngx_int_t
ngx_http_leerpoort_identify(ngx_http_leerpoort_ctx_t *ctx)
{
    lp_jose_error_t                 error;
    ngx_http_leerpoort_loc_conf_t  *llcf;
    ngx_http_leerpoort_main_conf_t  *mcf;

    if (ctx->token.data == NULL) {
        ctx->outcome = LP_LOGIN;
        return NGX_DECLINED;
    }

    ctx->identified_at = ngx_time();

    llcf = ngx_http_get_module_loc_conf(ctx->request,
                                        ngx_http_leerpoort_module);

    if (llcf->token_time > 0
        && ngx_http_leerpoort_at_hand_find(&ctx->identity, ctx->token)
           == NGX_OK
        && ngx_http_leerpoort_counts(ctx, llcf->token_time))
    {
        ngx_http_leerpoort_count(token_hit);
        return ngx_http_leerpoort_take(ctx);
    }

    error = ngx_http_leerpoort_recall_or_verify(ctx, ctx->token,
                                                llcf->token_time);

    if (error != LP_JOSE_OK) {
        ngx_http_leerpoort_count(refused[error]);
        ctx->outcome = ngx_http_leerpoort_refusal(error);
        ctx->reason = error;
        return NGX_DECLINED;
    }

    if (llcf->token_time > 0) {
        mcf = ngx_http_get_module_main_conf(ctx->request,
                                            ngx_http_leerpoort_module);
        ngx_http_leerpoort_at_hand_keep(ctx->token, &ctx->identity,
                                        mcf->shm_zone->shm.size);
    }

    return ngx_http_leerpoort_take(ctx);
}


/* A session that somebody else may have put there is as good as none. */
static ngx_int_t
ngx_http_leerpoort_take(ngx_http_leerpoort_ctx_t *ctx)
{
    if (ngx_http_leerpoort_is_tossed(ctx, ctx->tossed)) {
        ctx->outcome = LP_LOGIN;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* By way of the zone; token_time 0: every token is verified. */
static lp_jose_error_t
ngx_http_leerpoort_recall_or_verify(ngx_http_leerpoort_ctx_t *ctx,
    lp_span_t token, time_t token_time)
{
    u_char                           bytes[NGX_HTTP_LEERPOORT_DIGEST];
    uint64_t                         hash;
    lp_span_t                        digest;
    ngx_uint_t                       remembered;
    lp_jose_error_t                  error;
    ngx_http_leerpoort_main_conf_t  *mcf;

    remembered = token_time > 0 && token.len > 0 && token.len <= LP_TOKEN_MAX;
    digest.data = (const char *) bytes;
    digest.len = sizeof(bytes);
    hash = 0;

    if (remembered) {
        if (ngx_http_leerpoort_digest(bytes, token) != NGX_OK) {
            return LP_JOSE_MEMORY;
        }

        hash = lp_ring_hash(ngx_http_leerpoort_zone_here->ring, digest);

        if (ngx_http_leerpoort_recall(ctx, hash, digest, token_time)
            == NGX_OK)
        {
            ngx_http_leerpoort_count(token_hit);
            return LP_JOSE_OK;
        }
    }

    ngx_http_leerpoort_count(token_miss);

    mcf = ngx_http_get_module_main_conf(ctx->request,
                                        ngx_http_leerpoort_module);
    error = ngx_http_leerpoort_verify(mcf, token, &ctx->identity);

    if (error == LP_JOSE_OK && remembered) {
        ngx_http_leerpoort_remember(ctx, hash, digest);
    }

    return error;
}


/* Whoever had a good token is sent to get another. */
static lp_outcome_t
ngx_http_leerpoort_refusal(lp_jose_error_t error)
{
    switch (error) {

    case LP_JOSE_EXPIRED:
    case LP_JOSE_TOO_OLD:
        return LP_LOGIN;

    case LP_JOSE_MEMORY:
        return LP_UNAVAILABLE;

    default:
        return LP_BAD_TOKEN;
    }
}


static ngx_int_t
ngx_http_leerpoort_digest(u_char *digest, lp_span_t token)
{
    /* fetched once: looking an algorithm up costs more than the hash */
    static EVP_MD      *sha256;
    static EVP_MD_CTX  *md;

    if (sha256 == NULL) {
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        md = EVP_MD_CTX_new();
    }

    return sha256 != NULL && md != NULL
           && EVP_DigestInit_ex2(md, sha256, NULL) == 1
           && EVP_DigestUpdate(md, token.data, token.len) == 1
           && EVP_DigestFinal_ex(md, digest, NULL) == 1
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_leerpoort_recall(ngx_http_leerpoort_ctx_t *ctx, uint64_t hash,
    lp_span_t digest, time_t token_time)
{
    lp_span_t                   record;
    ngx_http_leerpoort_zone_t  *zone;

    zone = ngx_http_leerpoort_zone_here;

    ngx_http_leerpoort_lock(zone);

    record = lp_ring_find(zone->ring, hash, digest);
    if (record.data) {
        ngx_memcpy(&ctx->identity, record.data, sizeof(ctx->identity));
    }

    ngx_http_leerpoort_unlock(zone);

    return record.data != NULL && ngx_http_leerpoort_counts(ctx, token_time)
           ? NGX_OK : NGX_DECLINED;
}


/* Does ctx->identity, which was verified some time ago, still count? */
static ngx_uint_t
ngx_http_leerpoort_counts(ngx_http_leerpoort_ctx_t *ctx, time_t token_time)
{
    ngx_msec_t                       age;
    ngx_http_leerpoort_issuer_t     *issuers;
    ngx_http_leerpoort_identity_t   *identity;
    ngx_http_leerpoort_main_conf_t  *mcf;

    identity = &ctx->identity;

    mcf = ngx_http_get_module_main_conf(ctx->request,
                                        ngx_http_leerpoort_module);
    issuers = mcf->issuers.elts;
    age = ngx_current_msec - (ngx_msec_t) identity->verified_ms;

    return identity->issuer < mcf->issuers.nelts
           && identity->fingerprint == issuers[identity->issuer].fingerprint
           && !issuers[identity->issuer].doubtful
           && ngx_time() < identity->until
           && (ngx_msec_int_t) age < (ngx_msec_int_t) token_time * 1000;
}


static void
ngx_http_leerpoort_remember(ngx_http_leerpoort_ctx_t *ctx, uint64_t hash,
    lp_span_t digest)
{
    lp_span_t                   value;
    ngx_http_leerpoort_zone_t  *zone;

    zone = ngx_http_leerpoort_zone_here;
    value.data = (const char *) &ctx->identity;
    value.len = sizeof(ctx->identity);

    ngx_http_leerpoort_lock(zone);
    (void) lp_ring_store(zone->ring, hash, digest, &value, 1);
    ngx_http_leerpoort_unlock(zone);
}


static lp_jose_error_t
ngx_http_leerpoort_verify(ngx_http_leerpoort_main_conf_t *mcf, lp_span_t text,
    ngx_http_leerpoort_identity_t *identity)
{
    lp_token_t       token;
    lp_jose_error_t  error;

    error = lp_token_open(&token, text);

    if (error == LP_JOSE_OK) {
        error = ngx_http_leerpoort_judge(mcf, &token, identity);
    }

    lp_token_close(&token);

    return error;
}


/* An issuer whose tokens name nobody is none, for a click. */
static lp_jose_error_t
ngx_http_leerpoort_judge(ngx_http_leerpoort_main_conf_t *mcf,
    lp_token_t *token, ngx_http_leerpoort_identity_t *identity)
{
    lp_jose_error_t               error;
    ngx_http_leerpoort_issuer_t  *issuer;

    if (token->iss.data == NULL) {
        return LP_JOSE_ISS_MISSING;
    }

    issuer = ngx_http_leerpoort_issuer_of(mcf, token->iss);

    if (issuer == NULL || issuer->rules.n_users == 0) {
        return LP_JOSE_ISS_WRONG;
    }

    if (issuer->doubtful) {
        return LP_JOSE_KEY_UNKNOWN;
    }

    error = lp_token_check(token, &issuer->rules, ngx_time());

    if (error == LP_JOSE_KEY_UNKNOWN) {
        ngx_http_leerpoort_key_ask(mcf, issuer);
    }

    return error == LP_JOSE_OK
           ? ngx_http_leerpoort_identity_of(mcf, issuer, token, identity)
           : error;
}


/* NULL: there is no issuer of that name. */
ngx_http_leerpoort_issuer_t *
ngx_http_leerpoort_issuer_of(ngx_http_leerpoort_main_conf_t *mcf,
    lp_span_t iss)
{
    ngx_uint_t                    i;
    ngx_http_leerpoort_issuer_t  *issuer;

    issuer = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        if (lp_span_equal(iss, issuer[i].rules.iss)) {
            return &issuer[i];
        }
    }

    return NULL;
}


/* What a checked token says. */
lp_jose_error_t
ngx_http_leerpoort_identity_of(ngx_http_leerpoort_main_conf_t *mcf,
    const ngx_http_leerpoort_issuer_t *issuer, const lp_token_t *token,
    ngx_http_leerpoort_identity_t *identity)
{
    unsigned  i;

    ngx_memzero(identity, sizeof(*identity));
    identity->fingerprint = issuer->fingerprint;
    identity->issuer = (uint8_t) issuer->index;
    identity->verified_ms = ngx_current_msec;
    identity->iat = token->iat;
    identity->until = token->exp + issuer->rules.leeway;
    identity->employee = token->employee != 0;

    if (issuer->rules.max_age > 0) {
        identity->until = ngx_min(identity->until,
                                  token->iat + issuer->rules.max_age
                                  + issuer->rules.leeway);
    }

    for (i = 0; i < token->n_users; i++) {
        if (lp_user_key(identity->users[i], mcf->pepper,
                        token->users[i].id_type, token->users[i].id)
            != 0)
        {
            return LP_JOSE_MEMORY;
        }
    }
    identity->n_users = (uint8_t) token->n_users;

    ngx_http_leerpoort_identity_school(identity, &token->school);

    return LP_JOSE_OK;
}


/* An alias has no keys until it is resolved. */
static void
ngx_http_leerpoort_identity_school(ngx_http_leerpoort_identity_t *identity,
    const lp_id_t *school)
{
    if (school->id.data == NULL) {
        ngx_http_leerpoort_identity_names(identity, lp_span(""));
        return;
    }

    ngx_memcpy(identity->school, school->id.data, school->id.len);
    identity->school_len = (uint8_t) school->id.len;

    if (lp_span_equal(school->id_type, lp_span("MASTER"))) {
        ngx_http_leerpoort_identity_names(identity, school->id);
        return;
    }

    ngx_memcpy(identity->school_type, school->id_type.data,
               school->id_type.len);
    identity->school_type_len = (uint8_t) school->id_type.len;
}


/* Shards and hashes of the keys that hold the rights of a user at a school. */
void
ngx_http_leerpoort_identity_names(ngx_http_leerpoort_identity_t *identity,
    lp_span_t school)
{
    char              text[LP_KEY_MAX];
    unsigned          i;
    lp_span_t         user, key, nowhere;
    const lp_ring_t  *ring;

    ring = ngx_http_leerpoort_zone_here->ring;
    nowhere = lp_span("");
    key.data = text;

    identity->school_shard = (uint8_t) lp_shard(school);
    key.len = lp_key_school_in(text, identity->school_shard, school);
    identity->school_hash = lp_ring_hash(ring, key);

    for (i = 0; i < identity->n_users; i++) {
        user.data = identity->users[i];
        user.len = LP_USER_KEY_LEN;

        key.len = lp_key_user_in(text, identity->school_shard, school, user);
        identity->at_school[i] = lp_ring_hash(ring, key);

        identity->shards[i] = (uint8_t) lp_shard(user);
        key.len = lp_key_user_in(text, identity->shards[i], nowhere, user);
        identity->private[i] = lp_ring_hash(ring, key);
    }
}
