/*
 * Folding by a table of the letters that European names have. Anything more
 * (Unicode's collation) would be a library for what a search box needs.
 */

#include "fold.h"

#define TABLE_FIRST 0x00c0
#define TABLE_LAST  0x017f
#define MARKS_FIRST 0x0300 /* combining accents */
#define MARKS_LAST  0x036f

/* U+00C0 to U+017F; "": not a letter, stays as it is. */
static const char letters[TABLE_LAST - TABLE_FIRST + 1][3] = {
    "a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i",
    "i", "d", "n", "o", "o", "o", "o", "o", "", "o", "u", "u", "u", "u", "y",
    "th", "ss", "a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e",
    "i", "i", "i", "i", "d", "n", "o", "o", "o", "o", "o", "", "o", "u", "u",
    "u", "u", "y", "th", "y", "a", "a", "a", "a", "a", "a", "c", "c", "c", "c",
    "c", "c", "c", "c", "d", "d", "d", "d", "e", "e", "e", "e", "e", "e", "e",
    "e", "e", "e", "g", "g", "g", "g", "g", "g", "g", "g", "h", "h", "h", "h",
    "i", "i", "i", "i", "i", "i", "i", "i", "i", "i", "ij", "ij", "j", "j",
    "k", "k", "k", "l", "l", "l", "l", "l", "l", "l", "l", "l", "l", "n", "n",
    "n", "n", "n", "n", "n", "n", "n", "o", "o", "o", "o", "o", "o", "oe",
    "oe", "r", "r", "r", "r", "r", "r", "s", "s", "s", "s", "s", "s", "s", "s",
    "t", "t", "t", "t", "t", "t", "u", "u", "u", "u", "u", "u", "u", "u", "u",
    "u", "u", "u", "w", "w", "y", "y", "y", "z", "z", "z", "z", "z", "z", "s",
};

static size_t put(char *dst, size_t at, const char *bytes, size_t len);
static int two_bytes(lp_span_t text, size_t i);
static int is_apostrophe(lp_span_t text, size_t i);

size_t
lp_fold(char *dst, lp_span_t text)
{
    const char *letter;
    size_t      i, n = 0;
    char        c;
    int         code;

    for (i = 0; i < text.len; i++) {
        code = two_bytes(text, i);
        if (code >= MARKS_FIRST && code <= MARKS_LAST) {
            i++;
            continue;
        }
        letter = code >= TABLE_FIRST && code <= TABLE_LAST
                     ? letters[code - TABLE_FIRST] : "";
        if (letter[0] != '\0') {
            n = put(dst, n, letter, strlen(letter));
            i++;
        } else if (code != -1) {
            n = put(dst, n, text.data + i, 2);
            i++;
        } else if (is_apostrophe(text, i)) {
            n = put(dst, n, "'", 1);
            i += 2;
        } else {
            c = text.data[i];
            c = c >= 'A' && c <= 'Z' ? (char) (c + 'a' - 'A') : c;
            c = (unsigned char) c < ' ' || c == 0x7f ? ' ' : c;
            n = put(dst, n, &c, 1);
        }
    }
    dst[n] = '\0';
    return n;
}

/* What does not fit whole is left out. */
static size_t
put(char *dst, size_t at, const char *bytes, size_t len)
{
    if (len > LP_FOLDED_MAX - 1 - at) {
        return at;
    }
    memcpy(dst + at, bytes, len);
    return at + len;
}

/* The character of two bytes that begins at i; -1: none does. */
static int
two_bytes(lp_span_t text, size_t i)
{
    unsigned char first = (unsigned char) text.data[i], second;

    if (first < 0xc2 || first > 0xdf || i + 1 == text.len) {
        return -1;
    }
    second = (unsigned char) text.data[i + 1];
    return second >= 0x80 && second <= 0xbf
               ? (first & 0x1f) << 6 | (second & 0x3f) : -1;
}

/* U+2018 and U+2019. */
static int
is_apostrophe(lp_span_t text, size_t i)
{
    return text.len - i >= 3
           && (memcmp(text.data + i, "\342\200\230", 3) == 0
               || memcmp(text.data + i, "\342\200\231", 3) == 0);
}
