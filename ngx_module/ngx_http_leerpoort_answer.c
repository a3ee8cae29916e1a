/*
 * The answer to a click: a redirect, or a page that says what is the matter
 * and what to do. The pages are plain and whole; a configuration that has an
 * error_page for the status shows that one instead, and finds the outcome in
 * $leerpoort_outcome.
 */

#include "ngx_http_leerpoort.h"

static ngx_int_t ngx_http_leerpoort_login(ngx_http_leerpoort_ctx_t *ctx);
static ngx_int_t ngx_http_leerpoort_send_redirect(ngx_http_request_t *r,
    const ngx_str_t *location);
#ifdef LEERPOORT_MUTANT
static void ngx_http_leerpoort_mutate(ngx_str_t *location);
#endif
static ngx_int_t ngx_http_leerpoort_send_page(ngx_http_request_t *r,
    ngx_uint_t status, const ngx_str_t *page);

#define NGX_HTTP_LEERPOORT_PAGE(title_nl, text_nl, title_en, text_en)         \
    ngx_string(                                                               \
    "<!doctype html>\n<html lang=\"nl\">\n<meta charset=\"utf-8\">\n"         \
    "<meta name=\"viewport\" content=\"width=device-width\">\n"               \
    "<meta name=\"color-scheme\" content=\"light dark\">\n"                   \
    "<title>" title_nl "</title>\n"                                           \
    "<style>body{font:1.1em/1.5 sans-serif;max-width:34em;margin:3em auto;"   \
    "padding:0 1em}h2{margin-top:2em}</style>\n"                              \
    "<main>\n<h1>" title_nl "</h1>\n<p>" text_nl "</p>\n"                     \
    "<section lang=\"en\">\n<h2>" title_en "</h2>\n<p>" text_en "</p>\n"      \
    "</section>\n</main>\n</html>\n")

static const ngx_str_t  ngx_http_leerpoort_pages[LP_OUTCOMES] = {

    [LP_REDIRECT] = ngx_null_string,

    [LP_ACTIVATE] = ngx_null_string,

    [LP_LOGIN] = NGX_HTTP_LEERPOORT_PAGE(
        "Je bent niet ingelogd",
        "Ga terug naar je portaal (bijvoorbeeld Magister of Somtoday), log "
        "daar in en klik opnieuw op je boek.",
        "You are not signed in",
        "Go back to your school portal, sign in there and click on your book "
        "again."),

    [LP_BAD_TOKEN] = NGX_HTTP_LEERPOORT_PAGE(
        "We herkennen je aanmelding niet",
        "Log uit bij je portaal, log opnieuw in en klik nog eens op je boek. "
        "Lukt het dan niet? Vraag de ICT-helpdesk van je school om hulp.",
        "We do not recognise your sign-in",
        "Sign out of your school portal, sign in again and click on your book "
        "once more. If that does not help, ask your school's help desk."),

    [LP_NO_RIGHT] = NGX_HTTP_LEERPOORT_PAGE(
        "Dit boek staat niet op jouw naam",
        "Je school heeft dit boek niet voor jou besteld. Vraag je docent of "
        "de boekencoördinator van je school of dat klopt.",
        "This book is not yours",
        "Your school has not ordered this book for you. Ask your teacher or "
        "your school's book coordinator whether that is right."),

    [LP_NOT_YET] = NGX_HTTP_LEERPOORT_PAGE(
        "Je kunt dit boek nog niet openen",
        "Het boek is voor jou besteld, maar de startdatum is nog niet "
        "geweest. Probeer het later opnieuw.",
        "You can't open this book yet",
        "The book was ordered for you, but its first day has not come yet. "
        "Try again later."),

    [LP_ENDED] = NGX_HTTP_LEERPOORT_PAGE(
        "Je mocht dit boek tot nu toe gebruiken",
        "De periode waarin je dit boek kon gebruiken is voorbij. Heb je het "
        "nog nodig? Vraag het je docent.",
        "Your time with this book has ended",
        "The period in which you could use this book is over. Ask your "
        "teacher if you still need it."),

    [LP_BLOCKED_OUT] = NGX_HTTP_LEERPOORT_PAGE(
        "Dit boek is voor jou geblokkeerd",
        "De verkoper of je school heeft de toegang stopgezet. Vraag de "
        "boekencoördinator van je school wat er aan de hand is.",
        "This book is blocked for you",
        "The seller or your school has stopped access to it. Ask your "
        "school's book coordinator why."),

    [LP_UNKNOWN_PRODUCT] = NGX_HTTP_LEERPOORT_PAGE(
        "We kennen dit boek niet",
        "De link klopt niet, of het boek is nieuw. Meld het aan je docent of "
        "aan de helpdesk van je school.",
        "We do not know this book",
        "The link is wrong, or the book is new. Tell your teacher or your "
        "school's help desk."),

    [LP_UNKNOWN_MATERIAL] = NGX_HTTP_LEERPOORT_PAGE(
        "Dit deel van het boek bestaat niet",
        "Het boek is bekend, maar deze link erin niet. Open het boek vanuit "
        "je portaal, of meld het aan je docent.",
        "This part of the book does not exist",
        "The book is known, but not this link into it. Open the book from "
        "your school portal, or tell your teacher."),

    [LP_BAD_REQUEST] = NGX_HTTP_LEERPOORT_PAGE(
        "Deze link klopt niet",
        "Er staan tekens in de link die er niet in horen. Ga terug naar je "
        "portaal en klik daar op je boek.",
        "This link is not right",
        "There are characters in the link that do not belong there. Go back "
        "to your school portal and click on your book there."),

    [LP_UNAVAILABLE] = NGX_HTTP_LEERPOORT_PAGE(
        "Het lukt nu even niet",
        "Je hoeft niets te veranderen: het ligt aan ons. Wacht een halve "
        "minuut en probeer het opnieuw.",
        "It does not work right now",
        "There is nothing you need to change: it is our fault. Wait half a "
        "minute and try again.")
};


/* Ends a click. Returns what the content handler is to return. */
ngx_int_t
ngx_http_leerpoort_answer(ngx_http_leerpoort_ctx_t *ctx, lp_outcome_t outcome)
{
    ngx_uint_t           status;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ngx_http_leerpoort_prepare(ctx, outcome) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (outcome == LP_REDIRECT) {
        ngx_http_leerpoort_usage_click(ctx);
    }

    ngx_http_leerpoort_observe(ctx->missed
                               ? &ngx_http_leerpoort_counters->own_miss
                               : &ngx_http_leerpoort_counters->own_hit,
                               ctx->own_ns + ngx_http_leerpoort_now_ns()
                               - ctx->began, 1);

    if (outcome == LP_REDIRECT) {
#ifdef LEERPOORT_MUTANT
        ngx_http_leerpoort_mutate(&ctx->location);
#endif
        return ngx_http_leerpoort_send_redirect(r, &ctx->location);
    }

    if (outcome == LP_LOGIN) {
        return ngx_http_leerpoort_login(ctx);
    }

    status = lp_outcome_status(outcome);

    if (status == NGX_HTTP_UNAUTHORIZED
        && ngx_http_leerpoort_header_literal(r, "WWW-Authenticate",
               "Bearer error=\"invalid_token\"") == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_leerpoort_header_literal(r, "Retry-After", "5") == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_leerpoort_send_page(r, status,
                                        &ngx_http_leerpoort_pages[outcome]);
}


ngx_int_t
ngx_http_leerpoort_bad_method(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ngx_http_leerpoort_prepare(ctx, LP_BAD_REQUEST) != NGX_OK
        || ngx_http_leerpoort_header_literal(r, "Allow", "GET, HEAD") == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_leerpoort_send_page(r, NGX_HTTP_NOT_ALLOWED,
                                &ngx_http_leerpoort_pages[LP_BAD_REQUEST]);
}


/*
 * Counts the outcome and sets the headers that every answer has. A click that
 * has been to the worker has them already; then only the outcome changes.
 */
ngx_int_t
ngx_http_leerpoort_prepare(ngx_http_leerpoort_ctx_t *ctx,
    lp_outcome_t outcome)
{
    const char          *name;
    ngx_http_request_t  *r;

    r = ctx->request;
    name = lp_outcome_name(outcome);

    ctx->outcome = outcome;
    ctx->decided = 1;
    ngx_http_leerpoort_count(clicks[outcome]);

    if (ctx->outcome_header) {
        ctx->outcome_header->value.data = (u_char *) name;
        ctx->outcome_header->value.len = ngx_strlen(name);
        return NGX_OK;
    }

    ctx->outcome_header = ngx_http_leerpoort_header(r,
                              "Leerpoort-Outcome",
                              sizeof("Leerpoort-Outcome") - 1,
                              name, ngx_strlen(name));

    if (ctx->outcome_header == NULL
        || ngx_http_leerpoort_header_literal(r, "Cache-Control", "no-store")
           == NULL
        || ngx_http_leerpoort_header_literal(r, "Referrer-Policy",
                                             "no-referrer") == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_leerpoort_login(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_str_t                       location;
    ngx_http_request_t             *r;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    r = ctx->request;
    llcf = ngx_http_get_module_loc_conf(r, ngx_http_leerpoort_module);

    if (llcf->login) {
        if (ngx_http_complex_value(r, llcf->login, &location) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (location.len) {
            return ngx_http_leerpoort_send_redirect(r, &location);
        }
    }

    if (ngx_http_leerpoort_header_literal(r, "WWW-Authenticate", "Bearer")
        == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_leerpoort_send_page(r, NGX_HTTP_UNAUTHORIZED,
                                        &ngx_http_leerpoort_pages[LP_LOGIN]);
}


/*
 * Location is not set as r->headers_out.location: nginx would make one that
 * starts with "/" absolute by the Host header, which anybody can choose.
 */
static ngx_int_t
ngx_http_leerpoort_send_redirect(ngx_http_request_t *r,
    const ngx_str_t *location)
{
    ngx_http_clear_location(r);

    if (ngx_http_leerpoort_header(r, "Location", sizeof("Location") - 1,
                                  (const char *) location->data,
                                  location->len)
        == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_MOVED_TEMPORARILY;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


#ifdef LEERPOORT_MUTANT

/*
 * The fault that must never be, made on purpose, for a build that only the
 * tests load: every so many redirects of a process, one leads where the last
 * click that led elsewhere did. A rehearsal has to notice.
 */
static void
ngx_http_leerpoort_mutate(ngx_str_t *location)
{
    static size_t      lens[2]; /* this target, and the last other one */
    static u_char      targets[2][LP_LOCATION_MAX];
    static ngx_uint_t  redirects;

    if (location->len > LP_LOCATION_MAX) {
        return;
    }

    if (lens[0] != location->len
        || ngx_memcmp(targets[0], location->data, location->len) != 0)
    {
        ngx_memcpy(targets[1], targets[0], lens[0]);
        lens[1] = lens[0];
        ngx_memcpy(targets[0], location->data, location->len);
        lens[0] = location->len;
    }

    if (++redirects % LEERPOORT_MUTANT == 0 && lens[1] > 0) {
        /* static: the next click is answered after this one is sent */
        location->data = targets[1];
        location->len = lens[1];
    }
}

#endif


static ngx_int_t
ngx_http_leerpoort_send_page(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *page)
{
    if (ngx_http_leerpoort_has_error_page(r, status)) {
        return status;
    }

    return ngx_http_leerpoort_send(r, status, "text/html; charset=utf-8",
                                   page);
}


/* Sends a whole answer; the body must live as long as the request. */
ngx_int_t
ngx_http_leerpoort_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, const ngx_str_t *body)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;
    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


/* The page is served by an internal redirect that needs the context. */
ngx_uint_t
ngx_http_leerpoort_has_error_page(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *pages;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->error_pages == NULL || r->error_page) {
        return 0;
    }

    pages = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (pages[i].status == (ngx_int_t) status) {
            ngx_http_leerpoort_ctx_keep(
                ngx_http_get_module_ctx(r, ngx_http_leerpoort_module));
            return 1;
        }
    }

    return 0;
}


ngx_table_elt_t *
ngx_http_leerpoort_header(ngx_http_request_t *r, const char *name,
    size_t name_len, const char *value, size_t value_len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.data = (u_char *) name;
    h->key.len = name_len;
    h->value.data = (u_char *) value;
    h->value.len = value_len;

    return h;
}
