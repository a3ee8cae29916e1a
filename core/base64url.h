/*
 * Base64url without padding (RFC 4648 section 5, RFC 7515 appendix C), strict:
 * one text for each value and one value for each text.
 */

#ifndef LP_BASE64URL_H
#define LP_BASE64URL_H

#include "span.h"

/* Characters that n bytes become; bytes that n characters can become. */
#define LP_BASE64URL_ENCODED(n) (((n) * 4 + 2) / 3)
#define LP_BASE64URL_DECODED(n) ((n) * 3 / 4)

/*
 * Decodes text into dst, which has room for cap bytes.
 * Returns 0 and sets *len; -1 for padding, white space, a character outside
 * the alphabet, a length of 4n + 1, unused bits that are not zero, or no room.
 */
int lp_base64url_decode(unsigned char *dst, size_t cap, size_t *len,
                        lp_span_t text);

/*
 * Encodes len bytes into dst, which has room for LP_BASE64URL_ENCODED(len)
 * characters; writes no NUL. Returns the number of characters.
 */
size_t lp_base64url_encode(char *dst, const unsigned char *src, size_t len);

#endif
