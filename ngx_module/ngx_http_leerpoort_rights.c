/*
 * What a click needs to know: reads its keys from the mirror or from the
 * replies, asks for what is missing, and decides.
 *
 * The lock is held while the hashes are searched in place. What comes out of
 * it is copied: the product, and the few right records of this product and
 * of the sets that contain it. Deciding and building the Location need no lock.
 *
 * On the first of August last year's licence has ended, and next year's
 * entitlement stands behind it, in a field of its own: that is looked for where
 * the right itself is of no use today, so that a valid licence costs nothing
 * more. workers/rights_held.c reads in the same way. If what follows has ended
 * too, then only a worker knows whether there is a third.
 */

#include "ngx_http_leerpoort.h"

#define NGX_HTTP_LEERPOORT_COMPLAIN  600 /* s until a thing is said again */
#define NGX_HTTP_LEERPOORT_SAID      512 /* things that are remembered */

/* What was read under the lock. */
typedef struct {
    lp_product_t                product;
    lp_span_t                   wanted[1 + LP_SETS_MAX]; /* itself first */
    unsigned                    n_wanted;
    lp_rights_t                 rights;
    uint32_t                    today;
    ngx_uint_t                  overdue;    /* what follows has ended too */
    ngx_uint_t                  known;      /* the catalogue has it */
    ngx_uint_t                  revoked;    /* the token is from before "!" */
    ngx_uint_t                  bad_time;   /* "!" is no time */
    ngx_uint_t                  unreadable; /* records */
} ngx_http_leerpoort_found_t;

static ngx_int_t ngx_http_leerpoort_views(ngx_http_leerpoort_ctx_t *ctx,
    const ngx_http_leerpoort_ages_t *ages, lp_span_t *views);
static lp_span_t ngx_http_leerpoort_view(ngx_http_leerpoort_ctx_t *ctx,
    ngx_http_leerpoort_key_t *key, const ngx_http_leerpoort_ages_t *ages,
    ngx_uint_t trusted);
static ngx_int_t ngx_http_leerpoort_ask(ngx_http_leerpoort_ctx_t *ctx,
    const lp_span_t *views, const ngx_http_leerpoort_ages_t *ages);
static void ngx_http_leerpoort_read_alias(ngx_http_leerpoort_ctx_t *ctx,
    lp_span_t view);
static ngx_int_t ngx_http_leerpoort_read(ngx_http_leerpoort_ctx_t *ctx,
    const lp_span_t *views, ngx_http_leerpoort_found_t *found);
static ngx_int_t ngx_http_leerpoort_read_product(
    ngx_http_leerpoort_ctx_t *ctx, lp_span_t view,
    ngx_http_leerpoort_found_t *found);
static void ngx_http_leerpoort_read_rights(lp_span_t view,
    ngx_http_leerpoort_found_t *found);
static void ngx_http_leerpoort_read_follows(lp_span_t view,
    lp_span_t product, ngx_http_leerpoort_found_t *found);
static void ngx_http_leerpoort_read_revoked(
    const ngx_http_leerpoort_ctx_t *ctx, lp_span_t view,
    ngx_http_leerpoort_found_t *found);
static ngx_int_t ngx_http_leerpoort_decide(ngx_http_leerpoort_ctx_t *ctx,
    const ngx_http_leerpoort_found_t *found);
static ngx_int_t ngx_http_leerpoort_target(ngx_http_leerpoort_ctx_t *ctx,
    const lp_product_t *product);
static uint32_t ngx_http_leerpoort_first_day(
    const ngx_http_leerpoort_found_t *found);
static uint32_t ngx_http_leerpoort_today(void);


/*
 * Returns NGX_OK: ctx->outcome (and location) is set; NGX_AGAIN: keys were
 * asked for, look again when none is pending; NGX_DONE: ctx->school has been
 * found, its keys are to be added; NGX_ERROR: can't be known now.
 */
ngx_int_t
ngx_http_leerpoort_look(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_int_t                       rc;
    lp_span_t                       views[NGX_HTTP_LEERPOORT_KEYS];
    ngx_http_leerpoort_ages_t       ages;
    ngx_http_leerpoort_found_t      found;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(ctx->request,
                                        ngx_http_leerpoort_module);
    ages.longest = (ngx_msec_t) llcf->mirror_time * 1000;
    ages.stale = (ngx_msec_t) llcf->stale * 1000;
    ngx_memzero(views, sizeof(views));
    found.today = ngx_http_leerpoort_today();

    ngx_http_leerpoort_lock(ngx_http_leerpoort_zone_here);

    rc = ngx_http_leerpoort_views(ctx, &ages, views);

    if (rc == NGX_OK && !ctx->school_known) {
        ngx_http_leerpoort_read_alias(ctx, views[1]);
        rc = NGX_DONE;

    } else if (rc == NGX_OK) {
        rc = ngx_http_leerpoort_read(ctx, views, &found);
    }

    ngx_http_leerpoort_unlock(ngx_http_leerpoort_zone_here);

    if (rc == NGX_AGAIN) {
        return ngx_http_leerpoort_ask(ctx, views, &ages);
    }

    return rc == NGX_OK ? ngx_http_leerpoort_decide(ctx, &found) : rc;
}


/* Finds every key's hash. NGX_AGAIN: some are missing (data NULL). */
static ngx_int_t
ngx_http_leerpoort_views(ngx_http_leerpoort_ctx_t *ctx,
    const ngx_http_leerpoort_ages_t *ages, lp_span_t *views)
{
    unsigned                   i;
    ngx_int_t                  rc;
    ngx_uint_t                 trusted;
    ngx_http_leerpoort_key_t  *key;

    trusted = ages->longest > 0 && ngx_http_leerpoort_slot_trusted(ctx->began);
    rc = NGX_OK;

    for (i = 0; trusted && i < ctx->n_keys; i++) {
        lp_ring_expect_record(ngx_http_leerpoort_zone_here->ring,
                              ctx->keys[i].hash);
    }

    for (i = 0; i < ctx->n_keys; i++) {
        key = &ctx->keys[i];
        views[i] = ngx_http_leerpoort_view(ctx, key, ages, trusted);

        if (views[i].data) {
            if (key->role == NGX_HTTP_LEERPOORT_RIGHTS) {
                lp_fields_expect(views[i], ctx->click.product);
            }
            continue;
        }

        if (key->state == NGX_HTTP_LEERPOORT_KEY_FAILED) {
            return NGX_ERROR;
        }

        rc = NGX_AGAIN;
    }

    return rc;
}


static lp_span_t
ngx_http_leerpoort_view(ngx_http_leerpoort_ctx_t *ctx,
    ngx_http_leerpoort_key_t *key, const ngx_http_leerpoort_ages_t *ages,
    ngx_uint_t trusted)
{
    lp_span_t  view;

    view.data = NULL;
    view.len = 0;

    if (key->role == NGX_HTTP_LEERPOORT_ALIAS && ctx->school_known) {
        return lp_span(""); /* it has served */
    }

    if (key->state == NGX_HTTP_LEERPOORT_KEY_FETCHED) {
        return key->blob->packed;
    }

    if (trusted && !(ctx->fresh && key->role == NGX_HTTP_LEERPOORT_RIGHTS)) {
        view = ngx_http_leerpoort_mirror_find(ngx_http_leerpoort_zone_here,
                                              key, ages, 0);
    }

    if (view.data == NULL && key->state == NGX_HTTP_LEERPOORT_KEY_FAILED) {
        view = ngx_http_leerpoort_mirror_find(ngx_http_leerpoort_zone_here,
                                              key, ages, 1);
        ctx->stale |= view.data != NULL;
    }

    return view;
}


static ngx_int_t
ngx_http_leerpoort_ask(ngx_http_leerpoort_ctx_t *ctx, const lp_span_t *views,
    const ngx_http_leerpoort_ages_t *ages)
{
    unsigned  i;

    ctx->missed = 1;

    for (i = 0; i < ctx->n_keys; i++) {
        if (views[i].data == NULL) {
            ngx_http_leerpoort_mirror_ask(&ctx->keys[i], ctx->fresh,
                                          ages->longest > 0);
        }
    }

    return NGX_AGAIN;
}


/* An alias that is unknown, or leads to no school's id: no school. */
static void
ngx_http_leerpoort_read_alias(ngx_http_leerpoort_ctx_t *ctx, lp_span_t view)
{
    lp_span_t  school;

    school = lp_fields_find(view, lp_span(""));

    ctx->school.data = ctx->school_copy;
    ctx->school.len = 0;

    if (school.data && lp_school_valid(school)) {
        ngx_memcpy(ctx->school_copy, school.data, school.len);
        ctx->school.len = school.len;

    } else if (school.data) {
        ngx_http_leerpoort_count(unreadable);
    }
}


static ngx_int_t
ngx_http_leerpoort_read(ngx_http_leerpoort_ctx_t *ctx, const lp_span_t *views,
    ngx_http_leerpoort_found_t *found)
{
    unsigned                   i;
    ngx_http_leerpoort_key_t  *key;

    found->rights.n = 0;
    found->overdue = 0;
    found->revoked = 0;
    found->bad_time = 0;
    found->unreadable = 0;

    if (ngx_http_leerpoort_read_product(ctx, views[0], found) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 1; i < ctx->n_keys; i++) {
        key = &ctx->keys[i];

        if (key->role != NGX_HTTP_LEERPOORT_RIGHTS) {
            continue;
        }

        ngx_http_leerpoort_read_rights(views[i], found);

        if (key->text[0] == 'u') {
            ngx_http_leerpoort_read_revoked(ctx, views[i], found);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_leerpoort_read_product(ngx_http_leerpoort_ctx_t *ctx, lp_span_t view,
    ngx_http_leerpoort_found_t *found)
{
    char        *copy;
    size_t       at;
    lp_span_t    packed;
    lp_field_t   field;

    found->wanted[0] = ctx->click.product;
    found->n_wanted = 1;
    ngx_memzero(&found->product, sizeof(lp_product_t));

    found->known = view.data != NULL && lp_fields_count(view) > 0;

    if (!found->known) {
        return NGX_OK;
    }

    copy = ngx_palloc(ctx->request->pool, view.len);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(copy, view.data, view.len);
    packed.data = copy;
    packed.len = view.len;

    at = 0;
    while (lp_fields_next(packed, &at, &field)) {
        lp_product_field(&found->product, field.name, field.value);
    }

    found->n_wanted += lp_product_sets(&found->product, found->wanted + 1);

    return NGX_OK;
}


static void
ngx_http_leerpoort_read_rights(lp_span_t view,
    ngx_http_leerpoort_found_t *found)
{
    unsigned     i;
    lp_span_t    text;
    lp_right_t  *right;

    if (lp_fields_count(view) == 0) {
        return;
    }

    for (i = 0; i < found->n_wanted && found->rights.n < LP_RIGHTS_MAX; i++) {
        text = lp_fields_find(view, found->wanted[i]);

        if (text.data == NULL) {
            continue;
        }

        right = &found->rights.list[found->rights.n];

        if (lp_right_parse(right, text) != 0) {
            found->unreadable++;

        } else {
            found->rights.n++;

            if (!lp_right_ended(right, found->today)
                && !lp_right_to_come(right, found->today))
            {
                continue;
            }
        }

        ngx_http_leerpoort_read_follows(view, found->wanted[i], found);
    }
}


static void
ngx_http_leerpoort_read_follows(lp_span_t view, lp_span_t product,
    ngx_http_leerpoort_found_t *found)
{
    char         name[LP_FOLLOWS_MAX];
    lp_span_t    text;
    lp_right_t  *right;

    text.data = name;
    text.len = lp_field_follows(name, product);
    text = lp_fields_find(view, text);

    if (text.data == NULL || found->rights.n == LP_RIGHTS_MAX) {
        return;
    }

    right = &found->rights.list[found->rights.n];

    if (lp_right_parse(right, text) != 0) {
        found->unreadable++;
        return;
    }

    found->rights.n++;
    found->overdue |= lp_right_ended(right, found->today);
}


/* Field "!": tokens from before are refused. One that can't be read: all. */
static void
ngx_http_leerpoort_read_revoked(const ngx_http_leerpoort_ctx_t *ctx,
    lp_span_t view, ngx_http_leerpoort_found_t *found)
{
    ngx_int_t  since;
    lp_span_t  text;

    text = lp_fields_find(view, lp_span("!"));
    if (text.data == NULL) {
        return;
    }

    since = ngx_atoi((u_char *) text.data, text.len);

    if (since == NGX_ERROR) {
        found->bad_time = 1;
        found->revoked = 1;

    } else if (ctx->identity.iat < since) {
        found->revoked = 1;
    }
}


static ngx_int_t
ngx_http_leerpoort_decide(ngx_http_leerpoort_ctx_t *ctx,
    const ngx_http_leerpoort_found_t *found)
{
    const lp_right_t  *right;

    ctx->decided = 1;

    if (found->unreadable) {
        (void) ngx_atomic_fetch_add(&ngx_http_leerpoort_counters->unreadable,
                                    found->unreadable);
        ngx_http_leerpoort_complain(ctx, "a right record for",
                                    "can't be read and counts as none: set it "
                                    "anew with \"leerpoort right set\"");
    }

    if (found->bad_time) {
        ngx_http_leerpoort_count(unreadable);
        ngx_http_leerpoort_complain(ctx, "the field \"!\" of a user who opens",
                                    "can't be read, so that all tokens are "
                                    "refused: \"leerpoort right revoke\" or "
                                    "\"right drop --tokens\" sets it right");
    }

    if (found->revoked) {
        ctx->outcome = LP_LOGIN;
        return NGX_OK;
    }

    ctx->outcome = lp_decide(found->known ? &found->product : NULL,
                             &found->rights, found->today, &right);

    if (ctx->outcome == LP_ENDED && found->overdue) {
        ctx->outcome = LP_ACTIVATE;
    }

    if (ctx->outcome != LP_REDIRECT) {
        ctx->book = found->product.name; /* a page may need it */
    }

    if (ctx->outcome == LP_NOT_YET) {
        ctx->from = ngx_http_leerpoort_first_day(found);
    }

    if (ctx->outcome != LP_REDIRECT && ctx->outcome != LP_ACTIVATE) {
        return NGX_OK;
    }

    if (right) {
        ngx_memcpy(ctx->entitlement, right->entitlement, LP_ENTITLEMENT_LEN);
        ctx->entitled = 1;
        ctx->open = right->state == LP_OPEN;
    }

    /* also before an activation, which would be for nothing otherwise */
    return ngx_http_leerpoort_target(ctx, &found->product);
}


static ngx_int_t
ngx_http_leerpoort_target(ngx_http_leerpoort_ctx_t *ctx,
    const lp_product_t *product)
{
    char                            location[LP_LOCATION_MAX];
    size_t                          len;
    lp_target_t                     target;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(ctx->request,
                                        ngx_http_leerpoort_module);

    target = lp_location(location, &len, product, ctx->click.path,
                         &llcf->hosts);

    if (target != LP_TARGET_OK) {
        if (target != LP_TARGET_NONE) {
            ngx_http_leerpoort_complain(ctx, "the link of",
                                        lp_target_text(target));
        }

        ctx->outcome = LP_UNKNOWN_MATERIAL;
        ctx->book = product->name;

        return NGX_OK;
    }

    if (product->ticket.len > 0
        && ngx_http_leerpoort_ticket_add(ctx, product->ticket, location, &len)
           != NGX_OK)
    {
        ctx->book = product->name;
        return NGX_OK;
    }

    ctx->location.data = ngx_pnalloc(ctx->request->pool, len);
    if (ctx->location.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ctx->location.data, location, len);
    ctx->location.len = len;

    return NGX_OK;
}


/* The nearest day on which one of the rights begins. */
static uint32_t
ngx_http_leerpoort_first_day(const ngx_http_leerpoort_found_t *found)
{
    unsigned           i;
    uint32_t           first;
    const lp_right_t  *right;

    first = 0;

    for (i = 0; i < found->rights.n; i++) {
        right = &found->rights.list[i];

        if (lp_right_to_come(right, found->today)
            && (first == 0 || right->from < first))
        {
            first = right->from;
        }
    }

    return first;
}


/* Kept until the day ends in Amsterdam. */
static uint32_t
ngx_http_leerpoort_today(void)
{
    static uint32_t  day;
    static int64_t   since, until;

    if (ngx_time() < since || ngx_time() >= until) {
        since = ngx_time();
        day = lp_day_amsterdam(since, &until);
    }

    return day;
}


/* A line about a product; ids of products are public. */
void
ngx_http_leerpoort_complain(ngx_http_leerpoort_ctx_t *ctx, const char *about,
    const char *what)
{
    if (ngx_http_leerpoort_may_complain(about, ctx->click.product)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "leerpoort: %s product \"%*s\": %s", about,
                      ctx->click.product.len, ctx->click.product.data, what);
    }
}


/*
 * Has this not been said of this for a while? Each worker remembers the last
 * few hundred things that it said.
 */
ngx_uint_t
ngx_http_leerpoort_may_complain(const char *what, lp_span_t of)
{
    uint64_t  hash;

    static struct {
        uint64_t  hash;
        time_t    at;
    } said[NGX_HTTP_LEERPOORT_SAID], *place;

    hash = lp_ring_hash(ngx_http_leerpoort_zone_here->ring, of);
    hash ^= lp_ring_hash(ngx_http_leerpoort_zone_here->ring,
                         lp_span_of(what)) << 1;
    place = &said[hash % NGX_HTTP_LEERPOORT_SAID];

    if (place->hash == hash
        && ngx_time() - place->at < NGX_HTTP_LEERPOORT_COMPLAIN)
    {
        return 0;
    }

    place->hash = hash;
    place->at = ngx_time();

    return 1;
}
