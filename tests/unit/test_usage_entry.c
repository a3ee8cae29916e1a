/*
 * Protects the tally's reader: what an edge writes is read, and nothing else
 * becomes the name of a key; and the batch: what lines add up to.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../workers/tally_batch.h"

#define NOW  1788336000 /* 2026-09-02 08:00 UTC */
#define USER "AAAAAAAAAAAAAAAAAAAAAA"
#define ENT  "JOOUVFNgS6SBnwPlm43WeQ"
#define GOOD "1788336000 104A158 book " USER " " ENT "\n"

#define FIELDS 8

/* A reply of strings, as hiredis would make it; one at a time. */
static redisReply *
fields_of(const char *const *words, size_t n)
{
    static redisReply  strings[FIELDS], array;
    static redisReply *elements[FIELDS];
    size_t             i;

    for (i = 0; i < n; i++) {
        memset(&strings[i], 0, sizeof(strings[i]));
        strings[i].type = REDIS_REPLY_STRING;
        strings[i].str = (char *) (uintptr_t) words[i];
        strings[i].len = strlen(words[i]);
        elements[i] = &strings[i];
    }

    memset(&array, 0, sizeof(array));
    array.type = REDIS_REPLY_ARRAY;
    array.elements = n;
    array.element = elements;

    return &array;
}

static int
entry_reads(const char *p, const char *n, const char *b)
{
    const char      *words[] = {"p", p, "n", n, "b", b};
    lp_usage_entry_t entry;

    return lp_usage_entry_read(&entry, fields_of(words, 6)) == 0;
}

static lp_usage_read_t
read_one(const char *text, lp_usage_line_t *line)
{
    lp_usage_reader_t reader;
    lp_usage_entry_t  entry = {{NULL, 0}, 0, lp_span_of(text)};

    lp_usage_reader_init(&reader, NOW);
    lp_usage_reader_begin(&reader, &entry);

    return lp_usage_line(&reader, line);
}

static void
test_an_entry_of_an_edge_is_read(void **state)
{
    const char      *words[] = {"z", "later", "n", "65536", "b", GOOD, "p",
                                "0123456789abcdef"};
    lp_usage_entry_t entry;

    (void) state;

    assert_int_equal(lp_usage_entry_read(&entry, fields_of(words, 8)), 0);
    assert_int_equal(entry.sequence, 65536);
    assert_int_equal(entry.producer.len, LP_PRODUCER_LEN);
    assert_int_equal(entry.lines.len, sizeof(GOOD) - 1);
}

static void
test_no_other_entry_is_read(void **state)
{
    const char      *half[] = {"p", "0123456789abcdef", "n"};
    lp_usage_entry_t entry;
    char            *huge;

    (void) state;

    assert_true(entry_reads("0123456789abcdef", "0", ""));
    assert_true(entry_reads("0123456789ABCDEF", "9223372036854775807", ""));

    assert_false(entry_reads("0123456789abcde", "0", GOOD));
    assert_false(entry_reads("0123456789abcdef0", "0", GOOD));
    assert_false(entry_reads("0123456789abcde}", "0", GOOD));
    assert_false(entry_reads("0123456789abcdef", "", GOOD));
    assert_false(entry_reads("0123456789abcdef", "-1", GOOD));
    assert_false(entry_reads("0123456789abcdef", "01", GOOD));
    assert_false(entry_reads("0123456789abcdef", "1 ", GOOD));
    assert_false(entry_reads("0123456789abcdef", "9223372036854775808",
                             GOOD));
    assert_false(entry_reads("0123456789abcdef", "99999999999999999999",
                             GOOD));
    assert_int_equal(lp_usage_entry_read(&entry, fields_of(half, 3)), -1);
    assert_int_equal(lp_usage_entry_read(&entry, NULL), -1);

    huge = malloc(LP_USAGE_LINES_MAX + 2);
    assert_non_null(huge);
    memset(huge, 'x', LP_USAGE_LINES_MAX + 1);
    huge[LP_USAGE_LINES_MAX + 1] = '\0';
    assert_false(entry_reads("0123456789abcdef", "0", huge));
    huge[LP_USAGE_LINES_MAX] = '\0';
    assert_true(entry_reads("0123456789abcdef", "0", huge));
    free(huge);
}

static void
test_a_line_is_read(void **state)
{
    lp_usage_line_t line;

    (void) state;

    assert_int_equal(read_one(GOOD, &line), LP_USAGE_LINE);
    assert_int_equal(line.day, 20260902);
    assert_string_equal(line.week, "2026-W36");
    assert_true(lp_span_equal(line.school, lp_span("104A158")));
    assert_true(lp_span_equal(line.product, lp_span("book")));
    assert_true(lp_span_equal(line.user, lp_span(USER)));
    assert_true(lp_span_equal(line.entitlement, lp_span(ENT)));

    assert_int_equal(read_one("1788336000 - book - -\n", &line),
                     LP_USAGE_LINE);
    assert_int_equal(line.school.len, 0);
    assert_int_equal(line.user.len, 0);
    assert_int_equal(line.entitlement.len, 0);
}

/* The evening before is the day before, and may be another week. */
static void
test_the_day_is_that_of_amsterdam(void **state)
{
    lp_usage_reader_t reader;
    lp_usage_line_t   line;
    lp_usage_entry_t  entry;

    (void) state;

    entry.lines = lp_span("1788127199 - a - -\n"  /* Sunday 23:59:59 */
                          "1788127200 - a - -\n"  /* Monday 00:00:00 */
                          "1788127199 - a - -\n");
    lp_usage_reader_init(&reader, NOW);
    lp_usage_reader_begin(&reader, &entry);

    assert_int_equal(lp_usage_line(&reader, &line), LP_USAGE_LINE);
    assert_int_equal(line.day, 20260830);
    assert_string_equal(line.week, "2026-W35");
    assert_int_equal(lp_usage_line(&reader, &line), LP_USAGE_LINE);
    assert_int_equal(line.day, 20260831);
    assert_string_equal(line.week, "2026-W36");
    assert_int_equal(lp_usage_line(&reader, &line), LP_USAGE_LINE);
    assert_int_equal(line.day, 20260830);
    assert_int_equal(lp_usage_line(&reader, &line), LP_USAGE_END);
}

static void
test_no_other_line_is_read_and_the_next_one_is(void **state)
{
    static const char *const bad[] = {
        "\n",
        "1788336000\n",
        "1788336000 104A158 book " USER "\n",
        "1788336000 104A158 book " USER " " ENT " more\n",
        "1788336000  book " USER " " ENT "\n",
        " 1788336000 104A158 book " USER " " ENT "\n",
        "1788336000 104A158 book " USER " " ENT " \n",
        "1788336000 104A158 book " USER " " ENT "\r\n",
        "1788336000 104A}158 book " USER " " ENT "\n",
        "1788336000 104:A158 book " USER " " ENT "\n",
        "1788336000 104A158 - " USER " " ENT "\n",
        "1788336000 104A158 bo|ok " USER " " ENT "\n",
        "1788336000 104A158 book AAAA " ENT "\n",
        "1788336000 104A158 book " USER "A " ENT "\n",
        "1788336000 104A158 book " USER " JOOUVFNgS6SBnwPlm43We+\n",
        "-1 104A158 book " USER " " ENT "\n",
        "0 104A158 book " USER " " ENT "\n",
        "1577836799 104A158 book " USER " " ENT "\n", /* 2019 */
        "1788422401 104A158 book " USER " " ENT "\n", /* in a day and 1 s */
        "99999999999999999999 104A158 book " USER " " ENT "\n",
    };
    lp_usage_reader_t reader;
    lp_usage_line_t   line;
    lp_usage_entry_t  entry;
    char              text[512];
    size_t            i;

    (void) state;

    lp_usage_reader_init(&reader, NOW);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "%s%s", bad[i], GOOD);
        entry.lines = lp_span_of(text);
        lp_usage_reader_begin(&reader, &entry);
        assert_int_equal(lp_usage_line(&reader, &line),
                         LP_USAGE_UNREADABLE);
        assert_int_equal(lp_usage_line(&reader, &line), LP_USAGE_LINE);
        assert_int_equal(lp_usage_line(&reader, &line), LP_USAGE_END);
    }
}

static void
test_a_line_that_is_cut_off_is_none(void **state)
{
    lp_usage_line_t line;
    char            text[sizeof(GOOD)];
    size_t          n;

    (void) state;

    for (n = 1; n < sizeof(GOOD) - 1; n++) {
        memcpy(text, GOOD, n);
        text[n] = '\0';
        assert_int_equal(read_one(text, &line), LP_USAGE_UNREADABLE);
    }

    assert_int_equal(read_one("", &line), LP_USAGE_END);
}

/* Three entries of a stream; the last one is counted already. */
static void
test_a_batch_adds_up_what_is_new(void **state)
{
    static const char *const texts[] = {
        "1788336000 104A158 book " USER " " ENT "\n"
        "1788336001 104A158 book " USER " " ENT "\n"
        "1788336001 104A158 atlas - -\n",
        "1788249600 104A158 book BAAAAAAAAAAAAAAAAAAAAA " ENT "\n"
        "garbage\n"
        "1788336000 - book - " ENT "\n",
        "1788336000 104A158 globe " USER " " ENT "\n"};
    lp_usage_reader_t reader;
    lp_batch_t        batch;
    unsigned          i;

    (void) state;

    memset(&batch, 0, sizeof(batch));
    lp_usage_reader_init(&reader, NOW);
    lp_batch_reset(&batch, 7);

    for (i = 0; i < 3; i++) {
        batch.entries[i].readable = 1;
        batch.entries[i].repeated = i == 2;
        batch.entries[i].entry.lines = lp_span_of(texts[i]);
    }
    batch.n_entries = 3;

    assert_int_equal(lp_batch_add_up(&batch, &reader), 0);
    assert_int_equal(batch.lines, 5);
    assert_int_equal(batch.unreadable, 1);
    assert_int_equal(batch.schoolless, 1);

    assert_int_equal(batch.entitlements.n, 1);
    assert_int_equal(batch.uses[0].n, 4);
    assert_int_equal(batch.uses[0].first, 20260901);
    assert_int_equal(batch.uses[0].last, 20260902);
    assert_int_equal(batch.uses[0].shard, 7);

    assert_int_equal(batch.weeks.n, 1);
    assert_int_equal(batch.cells.n, 3);
    assert_int_equal(batch.cell[0].clicks, 3);
    assert_int_equal(batch.cell[0].n_readers, 2);
    assert_int_equal(batch.cell[1].clicks, 1);
    assert_int_equal(batch.cell[1].n_readers, 0);

    /* named, so that its readers are counted again, but without clicks */
    assert_int_equal(batch.cell[2].clicks, 0);
    assert_int_equal(batch.cell[2].n_readers, 0);

    lp_batch_free(&batch);
}

static void
test_names_are_found_again_however_many(void **state)
{
    lp_names_t names;
    char       text[32];
    uint32_t   i, n = 20000;
    int        len;

    (void) state;

    memset(&names, 0, sizeof(names));

    for (i = 0; i < 2 * n; i++) {
        len = snprintf(text, sizeof(text), "name-%u", i % n);
        assert_int_equal(lp_names_add(&names,
                                      (lp_span_t) {text, (size_t) len}),
                         i % n);
    }

    assert_int_equal(names.n, n);
    assert_true(lp_span_equal(lp_name(&names, 12345), lp_span("name-12345")));
    assert_int_equal(lp_names_add(&names, lp_span("")), n);

    lp_names_reset(&names);
    assert_int_equal(lp_names_add(&names, lp_span("name-7")), 0);
    lp_names_free(&names);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_entry_of_an_edge_is_read),
        cmocka_unit_test(test_no_other_entry_is_read),
        cmocka_unit_test(test_a_line_is_read),
        cmocka_unit_test(test_the_day_is_that_of_amsterdam),
        cmocka_unit_test(test_no_other_line_is_read_and_the_next_one_is),
        cmocka_unit_test(test_a_line_that_is_cut_off_is_none),
        cmocka_unit_test(test_a_batch_adds_up_what_is_new),
        cmocka_unit_test(test_names_are_found_again_however_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
