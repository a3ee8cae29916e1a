/*
 * Keys of usage: put together from parts that were checked before, so that no
 * part can hold what separates them.
 */

#include "usage_keys.h"

#include <inttypes.h>
#include <stdio.h>

#include "../core/keys.h"

static char *put(char *p, lp_span_t text);
static char *put_tag(char *p, lp_span_t type, unsigned shard);

size_t
lp_key_seen(char *dst, unsigned shard, lp_span_t producer, uint64_t part)
{
    char  text[24], *p;
    int   n;

    n = snprintf(text, sizeof(text), ":%" PRIu64, part);
    p = put_tag(dst, lp_span("seen:{"), shard);
    p = put(p, producer);
    p = put(p, (lp_span_t) {text, (size_t) n});

    return (size_t) (p - dst);
}

size_t
lp_key_turn(char *dst, unsigned shard)
{
    /* no name follows the tag, nor its colon */
    return (size_t) (put_tag(dst, lp_span("tally:{"), shard) - dst) - 1;
}

size_t
lp_key_week(char *dst, unsigned shard, lp_span_t school, const char *week)
{
    char *p;

    p = put_tag(dst, lp_span("week:{"), shard);
    p = put(p, school);
    *p++ = ':';
    p = put(p, (lp_span_t) {week, LP_WEEK_LEN});

    return (size_t) (p - dst);
}

size_t
lp_key_readers(char *dst, unsigned shard, lp_span_t school, const char *week,
               lp_span_t product)
{
    char *p;

    p = put_tag(dst, lp_span("readers:{"), shard);
    p = put(p, school);
    *p++ = ':';
    p = put(p, (lp_span_t) {week, LP_WEEK_LEN});
    *p++ = ':';
    p = put(p, product);

    return (size_t) (p - dst);
}

size_t
lp_key_weeks(char *dst, unsigned shard, const char *week)
{
    char *p;

    p = put_tag(dst, lp_span("weeks:{"), shard);
    p = put(p, (lp_span_t) {week, LP_WEEK_LEN});

    return (size_t) (p - dst);
}

size_t
lp_key_known_school(char *dst, lp_span_t school)
{
    char *p;

    p = put_tag(dst, lp_span("school:{"), lp_shard(school));
    p = put(p, school);

    return (size_t) (p - dst);
}

size_t
lp_key_report(char *dst, const char *week, uint32_t day)
{
    lp_span_t name = {week, LP_WEEK_LEN};
    char      text[16], *p;
    int       n;

    p = put_tag(dst, lp_span("report:{"), lp_shard(name));
    p = put(p, name);
    if (day != 0) {
        n = snprintf(text, sizeof(text), ":%" PRIu32, day);
        p = put(p, (lp_span_t) {text, (size_t) n});
    }

    return (size_t) (p - dst);
}

static char *
put(char *p, lp_span_t text)
{
    memcpy(p, text.data, text.len);

    return p + text.len;
}

/* "<type>NN}:"; type ends with the brace. */
static char *
put_tag(char *p, lp_span_t type, unsigned shard)
{
    p = put(p, type);
    *p++ = (char) ('0' + shard / 10 % 10);
    *p++ = (char) ('0' + shard % 10);
    *p++ = '}';
    *p++ = ':';

    return p;
}
