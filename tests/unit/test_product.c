/*
 * Protects the way from a Redis hash and a click to a Location: whatever stands
 * in a click or in the catalogue, the Location's scheme and host are those of
 * the product's target, read as a browser reads them. The hostile strings are
 * the public test data of ../shared/vectors (LEERPOORT_VECTORS elsewhere).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "../../core/keys.h"
#include "../../core/product.h"

#define LINE_MAX_LEN 4096

typedef void (*text_pt)(lp_span_t text, void *data);

static const lp_hosts_t any = {NULL, 0};

static const char url[] = "https://publisher.example/start";
static const char deep[] = "https://publisher.example/books/{path}";
static const char query_deep[] = "https://publisher.example/open?at={path}&x=1";

static void
test_fields_go_to_their_places(void **state)
{
    lp_product_t product = {0};

    (void) state;

    lp_product_field(&product, lp_span("url"), lp_span("u"));
    lp_product_field(&product, lp_span("deep"), lp_span("d"));
    lp_product_field(&product, lp_span("in"), lp_span("i"));
    lp_product_field(&product, lp_span("name"), lp_span("n"));
    lp_product_field(&product, lp_span("licence"), lp_span("l"));
    lp_product_field(&product, lp_span("ticket"), lp_span("t"));
    assert_int_equal(product.free, 0);
    lp_product_field(&product, lp_span("free"), lp_span("1"));

    lp_product_field(&product, lp_span("URL"), lp_span("x"));
    lp_product_field(&product, lp_span("urls"), lp_span("x"));
    lp_product_field(&product, lp_span(""), lp_span("x"));

    assert_true(lp_span_equal(product.url, lp_span("u")));
    assert_true(lp_span_equal(product.deep, lp_span("d")));
    assert_true(lp_span_equal(product.in, lp_span("i")));
    assert_true(lp_span_equal(product.name, lp_span("n")));
    assert_true(lp_span_equal(product.licence, lp_span("l")));
    assert_true(lp_span_equal(product.ticket, lp_span("t")));
    assert_int_equal(product.free, 1);
}

static void
test_only_1_is_free(void **state)
{
    static const char *const values[] = {"0", "", "true", "yes", "11", " 1",
                                         "1 ", "01"};
    lp_product_t             product = {0};
    size_t                   i;

    (void) state;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        product.free = 1;
        lp_product_field(&product, lp_span("free"), lp_span_of(values[i]));
        assert_int_equal(product.free, 0);
    }
}

static void
test_sets_of_a_product(void **state)
{
    lp_product_t product = {0};
    lp_span_t    sets[LP_SETS_MAX + 1];
    char         many[64];
    size_t       i;

    (void) state;

    assert_int_equal(lp_product_sets(&product, sets), 0);

    product.in = lp_span("one");
    assert_int_equal(lp_product_sets(&product, sets), 1);
    assert_true(lp_span_equal(sets[0], lp_span("one")));

    product.in = lp_span(",one,, two,-x,t.w_o,");
    assert_int_equal(lp_product_sets(&product, sets), 2);
    assert_true(lp_span_equal(sets[0], lp_span("one")));
    assert_true(lp_span_equal(sets[1], lp_span("t.w_o")));

    for (i = 0; i + 1 < sizeof(many); i += 2) {
        memcpy(many + i, "a,", 2);
    }

    sets[LP_SETS_MAX] = lp_span("guard");
    product.in = (lp_span_t) {many, sizeof(many)};
    assert_int_equal(lp_product_sets(&product, sets), LP_SETS_MAX);
    assert_true(lp_span_equal(sets[LP_SETS_MAX], lp_span("guard")));
}

static void
test_url_without_a_path_and_deep_with_one(void **state)
{
    lp_product_t product = {.url = lp_span(url), .deep = lp_span(deep)};
    char         dst[LP_LOCATION_MAX];
    size_t       len;

    (void) state;

    assert_int_equal(
        lp_location(dst, &len, &product, (lp_span_t) {NULL, 0}, &any),
        LP_TARGET_OK);
    assert_true(lp_span_equal((lp_span_t) {dst, len}, lp_span(url)));

    assert_int_equal(lp_location(dst, &len, &product, lp_span("h1"), &any),
                     LP_TARGET_OK);
    assert_true(lp_span_equal((lp_span_t) {dst, len},
                              lp_span("https://publisher.example/books/h1")));
}

static void
test_a_click_that_the_product_has_no_target_for(void **state)
{
    lp_product_t product = {.url = lp_span(url)};
    char         dst[LP_LOCATION_MAX];
    size_t       len;

    (void) state;

    assert_int_equal(lp_location(dst, &len, &product, lp_span("h1"), &any),
                     LP_TARGET_NONE);

    product = (lp_product_t) {.deep = lp_span(deep)};
    assert_int_equal(lp_location(dst, &len, &product, lp_span(""), &any),
                     LP_TARGET_NONE);

    /* each in the other's place */
    product = (lp_product_t) {.url = lp_span(deep), .deep = lp_span(url)};
    assert_int_equal(lp_location(dst, &len, &product, lp_span(""), &any),
                     LP_TARGET_MALFORMED);
    assert_int_equal(lp_location(dst, &len, &product, lp_span("h1"), &any),
                     LP_TARGET_MALFORMED);
}

/* The public test data. */

static FILE *
open_vectors(const char *name)
{
    const char *folder;
    char        path[1024];
    FILE       *file;

    folder = getenv("LEERPOORT_VECTORS");
    if (folder == NULL) {
        folder = "../shared/vectors";
    }

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");

    if (file == NULL) {
        print_message("SKIP: no %s\n", path);
        skip();
    }

    return file;
}

static json_t *
load_json(const char *name)
{
    FILE        *file;
    json_t      *root;
    json_error_t error;

    file = open_vectors(name);
    root = json_loadf(file, JSON_ALLOW_NUL, &error);
    fclose(file);

    if (root == NULL) {
        fail_msg("%s:%d: %s", name, error.line, error.text);
    }

    return root;
}

static lp_span_t
text_of(const json_t *string)
{
    return (lp_span_t) {json_string_value(string),
                        json_string_length(string)};
}

static void
each_line(const char *name, text_pt act, void *data)
{
    FILE    *file;
    char     line[LINE_MAX_LEN];
    unsigned n;

    file = open_vectors(name);

    for (n = 0; fgets(line, sizeof(line), file) != NULL; n++) {
        line[strcspn(line, "\r\n")] = '\0';
        act(lp_span_of(line), data);
    }

    fclose(file);
    assert_true(n > 10);
}

/* Scheme and authority, cut by hand: "https://host:port". */
static lp_span_t
origin_of(lp_span_t target)
{
    size_t i, slashes;

    slashes = 0;

    for (i = 0; i < target.len; i++) {
        slashes += target.data[i] == '/';
        if (slashes == 3 || target.data[i] == '?' || target.data[i] == '#') {
            break;
        }
    }

    return (lp_span_t) {target.data, i};
}

/* The promise, for one product and one path that was let through. */
static void
assert_location(lp_span_t target, lp_span_t path)
{
    lp_product_t product = {.url = target, .deep = target};
    char         dst[LP_LOCATION_MAX];
    lp_span_t    location = {dst, 0};
    size_t       i;

    if (lp_location(dst, &location.len, &product, path, &any)
        != LP_TARGET_OK) {
        return;
    }

    assert_true(lp_span_equal(origin_of(location), origin_of(target)));

    for (i = 0; i < location.len; i++) {
        assert_in_range((unsigned char) dst[i], 0x21, 0x7e);
        assert_null(strchr("\\\"<>`{}|^", dst[i]));
    }
}

/* Below the click's location; let_through counts those that are paths. */
static void
assert_below(lp_span_t below, void *let_through)
{
    lp_click_t click;

    if (lp_click_parse(&click, below) != 0) {
        return;
    }

    assert_true(lp_product_valid(click.product));
    assert_location(click.path.len > 0 ? lp_span(deep) : lp_span(url),
                    click.path);
    assert_location(click.path.len > 0 ? lp_span(query_deep) : lp_span(url),
                    click.path);
    *(unsigned *) let_through += click.path.len > 0;
}

/* A product of the catalogue that names text, as it is or with {path}. */
static void
assert_as_target(lp_span_t text)
{
    static const char *const tails[] = {"", "{path}", "/{path}", "?{path}",
                                        "#{path}"};
    char                     target[2 * LINE_MAX_LEN];
    size_t                   i, n;

    if (text.len > LINE_MAX_LEN) {
        return;
    }

    memcpy(target, text.data, text.len);
    assert_location(text, lp_span(""));

    for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        n = strlen(tails[i]);
        memcpy(target + text.len, tails[i], n);
        assert_location((lp_span_t) {target, text.len + n},
                        lp_span("a@b:c//d&e"));
    }
}

/* One hostile string in every place that it can come from. */
static void
assert_harmless(lp_span_t text, void *let_through)
{
    char   below[LINE_MAX_LEN + 16];
    size_t n;

    if (text.len > LINE_MAX_LEN) {
        return;
    }

    assert_below(text, let_through);

    memcpy(below, "book/", 5);
    memcpy(below + 5, text.data, text.len);
    assert_below((lp_span_t) {below, text.len + 5}, let_through);

    /* most lists begin their lines with the slash */
    if (text.len > 0 && text.data[0] == '/') {
        memcpy(below + 4, text.data, text.len);
        assert_below((lp_span_t) {below, text.len + 4}, let_through);
    }

    n = strlen("?product=");
    memcpy(below, "?product=", n);
    memcpy(below + n, text.data, text.len);
    assert_below((lp_span_t) {below, text.len + n}, let_through);

    assert_as_target(text);
}

static void
assert_list_is_harmless(const char *name)
{
    unsigned let_through;

    let_through = 0;
    each_line(name, assert_harmless, &let_through);

    /* or else the promise was never put to the test */
    print_message("%s: %u paths let through\n", name, let_through);
    assert_true(let_through > 0);
}

static void
test_open_redirect_payloads_stay_at_the_publisher(void **state)
{
    (void) state;

    assert_list_is_harmless("open-redirect/Open-Redirect-payloads.txt");
    assert_list_is_harmless("open-redirect/open_redirect_wordlist.txt");
    assert_list_is_harmless("open-redirect/openredirects.txt");
}

static void
test_no_line_break_gets_through(void **state)
{
    (void) state;

    assert_list_is_harmless("open-redirect/crlfinjection.txt");
}

static void
test_naughty_strings_stay_at_the_publisher(void **state)
{
    json_t  *root, *string;
    size_t   i;
    unsigned let_through;

    (void) state;

    root = load_json("blns/blns.json");
    let_through = 0;

    json_array_foreach(root, i, string) {
        assert_harmless(text_of(string), &let_through);
    }

    assert_true(i > 400 && let_through > 0);
    json_decref(root);
}

static void
test_whatwg_inputs_stay_at_the_publisher(void **state)
{
    json_t  *root, *test;
    size_t   i;
    unsigned let_through;

    (void) state;

    root = load_json("url/urltestdata.json");
    let_through = 0;

    json_array_foreach(root, i, test) {
        if (json_is_object(test)) {
            assert_harmless(text_of(json_object_get(test, "input")),
                            &let_through);
        }
    }

    assert_true(i > 700 && let_through > 0);
    json_decref(root);
}

/*
 * "host:port" of a target as a browser would write it: lower case, without
 * the scheme's own port. For targets that were accepted.
 */
static lp_span_t
host_of(lp_span_t target, char *dst)
{
    lp_span_t   origin, host;
    const char *port;
    size_t      i, skip_len;

    origin = origin_of(target);
    skip_len = origin.data[4] == 's' ? 8 : 7;
    port = origin.data[4] == 's' ? ":443" : ":80";
    host = (lp_span_t) {dst, origin.len - skip_len};

    for (i = 0; i < host.len; i++) {
        dst[i] = origin.data[skip_len + i];
        if (dst[i] >= 'A' && dst[i] <= 'Z') {
            dst[i] = (char) (dst[i] - 'A' + 'a');
        }
    }

    if (host.len > strlen(port)
        && memcmp(dst + host.len - strlen(port), port, strlen(port)) == 0) {
        host.len -= strlen(port);
    }

    return host;
}

/*
 * One case of the URL standard's tests, as it is or with https in the place of
 * http, which changes no host. Returns 1 where the target was accepted. target
 * ends with a NUL.
 */
static unsigned
assert_browser_agrees(json_t *test, lp_span_t target)
{
    char      dst[LP_TARGET_MAX];
    lp_span_t host, name;

    if (lp_target_check(target, 0, &any) != LP_TARGET_OK) {
        return 0;
    }

    if (json_is_true(json_object_get(test, "failure"))) {
        /* see the next test for punycode */
        assert_non_null(strstr(target.data, "xn--"));
        return 0;
    }

    host = host_of(target, dst);
    name = text_of(json_object_get(test, "hostname"));

    assert_true(host.len >= name.len);
    assert_memory_equal(host.data, name.data, name.len);
    assert_true(host.len == name.len || host.data[name.len] == ':');

    return 1;
}

static void
test_accepted_urls_lead_where_a_browser_goes(void **state)
{
    json_t   *root, *test;
    lp_span_t input;
    char      twin[LINE_MAX_LEN + 2];
    size_t    i;
    unsigned  as_is, twins;

    (void) state;

    root = load_json("url/urltestdata.json");
    as_is = 0;
    twins = 0;

    json_array_foreach(root, i, test) {
        input = text_of(json_object_get(test, "input"));

        if (!json_is_object(test) || input.len > LINE_MAX_LEN) {
            continue;
        }

        if (assert_browser_agrees(test, input)) {
            as_is++;
            assert_true(lp_span_equal(
                host_of(input, twin), text_of(json_object_get(test, "host"))));
            assert_string_equal(
                json_string_value(json_object_get(test, "protocol")),
                input.data[4] == 's' ? "https:" : "http:");
        }

        if (input.len > 7 && memcmp(input.data, "http://", 7) == 0) {
            memcpy(twin, "https", 5);
            memcpy(twin + 5, input.data + 4, input.len - 4 + 1);
            twins += assert_browser_agrees(
                test, (lp_span_t) {twin, input.len + 1});
        }
    }

    print_message("%u accepted as they are, %u with https\n", as_is, twins);
    assert_true(as_is > 5 && twins > 50);
    json_decref(root);
}

/*
 * Hosts, in the target's place. Whether punycode decodes to a name that may
 * exist is left to the browser: one that it refuses leads nowhere.
 */
static void
test_accepted_hosts_are_those_of_a_browser(void **state)
{
    json_t     *root, *test, *output;
    const char *input;
    char        target[LP_TARGET_MAX], host[LP_TARGET_MAX];
    int         n;
    size_t      i;
    unsigned    accepted;

    (void) state;

    root = load_json("url/toascii.json");
    accepted = 0;

    json_array_foreach(root, i, test) {
        input = json_string_value(json_object_get(test, "input"));
        if (input == NULL || strlen(input) > LP_TARGET_MAX - 16) {
            continue;
        }

        n = snprintf(target, sizeof(target), "https://%s/x", input);
        if (lp_target_check((lp_span_t) {target, (size_t) n}, 0, &any)
            != LP_TARGET_OK) {
            continue;
        }

        output = json_object_get(test, "output");

        if (json_is_string(output)) {
            accepted++;
            assert_true(lp_span_equal(
                host_of((lp_span_t) {target, (size_t) n}, host),
                text_of(output)));
        } else {
            assert_non_null(strstr(input, "xn--"));
        }
    }

    assert_true(accepted > 10);
    json_decref(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_go_to_their_places),
        cmocka_unit_test(test_only_1_is_free),
        cmocka_unit_test(test_sets_of_a_product),
        cmocka_unit_test(test_url_without_a_path_and_deep_with_one),
        cmocka_unit_test(test_a_click_that_the_product_has_no_target_for),
        cmocka_unit_test(test_open_redirect_payloads_stay_at_the_publisher),
        cmocka_unit_test(test_no_line_break_gets_through),
        cmocka_unit_test(test_naughty_strings_stay_at_the_publisher),
        cmocka_unit_test(test_whatwg_inputs_stay_at_the_publisher),
        cmocka_unit_test(test_accepted_urls_lead_where_a_browser_goes),
        cmocka_unit_test(test_accepted_hosts_are_those_of_a_browser),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
