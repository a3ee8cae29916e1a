/*
 * Right records: whatever Redis holds is refused, or is the only spelling of
 * what it says. The same bytes are read as an outcome of lp_decide(), which
 * must not redirect or activate without a right that is valid that day.
 */

#include <stdint.h>
#include <stdlib.h>

#include "../../core/decide.h"

#define TODAY 20260901

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(int holds);
static void check_decision(const lp_right_t *held);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lp_span_t  text = {(const char *) bytes, len};
    lp_right_t right;
    char       again[LP_RIGHT_MAX];
    lp_span_t  formatted = {again, 0};

    if (lp_right_parse(&right, text) != 0) {
        return 0;
    }

    formatted.len = lp_right_format(again, &right);
    must(formatted.len <= sizeof(again));
    must(lp_span_equal(formatted, text));
    check_decision(&right);

    return 0;
}

static void
check_decision(const lp_right_t *held)
{
    static const lp_product_t product;
    static lp_rights_t        rights;
    const lp_right_t         *right;
    lp_outcome_t              outcome;

    rights.list[0] = *held;
    rights.n = 1;
    outcome = lp_decide(&product, &rights, TODAY, &right);

    if (outcome != LP_REDIRECT && outcome != LP_ACTIVATE) {
        must(right == NULL);
        return;
    }

    must(right == &rights.list[0]);
    must(outcome == LP_REDIRECT ? right->state == LP_LICENSED
                                : right->state == LP_ENTITLED
                                      || right->state == LP_OPEN);
    must(right->from == 0 || right->from <= TODAY);
    must(right->until == 0 || right->until >= TODAY);
}

/* Not assert(), which a build may leave out. */
static void
must(int holds)
{
    if (!holds) {
        abort();
    }
}
