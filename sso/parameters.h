/*
 * The parameters of a request, from its query or from a form that was posted,
 * read by a table: what is not named is passed over, what is named may be there
 * once. All of it comes from outside.
 */

#ifndef LP_PARAMETERS_H
#define LP_PARAMETERS_H

#include "../core/text.h"
#include "../workers/service.h"

#define LP_PARAMETER_HINT (-1) /* of two the first that can be read; one that
                                  can't is absent */

typedef struct {
    const char *name;
    size_t      max;    /* bytes, decoded */
    int         needed; /* 1: there, and not empty; 0; or LP_PARAMETER_HINT */
    lp_span_t   value;  /* NUL-terminated; data NULL: absent */
} lp_parameter_t;

/*
 * Reads pairs ("a=b&c=d") into the values, which lie in memory (room for
 * pairs.len + 1 bytes). NULL; or the name of the parameter, no hint, that is
 * wrong: missing, there twice, too long, badly encoded, with control
 * characters.
 */
const char *lp_parameters_read(lp_parameter_t *list, unsigned n,
                               lp_span_t pairs, char *memory);

/* The other way: adds an address, which may have a query, and the "?" or "&"
   behind which one more parameter stands. */
void lp_parameters_to(lp_text_t *text, lp_span_t address);

/* Adds "&name=value", the value encoded. */
void lp_parameter_add(lp_text_t *text, const char *name, lp_span_t value);

/* 1: the body is said to be application/x-www-form-urlencoded. */
int lp_request_is_form(const lp_request_t *request);

#endif
