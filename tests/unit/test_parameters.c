/*
 * Protects what comes by a form or a query: a parameter is there once, in
 * bounds and readable, or the request is refused.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../sso/parameters.h"

static lp_parameter_t list[3];
static char           memory[256];

static const char *
read_pairs(const char *text)
{
    static const lp_parameter_t table[3] = {
        {"a", 5, 1, {NULL, 0}},
        {"b", 5, 0, {NULL, 0}},
        {"hint", 5, LP_PARAMETER_HINT, {NULL, 0}},
    };

    memcpy(list, table, sizeof(table));
    return lp_parameters_read(list, 3, lp_span_of(text), memory);
}

static void
test_what_is_named_is_decoded(void **state)
{
    (void) state;
    assert_null(read_pairs("x=1&b=%26+%3d&a=1&a1=2&&c&A=3"));
    assert_string_equal(list[0].value.data, "1");
    assert_string_equal(list[1].value.data, "& =");
    assert_int_equal(list[1].value.len, 3);
    assert_null(read_pairs("a=12345"));
    assert_null(list[1].value.data);
    assert_null(read_pairs("b=&a=1"));
    assert_non_null(list[1].value.data);
    assert_int_equal(list[1].value.len, 0);
}

static void
test_a_hint_that_can_not_be_read_is_none(void **state)
{
    static const char *const odd[] = {"a=1&hint=123456", "a=1&hint=%",
                                      "hint=%00&a=1", "hint=x%0a&a=1"};
    size_t                   i;

    (void) state;
    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_null(read_pairs(odd[i]));
        assert_null(list[2].value.data);
        assert_string_equal(list[0].value.data, "1");
    }
    assert_null(read_pairs("hint=%zz&hint=x&a=1&hint=y"));
    assert_string_equal(list[2].value.data, "x");
    assert_string_equal(list[0].value.data, "1");
}

static void
test_what_is_wrong_is_named(void **state)
{
    (void) state;
    assert_string_equal(read_pairs(""), "a");
    assert_string_equal(read_pairs("a"), "a");
    assert_string_equal(read_pairs("a=&b=1"), "a");
    assert_string_equal(read_pairs("a=1&a=1"), "a");
    assert_string_equal(read_pairs("a=123456"), "a");
    assert_string_equal(read_pairs("a=1&b=%"), "b");
    assert_string_equal(read_pairs("a=1&b=%zz"), "b");
    assert_string_equal(read_pairs("a=1&b=%00"), "b");
    assert_string_equal(read_pairs("a=1&b=%0a"), "b");
    assert_string_equal(read_pairs("a=1&b=x%7f"), "b");
}

static void
test_only_a_form_is_a_form(void **state)
{
    lp_request_t request;

    (void) state;
    memset(&request, 0, sizeof(request));
    assert_false(lp_request_is_form(&request));
    request.type = lp_span("application/x-www-form-urlencoded");
    assert_true(lp_request_is_form(&request));
    request.type = lp_span("Application/X-WWW-Form-Urlencoded; charset=utf-8");
    assert_true(lp_request_is_form(&request));
    request.type = lp_span("application/x-www-form-urlencodedx");
    assert_false(lp_request_is_form(&request));
    request.type = lp_span("multipart/form-data");
    assert_false(lp_request_is_form(&request));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_named_is_decoded),
        cmocka_unit_test(test_a_hint_that_can_not_be_read_is_none),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_only_a_form_is_a_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
