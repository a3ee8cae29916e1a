/*
 * Sentences for people. A terminal obeys escape sequences, so that nothing
 * foreign reaches it but printable ASCII.
 */

#include "say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define ESCAPE_MAX 64 /* bytes of foreign text that are shown, at most */

typedef struct {
    int64_t     seconds;
    const char *name;
} unit_t;

static const unit_t units[] = {
    {86400, "day"},
    {3600, "hour"},
    {60, "minute"},
    {1, "second"},
};

void
lp_say(const char *format, ...)
{
    va_list args;

    fputs("leerpoort: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

const char *
lp_escape(char *dst, lp_span_t text, size_t max)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char     c;
    size_t            i;
    char             *p = dst;

    if (max > ESCAPE_MAX) {
        max = ESCAPE_MAX;
    }
    for (i = 0; i < text.len && i < max; i++) {
        c = (unsigned char) text.data[i];
        if (c > 0x1f && c < 0x7f && c != '\\') {
            *p++ = (char) c;
            continue;
        }
        *p++ = '\\';
        *p++ = 'x';
        *p++ = hex[c >> 4];
        *p++ = hex[c & 15];
    }
    if (i < text.len) {
        memcpy(p, "...", 3);
        p += 3;
    }
    *p = '\0';
    return dst;
}

/* "3 minutes ago", "in 1 day", "now". */
static void
say_distance(char *dst, size_t cap, int64_t distance)
{
    int64_t  n = distance < 0 ? -distance : distance;
    unsigned i = 0;

    if (n == 0) {
        snprintf(dst, cap, "now");
        return;
    }
    while (n < units[i].seconds) {
        i++;
    }
    n /= units[i].seconds;
    snprintf(dst, cap, "%s%" PRId64 " %s%s%s", distance > 0 ? "in " : "", n,
             units[i].name, n == 1 ? "" : "s", distance < 0 ? " ago" : "");
}

const char *
lp_when(char *dst, int64_t at, int64_t now)
{
    struct tm tm;
    time_t    t = (time_t) at;
    char      text[32], distance[40];

    if (gmtime_r(&t, &tm) == NULL
        || strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0) {
        snprintf(dst, LP_WHEN_MAX, "%" PRId64 ", no time of any calendar", at);
        return dst;
    }
    say_distance(distance, sizeof(distance), at - now);
    snprintf(dst, LP_WHEN_MAX, "%s UTC (%s)", text, distance);
    return dst;
}
