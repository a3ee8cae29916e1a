/*
 * Protects the population: the same for the same census, complete, without a
 * person in two classes, met shares, and holds that are what the edge's own
 * decision makes of the rights they stand for.
 */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../core/decide.h"
#include "../../core/keys.h"
#include "../../core/target.h"
#include "../../loadtest/mix.h"
#include "../../loadtest/population_inside.h"
#include "../../loadtest/token_algs.h"

#define TODAY 20260901

static lp_census_t
census_of(uint64_t seed, uint32_t pupils, uint32_t products)
{
    lp_census_t census = {
        .seed = seed,
        .pupils = pupils,
        .products = products,
        .zipf = 1.0,
        .day = TODAY,
        .algs = "ES256",
    };

    lp_mix_usual(census.share);
    assert_string_equal(lp_census_fault(&census), "");
    return census;
}

static lp_population_t *
population_of(uint64_t seed, uint32_t pupils, uint32_t products)
{
    lp_census_t      census = census_of(seed, pupils, products);
    lp_population_t *population = lp_population_of(&census);

    assert_non_null(population);
    return population;
}

/* People. */

static void
assert_partition(uint32_t pupils)
{
    lp_population_t *population = population_of(1, pupils, 100);
    lp_class_t       class;
    uint32_t         number, next = 0, school = 0, taught = 0, i;

    for (number = 0; number < lp_population_classes(population); number++) {
        lp_population_class(population, number, &class);
        assert_int_equal(class.number, number);
        assert_int_equal(class.first, next);
        assert_in_range(class.members, 2, LP_CLASS_PUPILS + 1);
        assert_true(class.school == school || class.school == school + 1);
        school = class.school;
        for (i = 0; i < class.members; i++) {
            assert_int_equal(lp_population_class_of(population, next + i),
                             number);
            assert_int_equal(lp_population_teaches(population, next + i),
                             i == 0);
            taught += i > 0;
        }
        next += class.members;
    }
    assert_int_equal(next, lp_population_members(population));
    assert_int_equal(school + 1, lp_population_schools(population));
    assert_int_equal(taught, pupils);
    lp_population_close(population);
}

static void
test_everybody_is_in_one_class_of_one_school(void **state)
{
    static const uint32_t counts[] = {1, 2, 24, 25, 26, 50, 51, 999, 123456};
    unsigned              i;

    (void) state;

    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        assert_partition(counts[i]);
    }
}

static void
test_a_country_has_its_schools(void **state)
{
    lp_population_t *country = population_of(1, 2400000, 500);
    lp_population_t *village = population_of(1, 500, 500);

    (void) state;

    assert_int_equal(lp_population_classes(country), 96000);
    assert_in_range(lp_population_schools(country), 5000, 7000);
    assert_in_range(lp_population_schools(village), 8, 20);
    lp_population_close(village);
    lp_population_close(country);
}

/* Shelves. */

static void
assert_shelves(uint32_t products, double zipf)
{
    lp_census_t      census = census_of(3, 5000, products);
    lp_population_t *population;
    uint32_t         class, shelf[LP_SHELF];
    unsigned         slot, other;

    census.zipf = zipf;
    population = lp_population_of(&census);
    assert_non_null(population);
    for (class = 0; class < lp_population_classes(population); class++) {
        for (slot = 0; slot < LP_SHELF; slot++) {
            shelf[slot] = lp_population_shelf(population, class, slot);
            assert_in_range(shelf[slot], 0, products - 1);
            for (other = 0; other < slot; other++) {
                assert_int_not_equal(shelf[slot], shelf[other]);
            }
        }
    }
    lp_population_close(population);
}

static void
test_a_product_is_on_a_shelf_once(void **state)
{
    (void) state;

    assert_shelves(20, 0);
    assert_shelves(20, 1);
    assert_shelves(20, 3);
    assert_shelves(500, 1);
    assert_shelves(5000, 3);
    assert_shelves(100000, 0.5);
}

/* Nothing of what was asked before may be seen in an answer. */
static void
test_the_order_of_questions_does_not_matter(void **state)
{
    lp_population_t *a = population_of(9, 3000, 60);
    lp_population_t *b = population_of(9, 3000, 60);
    lp_random_t      random;
    uint32_t         member, i;
    unsigned         slot;

    (void) state;

    lp_random_seed(&random, 1, 1);
    for (i = 0; i < 20000; i++) {
        member = (uint32_t) lp_random_below(&random, 3120);
        slot = (unsigned) lp_random_below(&random, LP_SHELF);
        assert_int_equal(lp_population_shelf(a, member / 26, LP_SHELF - 1),
                         lp_population_shelf(b, member / 26, LP_SHELF - 1));
        (void) lp_population_hold(a, i % 3120, i % LP_SHELF);
        assert_int_equal(lp_population_hold(a, member, slot),
                         lp_population_hold(b, member, slot));
        assert_int_equal(lp_population_shelf(a, member / 26, slot),
                         lp_population_shelf(b, member / 26, slot));
    }
    lp_population_close(b);
    lp_population_close(a);
}

/* The first slot of a shelf is a plain draw. */
static void
test_products_are_as_popular_as_zipf_says(void **state)
{
    static unsigned  counts[100];
    lp_population_t *population = population_of(4, 1250000, 100);
    double           expected, sum = 0, chi = 0;
    uint32_t         class, n = lp_population_classes(population);
    unsigned         i;

    (void) state;

    for (class = 0; class < n; class++) {
        counts[lp_population_shelf(population, class, 0)]++;
    }
    for (i = 0; i < 100; i++) {
        sum += 1 / (i + 1.0);
    }
    for (i = 0; i < 100; i++) {
        expected = n / (i + 1.0) / sum;
        chi += pow(counts[i] - expected, 2) / expected;
    }
    assert_true(chi < 148.2); /* chi-square, 99 degrees of freedom, 0.999 */
    lp_population_close(population);
}

static void
test_another_seed_is_another_country(void **state)
{
    lp_population_t *a = population_of(1, 5000, 500);
    lp_population_t *b = population_of(2, 5000, 500);
    char             one[LP_PERSON_MAX], other[LP_PERSON_MAX];
    uint32_t         member, same = 0;

    (void) state;

    for (member = 0; member < 5000; member++) {
        lp_population_person(a, one, member);
        lp_population_person(b, other, member);
        assert_string_not_equal(one, other);
        same += lp_population_shelf(a, member / 26, member % LP_SHELF)
                == lp_population_shelf(b, member / 26, member % LP_SHELF);
    }
    assert_true(same < 1000);
    lp_population_close(b);
    lp_population_close(a);
}

/* Holds. */

/* Open rights are drawn by school and product, some hundreds that count: their
   share is a coarse one. */
static void
assert_shares(lp_census_t *census)
{
    lp_population_t *population = lp_population_of(census);
    double           n = 0, share, rest = 1, count[LP_HOLDS] = {0};
    uint32_t         member, members;
    unsigned         slot, hold;

    assert_non_null(population);
    members = lp_population_members(population);
    for (member = 0; member < members; member++) {
        for (slot = 0; slot < LP_SHELF; slot++) {
            hold = lp_population_hold(population, member, slot);
            count[hold]++;
            n += hold != LP_HOLD_FREE;
        }
    }
    for (hold = 0; hold < LP_HOLDS; hold++) {
        rest -= lp_mix_has((lp_hold_t) hold) ? census->share[hold] : 0;
    }
    for (hold = 0; hold < LP_HOLDS; hold++) {
        share = hold == LP_HOLD_LICENSED ? rest : census->share[hold];
        if (hold == LP_HOLD_FREE) {
            assert_true(count[hold] > 0);
        } else if (share == 0) {
            assert_true(count[hold] == 0);
        } else if (fabs(count[hold] / n - share)
                   > (hold == LP_HOLD_OPEN ? 0.25 : 0.06) * share + 0.001) {
            print_error("%s: %.4f, not %.4f\n",
                        lp_hold_name((lp_hold_t) hold), count[hold] / n,
                        share);
            fail();
        }
    }
    lp_population_close(population);
}

static void
test_shares_are_those_of_the_census(void **state)
{
    lp_census_t census = census_of(6, 60000, 500);

    (void) state;

    assert_shares(&census);
    census.products = 40;
    assert_shares(&census);
    memset(census.share, 0, sizeof(census.share));
    assert_shares(&census);
    census.share[LP_HOLD_SET] = 0.3;
    census.share[LP_HOLD_OPEN] = 0.3;
    census.share[LP_HOLD_NONE] = 0.4;
    assert_string_equal(lp_census_fault(&census), "");
    assert_shares(&census);
}

static lp_right_t
right_of(lp_state_t right_state, uint32_t from, uint32_t until)
{
    lp_right_t right = {.state = right_state, .from = from, .until = until};

    return right;
}

/* What a seeder writes for a hold; 0: nothing. */
static unsigned
right_for(lp_right_t *right, lp_hold_t hold)
{
    switch (hold) {
    case LP_HOLD_LICENSED:
    case LP_HOLD_SET:
        *right = right_of(LP_LICENSED, 20260801, 20270731);
        return 1;
    case LP_HOLD_ENTITLED:
        *right = right_of(LP_ENTITLED, 20260801, 20270731);
        return 1;
    case LP_HOLD_NOT_YET:
        *right = right_of(LP_ENTITLED, 20270101, 20270731);
        return 1;
    case LP_HOLD_ENDED:
        *right = right_of(LP_LICENSED, 20250801, 20260731);
        return 1;
    case LP_HOLD_BLOCKED:
        *right = right_of(LP_BLOCKED, 20260801, 20270731);
        return 1;
    default:
        return 0;
    }
}

/* All rights of a member that count for the product in a slot, as the edge
   finds them: by product, by its set, then the school's. */
static void
rights_of(lp_rights_t *rights, const lp_population_t *population,
          uint32_t member, uint32_t product)
{
    uint32_t   class = member / 26, other;
    char       set[LP_NAME_MAX], others[LP_NAME_MAX];
    unsigned   slot;
    lp_hold_t  hold;
    lp_class_t of;

    rights->n = 0;
    lp_population_set_id(population, set, product);
    for (slot = 0; slot < LP_SHELF; slot++) {
        hold = lp_population_hold(population, member, slot);
        other = lp_population_shelf(population, class, slot);
        lp_population_set_id(population, others, other);
        if (hold == LP_HOLD_SET ? strcmp(set, others) == 0
                                : other == product) {
            rights->n += right_for(&rights->list[rights->n], hold);
        }
    }
    lp_population_class(population, class, &of);
    if (!lp_population_teaches(population, member)
        && lp_population_open_right(population, of.school, product)) {
        rights->list[rights->n++] = right_of(LP_OPEN, 20260801, 20270731);
    }
}

/* The edge's decision is the judge of what a hold has to end with. */
static void
test_a_hold_ends_as_the_edge_decides(void **state)
{
    lp_census_t       census = census_of(8, 4000, 40);
    lp_population_t  *population;
    lp_product_t      product;
    lp_rights_t       rights;
    const lp_right_t *right;
    lp_outcome_t      outcome;
    lp_hold_t         hold;
    uint32_t          member, item;
    unsigned          slot, seen[LP_HOLDS] = {0};

    (void) state;

    census.share[LP_HOLD_SET] = 0.2;
    census.share[LP_HOLD_OPEN] = 0.1;
    census.share[LP_HOLD_NONE] = 0.2;
    population = lp_population_of(&census);
    for (member = 0; member < lp_population_members(population); member++) {
        for (slot = 0; slot < LP_SHELF; slot++) {
            hold = lp_population_hold(population, member, slot);
            item = lp_population_shelf(population, member / 26, slot);
            memset(&product, 0, sizeof(product));
            product.free = lp_population_free(population, item) != 0;
            rights_of(&rights, population, member, item);
            outcome = lp_decide(&product, &rights, TODAY, &right);
            assert_int_equal(outcome == LP_ACTIVATE,
                             hold == LP_HOLD_ENTITLED
                                 || hold == LP_HOLD_OPEN);
            assert_int_equal(outcome == LP_ACTIVATE ? LP_REDIRECT : outcome,
                             lp_hold_outcome(hold));
            seen[hold]++;
        }
    }
    for (hold = 0; hold < LP_HOLDS; hold++) {
        assert_true(seen[hold] > 20);
    }
    lp_population_close(population);
}

/* Names. */

static void
assert_unlike_real(const char *text, size_t len, const char *prefix)
{
    assert_int_equal(strlen(text), len);
    assert_memory_equal(text, prefix, strlen(prefix));
}

static void
test_ids_cannot_be_real(void **state)
{
    lp_population_t *population = population_of(5, 2400000, 500);
    char             text[LP_PERSON_MAX];
    size_t           len;

    (void) state;

    len = lp_population_school_id(population, text, 1);
    assert_unlike_real(text, len, "load-s-00001");
    len = lp_population_product_id(population, text, 123);
    assert_unlike_real(text, len, "load-000123");
    assert_true(lp_product_valid((lp_span_t) {text, len}));
    len = lp_population_set_id(population, text, 1);
    assert_unlike_real(text, len, "load-set-");
    assert_true(lp_product_valid((lp_span_t) {text, len}));
    assert_int_equal(lp_population_set_id(population, text, 2), 0);
    len = lp_population_alias(population, text, 3);
    assert_unlike_real(text, len, "load-b-00003");
    assert_int_equal(lp_population_alias(population, text, 4), 0);

    len = lp_population_person(population, text, 2495999);
    assert_unlike_real(text, len, "https://ketenid.nl/000000/");
    assert_int_equal(len, 26 + 128);
    assert_int_equal(strspn(text + 26, "0123456789abcdef"), 128);
    assert_string_equal(lp_population_id_type(population, 2495999), "ECK");
    len = lp_population_person(population, text, 26);
    assert_unlike_real(text, len, "load-t-00000026-");
    assert_string_equal(text + len - 13, "@load.example");
    assert_string_equal(lp_population_id_type(population, 26), "NEPPI");
    lp_population_close(population);
}

static void
test_links_are_targets_that_the_edge_takes(void **state)
{
    static const lp_span_t allowed = {"*.load.example", 14};
    static const lp_hosts_t hosts = {&allowed, 1};
    lp_population_t *population = population_of(5, 1000, 500);
    char             url[LP_URL_MAX], deep[LP_URL_MAX + 8], id[LP_NAME_MAX];
    size_t           len;
    uint32_t         product;
    unsigned         n_deep = 0;

    (void) state;

    for (product = 0; product < 500; product++) {
        len = lp_population_url(population, url, product);
        assert_int_equal(strlen(url), len);
        assert_int_equal(lp_target_check((lp_span_t) {url, len}, 0, &hosts),
                         LP_TARGET_OK);
        lp_population_product_id(population, id, product);
        assert_string_equal(url + len - 6, id + 5); /* its own, nobody's */
        if (lp_population_deep(population, product)) {
            snprintf(deep, sizeof(deep), "%s/{path}", url);
            assert_int_equal(lp_target_check(lp_span_of(deep), 1, &hosts),
                             LP_TARGET_OK);
            n_deep++;
        }
    }
    assert_in_range(n_deep, 250, 450);
    lp_population_close(population);
}

static int
by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static void
test_a_right_has_a_uuid_of_its_own(void **state)
{
    static unsigned char uuids[2600 * LP_SHELF + 50 * 60][16];
    lp_population_t     *population = population_of(5, 2500, 60);
    unsigned char        again[16];
    uint32_t             member, school, product, n = 0, i, sets = 0;
    unsigned             slot;

    (void) state;

    for (member = 0; member < 2600; member++) {
        for (slot = 0; slot < LP_SHELF; slot++) {
            if (lp_population_hold(population, member, slot) == LP_HOLD_SET) {
                sets++;
                continue; /* of two products, one right */
            }
            lp_population_entitlement(population, uuids[n++], member, slot);
        }
    }
    for (school = 0; school < 50; school++) {
        for (product = 0; product < 60; product++) {
            lp_population_open_entitlement(population, uuids[n++], school,
                                           product);
        }
    }
    lp_population_entitlement(population, again, 0, 0);
    assert_true(sets > 0);
    qsort(uuids, n, 16, by_bytes);
    for (i = 0; i < n; i++) {
        assert_int_equal(uuids[i][6] >> 4, 8);
        assert_int_equal(uuids[i][8] >> 6, 2);
        if (i > 0) {
            assert_memory_not_equal(uuids[i], uuids[i - 1], 16);
        }
    }
    lp_population_close(population);
}

static void
test_a_right_to_a_set_is_one_right(void **state)
{
    lp_population_t *population = population_of(5, 20000, 30);
    unsigned char    first[16], second[16];
    char             a[LP_NAME_MAX], b[LP_NAME_MAX];
    uint32_t         member, pairs = 0;
    unsigned         slot, other;

    (void) state;

    for (member = 0; member < 20800; member++) {
        for (slot = 1; slot < LP_SHELF; slot++) {
            for (other = 0; other < slot; other++) {
                lp_population_set_id(population, a, lp_population_shelf(
                                         population, member / 26, slot));
                lp_population_set_id(population, b, lp_population_shelf(
                                         population, member / 26, other));
                if (lp_population_hold(population, member, slot)
                        != LP_HOLD_SET
                    || strcmp(a, b) != 0) {
                    continue;
                }
                lp_population_entitlement(population, first, member, slot);
                lp_population_entitlement(population, second, member, other);
                if (!lp_population_free(population, lp_population_shelf(
                                            population, member / 26, other))) {
                    assert_memory_equal(first, second, 16);
                    pairs++;
                }
            }
        }
    }
    assert_true(pairs > 100);
    lp_population_close(population);
}

/* What people write. */

static void
test_a_mix_says_what_is_wrong(void **state)
{
    static const char *const refused[] = {
        "", ",", "set", "set:", "set:x", "set:-0.1", "set:1.5", "set:0.1,",
        "set:0.1,set:0.1", "licensed:0.5", "free:0.1", "nothing:0.1",
        "set:0.31", "open:0.4", "none:0.9,ended:0.2", "set:.1", "set:1e-2",
        "set:0.1.1", "set:0.1 ", "set:nan", "none:1.",
        "none:0.0000000000000000000001234",
    };
    double   share[LP_HOLDS];
    unsigned i;

    (void) state;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        lp_mix_usual(share);
        if (lp_mix_read(share, refused[i]) == 0) {
            print_error("\"%s\" was taken\n", refused[i]);
            fail();
        }
    }
    lp_mix_usual(share);
    assert_int_equal(lp_mix_read(share, "not-yet:0.25,none:0,set:0.3"), 0);
    assert_true(share[LP_HOLD_NOT_YET] == 0.25 && share[LP_HOLD_NONE] == 0);
    assert_true(share[LP_HOLD_SET] == 0.3);
    assert_true(share[LP_HOLD_ENTITLED] == 0.04); /* as it was */
}

static void
test_algorithms_are_read_and_spread(void **state)
{
    static const char *const refused[] = {
        "", "ES256:0", "ES256:", "ES256,ES256", "HS256", "ES512", "none",
        "es256", "ES256:1,", "ES256:1000001", "ES256:-1", "ES256 ",
    };
    lp_token_algs_t algs;
    unsigned        i, count[3] = {0};

    (void) state;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(lp_token_algs_read(&algs, refused[i]), -1);
    }
    assert_int_equal(lp_token_algs_read(&algs, "ES256:70,RS256:20,EdDSA:10"),
                     0);
    for (i = 0; i < 20; i++) {
        count[lp_token_algs_of(&algs, i)]++;
    }
    assert_in_range(count[0], 13, 15); /* among the first few already */
    assert_in_range(count[1], 3, 5);
    assert_in_range(count[2], 1, 3);
    for (; i < 10000; i++) {
        count[lp_token_algs_of(&algs, i)]++;
    }
    assert_in_range(count[0], 6980, 7020);
    assert_in_range(count[1], 1980, 2020);
    assert_int_equal(lp_token_algs_read(&algs, "PS256"), 0);
    assert_int_equal(lp_token_algs_of(&algs, 77), 0);
}

static void
test_a_census_says_what_is_wrong(void **state)
{
    lp_census_t census = census_of(1, 1, 20);

    (void) state;

    census.pupils = 0;
    assert_string_equal(lp_census_fault(&census),
                        "pupils: from 1 to 20000000");
    census = census_of(1, 20000000, 100000);
    census.products = 19;
    assert_string_equal(lp_census_fault(&census),
                        "products: from 20 to 100000");
    census = census_of(1, 1, 20);
    census.zipf = 3.1;
    assert_non_null(strstr(lp_census_fault(&census), "zipf"));
    census.zipf = NAN;
    assert_non_null(strstr(lp_census_fault(&census), "zipf"));
    census = census_of(1, 1, 20);
    census.day = 20260230;
    assert_non_null(strstr(lp_census_fault(&census), "day"));
    census = census_of(1, 1, 20);
    census.share[LP_HOLD_NONE] = 1.1;
    assert_non_null(strstr(lp_census_fault(&census), "mix"));
}

/* Token files. */

static void
test_a_token_file_is_whole_or_refused(void **state)
{
    char            path[] = "/tmp/leerpoort-unit-XXXXXX";
    lp_token_head_t head = {.seed = 1, .pupils = 2, .slots = 3,
                            .slot_size = lp_token_slot_size(21), .kind = 1,
                            .iat = 1000, .exp = 2000};
    lp_token_file_t file;
    int             fd = mkstemp(path);

    (void) state;

    assert_int_not_equal(fd, -1);
    close(fd);
    assert_int_equal(lp_token_file_open(&file, path, 0), -1); /* empty */
    assert_int_equal(lp_token_file_create(&file, path, &head), 0);
    assert_int_equal(lp_token_file_count(&file), 0);
    assert_null(lp_token_file_get(&file, 0).data);
    lp_token_file_put(&file, 1, lp_span("a.token.of.21.letters"));
    lp_token_file_close(&file);
    lp_token_file_close(&file);

    assert_int_equal(lp_token_file_open(&file, path, 0), 0);
    assert_memory_equal(&file.head, &head, sizeof(head));
    assert_int_equal(lp_token_file_count(&file), 1);
    assert_true(lp_span_equal(lp_token_file_get(&file, 1),
                              lp_span("a.token.of.21.letters")));
    assert_null(lp_token_file_get(&file, 2).data);
    assert_null(lp_token_file_get(&file, 3).data); /* there is none */
    lp_token_file_close(&file);

    assert_int_equal(truncate(path, 4096 + 71), 0);
    assert_int_equal(lp_token_file_open(&file, path, 0), -1);
    assert_int_equal(truncate(path, 4096), 0);
    assert_int_equal(lp_token_file_open(&file, path, 0), -1);
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(lp_token_file_open(&file, path, 0), -1);
    unlink(path);
    assert_int_equal(lp_token_file_open(&file, path, 0), 1);
}

/* What a power failure may leave: a length, and zeros for the token's end. */
static void
test_half_a_token_is_none(void **state)
{
    char            path[] = "/tmp/leerpoort-unit-XXXXXX";
    lp_token_head_t head = {.slots = 1, .slot_size = 24, .iat = 1, .exp = 2};
    lp_token_file_t file;
    int             fd = mkstemp(path);

    (void) state;

    assert_int_not_equal(fd, -1);
    close(fd);
    assert_int_equal(lp_token_file_create(&file, path, &head), 0);
    lp_token_file_put(&file, 0, lp_span("abcdef"));
    assert_int_equal(lp_token_file_get(&file, 0).len, 6);
    file.map[4096 + 2 + 5] = 0;
    assert_null(lp_token_file_get(&file, 0).data);
    lp_token_file_put(&file, 0, lp_span("abcdef"));
    file.map[4096] = 23; /* longer than its slot */
    assert_null(lp_token_file_get(&file, 0).data);
    lp_token_file_close(&file);
    unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everybody_is_in_one_class_of_one_school),
        cmocka_unit_test(test_a_country_has_its_schools),
        cmocka_unit_test(test_a_product_is_on_a_shelf_once),
        cmocka_unit_test(test_the_order_of_questions_does_not_matter),
        cmocka_unit_test(test_products_are_as_popular_as_zipf_says),
        cmocka_unit_test(test_another_seed_is_another_country),
        cmocka_unit_test(test_shares_are_those_of_the_census),
        cmocka_unit_test(test_a_hold_ends_as_the_edge_decides),
        cmocka_unit_test(test_ids_cannot_be_real),
        cmocka_unit_test(test_links_are_targets_that_the_edge_takes),
        cmocka_unit_test(test_a_right_has_a_uuid_of_its_own),
        cmocka_unit_test(test_a_right_to_a_set_is_one_right),
        cmocka_unit_test(test_a_mix_says_what_is_wrong),
        cmocka_unit_test(test_algorithms_are_read_and_spread),
        cmocka_unit_test(test_a_census_says_what_is_wrong),
        cmocka_unit_test(test_a_token_file_is_whole_or_refused),
        cmocka_unit_test(test_half_a_token_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
