/*
 * NH over pairs of words of 64 bits: both are added to words of the key, and
 * the sum of the products is the hash. The second time the key is moved on by a
 * pair (the Toeplitz construction of UMAC), which makes 2^-128 of 2^-64. A text
 * is filled up with zeros; its length is added, so that they count as well.
 */

#include "token_mark.h"

#define PAIR 16 /* bytes of a pair of words */

__extension__ typedef unsigned __int128 sum_t;

static sum_t product(const char *pair, const uint64_t *key);
static uint64_t word(const char *text);

void
lp_token_mark(lp_token_mark_t *mark, const lp_token_mark_key_t *key,
              lp_span_t text)
{
    char            last[PAIR] = {0};
    sum_t           first, second;
    size_t          i;
    const uint64_t *k;

    first = text.len;
    second = text.len;
    k = key->words;

    for (i = 0; i + PAIR <= text.len; i += PAIR) {
        first += product(text.data + i, k);
        second += product(text.data + i, k + 2);
        k += 2;
    }

    if (i < text.len) {
        memcpy(last, text.data + i, text.len - i);
        first += product(last, k);
        second += product(last, k + 2);
    }

    mark->words[0] = (uint64_t) first;
    mark->words[1] = (uint64_t) (first >> 64);
    mark->words[2] = (uint64_t) second;
    mark->words[3] = (uint64_t) (second >> 64);
}


int
lp_token_mark_equal(const lp_token_mark_t *a, const lp_token_mark_t *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}


static sum_t
product(const char *pair, const uint64_t *key)
{
    return (sum_t) (word(pair) + key[0]) * (word(pair + PAIR / 2) + key[1]);
}


static uint64_t
word(const char *text)
{
    uint64_t value;

    memcpy(&value, text, sizeof(value));

    return value;
}
