/*
 * Protects packed hashes: every field that was put in is found with its value,
 * whatever came before it and however many there are, and nothing else is.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../core/fields.h"

static char packed_bytes[1024 * 1024];

/* Packs with a guard behind what lp_fields_size() asked for. */
static lp_span_t
pack(lp_field_t *fields, size_t n)
{
    size_t len, size;

    size = lp_fields_size(fields, n);
    assert_true(size < sizeof(packed_bytes));
    memset(packed_bytes + size, '#', sizeof(packed_bytes) - size);

    len = lp_fields_pack(packed_bytes, fields, n);
    assert_true(len <= size);
    assert_int_equal(packed_bytes[size], '#');

    return (lp_span_t) {packed_bytes, len};
}

static void
assert_value(lp_span_t packed, const char *name, const char *value)
{
    lp_span_t found;

    found = lp_fields_find(packed, lp_span_of(name));
    assert_non_null(found.data);
    assert_int_equal(found.len, strlen(value));
    assert_memory_equal(found.data, value, found.len);
}

static void
test_an_empty_span_holds_nothing(void **state)
{
    static const char two[] = "\1";
    lp_span_t         none = {NULL, 0}, short_one = {two, sizeof(two)};

    (void) state;

    assert_int_equal(lp_fields_count(none), 0);
    assert_int_equal(lp_fields_count(short_one), 0);
    assert_null(lp_fields_find(none, lp_span("a")).data);
    assert_null(lp_fields_find(short_one, lp_span("a")).data);
}

/* Known to have no field: unlike what was never fetched it takes bytes. */
static void
test_an_empty_hash_takes_bytes(void **state)
{
    lp_field_t field;
    lp_span_t  packed;

    (void) state;

    packed = pack(&field, 0);
    assert_true(packed.len > 0);
    assert_int_equal(lp_fields_count(packed), 0);
    assert_null(lp_fields_find(packed, lp_span("")).data);
}

static void
test_names_are_found_in_any_order(void **state)
{
    lp_field_t fields[] = {
        {lp_span("wis1"), lp_span("w")}, {lp_span("b"), lp_span("bee")},
        {lp_span(""), lp_span("none")},  {lp_span("bio"), lp_span("")},
        {lp_span("!"), lp_span("17")},   {lp_span("wis2"), lp_span("w2")},
    };
    lp_span_t  packed;

    (void) state;

    packed = pack(fields, 6);
    assert_int_equal(lp_fields_count(packed), 6);
    assert_value(packed, "wis1", "w");
    assert_value(packed, "b", "bee");
    assert_value(packed, "", "none");
    assert_value(packed, "bio", "");
    assert_value(packed, "!", "17");
    assert_value(packed, "wis2", "w2");
}

static void
test_what_is_near_a_name_is_not_it(void **state)
{
    static const char *const near[] = {"wis",  "wis11", "wis0", "wis2",
                                       "Wis1", "",      "\xff"};
    lp_field_t               field = {lp_span("wis1"), lp_span("v")};
    lp_span_t                packed;
    size_t                   i;

    (void) state;

    packed = pack(&field, 1);
    for (i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
        assert_null(lp_fields_find(packed, lp_span_of(near[i])).data);
    }

    /* a NUL is a byte like another */
    assert_null(lp_fields_find(packed, lp_span("wis1\0")).data);
}

static void
test_bytes_of_any_kind_make_a_name(void **state)
{
    lp_field_t fields[256];
    char       names[256];
    lp_span_t  packed, found;
    size_t     i;

    (void) state;

    for (i = 0; i < 256; i++) {
        names[i] = (char) (255 - i);
        fields[i].name = (lp_span_t) {&names[i], 1};
        fields[i].value = fields[i].name;
    }

    packed = pack(fields, 256);
    assert_int_equal(lp_fields_count(packed), 256);

    for (i = 0; i < 256; i++) {
        found = lp_fields_find(packed, (lp_span_t) {&names[i], 1});
        assert_int_equal(found.len, 1);
        assert_int_equal(found.data[0], names[i]);
    }
}

/* Every number of fields: the search has both ends and the middle to find. */
static void
test_every_field_of_every_number_of_fields(void **state)
{
    static char names[300][8], values[300][8];
    lp_field_t  fields[300];
    lp_span_t   packed;
    size_t      n, i;

    (void) state;

    for (i = 0; i < 300; i++) {
        (void) snprintf(names[i], sizeof(names[i]), "%zu", i * 7919 % 1000);
        (void) snprintf(values[i], sizeof(values[i]), "v%zu", i);
    }

    for (n = 1; n <= 300; n += n < 40 ? 1 : 37) {
        for (i = 0; i < n; i++) {
            fields[i].name = lp_span_of(names[i]);
            fields[i].value = lp_span_of(values[i]);
        }

        packed = pack(fields, n);
        assert_int_equal(lp_fields_count(packed), n);

        for (i = 0; i < 300; i++) {
            if (i < n) {
                assert_value(packed, names[i], values[i]);
            } else {
                assert_null(
                    lp_fields_find(packed, lp_span_of(names[i])).data);
            }
        }
    }
}

static void
test_fields_come_in_the_order_of_packing(void **state)
{
    lp_field_t fields[] = {
        {lp_span("bb"), lp_span("1")},
        {lp_span("a"), lp_span("")},
        {lp_span(""), lp_span("3")},
        {lp_span("ab"), lp_span("4")},
    };
    lp_span_t  packed;
    lp_field_t field;
    size_t     i, at;

    (void) state;

    packed = pack(fields, 4);
    at = 0;

    for (i = 0; i < 4; i++) {
        assert_int_equal(lp_fields_next(packed, &at, &field), 1);
        assert_true(lp_span_equal(field.name, fields[i].name));
        assert_true(lp_span_equal(field.value, fields[i].value));
    }

    assert_int_equal(lp_fields_next(packed, &at, &field), 0);

    at = 0;
    assert_int_equal(lp_fields_next((lp_span_t) {NULL, 0}, &at, &field), 0);
}

static void
test_a_name_too_long_to_be_asked_for_is_left_out(void **state)
{
    char       name[300];
    lp_field_t fields[3];
    lp_span_t  packed;
    size_t     len;

    (void) state;

    memset(name, 'n', sizeof(name));

    for (len = LP_FIELD_NAME_MAX - 1; len <= sizeof(name); len++) {
        fields[0] = (lp_field_t) {{name, len}, lp_span("long")};
        fields[1] = (lp_field_t) {lp_span("z"), lp_span("last")};
        fields[2] = (lp_field_t) {{name, len}, lp_span("again")};

        packed = pack(fields, 2);

        assert_value(packed, "z", "last");
        assert_int_equal(lp_fields_count(packed),
                         len <= LP_FIELD_NAME_MAX ? 2 : 1);
        assert_int_equal(
            lp_fields_find(packed, (lp_span_t) {name, len}).data != NULL,
            len <= LP_FIELD_NAME_MAX);
    }
}

static void
test_a_long_value_is_cut_and_harms_no_other(void **state)
{
    static char value[3 * LP_FIELD_VALUE_MAX];
    static const size_t lens[] = {LP_FIELD_VALUE_MAX - 1, LP_FIELD_VALUE_MAX,
                                  LP_FIELD_VALUE_MAX + 1, sizeof(value)};
    lp_field_t          fields[2];
    lp_span_t           packed, found;
    size_t              i, len;

    (void) state;

    memset(value, 'v', sizeof(value));

    for (i = 0; i < 4; i++) {
        fields[0] = (lp_field_t) {lp_span("a"), {value, lens[i]}};
        fields[1] = (lp_field_t) {lp_span("b"), lp_span("short")};

        packed = pack(fields, 2);
        len = lens[i] < LP_FIELD_VALUE_MAX ? lens[i] : LP_FIELD_VALUE_MAX;

        found = lp_fields_find(packed, lp_span("a"));
        assert_int_equal(found.len, len);
        assert_memory_equal(found.data, value, len);
        assert_value(packed, "b", "short");
    }
}

/* The mirror puts them behind a head of its own, at any place. */
static void
test_a_packed_hash_is_found_wherever_it_lies(void **state)
{
    static char moved[256];
    lp_field_t  fields[2] = {{lp_span("wis1"), lp_span("w")},
                             {lp_span("nat4"), lp_span("n")}};
    lp_span_t   packed;
    size_t      at;

    (void) state;

    packed = pack(fields, 2);
    assert_true(packed.len + 8 <= sizeof(moved));

    for (at = 0; at < 8; at++) {
        memcpy(moved + at, packed.data, packed.len);
        assert_value((lp_span_t) {moved + at, packed.len}, "wis1", "w");
        assert_value((lp_span_t) {moved + at, packed.len}, "nat4", "n");
    }
}

/* So many that most bits of a place say where its field begins. */
static void
test_a_large_hash_has_room_for_every_place(void **state)
{
    static char       names[10000][6];
    static lp_field_t fields[10000];
    lp_span_t         packed, found;
    size_t            i;

    (void) state;

    for (i = 0; i < 10000; i++) {
        snprintf(names[i], sizeof(names[i]), "%05zu", i);
        fields[i].name = lp_span_of(names[i]);
        fields[i].value = lp_span("a value that makes the hash large enough");
    }

    packed = pack(fields, 5000);

    for (i = 0; i < 10000; i++) {
        found = lp_fields_find(packed, fields[i].name);
        assert_int_equal(found.data != NULL, i < 5000);
        assert_true(i >= 5000 || found.data == packed.data + packed.len
                    - (5000 - i) * (3 + 5 + found.len) + 3 + 5);
    }
}

/* A hint: nothing is to be seen of it, also where there is nothing. */
static void
test_a_field_that_is_expected_may_be_missing(void **state)
{
    lp_field_t fields[2] = {{lp_span("wis1"), lp_span("w")},
                            {lp_span("nat4"), lp_span("n")}};
    lp_span_t  packed;

    (void) state;

    lp_fields_expect((lp_span_t) {NULL, 0}, lp_span("wis1"));
    lp_fields_expect(pack(NULL, 0), lp_span("wis1"));

    packed = pack(fields, 2);
    lp_fields_expect(packed, lp_span("wis1"));
    lp_fields_expect(packed, lp_span("wis2"));
    assert_value(packed, "wis1", "w");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_span_holds_nothing),
        cmocka_unit_test(test_an_empty_hash_takes_bytes),
        cmocka_unit_test(test_names_are_found_in_any_order),
        cmocka_unit_test(test_what_is_near_a_name_is_not_it),
        cmocka_unit_test(test_bytes_of_any_kind_make_a_name),
        cmocka_unit_test(test_every_field_of_every_number_of_fields),
        cmocka_unit_test(test_fields_come_in_the_order_of_packing),
        cmocka_unit_test(test_a_name_too_long_to_be_asked_for_is_left_out),
        cmocka_unit_test(test_a_long_value_is_cut_and_harms_no_other),
        cmocka_unit_test(test_a_packed_hash_is_found_wherever_it_lies),
        cmocka_unit_test(test_a_large_hash_has_room_for_every_place),
        cmocka_unit_test(test_a_field_that_is_expected_may_be_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
