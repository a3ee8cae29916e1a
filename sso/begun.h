/*
 * What has begun and waits for its browser to come back: a sign-in, an LTI
 * launch. In Redis under the hash of state, a hash of short texts, for ten
 * minutes, taken out by who comes first.
 *
 * How many may begin is counted by the minute in Redis, over all processes:
 * whoever comes without end fills no more of Redis than ten such minutes.
 */

#ifndef LP_BEGUN_H
#define LP_BEGUN_H

#include "secret.h"
#include "sso.h"

#define LP_BEGUN_LIFE 600 /* seconds: a person who types a password, twice */

typedef enum {
    LP_BEGUN_OK = 0,
    LP_BEGUN_UNKNOWN,   /* no such state: used, old, invented */
    LP_BEGUN_OTHER,     /* of another browser */
    LP_BEGUN_NO_COOKIE, /* the browser has none; launches go without */
    LP_BEGUN_TOO_MANY,  /* in this minute */
    LP_BEGUN_FAILED     /* Redis */
} lp_begun_t;

/* One text of it: a field of the hash. */
typedef struct {
    const char *name;
    char       *text;  /* NUL-terminated */
    size_t      size;  /* its room */
    int         whole; /* it fills its room: another length is none of ours */
} lp_begun_text_t;

/* Counts one more of this minute, under "<counter>:<minute>". OK, TOO_MANY,
   FAILED. */
lp_begun_t lp_begun_count(lp_sso_t *sso, const char *counter);

/* Writes the texts. OK, FAILED. */
lp_begun_t lp_begun_write(lp_sso_t *sso, lp_span_t key,
                          const lp_begun_text_t *texts, unsigned n);

/* Reads them, and leaves them there. OK, UNKNOWN, FAILED. */
lp_begun_t lp_begun_read(lp_sso_t *sso, lp_span_t key,
                         const lp_begun_text_t *texts, unsigned n);

/* Deletes it. Who deletes it has it: OK; of two that come with one state, one
   gets UNKNOWN. FAILED. */
lp_begun_t lp_begun_take(lp_sso_t *sso, lp_span_t key);

/* A cookie that we made: a secret. len 0: absent, or none of ours. */
lp_span_t lp_begun_cookie(const lp_visit_t *visit, const char *name);

#endif
