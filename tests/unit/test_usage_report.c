/*
 * Protects those who are few: whatever a report tells, no hidden figure can be
 * worked out from it, not even by a school that knows its own. For many small
 * tables the test plays the attacker: it searches for tables that agree with
 * everything that is told, and a hidden cell must be able to take values that
 * are at least hide apart.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../workers/usage_report.h"

#define ROWS    5
#define COLUMNS 3
#define LARGEST 25 /* clicks that the attacker tries for a hidden cell */

/* What the attacker sees, and what he takes for granted. */
typedef struct {
    unsigned n;                /* hidden cells */
    unsigned row[ROWS * COLUMNS], column[ROWS * COLUMNS];
    uint64_t value[ROWS * COLUMNS]; /* the truth, to start the search from */
    int      fixed[ROWS * COLUMNS];  /* he knows it */
    int      placed[ROWS * COLUMNS]; /* in the search */
    int64_t  rest_row[ROWS], rest_column[COLUMNS], rest;
    int      told_row[ROWS], told_column[COLUMNS], told;
    unsigned left_row[ROWS], left_column[COLUMNS], left;
} attack_t;

static uint32_t seed;

/* Always the same numbers: a test must not depend on luck. */
static uint32_t
next(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;

    return (seed >> 8) % below;
}

static void
name_of(char *dst, char kind, unsigned i)
{
    dst[0] = kind;
    dst[1] = (char) ('0' + i);
    dst[2] = '\0';
}

static void
see(attack_t *attack, const lp_report_t *report)
{
    const lp_report_cell_t *cell;
    uint32_t                i;

    memset(attack, 0, sizeof(*attack));
    attack->told = !report->total.hidden;
    attack->rest = (int64_t) report->total.clicks;

    for (i = 0; i < report->schools.n; i++) {
        attack->told_row[i] = !report->school_totals[i].hidden;
        attack->rest_row[i] = (int64_t) report->school_totals[i].clicks;
    }
    for (i = 0; i < report->products.n; i++) {
        attack->told_column[i] = !report->product_totals[i].hidden;
        attack->rest_column[i] = (int64_t) report->product_totals[i].clicks;
    }

    for (i = 0; i < report->n_cells; i++) {
        cell = &report->cells[i];

        if (cell->hidden) {
            attack->row[attack->n] = cell->school;
            attack->column[attack->n] = cell->product;
            attack->value[attack->n] = cell->clicks;
            attack->n++;
            attack->left_row[cell->school]++;
            attack->left_column[cell->product]++;
            attack->left++;
        } else {
            attack->rest_row[cell->school] -= (int64_t) cell->clicks;
            attack->rest_column[cell->product] -= (int64_t) cell->clicks;
            attack->rest -= (int64_t) cell->clicks;
        }
    }
}

/* A line whose sum is told: what is left of it must suffice for the cells that
   are left, and be used up by the last one. */
static int
line_fits(int told, int64_t rest, unsigned left)
{
    return !told || (left == 0 ? rest == 0 : rest >= (int64_t) left);
}

static int
place(attack_t *attack, unsigned i, int64_t value, int back)
{
    unsigned row = attack->row[i], column = attack->column[i];
    int      sign = back ? -1 : 1;

    attack->rest_row[row] -= sign * value;
    attack->rest_column[column] -= sign * value;
    attack->rest -= sign * value;
    attack->left_row[row] -= (unsigned) sign;
    attack->left_column[column] -= (unsigned) sign;
    attack->left -= (unsigned) sign;

    return line_fits(attack->told_row[row], attack->rest_row[row],
                     attack->left_row[row])
           && line_fits(attack->told_column[column],
                        attack->rest_column[column],
                        attack->left_column[column])
           && line_fits(attack->told, attack->rest, attack->left);
}

/* How soon a cell is to be tried, after the one in question: those first that
   share a sum with it, so that what can't be is seen soon. */
static unsigned
turn_of(const attack_t *attack, unsigned i, unsigned which)
{
    unsigned column = attack->column[i], own = attack->column[which];

    if (i == which) {
        return 0;
    }
    if (column == own) {
        return 1;
    }
    return (attack->told_column[column] == attack->told_column[own] ? 2 : 9)
           + column;
}

/* Can the cells that come now be filled, too? */
static int
fill(attack_t *attack, unsigned which, int64_t wanted)
{
    int64_t  value, from = 1, to = LARGEST;
    unsigned i, best = attack->n;
    int      found = 0;

    for (i = 0; i < attack->n; i++) {
        if (!attack->placed[i]
            && (best == attack->n
                || turn_of(attack, i, which)
                       < turn_of(attack, best, which))) {
            best = i;
        }
    }
    if (best == attack->n) {
        return 1;
    }
    if (attack->fixed[best]) {
        from = to = (int64_t) attack->value[best];
    }
    if (best == which) {
        from = to = wanted;
    }

    attack->placed[best] = 1;
    for (value = from; value <= to && !found; value++) {
        found = place(attack, best, value, 0)
                && fill(attack, which, wanted);
        (void) place(attack, best, value, 1);
    }
    attack->placed[best] = 0;

    return found;
}

/* Is there a table in which cell `which` has this value? */
static int
possible(attack_t *attack, unsigned which, int64_t wanted)
{
    return fill(attack, which, wanted);
}

static void
assert_safe(attack_t *attack, unsigned hide)
{
    unsigned i;
    int64_t  value, least, most;

    for (i = 0; i < attack->n; i++) {
        if (attack->fixed[i]) {
            continue;
        }

        least = 0;
        most = 0;
        for (value = 1; value <= LARGEST; value++) {
            if (possible(attack, i, value)) {
                least = least == 0 ? value : least;
                most = value;
            }
        }

        assert_true(least > 0);
        assert_true(most - least >= (int64_t) hide);
    }
}

/* A table in which cells are few, small or large as it comes. */
static void
make_table(lp_report_t *report)
{
    char     school[3], product[3];
    unsigned row, column, readers;

    memset(report, 0, sizeof(*report));

    for (row = 0; row < ROWS; row++) {
        for (column = 0; column < COLUMNS; column++) {
            if (next(4) == 0) {
                continue;
            }
            name_of(school, 's', row);
            name_of(product, 'p', column);
            readers = next(3) == 0 ? 2 + next(3) : next(3);
            assert_int_equal(
                lp_report_add(report, lp_span_of(school),
                              lp_span_of(product),
                              readers + next(3) + (readers == 0), readers),
                0);
        }
    }
}

static void
test_no_hidden_figure_can_be_worked_out(void **state)
{
    lp_report_t report;
    attack_t    attack;
    unsigned    table, school, i, totals = 0, hidden = 0;

    (void) state;

    for (table = 0; table < 1500; table++) {
        seed = table;
        make_table(&report);
        assert_int_equal(lp_report_hide(&report, 2), 0);

        see(&attack, &report);
        hidden += attack.n;
        assert_safe(&attack, 2);

        /* each school looks as well, and knows its own figures */
        for (school = 0; school < report.schools.n; school++) {
            see(&attack, &report);
            for (i = 0; i < attack.n; i++) {
                attack.fixed[i] = attack.row[i] == school;
            }
            assert_safe(&attack, 2);
        }

        for (i = 0; i < report.products.n; i++) {
            totals += !report.product_totals[i].hidden;
        }
        lp_report_free(&report);
    }

    /* it was no empty exercise: much was hidden, and much was told */
    assert_true(hidden > 1000);
    assert_true(totals > 100);
}

/* The attacker of this test is able to find something out. */
static void
test_the_attacker_finds_what_is_not_protected(void **state)
{
    lp_report_t report;
    attack_t    attack;

    (void) state;

    memset(&report, 0, sizeof(report));
    assert_int_equal(lp_report_add(&report, lp_span("a"), lp_span("p"), 3, 1),
                     0);
    assert_int_equal(lp_report_add(&report, lp_span("b"), lp_span("p"), 9, 9),
                     0);
    assert_int_equal(lp_report_hide(&report, 2), 0);
    assert_true(report.product_totals[0].hidden);
    assert_true(report.total.hidden);

    report.product_totals[0].hidden = 0;
    see(&attack, &report);
    assert_int_equal(attack.n, 1);
    assert_true(possible(&attack, 0, 3));
    assert_false(possible(&attack, 0, 2));
    assert_false(possible(&attack, 0, 4));
    lp_report_free(&report);
}

static void
test_few_readers_are_hidden_and_many_are_told(void **state)
{
    lp_report_t report;

    (void) state;

    memset(&report, 0, sizeof(report));
    lp_report_add(&report, lp_span("a"), lp_span("p"), 50, 10);
    lp_report_add(&report, lp_span("a"), lp_span("q"), 500, 9);
    lp_report_add(&report, lp_span("b"), lp_span("p"), 70, 30);
    assert_int_equal(lp_report_hide(&report, 10), 0);

    assert_false(report.cells[0].hidden);
    assert_true(report.cells[1].hidden);
    assert_false(report.cells[2].hidden);

    assert_true(report.school_totals[0].hidden);
    assert_false(report.school_totals[1].hidden);
    assert_int_equal(report.school_totals[1].clicks, 70);
    assert_false(report.product_totals[0].hidden);
    assert_int_equal(report.product_totals[0].clicks, 120);
    assert_true(report.product_totals[1].hidden);
    assert_true(report.total.hidden);
    lp_report_free(&report);
}

/* So that the total can be told, the next smallest are hidden with it. */
static void
test_a_total_is_told_where_enough_hide_behind_it(void **state)
{
    static const unsigned readers[] = {3, 12, 15, 400, 900};
    lp_report_t           report;
    char                  school[3];
    unsigned              i;

    (void) state;

    memset(&report, 0, sizeof(report));
    for (i = 0; i < 5; i++) {
        name_of(school, 's', i);
        lp_report_add(&report, lp_span_of(school), lp_span("p"),
                      4 * readers[i], readers[i]);
    }
    assert_int_equal(lp_report_hide(&report, 10), 0);

    for (i = 0; i < 5; i++) {
        assert_int_equal(report.cells[i].hidden, i < 3);
    }
    assert_false(report.product_totals[0].hidden);
    assert_int_equal(report.product_totals[0].clicks, 4 * 1330);
    assert_false(report.total.hidden);
    lp_report_free(&report);
}

static void
test_a_running_week_is_coarse_and_has_no_totals(void **state)
{
    lp_report_t report;

    (void) state;

    memset(&report, 0, sizeof(report));
    lp_report_add(&report, lp_span("a"), lp_span("p"), 59, 19);
    lp_report_add(&report, lp_span("b"), lp_span("p"), 9, 9);
    assert_int_equal(lp_report_hide(&report, 10), 0);
    lp_report_coarsen(&report, 10);

    assert_int_equal(report.cells[0].clicks, 50);
    assert_int_equal(report.cells[0].readers, 10);
    assert_false(report.cells[0].hidden);
    assert_true(report.cells[1].hidden);
    assert_true(report.school_totals[0].hidden);
    assert_true(report.product_totals[0].hidden);
    assert_true(report.total.hidden);
    lp_report_free(&report);
}

static void
test_hidden_figures_are_not_in_the_json(void **state)
{
    lp_report_t report;
    uint32_t    at = 0;
    json_t     *json;
    char       *text;

    (void) state;

    memset(&report, 0, sizeof(report));
    lp_report_add(&report, lp_span("a"), lp_span("p"), 777, 9);
    lp_report_add(&report, lp_span("b"), lp_span("p"), 70, 30);
    assert_int_equal(lp_report_hide(&report, 10), 0);

    json = lp_report_school_json(&report, &at);
    text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, "{\"school\":\"a\",\"clicks\":null,"
                              "\"products\":[{\"product\":\"p\","
                              "\"clicks\":null,\"readers\":null}]}");
    assert_int_equal(at, 1);
    free(text);
    json_decref(json);

    json = lp_report_totals_json(&report);
    text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, "{\"clicks\":null,\"products\":["
                              "{\"product\":\"p\",\"clicks\":null}]}");
    free(text);
    json_decref(json);
    lp_report_free(&report);
}

static void
test_csv_is_quoted_and_no_formula(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},           {"104A158", "104A158"},
        {"-1", "'-1"},      {"=1+1", "'=1+1"},
        {"@x", "'@x"},      {"+x", "'+x"},
        {"a,b", "\"a,b\""}, {"a\"b", "\"a\"\"b\""},
        {"\ta", "'\ta"},    {"=\"x\"", "\"'=\"\"x\"\"\""},
        {"a\r\nb", "\"a\r\nb\""},
    };
    char   field[64];
    size_t i, len;

    (void) state;

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        len = lp_csv_field(field, lp_span_of(pairs[i][0]));
        assert_int_equal(len, strlen(pairs[i][1]));
        assert_memory_equal(field, pairs[i][1], len);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_hidden_figure_can_be_worked_out),
        cmocka_unit_test(test_the_attacker_finds_what_is_not_protected),
        cmocka_unit_test(test_few_readers_are_hidden_and_many_are_told),
        cmocka_unit_test(test_a_total_is_told_where_enough_hide_behind_it),
        cmocka_unit_test(test_a_running_week_is_coarse_and_has_no_totals),
        cmocka_unit_test(test_hidden_figures_are_not_in_the_json),
        cmocka_unit_test(test_csv_is_quoted_and_no_formula),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
