/*
 * Which school has which algorithm. Not drawn: of three schools all would
 * often have the same. Multiples of the golden ratio fill 0 to 1 evenly from
 * the first on.
 */

#include "token_algs.h"

#include <string.h>

#define WEIGHT_MAX 1000000
#define GOLDEN     0x9e3779b97f4a7c15U /* 2^64 / phi */

/* "70" -> 70; 0: none of ours. */
static uint32_t
read_weight(const char *text, size_t len)
{
    uint32_t weight = 0;
    size_t   i;

    if (len == 0 || len > 7) {
        return 0;
    }
    for (i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return 0;
        }
        weight = weight * 10 + (uint32_t) (text[i] - '0');
    }
    return weight > WEIGHT_MAX ? 0 : weight;
}

static int
read_one(lp_token_algs_t *algs, const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);
    size_t      name = colon == NULL ? len : (size_t) (colon - text);
    uint32_t    weight = 1;
    lp_alg_t    alg = lp_alg_find((lp_span_t) {text, name});

    if (colon != NULL) {
        weight = read_weight(colon + 1, len - name - 1);
    }
    if (weight == 0 || !lp_algs_has(&lp_algs_token, alg)
        || lp_algs_add(&algs->algs, alg) != 0) {
        return -1;
    }
    algs->weight[algs->algs.n - 1] = weight;
    algs->sum += weight;
    return 0;
}

int
lp_token_algs_read(lp_token_algs_t *algs, const char *text)
{
    size_t len;

    memset(algs, 0, sizeof(*algs));
    for (;;) {
        len = strcspn(text, ",");
        if (read_one(algs, text, len) != 0) {
            return -1;
        }
        text += len;
        if (*text == '\0') {
            return 0;
        }
        text++;
    }
}

unsigned
lp_token_algs_of(const lp_token_algs_t *algs, uint32_t school)
{
    uint64_t at, sum = 0;
    unsigned i;

    at = (uint64_t) (((unsigned __int128) (GOLDEN * (school + 1ULL))
                      * algs->sum) >> 64);
    for (i = 0; i + 1 < algs->algs.n; i++) {
        sum += algs->weight[i];
        if (at < sum) {
            break;
        }
    }
    return i;
}
