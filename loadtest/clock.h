/*
 * The clocks: one that only goes forward, from whenever, by which all is
 * measured and all processes of a machine agree; and the wall's.
 */

#ifndef LP_CLOCK_H
#define LP_CLOCK_H

#include <stdint.h>
#include <time.h>

#define LP_SECOND_NS INT64_C(1000000000)

static inline int64_t
lp_clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);

    return (int64_t) now.tv_sec * LP_SECOND_NS + now.tv_nsec;
}

static inline int64_t
lp_now_ns(void)
{
    return lp_clock_ns(CLOCK_MONOTONIC);
}

static inline int64_t
lp_now_ms(void)
{
    return lp_now_ns() / 1000000;
}

/* Unix time. */
static inline int64_t
lp_wall_ns(void)
{
    return lp_clock_ns(CLOCK_REALTIME);
}

#endif
