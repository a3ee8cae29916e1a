/*
 * Differences: counted by their kind, the first few in words. No id of a person
 * is in them; a member is a number of the population.
 */

#ifndef LP_FINDINGS_H
#define LP_FINDINGS_H

#include <stdint.h>

#include <jansson.h>

typedef enum {
    LP_FOUND_LOST = 0, /* a client was redirected, the licence is not there */
    LP_FOUND_EXTRA,    /* a licence or right that nobody asked for, or gave */
    LP_FOUND_CHANGED,  /* a right is not what it was, or may have become */
    LP_FOUND_RECORD,   /* an entitlement's record says something else */
    LP_FOUND_OPEN,     /* an open right's count */
    LP_FOUND_JOURNAL,
    LP_FOUND_USAGE,
    LP_FOUND_KINDS
} lp_found_t;

#define LP_FINDINGS_TOLD 10
#define LP_FINDING_MAX   200

typedef struct {
    uint64_t count[LP_FOUND_KINDS];
    uint64_t all;
    unsigned n;
    char     text[LP_FINDINGS_TOLD][LP_FINDING_MAX];
} lp_findings_t;

void lp_find(lp_findings_t *findings, lp_found_t kind, const char *format,
             ...) __attribute__((format(printf, 3, 4)));

/* To standard error. */
void lp_findings_say(const lp_findings_t *findings);

/* {"lost": 1, ...}; NULL: out of memory. */
json_t *lp_findings_json(const lp_findings_t *findings);

#endif
