/*
 * Protects the form of a teacher who picks: what is tampered with is no form,
 * and what people type becomes a path where that is safe.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../sso/pick_form.h"

#define SECRET "pick=abc"

static void
assert_text(lp_span_t span, const char *text)
{
    assert_int_equal(span.len, strlen(text));
    assert_memory_equal(span.data == NULL ? "" : span.data, text, span.len);
}

/* Read from memory that ends with it. */
static int
reads(lp_pick_form_t *form, const char *text)
{
    size_t len = strlen(text);
    char  *body = malloc(len + (len == 0));
    int    rc;

    assert_non_null(body);
    memcpy(body, text, len);
    rc = lp_pick_form_read(form, (lp_span_t) {body, len});
    free(body);
    return rc;
}

static void
refuses(const char *text)
{
    lp_pick_form_t form;

    assert_int_equal(reads(&form, text), -1);
    lp_pick_form_free(&form);
}

static void
test_items_are_products_and_paths(void **state)
{
    lp_pick_form_t form;

    (void) state;
    assert_int_equal(reads(&form, SECRET "&q=Eerste+b%C3%A9&do=put&item=book"
                                  "&item=book%2Fh1&item=atlas%2Fa%2520b"
                                  "&item=book&other=1"), 0);
    assert_text(form.secret, "abc");
    assert_text(form.query, "Eerste b\303\251");
    assert_int_equal(form.act, LP_PICK_PUT);
    assert_int_equal(form.n, 3);
    assert_text(form.items[0].product, "book");
    assert_text(form.items[0].path, "");
    assert_text(form.items[1].product, "book");
    assert_text(form.items[1].path, "h1");
    assert_text(form.items[2].product, "atlas");
    assert_text(form.items[2].path, "a%20b");
    lp_pick_form_free(&form);
}

static void
test_a_form_that_is_none_of_ours(void **state)
{
    (void) state;
    refuses("");
    refuses("q=a");
    refuses("pick=");
    refuses(SECRET "&" SECRET);
    refuses(SECRET "&do=destroy");
    refuses(SECRET "&item=");
    refuses(SECRET "&item=.book");
    refuses(SECRET "&item=book%2F..%2Fadmin");
    refuses(SECRET "&item=book%2F%252e%252e");
    refuses(SECRET "&item=book%3Fproduct%3Dbook");
    refuses(SECRET "&item=%3Fproduct%3Dbook");
    refuses(SECRET "&item=book%23x");
    refuses(SECRET "&item=https%3A%2F%2Fevil.example");
    refuses(SECRET "&item=book%00");
    refuses(SECRET "&item=%zz");
    refuses(SECRET "&path.a%2Fb=x");
    refuses(SECRET "&q=%FF");
    refuses(SECRET "&item=book&path.book=%C3");
}

static void
test_what_is_typed_becomes_a_path(void **state)
{
    lp_pick_form_t form;

    (void) state;
    assert_int_equal(reads(&form, SECRET "&item=book&path.book=+%2Fles+1%2Fb"
                                  "%C3%A9%22+&path.other=x&path.empty="), 0);
    assert_int_equal(form.n, 1);
    assert_text(form.items[0].product, "book");
    assert_text(form.items[0].path, "les%201/b%C3%A9%22");
    assert_int_equal(form.bad_path.len, 0);
    lp_pick_form_free(&form);
}

static void
test_a_typed_path_that_leads_elsewhere_is_shown_again(void **state)
{
    static const char *const bad[] = {"..%2Fx", "a%2F%252e%252e", "%25zz",
                                      "a%0Ab",
                                      "https%3A%2F%2Fa.example%2Fb"};
    lp_pick_form_t form;
    char           text[128];
    unsigned       i;

    (void) state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), SECRET "&item=book&path.book=%s",
                 bad[i]);
        assert_int_equal(reads(&form, text), 0);
        assert_true(form.bad_path.len > 0);
        assert_int_equal(form.n, 1);
        assert_int_equal(form.items[0].path.len, 0);
        lp_pick_form_free(&form);
    }
}

static void
test_there_is_an_end_to_items_and_to_the_query(void **state)
{
    static char    text[64 * 1024];
    lp_pick_form_t form;
    size_t         len;
    unsigned       i;

    (void) state;
    len = (size_t) snprintf(text, sizeof(text), SECRET);
    for (i = 0; i < LP_PICK_ITEMS_MAX + 5; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len,
                                 "&item=b%u&path.b%u=%0512u", i, i, i);
    }
    len += (size_t) snprintf(text + len, sizeof(text) - len, "&q=x");
    for (i = 0; i < LP_PICK_QUERY_MAX; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len, "%%C3%%A9");
    }
    assert_int_equal(reads(&form, text), 0);
    assert_int_equal(form.n, LP_PICK_ITEMS_MAX);
    assert_true(form.too_many);
    assert_int_equal(form.items[0].path.len, 512);
    /* not in the middle of a character */
    assert_int_equal(form.query.len, LP_PICK_QUERY_MAX - 1);
    lp_pick_form_free(&form);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_are_products_and_paths),
        cmocka_unit_test(test_a_form_that_is_none_of_ours),
        cmocka_unit_test(test_what_is_typed_becomes_a_path),
        cmocka_unit_test(
            test_a_typed_path_that_leads_elsewhere_is_shown_again),
        cmocka_unit_test(test_there_is_an_end_to_items_and_to_the_query),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
