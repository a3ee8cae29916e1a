/*
 * Protects targets: a URL that a browser could read otherwise than we do is
 * refused, and so is a host that the operator did not allow.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/target.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const lp_hosts_t any = {NULL, 0};

static lp_target_t
url(const char *target)
{
    return lp_target_check(lp_span_of(target), 0, &any);
}

static lp_target_t
deep(const char *target)
{
    return lp_target_check(lp_span_of(target), 1, &any);
}

static void
assert_filled(const char *target, const char *path, const char *expected)
{
    char   dst[LP_LOCATION_MAX];
    size_t len;

    assert_int_equal(lp_target_fill(dst, &len, lp_span_of(target),
                                    lp_span_of(path), &any),
                     LP_TARGET_OK);
    assert_true(lp_span_equal((lp_span_t) {dst, len}, lp_span_of(expected)));
}

static void
test_urls_that_are_in_order(void **state)
{
    static const char *const accepted[] = {
        "https://publisher.example",
        "https://publisher.example/",
        "https://publisher.example?x=1",
        "https://publisher.example#x",
        "https://PUBLISHER.example/Book",
        "https://publisher.example:8443/a/b;c=d?e=f&g[]=h#i",
        "https://publisher.example:65535/",
        "https://publisher.example:1/",
        "https://a_b.xn--bcher-kva.example/%C3%A9/~x!$()*+,:@",
        "https://intranet/",
        "https://1.2.3.4/",
        "https://255.255.255.255:9/",
        "https://0.0.0.0/",
        "https://1.2.3.com/",
        "https://x/a@b://c",
        "http://localhost/",
        "http://LocalHost:8080/x",
        "http://127.0.0.1:8081/",
        "http://127.255.0.9",
        "http://[::1]/",
        "http://[::1]:8081/",
        "https://[::1]/",
        "https://localhost/",
    };
    size_t i;

    (void) state;

    for (i = 0; i < COUNT(accepted); i++) {
        if (url(accepted[i]) != LP_TARGET_OK) {
            print_error("%s\n", accepted[i]);
        }

        assert_int_equal(url(accepted[i]), LP_TARGET_OK);
    }
}

static void
test_urls_that_are_malformed(void **state)
{
    static const char *const refused[] = {
        /* no absolute https URL */
        "x", "/", "//publisher.example/", "https:", "https:/", "https://",
        "https:///", "https:///x", "https:publisher.example",
        "https:/publisher.example", "https:\\\\publisher.example/",
        "HTTPS://publisher.example/", "Https://publisher.example/",
        " https://publisher.example/", "\thttps://publisher.example/",
        "javascript:alert(1)", "ftp://localhost/", "file:///etc/passwd",
        "https://?x", "https://#x", "https://:443/",

        /* http is for this machine only */
        "http://publisher.example/", "http://128.0.0.1/", "http://126.0.0.1/",
        "http://localhost.example/", "http://localhost./",
        "http://xlocalhost/", "http://127.0.0.1.example/",
        "http://127.example/",

        /* user info, and what looks like it */
        "https://a@b/", "https://a:b@c/", "https://@b/", "https://:@b/",
        "https://publisher.example%40b/", "https://a\\@b/",

        /* hosts */
        "https://.publisher.example/", "https://publisher..example/",
        "https://publisher.example./", "https://./", "https://../",
        "https://publisher_example%2f/", "https://b\xc3\xb6k.example/",
        "https://publisher.example\\@x/", "https://pub lisher.example/",
        "https://pub!lisher.example/", "https://a*b/", "https://*.b/",
        "https://{path}/", "https://a,b/", "https://a;b/", "https://a~b/",

        /* what a browser reads as IPv4, otherwise spelled */
        "https://1/", "https://1.2/", "https://1.2.3/", "https://1.2.3.4.5/",
        "https://01.2.3.4/", "https://1.2.3.04/", "https://256.1.1.1/",
        "https://1.2.3.256/", "https://1.2.3.1000/", "https://0x7f.0.0.1/x",
        "https://0x7f000001/", "https://0X7F.1/", "https://2130706433/",
        "https://a.1/", "https://a.0x1/", "https://a.0x/", "https://a.0xg/",
        "https://1.2.3.0x4/", "https://1..2.3/", "https://1.2.3.4x.5/",
        "http://127.1/", "http://0127.0.0.1/", "http://127.0.0.1./",
        "http://127.0.0.256/", "http://2130706433/", "http://1",

        /* IPv6 */
        "https://[2001:db8::1]/", "https://[::1/", "https://::1/",
        "https://[::1]x/", "https://[::1]:/", "https://x[::1]/",
        "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/",
        "https://[]/", "https://[", "https://[::1]]/",

        /* ports */
        "https://a:/", "https://a:0/", "https://a:65536/",
        "https://a:0443/", "https://a:4294967739/", "https://a:-1/",
        "https://a:+1/", "https://a: 1/", "https://a:1x/", "https://a:1:2/",
        "https://a:443@b/", "https://a:99999999999999999999/",

        /* what browsers drop, turn or encode */
        "https://a/\\b", "https://a/\"", "https://a/'", "https://a/<",
        "https://a/>", "https://a/`", "https://a/|", "https://a/^",
        "https://a/{", "https://a/}", "https://a/ ", "https://a/\t",
        "https://a/\r\nX: y", "https://a/\x7f", "https://a/\xc3\xa9",
        "https://a/{path}", "https://a/{Path}",

        /* escapes */
        "https://a/%", "https://a/%4", "https://a/%zz", "https://a/%%41",
    };
    size_t i;

    (void) state;

    for (i = 0; i < COUNT(refused); i++) {
        if (url(refused[i]) != LP_TARGET_MALFORMED) {
            print_error("%s\n", refused[i]);
        }

        assert_int_equal(url(refused[i]), LP_TARGET_MALFORMED);
    }

    assert_int_equal(
        lp_target_check(lp_span("https://a/\0b"), 0, &any),
        LP_TARGET_MALFORMED);
}

static void
test_no_target(void **state)
{
    (void) state;

    assert_int_equal(lp_target_check((lp_span_t) {NULL, 0}, 0, &any),
                     LP_TARGET_NONE);
    assert_int_equal(url(""), LP_TARGET_NONE);
    assert_int_equal(deep(""), LP_TARGET_NONE);
}

static void
test_templates(void **state)
{
    (void) state;

    assert_int_equal(deep("https://a/{path}"), LP_TARGET_OK);
    assert_int_equal(deep("https://a/b/{path}?c=d"), LP_TARGET_OK);
    assert_int_equal(deep("https://a/b?c={path}&d=e"), LP_TARGET_OK);
    assert_int_equal(deep("https://a/#{path}"), LP_TARGET_OK);
    assert_int_equal(deep("http://[::1]:1/{path}"), LP_TARGET_OK);

    assert_int_equal(deep("https://a/"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("https://a/{path}/{path}"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("https://a/{path}{path}"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("https://a/{{path}}"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("https://a/{PATH}"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("https://a/{path"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("https://a/%{path}"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("https://a/%2{path}"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("https://a{path}"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("https://a{path}/"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("https://{path}/a"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("https://a:{path}/"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("https://a?{path}"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("https://a?/{path}"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("https://a#/{path}"), LP_TARGET_MALFORMED);
    assert_int_equal(deep("{path}"), LP_TARGET_MALFORMED);
}

static void
test_the_path_is_put_in(void **state)
{
    (void) state;

    assert_filled("https://a/b?c#d", "", "https://a/b?c#d");
    assert_filled("https://a/{path}", "h1", "https://a/h1");
    assert_filled("https://a/b/{path}/c?d", "h1/s2", "https://a/b/h1/s2/c?d");
    assert_filled("https://a/{path}", "/b.example", "https://a//b.example");
    assert_filled("https://a/{path}", "a&b+c;d=e%23%2f",
                  "https://a/a&b+c;d=e%23%2f");
}

static void
test_the_path_stays_one_value_of_a_query(void **state)
{
    (void) state;

    assert_filled("https://a/?p={path}&q=1", "a&b+c;d=e%26%23/f",
                  "https://a/?p=a%26b%2Bc%3Bd%3De%26%23/f&q=1");
    assert_filled("https://a/#{path}", "a&b=c", "https://a/#a%26b%3Dc");
    assert_filled("https://a/?#{path}", "+", "https://a/?#%2B");
    assert_filled("https://a/{path}?x=1", "a&b", "https://a/a&b?x=1");
}

static void
test_the_longest_location_fits(void **state)
{
    char   target[LP_TARGET_MAX + 1], path[LP_PATH_MAX];
    char   dst[LP_LOCATION_MAX];
    size_t len;

    (void) state;

    memset(target, 'x', sizeof(target));
    memcpy(target, "https://a/?{path}", 17);
    memset(path, '&', sizeof(path));

    assert_int_equal(
        lp_target_fill(dst, &len, (lp_span_t) {target, LP_TARGET_MAX},
                       (lp_span_t) {path, LP_PATH_MAX}, &any),
        LP_TARGET_OK);
    assert_int_equal(len, LP_TARGET_MAX - 6 + 3 * LP_PATH_MAX);

    assert_int_equal(
        lp_target_check((lp_span_t) {target, LP_TARGET_MAX + 1}, 1, &any),
        LP_TARGET_MALFORMED);
}

static int
allowed(const char *entry, const char *target)
{
    lp_span_t  list[] = {lp_span("unrelated.example"), lp_span_of(entry)};
    lp_hosts_t hosts = {list, 2};

    switch (lp_target_check(lp_span_of(target), 0, &hosts)) {
    case LP_TARGET_OK:
        return 1;
    case LP_TARGET_HOST:
        return 0;
    default:
        fail_msg("%s is malformed", target);
        return -1;
    }
}

static void
test_hosts_that_are_allowed(void **state)
{
    (void) state;

    assert_true(allowed("a.example", "https://a.example/"));
    assert_true(allowed("A.Example", "https://a.eXAMPLE/"));
    assert_true(allowed("a.example", "https://a.example:8443/"));
    assert_true(allowed("a.example:8443", "https://a.example:8443/"));
    assert_true(allowed("a.example:443", "https://a.example/"));
    assert_true(allowed("a.example:443", "https://a.example:443/"));
    assert_true(allowed("*.example", "https://a.example/"));
    assert_true(allowed("*.example", "https://a.b.EXAMPLE:1/"));
    assert_true(allowed("*.example:1", "https://a.b.example:1/"));
    assert_true(allowed("localhost:80", "http://localhost/"));
    assert_true(allowed("[::1]", "http://[::1]:8081/"));
    assert_true(allowed("[::1]:8081", "http://[::1]:8081/"));
    assert_true(allowed("127.0.0.1:8081", "http://127.0.0.1:8081/"));
}

static void
test_hosts_that_are_not_allowed(void **state)
{
    (void) state;

    assert_false(allowed("a.example", "https://b.example/"));
    assert_false(allowed("a.example", "https://xa.example/"));
    assert_false(allowed("a.example", "https://a.example.evil/"));
    assert_false(allowed("a.example", "https://b.a.example/"));
    assert_false(allowed("a.example:443", "https://a.example:8443/"));
    assert_false(allowed("a.example:8443", "https://a.example/"));
    assert_false(allowed("*.example", "https://example/"));
    assert_false(allowed("*.example", "https://aexample/"));
    assert_false(allowed("*.a.example", "https://ba.example/"));
    assert_false(allowed("*.example:1", "https://a.example/"));
    assert_false(allowed("*", "https://a/"));
    assert_false(allowed("*.", "https://a/"));
    assert_false(allowed("", "https://a/"));
    assert_false(allowed(":443", "https://a/"));
    assert_false(allowed("a:x", "https://a/"));
    assert_false(allowed("a:", "https://a/"));
    assert_false(allowed("[::1]:1", "http://[::1]:8081/"));
    assert_false(allowed("*.0.0.1", "http://127.0.0.1/"));
}

static void
test_a_host_that_is_not_allowed_is_not_written(void **state)
{
    lp_span_t  list[] = {lp_span("a.example")};
    lp_hosts_t hosts = {list, 1};
    char       dst[LP_LOCATION_MAX] = "untouched";
    size_t     len = 77;

    (void) state;

    assert_int_equal(lp_target_fill(dst, &len, lp_span("https://b.example/"),
                                    lp_span(""), &hosts),
                     LP_TARGET_HOST);
    assert_string_equal(dst, "untouched");
    assert_int_equal(len, 77);
}

static void
test_every_result_has_its_own_sentence(void **state)
{
    const char *text;
    int         a, b;

    (void) state;

    for (a = LP_TARGET_OK; a <= LP_TARGET_HOST; a++) {
        text = lp_target_text((lp_target_t) a);
        assert_int_equal(text[strlen(text) - 1], '.');

        for (b = LP_TARGET_OK; b < a; b++) {
            assert_string_not_equal(text, lp_target_text((lp_target_t) b));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls_that_are_in_order),
        cmocka_unit_test(test_urls_that_are_malformed),
        cmocka_unit_test(test_no_target),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_the_path_is_put_in),
        cmocka_unit_test(test_the_path_stays_one_value_of_a_query),
        cmocka_unit_test(test_the_longest_location_fits),
        cmocka_unit_test(test_hosts_that_are_allowed),
        cmocka_unit_test(test_hosts_that_are_not_allowed),
        cmocka_unit_test(test_a_host_that_is_not_allowed_is_not_written),
        cmocka_unit_test(test_every_result_has_its_own_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
