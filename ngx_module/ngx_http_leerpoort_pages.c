/*
 * Pages for people, where a click ends without a book. They are written here,
 * in the nginx worker, by core/page.c: they are there also when every other
 * process is dead. Nothing of this runs for a click that leads to a book.
 *
 * What a page may say depends on who asks. Only a token that was verified and
 * not revoked brings the school's house style and the book's name; to all
 * others a page is the same whatever they clicked on.
 *
 * A program (Accept: application/json) gets Edu-V's form of a refusal instead.
 */

#include "ngx_http_leerpoort_directives.h"

#include "page.h"

/* Bytes of the click's own URI: in links of the page, escaped, six times. */
#define NGX_HTTP_LEERPOORT_PAGE_URI   768
#define NGX_HTTP_LEERPOORT_BOOK_NAME  256
#define NGX_HTTP_LEERPOORT_PLATFORM   64

static ngx_int_t ngx_http_leerpoort_page_json(ngx_http_request_t *r,
    lp_problem_t problem, ngx_uint_t status);
static ngx_int_t ngx_http_leerpoort_page_html(ngx_http_leerpoort_ctx_t *ctx,
    lp_problem_t problem, ngx_uint_t status, unsigned seconds);
static void ngx_http_leerpoort_page_read(ngx_http_leerpoort_ctx_t *ctx,
    lp_problem_page_t *page, lp_text_t *other);
static void ngx_http_leerpoort_page_again(ngx_http_leerpoort_ctx_t *ctx,
    lp_problem_page_t *page, lp_text_t *other);
static ngx_uint_t ngx_http_leerpoort_page_is_theirs(
    const ngx_http_leerpoort_ctx_t *ctx, lp_problem_t problem);
static ngx_int_t ngx_http_leerpoort_page_headers(
    ngx_http_leerpoort_ctx_t *ctx, const lp_problem_page_t *page,
    unsigned seconds);
static ngx_uint_t ngx_http_leerpoort_page_leaves(const ngx_str_t *uri);
static void ngx_http_leerpoort_page_launched(ngx_http_leerpoort_ctx_t *ctx,
    lp_problem_page_t *page, lp_text_t *other);
static ngx_int_t ngx_http_leerpoort_page_retry(ngx_http_request_t *r,
    unsigned seconds);
static ngx_int_t ngx_http_leerpoort_page_cookie(ngx_http_request_t *r,
    lp_span_t asked);
static ngx_int_t ngx_http_leerpoort_page_header(ngx_http_request_t *r,
    const char *name, const lp_text_t *value);
static ngx_int_t ngx_http_leerpoort_page_code(ngx_http_leerpoort_ctx_t *ctx,
    lp_problem_t problem);
static void ngx_http_leerpoort_houses_free(void *data);


/* leerpoort_pages file */
char *
ngx_http_leerpoort_pages(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leerpoort_loc_conf_t *llcf = conf;

    char              reason[LP_HOUSE_REASON_MAX];
    size_t            len;
    u_char           *text;
    ngx_str_t        *value;
    ngx_file_info_t   fi;

    (void) cmd;

    if (llcf->houses) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    text = ngx_http_leerpoort_read_file(cf->temp_pool, &value[1],
                                        LP_HOUSES_FILE_MAX, &len, &fi);
    if (text == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "can't read the file \"%V\" of "
                           "\"leerpoort_pages\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    llcf->houses = ngx_http_leerpoort_houses(cf,
                       (lp_span_t) { (char *) text, len }, reason);

    if (llcf->houses == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"leerpoort_pages\": %s", &value[1],
                           reason);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* They live as long as the configuration. */
lp_houses_t *
ngx_http_leerpoort_houses(ngx_conf_t *cf, lp_span_t text, char *reason)
{
    lp_houses_t         *houses;
    ngx_pool_cleanup_t  *cln;

    houses = lp_houses_read(text, reason);
    if (houses == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        lp_houses_free(houses);
        return NULL;
    }

    cln->handler = ngx_http_leerpoort_houses_free;
    cln->data = houses;

    return houses;
}


static void
ngx_http_leerpoort_houses_free(void *data)
{
    lp_houses_free(data);
}


/*
 * Ends a click with a page, or with the configuration's own (error_page).
 * Returns what the content handler is to return.
 */
ngx_int_t
ngx_http_leerpoort_page(ngx_http_leerpoort_ctx_t *ctx, lp_outcome_t outcome,
    ngx_uint_t status)
{
    unsigned                        seconds;
    lp_problem_t                    problem;
    ngx_http_request_t             *r;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    r = ctx->request;
    llcf = ngx_http_get_module_loc_conf(r, ngx_http_leerpoort_module);
    problem = lp_problem_of(outcome);
    seconds = lp_problem_passes(problem)
              ? lp_page_retry((unsigned) ngx_random()) : 0;

    if (problem == lp_problem_of(LP_BAD_TOKEN)) {
        ctx->dropped = ngx_http_leerpoort_drop_session(ctx) == NGX_OK;
    }

    /* a click that error_page led to leerpoort_page has a code already */
    if (!ctx->coded
        && (ngx_http_leerpoort_page_code(ctx, problem) != NGX_OK
            || ngx_http_leerpoort_page_retry(r, seconds) != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!llcf->standing && ngx_http_leerpoort_has_error_page(r, status)) {
        return status;
    }

    if (ngx_http_leerpoort_header_literal(r, "X-Content-Type-Options",
                                          "nosniff")
        == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_leerpoort_is_machine(r)
           ? ngx_http_leerpoort_page_json(r, problem, status)
           : ngx_http_leerpoort_page_html(ctx, problem, status, seconds);
}


/* Edu-V's form of a refusal. */
static ngx_int_t
ngx_http_leerpoort_page_json(ngx_http_request_t *r, lp_problem_t problem,
    ngx_uint_t status)
{
    char       *bytes;
    lp_text_t   json;
    ngx_str_t   body;

    bytes = ngx_pnalloc(r->pool, LP_PAGE_MAX);
    if (bytes == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    json = lp_text_in(bytes, LP_PAGE_MAX);
    lp_page_json(&json, problem);

    body.data = (u_char *) bytes;
    body.len = json.len;

    return ngx_http_leerpoort_send(r, status, "application/json", &body);
}


static ngx_int_t
ngx_http_leerpoort_page_html(ngx_http_leerpoort_ctx_t *ctx,
    lp_problem_t problem, ngx_uint_t status, unsigned seconds)
{
    char                *bytes, href[NGX_HTTP_LEERPOORT_PAGE_URI + 16];
    lp_text_t            html, other;
    ngx_str_t            body;
    lp_problem_page_t    page;
    ngx_http_request_t  *r;

    r = ctx->request;

    bytes = ngx_pnalloc(r->pool, LP_PAGE_MAX);
    if (bytes == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&page, sizeof(lp_problem_page_t));
    page.problem = problem;
    other = lp_text_in(href, sizeof(href));
    ngx_http_leerpoort_page_read(ctx, &page, &other);

    html = lp_text_in(bytes, LP_PAGE_MAX);
    lp_page_problem(&html, &page);

    if (html.full) {
        /* links of quotes alone, say: the text is what counts */
        page.again.len = 0;
        page.other.len = 0;
        page.book.len = 0;

        html = lp_text_in(bytes, LP_PAGE_MAX);
        lp_page_problem(&html, &page);
    }

    if (ngx_http_leerpoort_page_headers(ctx, &page, seconds) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = (u_char *) bytes;
    body.len = html.len;

    return ngx_http_leerpoort_send(r, status, "text/html; charset=utf-8",
                                   &body);
}


/* What the page is about, and for whom. */
static void
ngx_http_leerpoort_page_read(ngx_http_leerpoort_ctx_t *ctx,
    lp_problem_page_t *page, lp_text_t *other)
{
    lp_span_t                       school;
    ngx_http_request_t             *r;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    r = ctx->request;
    llcf = ngx_http_get_module_loc_conf(r, ngx_http_leerpoort_module);
    school = lp_span("");

    if (ngx_http_leerpoort_page_is_theirs(ctx, page->problem)) {
        school = ctx->school_known ? ctx->school : school;
        page->from = ctx->from;
        page->book = ctx->book.len > 0
                     && ctx->book.len <= NGX_HTTP_LEERPOORT_BOOK_NAME
                     ? ctx->book : ctx->click.product;
        page->codes = lp_houses_codes(llcf->houses);
        page->product = ctx->click.product;
    }

    page->house = lp_house_of(llcf->houses, school);
    page->code = (lp_span_t) { ctx->code, LP_SUPPORT_CODE_LEN };
    page->language = ngx_http_leerpoort_page_language(ctx);

    if (ctx->frames.len > 0) {
        ngx_http_leerpoort_page_launched(ctx, page, other);
    } else {
        ngx_http_leerpoort_page_again(ctx, page, other);
    }
}


/* A revoked token is identified, and as good as none. */
static ngx_uint_t
ngx_http_leerpoort_page_is_theirs(const ngx_http_leerpoort_ctx_t *ctx,
    lp_problem_t problem)
{
    return ctx->identified
           && problem != lp_problem_of(LP_LOGIN)
           && problem != lp_problem_of(LP_BAD_TOKEN);
}


/*
 * Links to the same click. One that another request led to (a form that was
 * posted, X-Accel-Redirect) has no address of its own. A request line that
 * nginx can't read is none either, nor were header fields read that name a
 * language: then the other one is at the address to which error_page led.
 */
static void
ngx_http_leerpoort_page_again(ngx_http_leerpoort_ctx_t *ctx,
    lp_problem_page_t *page, lp_text_t *other)
{
    ngx_uint_t                      unread;
    ngx_http_request_t             *r;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    r = ctx->request;
    llcf = ngx_http_get_module_loc_conf(r, ngx_http_leerpoort_module);

    unread = r->unparsed_uri.len == 0 && llcf->standing;

    if (llcf->target || r->unparsed_uri.len > NGX_HTTP_LEERPOORT_PAGE_URI
        || (!unread && ngx_http_leerpoort_page_leaves(&r->unparsed_uri))
        || !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)))
    {
        return;
    }

    if (unread && r->uri.len <= NGX_HTTP_LEERPOORT_PAGE_URI) {
        lp_text_add(other, ngx_http_leerpoort_span(&r->uri));
    }

    lp_page_switch(other, ngx_http_leerpoort_page_query(r),
                   page->language == LP_DUTCH ? LP_ENGLISH : LP_DUTCH);
    page->other = lp_text_span(other);

    if ((lp_problem_passes(page->problem) || ctx->dropped) && !unread) {
        page->again = ngx_http_leerpoort_span(&r->unparsed_uri);
    }
}


/*
 * In the frame of whoever led the request here: the other language is at the
 * page of the support code, which they may frame too.
 */
static void
ngx_http_leerpoort_page_launched(ngx_http_leerpoort_ctx_t *ctx,
    lp_problem_page_t *page, lp_text_t *other)
{
    page->framed = 1;

    if (ctx->platform.len == 0
        || ctx->platform.len > NGX_HTTP_LEERPOORT_PLATFORM)
    {
        return;
    }

    lp_text_add(other, lp_span("/problem?code="));
    lp_text_add(other, page->code);
    lp_text_add(other, lp_span("&in="));
    lp_text_query(other, ctx->platform);
    lp_text_add(other, lp_span("&lang="));
    lp_text_add(other, lp_span_of(lp_language_tag(
                           page->language == LP_DUTCH ? LP_ENGLISH
                                                      : LP_DUTCH)));
    page->other = lp_text_span(other);
}


/* To a browser "//host" and "/\host" are another site; as a link they would be
   one that the client chose. */
static ngx_uint_t
ngx_http_leerpoort_page_leaves(const ngx_str_t *uri)
{
    return uri->len == 0 || uri->data[0] != '/'
           || (uri->len > 1 && (uri->data[1] == '/' || uri->data[1] == '\\'));
}


static ngx_int_t
ngx_http_leerpoort_page_headers(ngx_http_leerpoort_ctx_t *ctx,
    const lp_problem_page_t *page, unsigned seconds)
{
    char                 bytes[LP_PAGE_CSP_MAX
                               + NGX_HTTP_LEERPOORT_FRAMES_MAX];
    char                 refresh[NGX_HTTP_LEERPOORT_PAGE_URI + 32];
    lp_text_t            value;
    ngx_http_request_t  *r;

    r = ctx->request;
    value = lp_text_in(bytes, sizeof(bytes));
    lp_page_csp(&value, page->house, lp_span(""), ctx->frames);

    if (ngx_http_leerpoort_page_header(r, "Content-Security-Policy", &value)
        != NGX_OK
        || ngx_http_leerpoort_page_cookie(r, ngx_http_leerpoort_page_asked(r))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (page->again.len == 0 || seconds == 0) {
        return NGX_OK;
    }

    value = lp_text_in(refresh, sizeof(refresh));
    lp_text_number(&value, seconds);
    lp_text_add(&value, lp_span("; url="));
    lp_text_add(&value, page->again);

    return ngx_http_leerpoort_page_header(r, "Refresh", &value);
}


/* Retry-After, for whatever client it is. seconds 0: none. */
static ngx_int_t
ngx_http_leerpoort_page_retry(ngx_http_request_t *r, unsigned seconds)
{
    char       bytes[16];
    lp_text_t  value;

    if (seconds == 0) {
        return NGX_OK;
    }

    value = lp_text_in(bytes, sizeof(bytes));
    lp_text_number(&value, seconds);

    return ngx_http_leerpoort_page_header(r, "Retry-After", &value);
}


/* Keeps a choice of language that was made on this page. */
static ngx_int_t
ngx_http_leerpoort_page_cookie(ngx_http_request_t *r, lp_span_t asked)
{
    char                            bytes[128];
    lp_text_t                       value;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    if (lp_language_find(asked) == -1) {
        return NGX_OK;
    }

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_leerpoort_module);

    value = lp_text_in(bytes, sizeof(bytes));
    lp_text_add(&value, lp_span(LP_LANGUAGE_COOKIE "="));
    lp_text_add(&value, asked);
    lp_text_add(&value, lp_span("; Path=/; Max-Age=31536000; SameSite=Lax; "
                                "HttpOnly"));

    if (llcf->public_url.len > 8
        && ngx_strncmp(llcf->public_url.data, "https://", 8) == 0)
    {
        lp_text_add(&value, lp_span("; Secure"));
    }

    return ngx_http_leerpoort_page_header(r, "Set-Cookie", &value);
}


static ngx_int_t
ngx_http_leerpoort_page_header(ngx_http_request_t *r, const char *name,
    const lp_text_t *value)
{
    char  *copy;

    copy = value->full ? NULL : ngx_pnalloc(r->pool, value->len);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(copy, value->data, value->len);

    return ngx_http_leerpoort_header(r, name, ngx_strlen(name), copy,
                                     value->len)
           ? NGX_OK : NGX_ERROR;
}


/*
 * Makes the support code, for the page, its headers and the log. It can be read
 * by everybody: why a token was refused stands in it only if the issuer had
 * signed the token. To whoever makes tokens, all of them look alike; the log
 * has the reason ($leerpoort_reason).
 */
static ngx_int_t
ngx_http_leerpoort_page_code(ngx_http_leerpoort_ctx_t *ctx,
    lp_problem_t problem)
{
    lp_support_code_t  code;

    code.problem = problem;
    code.reason = ctx->reason >= LP_JOSE_AUD_MISSING
                  && ctx->reason <= LP_JOSE_SCHOOL_TYPE
                  ? ctx->reason : LP_JOSE_OK;
    code.at = ngx_time();
    code.salt = (unsigned) ngx_random();

    lp_support_code_write(ctx->code, &code);
    ctx->coded = 1;

    return ngx_http_leerpoort_header(ctx->request, "Leerpoort-Code",
                                     sizeof("Leerpoort-Code") - 1, ctx->code,
                                     LP_SUPPORT_CODE_LEN)
           ? NGX_OK : NGX_ERROR;
}
