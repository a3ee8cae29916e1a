/*
 * Text that is put together in a buffer of a fixed size. What does not fit is
 * left out, and remembered: whoever adds need not look each time.
 */

#ifndef LP_TEXT_H
#define LP_TEXT_H

#include "span.h"

typedef struct {
    char  *data; /* no NUL */
    size_t len;
    size_t size;
    int    full; /* something did not fit: the text is of no use */
} lp_text_t;

static inline lp_text_t
lp_text_in(char *data, size_t size)
{
    return (lp_text_t) {data, 0, size, 0};
}

static inline lp_span_t
lp_text_span(const lp_text_t *text)
{
    return (lp_span_t) {text->data, text->len};
}

void lp_text_add(lp_text_t *text, lp_span_t bytes);

/* For element content and quoted attributes: & < > " ' escaped. */
void lp_text_html(lp_text_t *text, lp_span_t bytes);

/* A paragraph of HTML that holds it. */
void lp_text_paragraph(lp_text_t *text, const char *plain);

/* A component of a query: all but RFC 3986's unreserved percent-encoded. */
void lp_text_query(lp_text_t *text, lp_span_t bytes);

/* 1 where it holds a control character of ASCII. */
int lp_has_control(lp_span_t text);

void lp_text_number(lp_text_t *text, long long number);

#endif
