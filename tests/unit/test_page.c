/*
 * Protects readers of a report: no text of a run becomes markup, the page says
 * what happened even where its seconds are gone, and a page that can't be
 * written leaves the one that was there.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../loadtest/html.h"
#include "../../loadtest/page.h"
#include "../../loadtest/result.h"

#define HOSTILE "\"'><script>x</script>\x01\xc2\x9b\xe2\x80\x8b&"
#define LINE    "\xef\xbf\xbd" /* U+FFFD */

static char folder[] = "/tmp/lp-page-XXXXXX";

static char *
escaped(const char *text)
{
    static char dst[1024];
    FILE       *out;

    memset(dst, 0, sizeof(dst));
    out = fmemopen(dst, sizeof(dst) - 1, "w");
    assert_non_null(out);
    lp_html_text(out, text);
    assert_int_equal(fclose(out), 0);

    return dst;
}

static void
test_text_never_becomes_markup(void **state)
{
    char     one[2] = {0, 0};
    unsigned i;
    /* U+202E, which turns the direction of writing; clang-tidy refuses it in a
       literal. */
    char turns[4] = {(char) 0xe2, (char) 0x80, (char) 0xae, 0};

    (void) state;

    assert_string_equal(escaped(turns), LINE);
    assert_string_equal(escaped(HOSTILE),
                        "&quot;&#39;&gt;&lt;script&gt;x&lt;/script&gt;" LINE
                        LINE LINE "&amp;");
    assert_string_equal(escaped("a\tb\nc\rd"), "a b c" LINE "d");
    assert_string_equal(escaped("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
                        "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");

    for (i = 1; i < 256; i++) {
        one[0] = (char) i;
        (void) escaped(one);
        assert_null(strpbrk(escaped(one), "<>\"'"));
        if (i < 0x20 || i >= 0x7f) {
            assert_true(strcmp(escaped(one), LINE) == 0
                        || strcmp(escaped(one), " ") == 0);
        }
    }
}

/* Overlong, halves of pairs, cut off, beyond Unicode, a lone continuation. */
static void
test_what_is_no_utf8_is_replaced(void **state)
{
    (void) state;

    assert_string_equal(escaped("\xc0\xbc"), LINE LINE);
    assert_string_equal(escaped("\xe0\x80\xbc"), LINE LINE LINE);
    assert_string_equal(escaped("\xed\xa0\x80"), LINE LINE LINE);
    assert_string_equal(escaped("\xf4\x90\x80\x80"), LINE LINE LINE LINE);
    assert_string_equal(escaped("a\xe2\x82"), "a" LINE LINE);
    assert_string_equal(escaped("\xe2\x82<"), LINE LINE "&lt;");
    assert_string_equal(escaped("\x80z"), LINE "z");
    assert_string_equal(escaped("\xef\xbf\xbf"), LINE);
    assert_string_equal(escaped("\xef\xbb\xbf"), LINE);
}

static void
test_formatted_text_is_text_too(void **state)
{
    char  *text;
    size_t len;
    FILE  *out;

    (void) state;

    out = open_memstream(&text, &len);
    assert_non_null(out);
    lp_html_element(out, "td", "n", "%s", HOSTILE);
    lp_html_heading(out, "row", "<%d>", 7);
    assert_int_equal(fclose(out), 0);

    assert_null(strstr(text, "<script"));
    assert_non_null(strstr(text, "<td class=\"n\">&quot;"));
    assert_non_null(strstr(text, "<th scope=\"row\">&lt;7&gt;</th>"));
    free(text);
}

static lp_result_t *
hostile_result(void)
{
    lp_result_t *result;

    result = malloc(sizeof(*result));
    assert_non_null(result);
    lp_result_reset(result);

    (void) snprintf(result->plan.name, sizeof(result->plan.name), HOSTILE);
    (void) snprintf(result->plan.about, sizeof(result->plan.about), HOSTILE);
    (void) snprintf(result->target, sizeof(result->target), HOSTILE);
    (void) snprintf(result->started, sizeof(result->started), HOSTILE);
    (void) snprintf(result->machine, sizeof(result->machine), HOSTILE);
    (void) snprintf(result->trouble, sizeof(result->trouble), HOSTILE);
    (void) snprintf(result->conclusion.sentence,
                    sizeof(result->conclusion.sentence), "FAIL: " HOSTILE);
    (void) snprintf(result->marks[0].name, sizeof(result->marks[0].name),
                    HOSTILE);
    result->marks[0].at = 1e300;
    result->marks[0].status = 3;
    result->n_marks = 1;
    result->conclusion.pass = LP_FAIL;
    result->conclusion.checks[0].name = HOSTILE;
    result->conclusion.n_checks = 1;

    return result;
}

/* The whole of a file of the folder; free() it. */
static char *
content(const char *name)
{
    char  path[256], *text;
    FILE *file;
    long  len;

    (void) snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    len = ftell(file);
    rewind(file);
    text = calloc(1, (size_t) len + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t) len, file), (size_t) len);
    assert_int_equal(fclose(file), 0);

    return text;
}

static void
forget(const char *name)
{
    char path[256];

    (void) snprintf(path, sizeof(path), "%s/%s", folder, name);
    (void) unlink(path);
}

/* A few seconds beside it, the last without a click. */
static void
write_seconds(void)
{
    lp_seconds_t seconds;
    lp_second_t *second;
    int          i;

    second = calloc(1, sizeof(*second));
    assert_non_null(second);
    assert_int_equal(lp_seconds_create(&seconds, folder), 0);

    for (i = 0; i < 5; i++) {
        memset(second, 0, sizeof(*second));
        lp_histogram_reset(&second->latency.h, LP_COARSE);
        second->second = i;
        if (i < 4) {
            second->counts.scheduled = second->counts.sent = 1;
            second->counts.ended[LP_END_RIGHT] = 1;
            lp_histogram_record(&second->latency.h, 1000);
        }
        assert_int_equal(lp_seconds_put(&seconds, second, 1.5), 0);
    }

    assert_int_equal(lp_seconds_close(&seconds), 0);
    free(second);
}

static void
test_no_text_of_a_run_gets_into_the_page_as_markup(void **state)
{
    lp_result_t *result;
    char        *page, file[256];

    (void) state;

    write_seconds();
    result = hostile_result();
    assert_int_equal(lp_page_write(result, folder), 0);

    page = content("report.html");
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "\x01"));
    assert_non_null(strstr(page, "<title>FAIL: rehearsal &quot;&#39;&gt;&lt;"));
    assert_non_null(strstr(page, "default-src 'none'"));
    assert_null(strstr(page, "nan"));
    free(page);

    (void) snprintf(file, sizeof(file), "%s/compare.html", folder);
    assert_int_equal(lp_page_compare(result, result, folder, folder, file),
                     0);
    page = content("compare.html");
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "nan"));
    free(page);
    free(result);

    forget("compare.html");
    forget("report.html");
    forget("seconds.csv");
    forget("seconds.ndjson");
}

static void
test_a_run_without_seconds_has_a_page_that_says_so(void **state)
{
    lp_result_t *result;
    char        *page;

    (void) state;

    result = malloc(sizeof(*result));
    assert_non_null(result);
    lp_result_reset(result);
    result->conclusion.pass = LP_INVALID;

    assert_int_equal(lp_page_write(result, folder), 0);
    page = content("report.html");
    assert_non_null(strstr(page, ">INVALID</span>"));
    assert_non_null(strstr(page, "seconds can&#39;t be read"));
    assert_null(strstr(page, "nan"));
    assert_null(strstr(page, "inf<"));
    free(page);

    assert_int_equal(lp_page_write(result, "/nowhere/at/all"), -1);
    free(result);
    forget("report.html");
}

static int
make_folder(void **state)
{
    (void) state;

    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
remove_folder(void **state)
{
    (void) state;

    return rmdir(folder);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_never_becomes_markup),
        cmocka_unit_test(test_what_is_no_utf8_is_replaced),
        cmocka_unit_test(test_formatted_text_is_text_too),
        cmocka_unit_test(test_no_text_of_a_run_gets_into_the_page_as_markup),
        cmocka_unit_test(test_a_run_without_seconds_has_a_page_that_says_so),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
