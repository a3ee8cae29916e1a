/*
 * strptime() also takes what RFC 3339 does not allow: blanks, single digits, a
 * thirty-first of every month. So each digit is looked at here.
 */

#include "written_time.h"

#include <string.h>
#include <time.h>

#include "../core/chars.h"
#include "../core/day.h"

static int two_digits(const char *text, int *n);

uint32_t
lp_date_read(const char *text)
{
    uint32_t day = 0;
    unsigned i;

    for (i = 0; i < LP_DATE_LEN; i++) {
        if (i == 4 || i == 7) {
            if (text[i] != '-') {
                return 0;
            }
        } else if (!lp_char_is((unsigned char) text[i], LP_CHAR_DIGIT)) {
            return 0;
        } else {
            day = day * 10 + (uint32_t) (text[i] - '0');
        }
    }
    return lp_day_valid(day) ? day : 0;
}

int64_t
lp_date_time_read(const char *text)
{
    struct tm tm = {0};
    uint32_t  day;
    int       hours = 0, minutes = 0, sign;

    if (strlen(text) < LP_DATE_LEN + 10) {
        return -1;
    }
    day = lp_date_read(text);
    if (day == 0 || (text[10] != 'T' && text[10] != 't' && text[10] != ' ')
        || two_digits(text + 11, &tm.tm_hour) != 0 || text[13] != ':'
        || two_digits(text + 14, &tm.tm_min) != 0 || text[16] != ':'
        || two_digits(text + 17, &tm.tm_sec) != 0 || tm.tm_hour > 23
        || tm.tm_min > 59 || tm.tm_sec > 60) {
        return -1;
    }
    tm.tm_year = (int) (day / 10000) - 1900;
    tm.tm_mon = (int) (day / 100 % 100) - 1;
    tm.tm_mday = (int) (day % 100);
    text += 19;
    if (*text == '.') {
        text += 1 + strspn(text + 1, "0123456789");
    }
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
        return timegm(&tm);
    }
    sign = *text == '+' ? 1 : *text == '-' ? -1 : 0;
    if (sign == 0 || strlen(text) != 6 || two_digits(text + 1, &hours) != 0
        || text[3] != ':' || two_digits(text + 4, &minutes) != 0 || hours > 23
        || minutes > 59) {
        return -1;
    }
    return timegm(&tm) - sign * (hours * 3600 + minutes * 60);
}

static int
two_digits(const char *text, int *n)
{
    if (!lp_char_is((unsigned char) text[0], LP_CHAR_DIGIT)
        || !lp_char_is((unsigned char) text[1], LP_CHAR_DIGIT)) {
        return -1;
    }
    *n = (text[0] - '0') * 10 + text[1] - '0';
    return 0;
}
