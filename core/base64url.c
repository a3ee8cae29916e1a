/*
 * Base64url without padding, strict. Called for each part of each new token,
 * so that it works on four characters at a time, from one table.
 */

#include "base64url.h"

#include <stdint.h>

#define NONE 0xff

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789-_";

/* The value of each character; NONE has bits that no value has. */
static const uint8_t values[256] = {
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, 62,   NONE, NONE,
    52,   53,   54,   55,   56,   57,   58,   59,   60,   61,   NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, 0,    1,    2,    3,    4,    5,    6,
    7,    8,    9,    10,   11,   12,   13,   14,   15,   16,   17,   18,
    19,   20,   21,   22,   23,   24,   25,   NONE, NONE, NONE, NONE, 63,
    NONE, 26,   27,   28,   29,   30,   31,   32,   33,   34,   35,   36,
    37,   38,   39,   40,   41,   42,   43,   44,   45,   46,   47,   48,
    49,   50,   51,   NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE};

static int decode_rest(unsigned char *dst, const unsigned char *src,
                       size_t rest);

int
lp_base64url_decode(unsigned char *dst, size_t cap, size_t *len,
                    lp_span_t text)
{
    size_t               i, rest;
    uint8_t              a, b, c, d;
    const unsigned char *src;

    rest = text.len % 4;
    src = (const unsigned char *) text.data;

    /* divided first: no length can overflow */
    if (rest == 1 || text.len / 4 * 3 + LP_BASE64URL_DECODED(rest) > cap) {
        return -1;
    }

    for (i = 0; i < text.len - rest; i += 4) {
        a = values[src[i]];
        b = values[src[i + 1]];
        c = values[src[i + 2]];
        d = values[src[i + 3]];

        if ((a | b | c | d) > 63) {
            return -1;
        }

        *dst++ = (unsigned char) (a << 2 | b >> 4);
        *dst++ = (unsigned char) (b << 4 | c >> 2);
        *dst++ = (unsigned char) (c << 6 | d);
    }

    if (rest != 0 && decode_rest(dst, src + i, rest) != 0) {
        return -1;
    }

    *len = text.len / 4 * 3 + LP_BASE64URL_DECODED(rest);
    return 0;
}


/* Two or three characters: one or two bytes and bits that must be zero. */
static int
decode_rest(unsigned char *dst, const unsigned char *src, size_t rest)
{
    uint8_t a, b, c;

    a = values[src[0]];
    b = values[src[1]];
    c = rest == 3 ? values[src[2]] : 0;

    if ((a | b | c) > 63) {
        return -1;
    }

    if (rest == 2) {
        dst[0] = (unsigned char) (a << 2 | b >> 4);
        return (b & 0x0f) == 0 ? 0 : -1;
    }

    dst[0] = (unsigned char) (a << 2 | b >> 4);
    dst[1] = (unsigned char) (b << 4 | c >> 2);

    return (c & 0x03) == 0 ? 0 : -1;
}


size_t
lp_base64url_encode(char *dst, const unsigned char *src, size_t len)
{
    char  *p;
    size_t i;

    p = dst;

    for (i = 0; i + 2 < len; i += 3) {
        *p++ = alphabet[src[i] >> 2];
        *p++ = alphabet[(src[i] & 0x03) << 4 | src[i + 1] >> 4];
        *p++ = alphabet[(src[i + 1] & 0x0f) << 2 | src[i + 2] >> 6];
        *p++ = alphabet[src[i + 2] & 0x3f];
    }

    if (i + 1 == len) {
        *p++ = alphabet[src[i] >> 2];
        *p++ = alphabet[(src[i] & 0x03) << 4];

    } else if (i + 2 == len) {
        *p++ = alphabet[src[i] >> 2];
        *p++ = alphabet[(src[i] & 0x03) << 4 | src[i + 1] >> 4];
        *p++ = alphabet[(src[i + 1] & 0x0f) << 2];
    }

    return (size_t) (p - dst);
}
