/*
 * Protects house styles: what pages.json says is what a school's page has,
 * what can't be read by people is refused, and so is what is misspelt.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/house.h"
#include "../../core/house_style.h"

#define SCHOOLS    2000
#define SCHOOL_MAX 80 /* bytes of one in the file */

static char reason[LP_HOUSE_REASON_MAX];

static lp_houses_t *
read_text(const char *text)
{
    memset(reason, 0, sizeof(reason));

    return lp_houses_read(lp_span_of(text), reason);
}

static lp_houses_t *
must_read(const char *text)
{
    lp_houses_t *houses = read_text(text);

    if (houses == NULL) {
        fail_msg("%s: %s", text, reason);
    }

    return houses;
}

static void
assert_span(lp_span_t span, const char *expected)
{
    assert_int_equal(span.len, strlen(expected));
    assert_memory_equal(span.data, expected, span.len);
}

static int
holds(lp_span_t text, const char *part)
{
    return memmem(text.data, text.len, part, strlen(part)) != NULL;
}

static void
test_without_a_file_there_is_a_style(void **state)
{
    lp_houses_t      *houses;
    const lp_house_t *house;

    (void) state;
    houses = lp_houses_read((lp_span_t) {NULL, 0}, reason);
    assert_non_null(houses);
    house = lp_house_of(houses, lp_span("regenboog-0412"));
    assert_ptr_equal(house, lp_house_of(houses, lp_span("")));
    assert_span(house->name, "Leerpoort");
    assert_int_equal(house->help.len, 0);
    assert_true(house->style.len > 500 && house->style.len < LP_STYLE_MAX);
    assert_true(holds(house->style, "--accent:#1f5f8b"));
    assert_memory_equal(house->style_hash.data, "sha256-", 7);
    assert_int_equal(house->style_hash.len, 7 + 44);
    assert_int_equal(lp_houses_codes(houses).len, 0);
    lp_houses_free(houses);
}

static void
test_a_school_has_its_own_and_the_rest_of_the_default(void **state)
{
    lp_houses_t      *houses;
    const lp_house_t *house;

    (void) state;
    houses = must_read(
        "{\"schools\": {\"S2\": {\"accent\": \"#8A2C5b\"},"
        " \"S1\": {\"name\": \"De Regenboog\", \"help\": \"tel:+3120\"},"
        " \"S3\": {\"help\": \"\"}},"
        " \"default\": {\"name\": \"Boekhuis\","
        " \"help\": \"https://boekhuis.example/?a=1&b\","
        " \"helpText\": {\"en\": \"Call us\", \"nl\": \"Bel ons\"}},"
        " \"codes\": \"/code\"}");

    house = lp_house_of(houses, lp_span("S9"));
    assert_span(house->name, "Boekhuis");
    assert_span(house->help, "https://boekhuis.example/?a=1&b");
    assert_span(house->help_text[LP_DUTCH], "Bel ons");
    assert_span(house->help_text[LP_ENGLISH], "Call us");

    house = lp_house_of(houses, lp_span("S1"));
    assert_span(house->name, "De Regenboog");
    assert_span(house->help, "tel:+3120");
    /* what the default says of its own link is not said of this one */
    assert_span(house->help_text[LP_ENGLISH], "Help and contact");
    assert_ptr_equal(house->style.data,
                     lp_house_of(houses, lp_span("S9"))->style.data);

    house = lp_house_of(houses, lp_span("S2"));
    assert_span(house->name, "Boekhuis");
    assert_span(house->help_text[LP_DUTCH], "Bel ons");
    assert_true(holds(house->style, "--accent:#8a2c5b"));
    assert_false(holds(house->style, "1f5f8b"));

    assert_int_equal(lp_house_of(houses, lp_span("S3"))->help.len, 0);
    assert_span(lp_houses_codes(houses), "/code");
    lp_houses_free(houses);
}

/* A file of many schools, in no order, of 200 colours. */
static char *
write_schools(void)
{
    char  *text = malloc(SCHOOLS * SCHOOL_MAX + SCHOOL_MAX);
    size_t n = 0;
    int    i, school;

    assert_non_null(text);
    for (i = 0; i < SCHOOLS; i++) {
        school = i * 7919 % SCHOOLS;
        n += (size_t) snprintf(
            text + n, SCHOOL_MAX,
            "%s\"s%d\":{\"name\":\"n%d\",\"accent\":\"#0000%02x\"}",
            i == 0 ? "{\"schools\":{" : ",", school, school, i % 200);
    }
    snprintf(text + n, SCHOOL_MAX, "}}");

    return text;
}

static void
test_of_many_schools_each_is_found(void **state)
{
    lp_houses_t *houses;
    char        *text = write_schools(), school[16], name[16];
    int          i;

    (void) state;
    houses = must_read(text);
    for (i = 0; i < SCHOOLS; i++) {
        snprintf(school, sizeof(school), "s%d", i);
        snprintf(name, sizeof(name), "n%d", i);
        assert_span(lp_house_of(houses, lp_span_of(school))->name, name);
    }
    assert_span(lp_house_of(houses, lp_span("s"))->name, "Leerpoort");
    assert_span(lp_house_of(houses, lp_span("s20000"))->name, "Leerpoort");
    lp_houses_free(houses);
    free(text);
}

typedef struct {
    const char *text;
    const char *reason; /* a part of it */
} wrong_t;

static const wrong_t wrong[] = {
    {"", "it is not one JSON object"},
    {"[]", "it is not one JSON object"},
    {"{\n\"codes\": \"/code\",\n}",
     "it is not one JSON object: look at line 3, and just before it"},
    {"{\"codes\": \"/code\",\n\"codes\": \"/other\"}",
     "a member is there twice: look at line 2, and just before it"},
    {"{\"default\": {}, \"default\": {}}", "twice"},
    {"{\"defaults\": {}}", "\"defaults\" is no member"},
    {"{\"default\": []}", "default: not an object"},
    {"{\"default\": {\"acent\": \"#000000\"}}", "default: \"acent\""},
    {"{\"default\": {\"name\": \"\"}}", "default.name"},
    {"{\"default\": {\"name\": 1}}", "default.name"},
    {"{\"default\": {\"name\": \"a\\nb\"}}", "default.name"},
    {"{\"default\": {\"name\": \"   \"}}", "default.name"},
    {"{\"default\": {\"name\": \"a\\u202eb\"}}", "default.name"},
    {"{\"default\": {\"name\": \"\\u2066b\"}}", "default.name"},
    {"{\"default\": {\"name\": \"a\\u0085\"}}", "default.name"},
    {"{\"default\": {\"helpText\": \" \"}}", "default.helpText"},
    {"{\"default\": {\"help\": \"https:///x\"}}", "default.help"},
    {"{\"default\": {\"help\": \"https://?x\"}}", "default.help"},
    {"{\"default\": {\"help\": \"https://a/<b>\"}}", "default.help"},
    {"{\"default\": {\"help\": \"https://a/\\u00e9\"}}", "at most 512"},
    {"{\"default\": {\"help\": \"javascript:alert(1)\"}}", "default.help"},
    {"{\"default\": {\"help\": \"http://x.example/\"}}", "default.help"},
    {"{\"default\": {\"help\": \"https://\"}}", "default.help"},
    {"{\"default\": {\"help\": \"https://a b\"}}", "default.help"},
    {"{\"default\": {\"help\": \"//x.example\"}}", "default.help"},
    {"{\"default\": {\"help\": null}}", "default.help"},
    {"{\"default\": {\"helpText\": {\"nl\": \"x\"}}}", "default.helpText"},
    {"{\"default\": {\"helpText\": {\"nl\": \"x\", \"en\": \"y\","
     " \"de\": \"z\"}}}", "default.helpText"},
    {"{\"default\": {\"helpText\": []}}", "default.helpText"},
    {"{\"default\": {\"accent\": \"red\"}}", "default.accent: not a colour"},
    {"{\"default\": {\"accent\": \"#12345\"}}", "not a colour"},
    {"{\"default\": {\"accent\": \"#12345g\"}}", "not a colour"},
    {"{\"default\": {\"accent\": \"#777777;\"}}", "not a colour"},
    {"{\"default\": {\"accent\": 0}}", "not a colour"},
    {"{\"default\": {\"accent\": \"#ffcc00\"}}", "contrast"},
    {"{\"default\": {\"accent\": \"#777777\"}}", "is 4.48"},
    {"{\"default\": {\"accentDark\": \"#1f5f8b\"}}", "accentDark: contrast"},
    {"{\"schools\": []}", "schools: not an object"},
    {"{\"schools\": {\"a b\": {}}}", "\"a b\" is no id of a school"},
    {"{\"schools\": {\"\": {}}}", "is no id of a school"},
    {"{\"schools\": {\"S1\": {\"name\": []}}}", "S1.name"},
    {"{\"schools\": {\"S1\": 1}}", "S1: not an object"},
    {"{\"codes\": \"\"}", "codes"},
    {"{\"codes\": \"code\"}", "codes"},
    {"{\"codes\": \"//elsewhere.example\"}", "codes"},
    {"{\"codes\": \"/\\\\elsewhere.example\"}", "codes"},
    {"{\"codes\": \"https://elsewhere.example\"}", "codes"},
    {"{\"codes\": \"/a b\"}", "codes"},
    {"{\"codes\": \"/a\\nb\"}", "codes"},
    {"{\"codes\": null}", "codes"},
};

static void
test_what_is_wrong_is_refused_by_name(void **state)
{
    size_t i;

    (void) state;
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (read_text(wrong[i].text) != NULL) {
            fail_msg("%s is accepted", wrong[i].text);
        }
        if (strstr(reason, wrong[i].reason) == NULL) {
            fail_msg("%s: \"%s\"", wrong[i].text, reason);
        }
    }
}

static void
test_a_file_without_end_is_refused(void **state)
{
    char *text = malloc(LP_HOUSES_FILE_MAX + 1);

    (void) state;
    assert_non_null(text);
    memset(text, ' ', LP_HOUSES_FILE_MAX + 1);
    assert_null(lp_houses_read(
        (lp_span_t) {text, LP_HOUSES_FILE_MAX + 1}, reason));
    assert_non_null(strstr(reason, "longer"));
    free(text);
}

/* Figures of other programs: WebAIM's contrast checker. */
static void
test_contrast(void **state)
{
    (void) state;
    assert_float_equal(lp_colour_contrast(0xffffff, 0x000000), 21, 0.001);
    assert_float_equal(lp_colour_contrast(0x000000, 0xffffff), 21, 0.001);
    assert_float_equal(lp_colour_contrast(0x123456, 0x123456), 1, 0.001);
    assert_float_equal(lp_colour_contrast(0x777777, 0xffffff), 4.478, 0.001);
    assert_float_equal(lp_colour_contrast(0x767676, 0xffffff), 4.542, 0.001);
    assert_float_equal(lp_colour_contrast(0xff0000, 0xffffff), 3.998, 0.001);
    assert_float_equal(lp_colour_contrast(0x0000ff, 0xffffff), 8.592, 0.001);
}

/* Every colour has one that can be read on dark paper, near it. */
static void
test_an_accent_is_made_light_enough_for_the_dark(void **state)
{
    uint32_t colour;

    (void) state;
    for (colour = 0; colour <= 0xffffff; colour += 0x0a1b2d) {
        assert_true(lp_colour_contrast(lp_colour_for_dark(colour),
                                       LP_PAPER_DARK) >= 4.5);
    }
    assert_int_equal(lp_colour_for_dark(0xffcc00), 0xffcc00);
    assert_int_equal(lp_colour_for_dark(0xffffff), 0xffffff);
    assert_int_not_equal(lp_colour_for_dark(0x1f5f8b), 0xffffff);
}

/* The fixed colours of the style sheet, on both papers. */
static void
test_all_text_can_be_read(void **state)
{
    static const struct {
        const char *name;
        uint32_t    light, dark;
    } colours[] = {{"--ink:", 0x1a1c20, 0xe8eaed},
                   {"--soft:", 0x555b66, 0xb3bac4},
                   {"--accent:", 0x1f5f8b, 0x8cc4ec}};
    lp_houses_t *houses = lp_houses_read((lp_span_t) {NULL, 0}, reason);
    lp_span_t    style;
    char         both[2][32];
    size_t       i;

    (void) state;
    assert_non_null(houses);
    style = lp_house_of(houses, lp_span(""))->style;
    for (i = 0; i < sizeof(colours) / sizeof(colours[0]); i++) {
        snprintf(both[0], 32, "%s#%06x", colours[i].name, colours[i].light);
        snprintf(both[1], 32, "%s#%06x", colours[i].name, colours[i].dark);
        assert_true(holds(style, both[0]) && holds(style, both[1]));
        assert_true(lp_colour_contrast(colours[i].light, LP_PAPER) >= 4.5);
        assert_true(lp_colour_contrast(colours[i].dark, LP_PAPER_DARK)
                    >= 4.5);
    }
    assert_true(holds(style, "--paper:#fff;"));
    assert_true(holds(style, "--paper:#15181d;"));
    lp_houses_free(houses);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_file_there_is_a_style),
        cmocka_unit_test(test_a_school_has_its_own_and_the_rest_of_the_default),
        cmocka_unit_test(test_of_many_schools_each_is_found),
        cmocka_unit_test(test_what_is_wrong_is_refused_by_name),
        cmocka_unit_test(test_a_file_without_end_is_refused),
        cmocka_unit_test(test_contrast),
        cmocka_unit_test(test_an_accent_is_made_light_enough_for_the_dark),
        cmocka_unit_test(test_all_text_can_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
