/*
 * A uuid's 16 bytes: 32 hexadecimal digits with hyphens (RFC 9562) outside, 22
 * characters of base64url inside Redis, where every byte is paid 48 million
 * times.
 */

#include "entitlement.h"

#include "base64url.h"

#define UUID_BYTES 16

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* A hyphen stands before these bytes. */
static int
hyphen_before(unsigned byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

static int
read_uuid(unsigned char *bytes, const char *text)
{
    unsigned i;
    int      high, low;

    for (i = 0; i < UUID_BYTES; i++) {
        if (hyphen_before(i) && *text++ != '-') {
            return -1;
        }
        high = hex_value(text[0]);
        low = high < 0 ? -1 : hex_value(text[1]);
        if (low < 0) {
            return -1;
        }
        bytes[i] = (unsigned char) (high * 16 + low);
        text += 2;
    }
    return 0;
}

int
lp_entitlement_read(char *dst, const char *text)
{
    unsigned char bytes[UUID_BYTES];
    size_t        len = strlen(text);

    if (len == LP_ENTITLEMENT_LEN) {
        if (lp_base64url_decode(bytes, sizeof(bytes), &len,
                                lp_span_of(text)) != 0) {
            return -1;
        }
    } else if (len != LP_UUID_LEN || read_uuid(bytes, text) != 0) {
        return -1;
    }
    lp_base64url_encode(dst, bytes, UUID_BYTES);
    return 0;
}

const char *
lp_entitlement_uuid(char *dst, const char *entitlement)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char     bytes[UUID_BYTES] = {0};
    size_t            len;
    unsigned          i;
    char             *p = dst;

    lp_base64url_decode(bytes, sizeof(bytes), &len,
                        (lp_span_t) {entitlement, LP_ENTITLEMENT_LEN});
    for (i = 0; i < UUID_BYTES; i++) {
        if (hyphen_before(i)) {
            *p++ = '-';
        }
        *p++ = hex[bytes[i] >> 4];
        *p++ = hex[bytes[i] & 15];
    }
    *p = '\0';
    return dst;
}
