/*
 * Who reads a page: a person or a program, in which language, as the request
 * says; in whose frame, as the program of ours says that led it here.
 */

#include "ngx_http_leerpoort.h"

#include "cookie.h"
#include "page.h"

static lp_span_t ngx_http_leerpoort_page_chosen(ngx_http_request_t *r);
static lp_span_t ngx_http_leerpoort_upstream_header(ngx_http_request_t *r,
    const char *name);
static lp_span_t ngx_http_leerpoort_client_header(ngx_http_request_t *r,
    const char *name, ngx_uint_t *n);


/* Is this a program, that reads JSON and no pages? */
ngx_uint_t
ngx_http_leerpoort_is_machine(ngx_http_request_t *r)
{
    ngx_uint_t  n;
    lp_span_t   accept;

    n = 0;
    accept = ngx_http_leerpoort_client_header(r, "accept", &n);

    return accept.len > 0 && lp_page_wants_json(accept);
}


/*
 * What the query asks for, what was chosen before, what the program says that
 * led the request here, or what the browser prefers.
 */
lp_language_t
ngx_http_leerpoort_page_language(ngx_http_leerpoort_ctx_t *ctx)
{
    lp_span_t            preferred;
    ngx_http_request_t  *r;

    r = ctx->request;
    preferred = ctx->language;

    if (preferred.len == 0) {
        preferred = ngx_http_leerpoort_client_header(r, "accept-language",
                                                     NULL);
    }

    return lp_language_choose(ngx_http_leerpoort_page_asked(r),
                              ngx_http_leerpoort_page_chosen(r), preferred);
}


/* The query's "lang"; len 0: none. */
lp_span_t
ngx_http_leerpoort_page_asked(const ngx_http_request_t *r)
{
    u_char     *end;
    lp_span_t   query, part;

    query = ngx_http_leerpoort_page_query(r);

    while (query.len > 0) {
        end = ngx_strlchr((u_char *) query.data,
                          (u_char *) query.data + query.len, '&');
        part.data = query.data;
        part.len = end ? (size_t) ((char *) end - query.data) : query.len;

        if (part.len > 5 && ngx_strncmp(part.data, "lang=", 5) == 0) {
            part.data += 5;
            part.len -= 5;
            return part;
        }

        query.data += part.len + (end != NULL);
        query.len -= part.len + (end != NULL);
    }

    return lp_span("");
}


/* Of the request as it was sent. */
lp_span_t
ngx_http_leerpoort_page_query(const ngx_http_request_t *r)
{
    u_char     *p, *last;
    lp_span_t   query;

    last = r->unparsed_uri.data + r->unparsed_uri.len;
    p = ngx_strlchr(r->unparsed_uri.data, last, '?');

    query.data = p ? (const char *) p + 1 : NULL;
    query.len = p ? (size_t) (last - p - 1) : 0;

    return query;
}


/* The choice of before, in a cookie. */
static lp_span_t
ngx_http_leerpoort_page_chosen(ngx_http_request_t *r)
{
    ngx_uint_t  n;
    lp_span_t   header, language;

    n = 0;

    do {
        header = ngx_http_leerpoort_client_header(r, "cookie", &n);
        language = lp_cookie_find(header, lp_span(LP_LANGUAGE_COOKIE));

    } while (header.data && language.data == NULL);

    return language;
}


/*
 * A header of the request, by its name in lower case: the one at *n, which
 * becomes the number of the one after it. NULL: the first. data NULL: no more.
 */
static lp_span_t
ngx_http_leerpoort_client_header(ngx_http_request_t *r, const char *name,
    ngx_uint_t *n)
{
    size_t            len;
    ngx_uint_t        i, found;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);
    found = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len != len
                || ngx_strncmp(h[i].lowcase_key, name, len) != 0
                || (n && found++ < *n))
            {
                continue;
            }

            if (n) {
                (*n)++;
            }

            return ngx_http_leerpoort_span(&h[i].value);
        }
    }

    return (lp_span_t) { NULL, 0 };
}


/*
 * Who may frame the page, as the program says that led the request here: the
 * header Leerpoort-Frames of its answer, origins with blanks between them. It
 * becomes a part of the CSP, and must not end that part. Leerpoort-Platform is
 * the name under which the program knows them, Leerpoort-Language the
 * language of ours.
 */
void
ngx_http_leerpoort_frames(ngx_http_leerpoort_ctx_t *ctx)
{
    lp_span_t  frames;

    frames = ngx_http_leerpoort_upstream_header(ctx->request,
                                                "Leerpoort-Frames");

    if (frames.len > NGX_HTTP_LEERPOORT_FRAMES_MAX
        || memchr(frames.data, ';', frames.len)
        || memchr(frames.data, ',', frames.len))
    {
        return;
    }

    ctx->frames = frames;
    ctx->platform = ngx_http_leerpoort_upstream_header(ctx->request,
                                                       "Leerpoort-Platform");
    ctx->language = ngx_http_leerpoort_upstream_header(ctx->request,
                                                       "Leerpoort-Language");
}


/* len 0: it has none. */
static lp_span_t
ngx_http_leerpoort_upstream_header(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    for (part = &r->upstream->headers_in.headers.part; part;
         part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash != 0 && h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
            {
                return ngx_http_leerpoort_span(&h[i].value);
            }
        }
    }

    return lp_span("");
}
