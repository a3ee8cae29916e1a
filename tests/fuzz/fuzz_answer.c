/*
 * An answer of a sick target: whatever the bytes are, the reader says the same
 * in one piece and in many, takes no byte that is not its own, and what it
 * keeps stays within its bounds.
 */

#include "../../loadtest/answer.h"
#include "must.h"

static lp_answer_state_t feed(lp_answer_t *answer, const uint8_t *bytes,
                              size_t len, size_t piece, size_t *used);
static void check(const lp_answer_t *answer);


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static lp_answer_t one, many;
    lp_answer_state_t  state;
    size_t             used_one, used_many;

    if (len == 0) {
        return 0;
    }

    /* the first byte says how long the pieces are */
    state = feed(&one, bytes + 1, len - 1, SIZE_MAX, &used_one);
    must(feed(&many, bytes + 1, len - 1, bytes[0] % 31 + 1, &used_many)
         == state);

    if (state == LP_ANSWER_MORE) {
        must(used_one == len - 1 && used_many == len - 1);
        state = lp_answer_close(&one);
        must(lp_answer_close(&many) == state);
    }
    if (state != LP_ANSWER_WHOLE) {
        return 0;
    }

    must(used_one == used_many);
    check(&one);
    must(one.status == many.status && one.outcome == many.outcome
         && one.keep == many.keep && one.redirects == many.redirects
         && one.location_len == many.location_len);
    must(memcmp(one.location, many.location,
                one.location_len < LP_LOCATION_KEPT ? one.location_len
                                                   : LP_LOCATION_KEPT)
         == 0);
    return 0;
}


/* Each piece in memory of exactly its length. */
static lp_answer_state_t
feed(lp_answer_t *answer, const uint8_t *bytes, size_t len, size_t piece,
     size_t *used)
{
    lp_answer_state_t state = LP_ANSWER_MORE;
    size_t            n, taken;
    char             *copy;

    lp_answer_start(answer);
    *used = 0;

    while (*used < len && state == LP_ANSWER_MORE) {
        n = len - *used < piece ? len - *used : piece;
        copy = malloc(n);
        must(copy != NULL);
        memcpy(copy, bytes + *used, n);
        state = lp_answer_feed(answer, copy, n, &taken);
        free(copy);
        must(taken <= n && (taken == n || state != LP_ANSWER_MORE));
        *used += taken;
    }
    return state;
}


static void
check(const lp_answer_t *answer)
{
    must(answer->status >= 200 && answer->status <= 599);
    must(answer->outcome <= LP_OUTCOME_NONE);
    must(answer->location_len <= LP_LOCATION_KEPT + 1);
    must(answer->redirects || answer->location_len == 0);
    must(answer->location_len > LP_LOCATION_KEPT
         || memchr(answer->location, '\r', answer->location_len) == NULL);
}
