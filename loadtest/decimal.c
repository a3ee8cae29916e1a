/*
 * strtod() takes "nan", "0x1p3" and whatever the locale calls a point.
 */

#include "decimal.h"

#include <string.h>

#include "../workers/say.h"

#define DIGITS_MAX 24 /* with the point; a double has 17 */
#define MOST       1e6

int
lp_decimal_read(double *number, const char *text, size_t len)
{
    size_t i;
    double value = 0, unit = 1;
    int    point = 0;

    if (len == 0 || len > DIGITS_MAX || text[0] == '.'
        || text[len - 1] == '.') {
        return -1;
    }
    for (i = 0; i < len; i++) {
        if (text[i] == '.' && !point) {
            point = 1;
            continue;
        }
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        value = value * 10 + (text[i] - '0');
        unit *= point ? 10 : 1;
    }
    *number = value / unit;
    return 0;
}

int
lp_decimal_option(const lp_args_t *args, unsigned option, const char *name,
                  double *number)
{
    const char *text = args->value[option];
    double      value;

    if (text == NULL) {
        return LP_YES;
    }
    if (lp_decimal_read(&value, text, strlen(text)) != 0 || !(value > 0)
        || value > MOST) {
        return lp_args_refuse(args, "--%s takes a number above 0: 0.1", name);
    }
    *number = value;
    return LP_YES;
}
