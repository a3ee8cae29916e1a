/*
 * Protects the reader of lines: however the bytes arrive, the same lines come
 * out; one that is too long costs itself and no other; a cut is no line.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../workers/ndjson.h"

typedef struct {
    const char *bytes;
    size_t      len;
    size_t      at;
    size_t      step; /* bytes of one read, at most */
    int         fails;
} source_t;

static int
read_source(void *from, char *dst, size_t max)
{
    source_t *source = from;
    size_t    n = source->len - source->at;

    assert_true(max > 0);
    n = n > source->step ? source->step : n;
    n = n > max ? max : n;
    if (n == 0) {
        return source->fails ? -1 : 0;
    }
    memcpy(dst, source->bytes + source->at, n);
    source->at += n;
    return (int) n;
}

static void
expect(lp_ndjson_t *lines, uint64_t number, const char *text)
{
    lp_span_t line;
    uint64_t  n;

    assert_int_equal(lp_ndjson_next(lines, &line, &n), LP_NDJSON_LINE);
    assert_int_equal(n, number);
    assert_int_equal(line.len, strlen(text));
    assert_memory_equal(line.data, text, line.len);
}

static void
test_lines_are_the_same_however_bytes_arrive(void **state)
{
    static const char text[] = "{\"a\":1}\n\n  \r\n{\"b\":2}\r\n{\"c\":3}";
    size_t            step;
    source_t          source;
    lp_ndjson_t      *lines;
    lp_span_t         line;
    uint64_t          n;

    (void) state;
    for (step = 1; step <= sizeof(text); step++) {
        source = (source_t) {text, sizeof(text) - 1, 0, step, 0};
        lines = lp_ndjson_create(read_source, &source);
        expect(lines, 1, "{\"a\":1}");
        expect(lines, 4, "{\"b\":2}");
        expect(lines, 5, "{\"c\":3}");
        assert_int_equal(lp_ndjson_next(lines, &line, &n), LP_NDJSON_END);
        assert_int_equal(lp_ndjson_taken(lines), sizeof(text) - 1);
        lp_ndjson_destroy(lines);
    }
}

/* One line of len bytes between two short ones. */
static char *
around(size_t len, size_t *all)
{
    char *text = malloc(len + 6);

    assert_non_null(text);
    memcpy(text, "1\n", 2);
    memset(text + 2, 'x', len);
    memcpy(text + 2 + len, "\n2\n", 3);
    *all = len + 5;
    return text;
}

static void
test_a_line_too_long_costs_itself_alone(void **state)
{
    static const size_t lengths[] = {
        LP_NDJSON_LINE_MAX - 1,     LP_NDJSON_LINE_MAX,
        LP_NDJSON_LINE_MAX + 1,     LP_NDJSON_LINE_MAX + 2,
        2 * LP_NDJSON_LINE_MAX - 2, 2 * LP_NDJSON_LINE_MAX,
        2 * LP_NDJSON_LINE_MAX + 1, 5 * LP_NDJSON_LINE_MAX};
    static const size_t steps[] = {1000, 65536, 1 << 20};
    size_t              i, j, all;
    source_t            source;
    lp_ndjson_t        *lines;
    lp_span_t           line;
    uint64_t            n;
    char               *text;

    (void) state;
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        text = around(lengths[i], &all);
        for (j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
            source = (source_t) {text, all, 0, steps[j], 0};
            lines = lp_ndjson_create(read_source, &source);
            expect(lines, 1, "1");
            assert_int_equal(lp_ndjson_next(lines, &line, &n),
                             lengths[i] > LP_NDJSON_LINE_MAX ? LP_NDJSON_LONG
                                                             : LP_NDJSON_LINE);
            assert_int_equal(n, 2);
            expect(lines, 3, "2");
            assert_int_equal(lp_ndjson_taken(lines), all);
            assert_int_equal(lp_ndjson_next(lines, &line, &n), LP_NDJSON_END);
            lp_ndjson_destroy(lines);
        }
        free(text);
    }
}

static void
test_what_was_cut_off_is_no_line(void **state)
{
    static const char text[] = "{\"a\":1}\n{\"b\":";
    source_t          source = {text, sizeof(text) - 1, 0, 100, 1};
    lp_ndjson_t      *lines = lp_ndjson_create(read_source, &source);
    lp_span_t         line;
    uint64_t          n;

    (void) state;
    expect(lines, 1, "{\"a\":1}");
    assert_int_equal(lp_ndjson_next(lines, &line, &n), LP_NDJSON_CUT);
    assert_int_equal(n, 2);
    assert_int_equal(lp_ndjson_taken(lines), 8);
    lp_ndjson_destroy(lines);
}

static void
test_it_says_when_the_next_line_is_still_on_its_way(void **state)
{
    static const char text[] = "1\n2\n3";
    source_t          source = {text, sizeof(text) - 1, 0, 4, 0};
    lp_ndjson_t      *lines = lp_ndjson_create(read_source, &source);

    (void) state;
    assert_true(lp_ndjson_waits(lines));
    expect(lines, 1, "1");
    assert_false(lp_ndjson_waits(lines));
    expect(lines, 2, "2");
    assert_true(lp_ndjson_waits(lines));
    expect(lines, 3, "3");
    assert_false(lp_ndjson_waits(lines));
    lp_ndjson_destroy(lines);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_the_same_however_bytes_arrive),
        cmocka_unit_test(test_a_line_too_long_costs_itself_alone),
        cmocka_unit_test(test_what_was_cut_off_is_no_line),
        cmocka_unit_test(test_it_says_when_the_next_line_is_still_on_its_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
