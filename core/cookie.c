/*
 * The header Cookie is whatever a client sent: pairs that are none are passed
 * over, and nothing is decoded.
 */

#include "cookie.h"

lp_span_t
lp_cookie_find(lp_span_t header, lp_span_t name)
{
    const char *end;
    lp_span_t   pair;

    while (header.len > 0) {
        end = memchr(header.data, ';', header.len);
        pair.data = header.data;
        pair.len = end == NULL ? header.len : (size_t) (end - header.data);

        header.data += pair.len + (end != NULL);
        header.len -= pair.len + (end != NULL);

        while (pair.len > 0 && (*pair.data == ' ' || *pair.data == '\t')) {
            pair.data++;
            pair.len--;
        }

        if (pair.len > name.len && pair.data[name.len] == '='
            && memcmp(pair.data, name.data, name.len) == 0) {
            pair.data += name.len + 1;
            pair.len -= name.len + 1;
            return pair;
        }
    }

    return (lp_span_t) {NULL, 0};
}
