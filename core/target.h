/*
 * Targets: where a product's links lead. A target is a URL, or a template with
 * one {path}, that an operator or a catalogue wrote.
 */

#ifndef LP_TARGET_H
#define LP_TARGET_H

#include "click.h"
#include "span.h"

#define LP_TARGET_MAX   2048 /* bytes of a URL and of a template */
#define LP_LOCATION_MAX (LP_TARGET_MAX + 3 * LP_PATH_MAX)

/* Hosts that targets may have: "host", "*.domain", either with ":port". One
   without a port matches any; "*.domain" all names below, not itself. */
typedef struct {
    const lp_span_t *list;
    unsigned         n; /* 0: any host */
} lp_hosts_t;

typedef enum {
    LP_TARGET_OK = 0,
    LP_TARGET_NONE,      /* no url, or a path and no deep */
    LP_TARGET_MALFORMED, /* not an absolute https URL that a browser and we
                            read alike; more or fewer than one {path} */
    LP_TARGET_HOST       /* a host that is not allowed */
} lp_target_t;

/* Checks a url (deep 0) or template (deep 1) before it is stored. */
lp_target_t lp_target_check(lp_span_t target, int deep,
                            const lp_hosts_t *hosts);

/*
 * Writes the Location: target as it is where path is empty, else the template
 * target with path in the place of {path}; checks it first, as above. dst has
 * room for LP_LOCATION_MAX bytes; no NUL. path is that of lp_click_parse().
 * Targets are https, or http to 127.0.0.0/8, [::1] or "localhost"; no user
 * info; printable ASCII without the characters that browsers drop or turn
 * (backslash, quotes, spaces ...). {path} stands after the authority's slash;
 * in a query or fragment "&", "+", ";", "=" and "#" of the path are
 * percent-encoded.
 */
lp_target_t lp_target_fill(char *dst, size_t *len, lp_span_t target,
                           lp_span_t path, const lp_hosts_t *hosts);

/* A sentence for an operator. */
const char *lp_target_text(lp_target_t target);

#endif
