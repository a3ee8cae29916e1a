/*
 * JSON as tokens and key sets may hold it: one object, UTF-8, no member twice,
 * no NUL in a string, not deeper than LP_JSON_DEPTH.
 */

#ifndef LP_JSON_H
#define LP_JSON_H

#include <jansson.h>

#include "span.h"

#define LP_JSON_DEPTH 16 /* levels of [ and {; claims need three */

typedef enum {
    LP_JSON_OK = 0,
    LP_JSON_SYNTAX, /* no JSON, no object, too deep, a number too big */
    LP_JSON_TWICE,  /* a duplicate member, at any depth */
    LP_JSON_MEMORY
} lp_json_error_t;

/* What all parts of one document lie in. */
typedef struct lp_json_memory_s lp_json_memory_t;

/*
 * Reads text, which must be one JSON object and nothing else but white space.
 * Returns it and *memory, or NULL and *error. The object is to be looked at
 * only: not changed, and not given to json_decref(). It lives until
 * lp_json_release(). Not for two threads at once.
 */
json_t *lp_json_read(lp_span_t text, lp_json_memory_t **memory,
                     lp_json_error_t *error);

/*
 * What is wrong with the text of the last lp_json_read(), if that failed: for
 * whoever wrote it, with the line where it stopped to be JSON. Good until the
 * next one.
 */
const char *lp_json_complaint(void);

/* NULL is no memory. */
void lp_json_release(lp_json_memory_t *memory);

/* A string; data NULL: it is none, or not there. Lives as long as the value. */
static inline lp_span_t
lp_json_text(const json_t *value)
{
    return (lp_span_t) {json_string_value(value), json_string_length(value)};
}

/* That of a member. */
static inline lp_span_t
lp_json_member(const json_t *object, const char *name)
{
    return lp_json_text(json_object_get(object, name));
}

#endif
