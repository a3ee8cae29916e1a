/*
 * An EntitlementRequest of Edu-V (docs/api.md) as one line of JSON, and what is
 * answered to it.
 */

#ifndef LP_SELLER_LINE_H
#define LP_SELLER_LINE_H

#include "../core/right.h"
#include "population.h"

#define LP_SALE_MAX       1280 /* room for a line */
#define LP_SALE_REF_MAX   64   /* room for a reference, NUL included */

typedef struct {
    char        reference[LP_SALE_REF_MAX];
    char        entitlement[LP_ENTITLEMENT_LEN]; /* of the uuid */
    const char *type;         /* "school-student" */
    const char *status;       /* "created" */
    lp_span_t   product;
    lp_span_t   school;       /* the order's name too */
    uint32_t    from, until;  /* days */
    uint32_t    end;          /* day of a block; 0: none */
    uint64_t    quantity;     /* of a whole school's right */
    const char *person_type;  /* "ECK", "NEPPI"; NULL: a whole school's */
    char        person[LP_PERSON_MAX];
} lp_sale_t;

/* Writes the line and a line feed, no NUL. Returns its length; 0: no room. */
size_t lp_sale_write(char *dst, size_t size, const lp_sale_t *sale);

/*
 * Reads the lines of a bulk's answer. refused is called for each that is not
 * accepted; line: its number; 0: the last one, that says why it ends here.
 * Returns how many lines were accepted.
 */
typedef void (*lp_sale_refused_t)(void *owner, uint64_t line, int status,
                                  const char *why);
uint64_t lp_sale_answers(lp_span_t body, lp_sale_refused_t refused,
                         void *owner);

/* 1 where the answer to PUT /v1/entitlements says that it was accepted. */
int lp_sale_accepted(lp_span_t body);

#endif
