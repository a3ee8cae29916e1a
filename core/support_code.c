/*
 * Fifty bits as ten characters of Crockford's Base32, five bits each:
 *
 *     version 2 | problem 6 | reason 6 | minute 23 | salt 8 | check 5
 *
 * The minute counts from 1 January 2026 UTC and lasts until December 2041; a
 * time outside is written as the first or the last minute.
 *
 * The check is over GF(32): with c0 to c9 the characters' values and a = 2, a
 * generator of the field (x^5 + x^2 + 1), the sum of c[i] * a^(9 - i) is 0. The
 * ten weights differ and none is 0, therefore no single wrong character and no
 * two characters that changed places, neighbours or not, leave it 0. Of codes
 * made up one in 32 passes this, fewer the rest.
 */

#include "support_code.h"

#include <assert.h>

#include "jose_error.h"
#include "launch_fault.h"

#define CHARACTERS  10
#define HYPHEN      5 /* characters before it */
#define MINUTES_MAX 0x7fffff
#define FIRST       INT64_C(1767225600) /* 2026-01-01 00:00 UTC */
#define VERSION     0
#define READ_MAX    64 /* bytes that somebody may have typed for a code */

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static_assert((int) LP_JOSE_ERRORS <= (int) LP_LTI_VERSION
                  && LP_LTI_FAULTS == 64,
              "reasons have six bits");

static unsigned check_over(const unsigned char *values, unsigned n);
static int unpack(lp_support_code_t *code, uint64_t bits);
static int read_values(unsigned char *values, lp_span_t text);
static int value_of(char c);

void
lp_support_code_write(char *dst, const lp_support_code_t *code)
{
    unsigned char values[CHARACTERS];
    uint64_t      bits;
    int64_t       minute;
    unsigned      i;

    minute = code->at < FIRST ? 0 : (code->at - FIRST) / 60;
    if (minute > MINUTES_MAX) {
        minute = MINUTES_MAX;
    }

    bits = (uint64_t) VERSION << 43;
    bits |= (uint64_t) ((unsigned) code->problem & 0x3f) << 37;
    bits |= (uint64_t) (code->reason > 0x3f ? 0 : code->reason) << 31;
    bits |= (uint64_t) minute << 8;
    bits |= code->salt & 0xff;

    for (i = 0; i < CHARACTERS - 1; i++) {
        values[i] = bits >> (5 * (CHARACTERS - 2 - i)) & 0x1f;
    }

    /* what makes the sum 0 is what is missing of it */
    values[CHARACTERS - 1] = 0;
    values[CHARACTERS - 1] = (unsigned char) check_over(values, CHARACTERS);

    for (i = 0; i < CHARACTERS; i++) {
        if (i == HYPHEN) {
            *dst++ = '-';
        }
        *dst++ = alphabet[values[i]];
    }
}

int
lp_support_code_read(lp_support_code_t *code, lp_span_t text)
{
    unsigned char values[CHARACTERS];
    uint64_t      bits;
    unsigned      i;

    if (read_values(values, text) != 0
        || check_over(values, CHARACTERS) != 0) {
        return -1;
    }

    bits = 0;
    for (i = 0; i < CHARACTERS - 1; i++) {
        bits = bits << 5 | values[i];
    }

    return unpack(code, bits);
}

static int
unpack(lp_support_code_t *code, uint64_t bits)
{
    unsigned problem;

    problem = bits >> 37 & 0x3f;
    code->reason = bits >> 31 & 0x3f;
    code->at = FIRST + (int64_t) (bits >> 8 & MINUTES_MAX) * 60;
    code->salt = bits & 0xff;

    if (bits >> 43 != VERSION || !lp_problem_exists(problem)
        || (code->reason >= LP_JOSE_ERRORS
            && !lp_lti_fault_exists(code->reason))) {
        return -1;
    }

    code->problem = (lp_problem_t) problem;

    return 0;
}

/* The weighted sum, by Horner's rule. */
static unsigned
check_over(const unsigned char *values, unsigned n)
{
    unsigned i, sum;

    sum = 0;
    for (i = 0; i < n; i++) {
        sum <<= 1;
        if (sum & 0x20) {
            sum ^= 0x25;
        }
        sum ^= values[i];
    }

    return sum;
}

static int
read_values(unsigned char *values, lp_span_t text)
{
    size_t   i;
    unsigned n;
    int      value;

    if (text.len > READ_MAX) {
        return -1;
    }

    n = 0;
    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '-' || text.data[i] == ' ') {
            continue;
        }
        value = value_of(text.data[i]);
        if (value == -1 || n == CHARACTERS) {
            return -1;
        }
        values[n++] = (unsigned char) value;
    }

    return n == CHARACTERS ? 0 : -1;
}

static int
value_of(char c)
{
    const char *at;

    if (c >= 'a' && c <= 'z') {
        c = (char) (c - 'a' + 'A');
    }
    if (c == 'O') {
        c = '0';
    }
    if (c == 'I' || c == 'L') {
        c = '1';
    }

    at = c == '\0' ? NULL : strchr(alphabet, c);

    return at == NULL ? -1 : (int) (at - alphabet);
}
