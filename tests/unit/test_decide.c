/*
 * Protects the decision: a table with every row and boundary day, and all
 * combinations of up to three rights against the rules read one by one.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/decide.h"

#define UUID  " JOOUVFNgS6SBnwPlm43WeQ"
#define FROM  20260901
#define UNTIL 20270731
#define NONE  (-1) /* no right decided */

typedef struct {
    const char  *rights[4]; /* without the entitlement */
    uint32_t     today;
    lp_outcome_t outcome;
    int          decided;   /* its place among rights */
} row_t;

#define E "E 20260901 20270731"
#define L "L 20260901 20270731"
#define B "B 20260901 20270731"
#define O "O 20260901 20270731"

static const row_t rows[] = {
    {{NULL}, FROM, LP_NO_RIGHT, NONE},

    /* one right: the day before, the first, the last, the day after */
    {{E}, 20260831, LP_NOT_YET, NONE},
    {{E}, FROM, LP_ACTIVATE, 0},
    {{E}, UNTIL, LP_ACTIVATE, 0},
    {{E}, 20270801, LP_ENDED, NONE},
    {{L}, 20260831, LP_NOT_YET, NONE},
    {{L}, FROM, LP_REDIRECT, 0},
    {{L}, UNTIL, LP_REDIRECT, 0},
    {{L}, 20270801, LP_ENDED, NONE},
    {{O}, 20260831, LP_NOT_YET, NONE},
    {{O}, FROM, LP_ACTIVATE, 0},
    {{O}, UNTIL, LP_ACTIVATE, 0},
    {{O}, 20270801, LP_ENDED, NONE},
    {{B}, 20260831, LP_BLOCKED_OUT, NONE},
    {{B}, FROM, LP_BLOCKED_OUT, NONE},
    {{B}, UNTIL, LP_BLOCKED_OUT, NONE},
    {{B}, 20270801, LP_ENDED, NONE},

    /* periods that are open on a side */
    {{"E - 20270731"}, 19960101, LP_ACTIVATE, 0},
    {{"E 20260901 -"}, 99991231, LP_ACTIVATE, 0},
    {{"E - -"}, FROM, LP_ACTIVATE, 0},
    {{"L - -"}, FROM, LP_REDIRECT, 0},
    {{"O - -"}, FROM, LP_ACTIVATE, 0},
    {{"B - -"}, FROM, LP_BLOCKED_OUT, NONE},
    {{"L - 20270731"}, 20270801, LP_ENDED, NONE},
    {{"L 20260901 -"}, 20260831, LP_NOT_YET, NONE},

    /* a licence wins, also when the activation period is over */
    {{"E 20260901 20261001", L}, 20261101, LP_REDIRECT, 1},
    {{E, O, B, L}, FROM, LP_REDIRECT, 3},
    {{"L 20250901 20260731", L}, FROM, LP_REDIRECT, 1},
    {{L, "L - -"}, FROM, LP_REDIRECT, 0},

    /* a block hides entitlements, its end gives them back */
    {{E, B}, FROM, LP_BLOCKED_OUT, NONE},
    {{B, O}, FROM, LP_BLOCKED_OUT, NONE},
    {{"L 20250901 20260731", E, B}, FROM, LP_BLOCKED_OUT, NONE},
    {{"B - 20260831", E}, FROM, LP_ACTIVATE, 1},
    {{"B - 20260901", E}, FROM, LP_BLOCKED_OUT, NONE},

    /* the user's own entitlement before the school's */
    {{O, E}, FROM, LP_ACTIVATE, 1},
    {{O, "E 20270101 20270731"}, FROM, LP_ACTIVATE, 0},
    {{E, "E - -"}, FROM, LP_ACTIVATE, 0},
    {{"E 20270101 -", "E - -"}, FROM, LP_ACTIVATE, 1},
    {{"O - 20260731", O, "O - -"}, FROM, LP_ACTIVATE, 1},

    /* the kindest that is true */
    {{"E - 20260831", "E 20260902 -"}, FROM, LP_NOT_YET, NONE},
    {{"B - 20260831", "L 20260902 -"}, FROM, LP_NOT_YET, NONE},
    {{"L - 20260831", "B - 20260831"}, FROM, LP_ENDED, NONE},
};

static const lp_product_t bought; /* not free */

static void
read_rights(lp_rights_t *rights, const char *const *texts, unsigned max)
{
    char text[LP_RIGHT_MAX + 1];
    int  len;

    for (rights->n = 0; rights->n < max && texts[rights->n]; rights->n++) {
        len = snprintf(text, sizeof(text), "%s" UUID, texts[rights->n]);
        assert_int_equal(lp_right_parse(&rights->list[rights->n],
                                        (lp_span_t) {text, (size_t) len}),
                         0);
    }
}

static void
test_every_row_of_the_table(void **state)
{
    const lp_right_t *right;
    lp_rights_t       rights;
    lp_outcome_t      outcome;
    size_t            i;

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        read_rights(&rights, rows[i].rights, 4);
        right = &rights.list[LP_RIGHTS_MAX - 1];

        outcome = lp_decide(&bought, &rights, rows[i].today, &right);

        if (outcome != rows[i].outcome) {
            print_error("row %zu: %s\n", i, lp_outcome_name(outcome));
        }

        assert_int_equal(outcome, rows[i].outcome);
        assert_ptr_equal(right, rows[i].decided == NONE
                                    ? NULL
                                    : &rights.list[rows[i].decided]);
    }
}

static void
test_free_and_unknown_products_ask_for_no_right(void **state)
{
    static const char *const blocked[] = {"B - -", NULL};
    static const char *const held[] = {L, NULL};
    lp_product_t             open = {.free = 1};
    const lp_right_t        *right;
    lp_rights_t              rights;

    (void) state;

    read_rights(&rights, blocked, 1);
    right = rights.list;
    assert_int_equal(lp_decide(&open, &rights, FROM, &right), LP_REDIRECT);
    assert_null(right);

    read_rights(&rights, held, 1);
    right = rights.list;
    assert_int_equal(lp_decide(&open, &rights, FROM, &right), LP_REDIRECT);
    assert_null(right);

    right = rights.list;
    assert_int_equal(lp_decide(NULL, &rights, FROM, &right),
                     LP_UNKNOWN_PRODUCT);
    assert_null(right);
}

/* The rules, each asked of all rights anew: slow, and one line each. */

static int
begun(const lp_right_t *right, uint32_t today)
{
    return right->from == 0 || right->from <= today;
}

static int
over(const lp_right_t *right, uint32_t today)
{
    return right->until != 0 && right->until < today;
}

static const lp_right_t *
first_valid(const lp_rights_t *rights, lp_state_t kind, uint32_t today)
{
    unsigned i;

    for (i = 0; i < rights->n; i++) {
        if (rights->list[i].state == kind && begun(&rights->list[i], today)
            && !over(&rights->list[i], today)) {
            return &rights->list[i];
        }
    }

    return NULL;
}

static int
any_block(const lp_rights_t *rights, uint32_t today)
{
    unsigned i;

    for (i = 0; i < rights->n; i++) {
        if (rights->list[i].state == LP_BLOCKED
            && !over(&rights->list[i], today)) {
            return 1;
        }
    }

    return 0;
}

static int
any_ahead(const lp_rights_t *rights, uint32_t today)
{
    unsigned i;

    for (i = 0; i < rights->n; i++) {
        if (!begun(&rights->list[i], today)) {
            return 1;
        }
    }

    return 0;
}

static lp_outcome_t
rule_by_rule(const lp_rights_t *rights, uint32_t today,
             const lp_right_t **right)
{
    *right = first_valid(rights, LP_LICENSED, today);
    if (*right != NULL) {
        return LP_REDIRECT;
    }

    if (any_block(rights, today)) {
        return LP_BLOCKED_OUT;
    }

    *right = first_valid(rights, LP_ENTITLED, today);
    if (*right != NULL) {
        return LP_ACTIVATE;
    }

    *right = first_valid(rights, LP_OPEN, today);
    if (*right != NULL) {
        return LP_ACTIVATE;
    }

    if (any_ahead(rights, today)) {
        return LP_NOT_YET;
    }

    /* what is left of the rights is over */
    return rights->n > 0 ? LP_ENDED : LP_NO_RIGHT;
}

static unsigned
alphabet(lp_right_t *letters)
{
    static const lp_state_t states[] = {LP_ENTITLED, LP_LICENSED, LP_BLOCKED,
                                        LP_OPEN};
    /* none, and the day before, today, the day after */
    static const uint32_t   days[] = {0, 20260831, 20260901, 20260902};
    unsigned                s, f, u, n;

    n = 0;

    for (s = 0; s < 4; s++) {
        for (f = 0; f < 4; f++) {
            for (u = 0; u < 4; u++) {
                if (days[f] != 0 && days[u] != 0 && days[f] > days[u]) {
                    continue;
                }

                letters[n] = (lp_right_t) {states[s], days[f], days[u], {0}};
                n++;
            }
        }
    }

    return n;
}

static void
assert_same_answer(const lp_rights_t *rights)
{
    const lp_right_t *fast, *slow;
    lp_outcome_t      outcome;

    outcome = rule_by_rule(rights, FROM, &slow);

    assert_int_equal(lp_decide(&bought, rights, FROM, &fast), outcome);
    assert_ptr_equal(fast, slow);
}

static void
test_all_combinations_of_up_to_three_rights(void **state)
{
    lp_right_t  letters[64];
    lp_rights_t rights;
    unsigned    a, b, c, n;

    (void) state;

    n = alphabet(letters);
    assert_int_equal(n, 4 * 13);

    rights.n = 0;
    assert_same_answer(&rights);

    for (a = 0; a < n; a++) {
        rights.list[0] = letters[a];
        rights.n = 1;
        assert_same_answer(&rights);

        for (b = 0; b < n; b++) {
            rights.list[1] = letters[b];
            rights.n = 2;
            assert_same_answer(&rights);

            rights.n = 3;
            for (c = 0; c < n; c++) {
                rights.list[2] = letters[c];
                assert_same_answer(&rights);
            }
        }
    }
}

static void
test_the_longest_list_is_read_to_its_end(void **state)
{
    const lp_right_t *right;
    lp_rights_t       rights;
    unsigned          i;

    (void) state;

    for (i = 0; i < LP_RIGHTS_MAX; i++) {
        rights.list[i] = (lp_right_t) {LP_OPEN, 0, 0, {0}};
    }

    rights.n = LP_RIGHTS_MAX;
    rights.list[LP_RIGHTS_MAX - 1].state = LP_LICENSED;

    assert_int_equal(lp_decide(&bought, &rights, FROM, &right), LP_REDIRECT);
    assert_ptr_equal(right, &rights.list[LP_RIGHTS_MAX - 1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_of_the_table),
        cmocka_unit_test(test_free_and_unknown_products_ask_for_no_right),
        cmocka_unit_test(test_all_combinations_of_up_to_three_rights),
        cmocka_unit_test(test_the_longest_list_is_read_to_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
