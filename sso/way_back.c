/*
 * The way back after a sign-in: a path of this site that leads to something of
 * ours. What is not plainly that is refused rather than mended; browsers and we
 * may read an odd URL differently, and a sign-in page that forwards to wherever
 * somebody asks is worth a lot to whoever phishes.
 *
 * A query is another matter: it leads nowhere, and a click takes whatever
 * stands there. Portals add what they like to a link. So one that is odd, or
 * too long to be kept, is left out, and nobody is sent away for it.
 */

#include "../core/chars.h"
#include "../core/click.h"
#include "../core/text.h"
#include "sign_in.h"

#define LINK_PATH "/lti/link/"
#define LINK_MAX  64 /* characters behind it */

static lp_span_t below_site(const lp_sites_t *sites, lp_span_t text);
static lp_span_t cut_query(lp_span_t *path);
static int is_clean(lp_span_t text);
static int is_link(lp_span_t path);
static int read_click(lp_click_t *click, lp_span_t prefix, lp_span_t path,
                      lp_span_t query);
static int write_back(char *dst, lp_span_t path, lp_span_t query,
                      lp_span_t product);

static int
begins(lp_span_t text, lp_span_t with)
{
    return text.len >= with.len && with.len > 0
           && memcmp(text.data, with.data, with.len) == 0;
}

int
lp_return_check(char *dst, const lp_sites_t *sites, lp_span_t text)
{
    lp_span_t  path = below_site(sites, text), none = {NULL, 0};
    lp_span_t  query = cut_query(&path);
    lp_click_t click;

    if (path.len == 0 || path.data[0] != '/' || !is_clean(path)) {
        return -1;
    }
    if (lp_span_equal(path, lp_span("/"))
        || (is_link(path) && query.len == 0)) {
        return write_back(dst, path, none, none);
    }
    if (lp_span_equal(path, lp_span("/code"))) {
        return write_back(dst, path, none,
                          lp_click_parse(&click, query) == 0 ? click.product
                                                             : none);
    }
    if (read_click(&click, sites->click_prefix, path, query) != 0) {
        return -1;
    }
    if (path.len + query.len > LP_RETURN_MAX || !is_clean(query)) {
        query = none;
    }
    return write_back(dst, path, query,
                      path.len == sites->click_prefix.len ? click.product
                                                          : none);
}

/* The path of a URL of this site, or a path as it stands. */
static lp_span_t
below_site(const lp_sites_t *sites, lp_span_t text)
{
    if (begins(text, sites->public_url)) {
        text.data += sites->public_url.len;
        text.len -= sites->public_url.len;
    }
    return text.len == 0 ? lp_span("/") : text;
}

/* Takes it off the path, with its question mark; len 0: there is none. */
static lp_span_t
cut_query(lp_span_t *path)
{
    const char *mark = memchr(path->data, '?', path->len);
    lp_span_t   query = {NULL, 0};

    if (mark != NULL) {
        query.data = mark;
        query.len = path->len - (size_t) (mark - path->data);
        path->len -= query.len;
    }
    return query;
}

/* Visible ASCII that means the same in a header, in HTML and in a URL, and no
   encoded control byte. */
static int
is_clean(lp_span_t text)
{
    const unsigned char *p = (const unsigned char *) text.data;
    size_t               i;
    unsigned             byte;

    for (i = 0; i < text.len; i++) {
        if (p[i] <= 0x20 || p[i] > 0x7e || strchr("\"<>\\^`{|}#", p[i])) {
            return 0;
        }
        if (p[i] != '%') {
            continue;
        }
        if (text.len - i < 3 || !lp_char_is(p[i + 1], LP_CHAR_HEX)
            || !lp_char_is(p[i + 2], LP_CHAR_HEX)) {
            return 0;
        }
        byte = lp_char_hex(p[i + 1]) << 4 | lp_char_hex(p[i + 2]);
        if (byte < 0x20 || byte == 0x7f) {
            return 0;
        }
    }
    return 1;
}

/* The way into an account link: a secret of ours and no more. */
static int
is_link(lp_span_t path)
{
    size_t i;

    if (!begins(path, lp_span(LINK_PATH))) {
        return 0;
    }
    path.data += sizeof(LINK_PATH) - 1;
    path.len -= sizeof(LINK_PATH) - 1;
    for (i = 0; i < path.len; i++) {
        if (!lp_char_is((unsigned char) path.data[i], LP_CHAR_NAME)
            || path.data[i] == '.') {
            return 0;
        }
    }
    return path.len > 0 && path.len <= LINK_MAX;
}

static int
read_click(lp_click_t *click, lp_span_t prefix, lp_span_t path,
           lp_span_t query)
{
    if (!begins(path, prefix)) {
        return -1;
    }
    path.data += prefix.len;
    path.len += query.len;
    path.len -= prefix.len;
    return lp_click_parse(click, path);
}

/* The query as it stands, or the product that it names; either may be
   empty. */
static int
write_back(char *dst, lp_span_t path, lp_span_t query, lp_span_t product)
{
    lp_text_t text = lp_text_in(dst, LP_RETURN_MAX);

    lp_text_add(&text, path);
    if (query.len > 0) {
        lp_text_add(&text, query);
    } else if (product.len > 0) {
        lp_text_add(&text, lp_span("?product="));
        lp_text_add(&text, product);
    }
    if (text.full) {
        return -1;
    }
    dst[text.len] = '\0';
    return 0;
}
