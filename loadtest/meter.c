/*
 * The clock is read each time, the screen is written to five times a second.
 */

#include "meter.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"

#define BAR_MS    200
#define LINE_MS   10000
#define BAR_WIDTH 24

static void draw(lp_meter_t *meter, uint64_t done, double seconds);

void
lp_meter_begin(lp_meter_t *meter, const char *what, uint64_t before,
               uint64_t all)
{
    meter->what = what;
    meter->before = before;
    meter->all = all;
    meter->terminal = isatty(STDERR_FILENO);
    meter->drawn = 0;
    meter->started = lp_now_ms();
    meter->next = meter->started + (meter->terminal ? BAR_MS : LINE_MS);
}

void
lp_meter_show(lp_meter_t *meter, uint64_t done)
{
    int64_t now = lp_now_ms();

    if (now >= meter->next) {
        draw(meter, done, (double) (now - meter->started) / 1000);
        meter->next = now + (meter->terminal ? BAR_MS : LINE_MS);
    }
}

double
lp_meter_end(lp_meter_t *meter)
{
    if (meter->drawn && meter->terminal) {
        fputs("\r\033[K", stderr);
        meter->drawn = 0;
    }

    return (double) (lp_now_ms() - meter->started) / 1000;
}

static void
draw(lp_meter_t *meter, uint64_t done, double seconds)
{
    char     bar[BAR_WIDTH + 1];
    unsigned i, part;
    double   rate = seconds > 0 ? (double) (done - meter->before) / seconds : 0;

    if (meter->all == 0) {
        fprintf(stderr, "%s%" PRIu64 " %s, %.0f/s%s",
                meter->terminal ? "\r" : "", done, meter->what, rate,
                meter->terminal ? "\033[K" : "\n");
        meter->drawn = 1;
        return;
    }

    part = (unsigned) ((double) BAR_WIDTH * (double) done
                       / (double) meter->all);
    for (i = 0; i < BAR_WIDTH; i++) {
        bar[i] = i < part ? '#' : '.';
    }
    bar[BAR_WIDTH] = '\0';

    fprintf(stderr, "%s[%s] %3.0f %%  %" PRIu64 " %s, %.0f/s, %.0f s left%s",
            meter->terminal ? "\r" : "", bar,
            100.0 * (double) done / (double) meter->all, done, meter->what,
            rate, rate > 0 ? ((double) meter->all - (double) done) / rate : 0,
            meter->terminal ? "\033[K" : "\n");
    meter->drawn = 1;
}
