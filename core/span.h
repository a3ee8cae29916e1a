/*
 * A stretch of bytes that somebody else owns. Nothing in core/ keeps one
 * longer than the call or the object that its contract names.
 */

#ifndef LP_SPAN_H
#define LP_SPAN_H

#include <stddef.h>
#include <string.h>

typedef struct {
    const char *data; /* not NUL-terminated; NULL: there is none */
    size_t      len;  /* bytes */
} lp_span_t;

#define lp_span(literal) ((lp_span_t) {(literal), sizeof(literal) - 1})

static inline lp_span_t
lp_span_of(const char *text)
{
    return (lp_span_t) {text, strlen(text)};
}

static inline int
lp_span_equal(lp_span_t a, lp_span_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

#endif
