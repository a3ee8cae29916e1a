/*
 * The consent is public: whoever may see the path sees it, so it holds a hash,
 * and only who has the token can make use of it. It ends by itself, on a day
 * that its operator chose: a line that is forgotten in a configuration does
 * not open that edge for ever.
 */

#include "opt_in.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <strings.h>

#include "../core/chars.h"
#include "../core/day.h"
#include "../workers/input.h"
#include "../workers/say.h"

#define WORDS 3

int
lp_opt_in_hash(char hex[LP_OPT_IN_HEX], lp_span_t token)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned      i, len = 0;

    if (EVP_Digest(token.data, token.len, digest, &len, EVP_sha256(), NULL)
        != 1) {
        return -1;
    }
    for (i = 0; i < len; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    return 0;
}

int
lp_opt_in_file(char hex[LP_OPT_IN_HEX], const char *path)
{
    lp_input_t input;
    size_t     len;
    int        rc = -1;

    if (lp_input_file(&input, path, LP_OPT_IN_MAX) != 0) {
        return -1;
    }
    lp_input_warn_open(path, "the opt-in token");
    len = input.len;
    if (len > 0 && input.bytes[len - 1] == '\n') {
        len--;
    }
    if (len < LP_OPT_IN_MIN) {
        lp_say("the token in %s has %zu bytes; it takes at least %d, such as "
               "those of: openssl rand -hex 32", path, len, LP_OPT_IN_MIN);
    } else {
        rc = lp_opt_in_hash(hex, (lp_span_t) {input.bytes, len});
    }
    lp_input_free(&input);
    return rc;
}

static int
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Cuts text into words; returns how many there are, WORDS + 1 for more. */
static unsigned
cut_words(lp_span_t word[WORDS], lp_span_t text)
{
    size_t   i = 0, start;
    unsigned n = 0;

    for (;;) {
        while (i < text.len && is_blank(text.data[i])) {
            i++;
        }
        if (i == text.len || n == WORDS) {
            return i == text.len ? n : WORDS + 1;
        }
        start = i;
        while (i < text.len && !is_blank(text.data[i])) {
            i++;
        }
        word[n++] = (lp_span_t) {text.data + start, i - start};
    }
}

/* What follows a prefix, where the whole is so long; else data is NULL. */
static lp_span_t
behind(lp_span_t word, lp_span_t prefix, size_t len)
{
    if (word.len != prefix.len + len
        || memcmp(word.data, prefix.data, prefix.len) != 0) {
        return (lp_span_t) {NULL, 0};
    }
    return (lp_span_t) {word.data + prefix.len, len};
}

static uint32_t
read_day(lp_span_t text)
{
    uint32_t day = 0;
    size_t   i;

    for (i = 0; i < text.len; i++) {
        if (!lp_char_is((unsigned char) text.data[i], LP_CHAR_DIGIT)) {
            return 0;
        }
        day = day * 10 + (uint32_t) (text.data[i] - '0');
    }
    return lp_day_valid(day) ? day : 0;
}

lp_opt_in_t
lp_opt_in_judge(lp_span_t body, const char *hex, uint32_t today)
{
    lp_span_t word[WORDS], hash, day;
    uint32_t  until;
    size_t    i;

    if (body.len > LP_OPT_IN_MAX || cut_words(word, body) != WORDS
        || !lp_span_equal(word[0], lp_span("leerpoort-load"))) {
        return LP_OPT_IN_NONE;
    }
    hash = behind(word[1], lp_span("sha256:"), LP_OPT_IN_HEX - 1);
    day = behind(word[2], lp_span("until:"), 8);
    if (hash.data == NULL || day.data == NULL) {
        return LP_OPT_IN_NONE;
    }
    for (i = 0; i < hash.len; i++) {
        if (!lp_char_is((unsigned char) hash.data[i], LP_CHAR_HEX)) {
            return LP_OPT_IN_NONE;
        }
    }
    until = read_day(day);
    if (until == 0) {
        return LP_OPT_IN_NONE;
    }
    if (strncasecmp(hash.data, hex, hash.len) != 0) {
        return LP_OPT_IN_OTHER;
    }
    return until < today ? LP_OPT_IN_PAST : LP_OPT_IN_GIVEN;
}
