/*
 * Reading a click. The path goes into a Location without ever being decoded
 * there, so what is checked here is what it may mean to whoever reads it next:
 * the browser, which takes "%2e%2e" for "..", or a server behind it, which may
 * take "%2f" or "%5c" for a separator or strip ";parameters" before it looks
 * for dot segments. A path that one of them could read as leaving the place it
 * was put in is refused, not repaired. What is encoded twice is data.
 */

#include "click.h"

#include "chars.h"
#include "keys.h"

#define DOTS_OTHER 3 /* this many dots, or anything else, is a plain name */

/* What is still to come of one UTF-8 sequence (RFC 3629 section 4). */
typedef struct {
    unsigned      left;      /* bytes */
    unsigned char low, high; /* bounds of the next one */
} utf8_t;

static int query_product(lp_span_t *product, lp_span_t query);
static int path_valid(lp_span_t path);
static int byte_read(lp_span_t *text, unsigned char *c);
static int utf8_step(utf8_t *utf8, unsigned char c);
static int utf8_begin(utf8_t *utf8, unsigned char c);
static int dots_step(unsigned *dots, unsigned char c);
static lp_span_t cut(lp_span_t *rest, char separator);

int
lp_click_parse(lp_click_t *click, lp_span_t below)
{
    lp_span_t query, path, product;

    if (below.len == 0 || memchr(below.data, '#', below.len) != NULL) {
        return -1;
    }

    query = below;
    path = cut(&query, '?');

    if (path.len == 0) {
        if (query_product(&product, query) != 0) {
            return -1;
        }

    } else {
        product = cut(&path, '/');
        if (!lp_product_valid(product) || !path_valid(path)) {
            return -1;
        }
    }

    click->product = product;
    click->path = path;

    return 0;
}

/*
 * The id that "product=" gives, as it stands; other parameters are passed over.
 * Returns 0, or -1: none, not an id, or two that differ.
 */
static int
query_product(lp_span_t *product, lp_span_t query)
{
    static const char name[] = "product=";
    lp_span_t         parameter, found = {NULL, 0};
    size_t            name_len = sizeof(name) - 1;

    while (query.len > 0) {
        parameter = cut(&query, '&');

        if (parameter.len < name_len
            || memcmp(parameter.data, name, name_len) != 0) {
            continue;
        }

        parameter.data += name_len;
        parameter.len -= name_len;

        if (found.data != NULL && !lp_span_equal(found, parameter)) {
            return -1;
        }

        found = parameter;
    }

    *product = found;

    return lp_product_valid(found) ? 0 : -1;
}

static int
path_valid(lp_span_t path)
{
    utf8_t        utf8 = {0, 0, 0};
    unsigned      dots;
    unsigned char c;

    if (path.len > LP_PATH_MAX) {
        return 0;
    }

    dots = 0;

    while (path.len > 0) {
        if (byte_read(&path, &c) != 0
            || utf8_step(&utf8, c) != 0
            || dots_step(&dots, c) != 0) {
            return 0;
        }
    }

    return utf8.left == 0 && dots_step(&dots, '/') == 0;
}

/*
 * Takes one character or one escape off the text; *c is its byte. Returns -1
 * for a character that may not stand there, a malformed escape, and the escape
 * of a control byte.
 */
static int
byte_read(lp_span_t *text, unsigned char *c)
{
    const unsigned char *p;
    size_t               n;

    p = (const unsigned char *) text->data;
    n = 1;
    *c = p[0];

    if (*c == '%') {
        n = 3;

        if (text->len < n || !lp_char_is(p[1], LP_CHAR_HEX)
            || !lp_char_is(p[2], LP_CHAR_HEX)) {
            return -1;
        }

        *c = (unsigned char) (lp_char_hex(p[1]) << 4 | lp_char_hex(p[2]));

        if (*c < 0x20 || *c == 0x7f) {
            return -1;
        }

    } else if (*c != '/' && !lp_char_is(*c, LP_CHAR_PCHAR)) {
        return -1;
    }

    text->data += n;
    text->len -= n;

    return 0;
}

/* Returns -1 where c does not go on as UTF-8: overlong forms among them. */
static int
utf8_step(utf8_t *utf8, unsigned char c)
{
    if (utf8->left == 0) {
        return c < 0x80 ? 0 : utf8_begin(utf8, c);
    }

    if (c < utf8->low || c > utf8->high) {
        return -1;
    }

    utf8->left--;
    utf8->low = 0x80;
    utf8->high = 0xbf;

    return 0;
}

static int
utf8_begin(utf8_t *utf8, unsigned char c)
{
    if (c < 0xc2 || c > 0xf4) {
        return -1;
    }

    utf8->left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

    /* the second byte's bounds keep out overlong forms, the surrogates and
       what lies above U+10FFFF */
    utf8->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    utf8->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;

    return 0;
}

/*
 * Follows a segment, of which *dots counts the dots while it has nothing else.
 * Returns -1 where c ends a segment that is "." or "..".
 */
static int
dots_step(unsigned *dots, unsigned char c)
{
    if (c == '.') {
        *dots += *dots < DOTS_OTHER;
        return 0;
    }

    if (c != '/' && c != '\\' && c != ';') {
        *dots = DOTS_OTHER;
        return 0;
    }

    if (*dots == 1 || *dots == 2) {
        return -1;
    }

    *dots = c == ';' ? DOTS_OTHER : 0;

    return 0;
}

/*
 * Returns what stands before the first separator; *rest becomes what stands
 * after it, or nothing.
 */
static lp_span_t
cut(lp_span_t *rest, char separator)
{
    lp_span_t   head;
    const char *found;

    head = *rest;
    found = memchr(rest->data, separator, rest->len);

    if (found == NULL) {
        *rest = (lp_span_t) {NULL, 0};
        return head;
    }

    head.len = (size_t) (found - head.data);
    rest->data = found + 1;
    rest->len -= head.len + 1;

    return head;
}
