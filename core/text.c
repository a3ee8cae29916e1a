/*
 * Adding to a text. Where something does not fit, all that follows is left out
 * too: half a page would only look like a whole one.
 */

#include "text.h"

#include <stdio.h>

#include "chars.h"

static void add_escaped(lp_text_t *text, unsigned char c);

void
lp_text_add(lp_text_t *text, lp_span_t bytes)
{
    if (text->full || bytes.len > text->size - text->len) {
        text->full = 1;
        return;
    }

    if (bytes.len > 0) {
        memcpy(text->data + text->len, bytes.data, bytes.len);
        text->len += bytes.len;
    }
}

void
lp_text_html(lp_text_t *text, lp_span_t bytes)
{
    size_t i;

    for (i = 0; i < bytes.len; i++) {
        add_escaped(text, (unsigned char) bytes.data[i]);
    }
}

static void
add_escaped(lp_text_t *text, unsigned char c)
{
    char byte;

    switch (c) {
    case '&':
        lp_text_add(text, lp_span("&amp;"));
        return;
    case '<':
        lp_text_add(text, lp_span("&lt;"));
        return;
    case '>':
        lp_text_add(text, lp_span("&gt;"));
        return;
    case '"':
        lp_text_add(text, lp_span("&quot;"));
        return;
    case '\'':
        lp_text_add(text, lp_span("&#39;"));
        return;
    default:
        /* HTML knows no control characters but white space */
        byte = (char) (c < 0x20 || c == 0x7f ? ' ' : c);
        lp_text_add(text, (lp_span_t) {&byte, 1});
    }
}

void
lp_text_paragraph(lp_text_t *text, const char *plain)
{
    lp_text_add(text, lp_span("<p>"));
    lp_text_html(text, lp_span_of(plain));
    lp_text_add(text, lp_span("</p>\n"));
}

void
lp_text_query(lp_text_t *text, lp_span_t bytes)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char     c;
    char              escaped[3];
    size_t            i;

    for (i = 0; i < bytes.len; i++) {
        c = (unsigned char) bytes.data[i];

        if (lp_char_is(c, LP_CHAR_ALNUM) || c == '-' || c == '.' || c == '_'
            || c == '~') {
            lp_text_add(text, (lp_span_t) {&bytes.data[i], 1});
            continue;
        }

        escaped[0] = '%';
        escaped[1] = digits[c >> 4];
        escaped[2] = digits[c & 0x0f];
        lp_text_add(text, (lp_span_t) {escaped, sizeof(escaped)});
    }
}

void
lp_text_number(lp_text_t *text, long long number)
{
    char digits[24];
    int  n;

    n = snprintf(digits, sizeof(digits), "%lld", number);
    lp_text_add(text, (lp_span_t) {digits, (size_t) n});
}

int
lp_has_control(lp_span_t text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if ((unsigned char) text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return 1;
        }
    }

    return 0;
}
