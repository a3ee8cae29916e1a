/*
 * The way back after a sign-in: a path of this site that leads to something of
 * ours. What is not plainly that is refused rather than mended; browsers and we
 * may read an odd URL differently, and a sign-in page that forwards to wherever
 * somebody asks is worth a lot to whoever phishes.
 */

#include "../core/chars.h"
#include "../core/click.h"
#include "sign_in.h"

#define LINK_PATH "/lti/link/"
#define LINK_MAX  64 /* characters behind it */

static int is_clean(lp_span_t path);
static int is_page(lp_span_t path, lp_span_t *without_query);
static int is_link(lp_span_t path);
static int is_click(lp_span_t path, lp_span_t prefix);

static int
begins(lp_span_t text, lp_span_t with)
{
    return text.len >= with.len && with.len > 0
           && memcmp(text.data, with.data, with.len) == 0;
}

int
lp_return_check(char *dst, const lp_sites_t *sites, lp_span_t text)
{
    lp_span_t path = text;

    if (path.len == 0) {
        path = lp_span("/");
    }
    if (begins(path, sites->public_url)) {
        path.data += sites->public_url.len;
        path.len -= sites->public_url.len;
        if (path.len == 0) {
            path = lp_span("/");
        }
    }
    if (path.len > LP_RETURN_MAX || path.len == 0 || path.data[0] != '/'
        || !is_clean(path)
        || (!is_page(path, &path) && !is_link(path)
            && !is_click(path, sites->click_prefix))) {
        return -1;
    }
    memcpy(dst, path.data, path.len);
    dst[path.len] = '\0';
    return 0;
}

/* Visible ASCII that means the same in a header, in HTML and in a URL, and no
   encoded control byte; also in what stands behind a question mark. */
static int
is_clean(lp_span_t path)
{
    const unsigned char *p = (const unsigned char *) path.data;
    size_t               i;
    unsigned             byte;

    for (i = 0; i < path.len; i++) {
        if (p[i] <= 0x20 || p[i] > 0x7e || strchr("\"<>\\^`{|}#", p[i])) {
            return 0;
        }
        if (p[i] != '%') {
            continue;
        }
        if (path.len - i < 3 || !lp_char_is(p[i + 1], LP_CHAR_HEX)
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

/* "/", My books, and "/code"; what their query says is for them alone, and is
   left out. */
static int
is_page(lp_span_t path, lp_span_t *without_query)
{
    const char *query = memchr(path.data, '?', path.len);

    if (query != NULL) {
        path.len = (size_t) (query - path.data);
    }
    if (!lp_span_equal(path, lp_span("/"))
        && !lp_span_equal(path, lp_span("/code"))) {
        return 0;
    }
    *without_query = path;
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
is_click(lp_span_t path, lp_span_t prefix)
{
    lp_click_t click;

    if (!begins(path, prefix)) {
        return 0;
    }
    path.data += prefix.len;
    path.len -= prefix.len;
    return lp_click_parse(&click, path) == 0;
}
