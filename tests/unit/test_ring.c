/*
 * Protects the ring: what was stored last under a key is what is found, the
 * oldest makes room first, nothing outside the memory is touched, and a change
 * that was not finished is noticed. The memory may move, as it does when
 * another process maps it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../core/ring.h"

#define SIZE  (LP_RING_MIN + 4096)
#define GUARD 64 /* bytes on both sides, which must stay as they are */

static uint64_t memory[(SIZE + 2 * GUARD) / 8];

static const uint64_t seed[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

static lp_ring_t *
ring_in(size_t size)
{
    memset(memory, '#', sizeof(memory));

    return lp_ring_init((char *) memory + GUARD, size, seed);
}

static void
check_guards(size_t size)
{
    const char *bytes = (const char *) memory;
    size_t      i;

    for (i = 0; i < GUARD; i++) {
        assert_int_equal(bytes[i], '#');
        assert_int_equal(bytes[GUARD + size + i], '#');
    }
}

static int
store(lp_ring_t *ring, lp_span_t key, lp_span_t value)
{
    return lp_ring_store(ring, lp_ring_hash(ring, key), key, &value, 1);
}

static lp_span_t
find(const lp_ring_t *ring, lp_span_t key)
{
    return lp_ring_find(ring, lp_ring_hash(ring, key), key);
}

static int
drop(lp_ring_t *ring, lp_span_t key)
{
    return lp_ring_drop(ring, lp_ring_hash(ring, key), key);
}

static void
assert_found(const lp_ring_t *ring, lp_span_t key, lp_span_t value)
{
    lp_span_t found;

    found = find(ring, key);
    assert_non_null(found.data);
    assert_int_equal((uintptr_t) found.data % 8, 0);
    assert_true(lp_span_equal(found, value));
}

/* The i-th of a run of keys; good until it is asked for again. */
static lp_span_t
key_of(size_t i)
{
    static char text[32];

    (void) snprintf(text, sizeof(text), "u:{00}:02VG/%zu", i);

    return lp_span_of(text);
}

static void
test_an_empty_ring_has_nothing(void **state)
{
    lp_ring_t *ring = ring_in(SIZE);

    (void) state;

    assert_ptr_equal(ring, (char *) memory + GUARD);
    assert_null(find(ring, lp_span("a")).data);
    assert_null(find(ring, lp_span("")).data);
    assert_int_equal(drop(ring, lp_span("a")), 0);
    assert_int_equal(ring->live, 0);
    assert_int_equal(lp_ring_broken(ring), 0);
}

static void
test_what_is_stored_is_found(void **state)
{
    lp_ring_t *ring = ring_in(SIZE);
    lp_span_t  parts[3] = {lp_span("one "), {NULL, 0}, lp_span("two")};
    lp_span_t  key = lp_span("k");

    (void) state;

    assert_int_equal(store(ring, lp_span("a"), lp_span("value")), 1);
    assert_int_equal(store(ring, lp_span(""), lp_span("no name")), 1);
    assert_int_equal(store(ring, lp_span("empty"), lp_span("")), 1);

    parts[1] = lp_span("");
    assert_int_equal(
        lp_ring_store(ring, lp_ring_hash(ring, key), key, parts, 3), 1);

    assert_found(ring, lp_span("a"), lp_span("value"));
    assert_found(ring, lp_span(""), lp_span("no name"));
    assert_found(ring, lp_span("empty"), lp_span(""));
    assert_found(ring, key, lp_span("one two"));
    assert_null(find(ring, lp_span("b")).data);
    assert_null(find(ring, lp_span("empt")).data);
    assert_int_equal(ring->live, 4);
    check_guards(SIZE);
}

/* A hash that meets another's is not enough: the key decides. */
static void
test_keys_with_one_hash_are_kept_apart(void **state)
{
    lp_ring_t *ring = ring_in(SIZE);
    lp_span_t  a = lp_span("a"), b = lp_span("b"), value;

    (void) state;

    value = lp_span("of a");
    assert_int_equal(lp_ring_store(ring, 7, a, &value, 1), 1);
    value = lp_span("of b");
    assert_int_equal(lp_ring_store(ring, 7, b, &value, 1), 1);

    assert_true(lp_span_equal(lp_ring_find(ring, 7, a), lp_span("of a")));
    assert_true(lp_span_equal(lp_ring_find(ring, 7, b), lp_span("of b")));
    assert_null(lp_ring_find(ring, 7, lp_span("c")).data);

    assert_int_equal(lp_ring_drop(ring, 7, a), 1);
    assert_null(lp_ring_find(ring, 7, a).data);
    assert_true(lp_span_equal(lp_ring_find(ring, 7, b), lp_span("of b")));
}

static void
test_a_key_stored_again_has_its_last_value(void **state)
{
    lp_ring_t *ring = ring_in(SIZE);
    char       value[200];
    size_t     i;

    (void) state;

    memset(value, 'v', sizeof(value));

    for (i = 0; i < 1000; i++) {
        assert_int_equal(
            store(ring, lp_span("k"), (lp_span_t) {value, i % 200}), 1);
        assert_found(ring, lp_span("k"), (lp_span_t) {value, i % 200});
        assert_int_equal(ring->live, 1);
    }

    /* a replaced record makes room, but nothing was lost by it */
    assert_int_equal(ring->evicted, 0);
    check_guards(SIZE);
}

static void
test_a_dropped_key_is_gone(void **state)
{
    lp_ring_t *ring = ring_in(SIZE);

    (void) state;

    (void) store(ring, lp_span("a"), lp_span("1"));
    (void) store(ring, lp_span("b"), lp_span("2"));

    assert_int_equal(drop(ring, lp_span("a")), 1);
    assert_int_equal(drop(ring, lp_span("a")), 0);
    assert_null(find(ring, lp_span("a")).data);
    assert_found(ring, lp_span("b"), lp_span("2"));
    assert_int_equal(ring->live, 1);

    assert_int_equal(store(ring, lp_span("a"), lp_span("3")), 1);
    assert_found(ring, lp_span("a"), lp_span("3"));

    assert_int_equal(drop(ring, lp_span("a")), 1);
    assert_int_equal(drop(ring, lp_span("b")), 1);
    assert_int_equal(ring->live, 0);
    assert_int_equal(ring->live_size, 0);
}

/* After each record those still there are the last ones, none missing. */
static void
test_the_oldest_makes_room_first(void **state)
{
    lp_ring_t *ring = ring_in(SIZE);
    char       value[500];
    size_t     i, oldest, stored;

    (void) state;

    memset(value, 'v', sizeof(value));
    oldest = 0;

    for (stored = 1; stored <= 500; stored++) {
        assert_int_equal(
            store(ring, key_of(stored - 1),
                  (lp_span_t) {value, (stored * 7919) % sizeof(value)}), 1);

        while (find(ring, key_of(oldest)).data == NULL) {
            oldest++;
            assert_true(oldest < stored);
        }

        for (i = oldest; i < stored; i++) {
            assert_found(ring, key_of(i),
                         (lp_span_t) {value, ((i + 1) * 7919)
                                             % sizeof(value)});
        }

        assert_int_equal(ring->live, stored - oldest);
        assert_int_equal(ring->evicted, oldest);
    }

    /* it went round, and most of it was in use */
    assert_true(oldest > 400);
    assert_true(ring->live_size > ring->size / 2);
    check_guards(SIZE);
}

/* The last byte of the log is used, and what lies behind it is not. */
static void
test_records_that_fill_the_log_to_its_end(void **state)
{
    static char value[LP_RING_MIN];
    lp_ring_t  *ring;
    uint64_t    one;
    size_t      i, len, fit;

    (void) state;

    memset(value, 'v', sizeof(value));

    for (len = 0; len < 1200; len += 8) {
        ring = ring_in(SIZE);
        assert_int_equal(store(ring, lp_span("12345678"),
                               (lp_span_t) {value, len}), 1);
        one = ring->live_size;
        fit = ring->size / one;

        ring = ring_in(SIZE);
        for (i = 10000000; i < 10000000 + 3 * fit; i++) {
            char key[32];

            (void) snprintf(key, sizeof(key), "%zu", i);
            assert_int_equal(
                store(ring, lp_span_of(key), (lp_span_t) {value, len}), 1);
        }

        assert_int_equal(ring->live, fit);
        assert_int_equal(ring->evicted, 2 * fit);
        check_guards(SIZE);
    }
}

static void
test_a_record_too_large_is_refused_and_its_key_forgotten(void **state)
{
    static char value[SIZE], key[UINT16_MAX + 2];
    lp_ring_t  *ring = ring_in(SIZE);
    size_t      len;

    (void) state;

    memset(value, 'v', sizeof(value));
    memset(key, 'k', sizeof(key));

    for (len = 0; len < sizeof(value); len += 8) {
        (void) store(ring, lp_span("k"), lp_span("before"));
        (void) store(ring, lp_span("other"), lp_span("stays"));

        if (store(ring, lp_span("k"), (lp_span_t) {value, len})) {
            assert_found(ring, lp_span("k"), (lp_span_t) {value, len});
            continue;
        }

        assert_null(find(ring, lp_span("k")).data);
        assert_true(len > ring->size / 4 - 64);
        assert_found(ring, lp_span("other"), lp_span("stays"));
    }

    assert_int_equal(store(ring, (lp_span_t) {key, sizeof(key)},
                           lp_span("v")), 0);
    check_guards(SIZE);
}

/* A key one byte longer than its length can be told must not become short. */
static void
test_the_longest_key(void **state)
{
    static uint64_t large[1024 * 1024 / 8];
    static char     key[UINT16_MAX + 1];
    lp_ring_t      *ring;

    (void) state;

    memset(key, 'k', sizeof(key));
    ring = lp_ring_init(large, sizeof(large), seed);

    assert_int_equal(store(ring, (lp_span_t) {key, UINT16_MAX},
                           lp_span("v")), 1);
    assert_found(ring, (lp_span_t) {key, UINT16_MAX}, lp_span("v"));

    assert_int_equal(store(ring, (lp_span_t) {key, UINT16_MAX + 1},
                           lp_span("v")), 0);
    assert_null(find(ring, (lp_span_t) {key, UINT16_MAX + 1}).data);
}

static void
test_every_size_of_memory(void **state)
{
    lp_ring_t *ring;
    size_t     size, i;

    (void) state;

    for (size = LP_RING_MIN; size <= SIZE; size += 8) {
        ring = ring_in(size);
        assert_true(ring->size > size / 2);

        for (i = 0; i < 100; i++) {
            assert_int_equal(store(ring, key_of(i), lp_span("value")), 1);
        }

        assert_found(ring, key_of(99), lp_span("value"));
        check_guards(size);
    }
}

static void
test_a_change_that_was_not_finished_is_noticed(void **state)
{
    lp_ring_t *ring = ring_in(SIZE);
    size_t     i;

    (void) state;

    for (i = 0; i < 200; i++) {
        (void) store(ring, key_of(i), lp_span("value"));
        assert_int_equal(lp_ring_broken(ring), 0);
    }
    (void) drop(ring, key_of(199));
    assert_int_equal(lp_ring_broken(ring), 0);

    /* a process died between its parts and left anything at all behind */
    ring->changing = 1;
    ring->head = 1;
    ring->tail = ring->size * 2;
    ring->live = 12345;
    memset((char *) (ring + 1), 0x5a, 1000);

    assert_int_equal(lp_ring_broken(ring), 1);
    lp_ring_reset(ring);
    assert_int_equal(lp_ring_broken(ring), 0);
    assert_int_equal(ring->live, 0);
    assert_int_equal(ring->live_size, 0);

    for (i = 0; i < 200; i++) {
        assert_null(find(ring, key_of(i)).data);
    }

    for (i = 0; i < 2000; i++) {
        assert_int_equal(store(ring, key_of(i), lp_span("again")), 1);
        assert_found(ring, key_of(i), lp_span("again"));
    }
    check_guards(SIZE);
}

static void
test_the_memory_may_lie_elsewhere(void **state)
{
    static uint64_t elsewhere[SIZE / 8];
    lp_ring_t      *ring = ring_in(SIZE), *moved;
    size_t          i, oldest;

    (void) state;

    for (i = 0; i < 1000; i++) {
        (void) store(ring, key_of(i), lp_span("before"));
    }
    oldest = 1000 - ring->live;

    memcpy(elsewhere, ring, SIZE);
    memset(memory, 0xff, sizeof(memory)); /* a pointer back would be seen */
    moved = (lp_ring_t *) elsewhere;

    for (i = 0; i < 1000; i++) {
        assert_int_equal(find(moved, key_of(i)).data != NULL, i >= oldest);
    }

    for (i = 1000; i < 3000; i++) {
        assert_int_equal(store(moved, key_of(i), lp_span("after")), 1);
    }

    assert_found(moved, key_of(2999), lp_span("after"));
    assert_int_equal(drop(moved, key_of(2999)), 1);
    assert_int_equal(moved->evicted + moved->live, 2999);
}

/*
 * SipHash-1-3 again, as its paper tells it: a message is a row of words, the
 * last of which ends in the message's length.
 */
static void
sip_rounds(uint64_t v[4], int rounds)
{
    static const struct {
        int from, to, turn, half;
    } steps[] = {{1, 0, 13, 1}, {3, 2, 16, 0}, {3, 0, 21, 0}, {1, 2, 17, 1}};
    int i;

    for (; rounds > 0; rounds--) {
        for (i = 0; i < 4; i++) {
            v[steps[i].to] += v[steps[i].from];
            v[steps[i].from] = (v[steps[i].from] << steps[i].turn
                                | v[steps[i].from] >> (64 - steps[i].turn))
                               ^ v[steps[i].to];
            if (steps[i].half) {
                v[steps[i].to] = v[steps[i].to] << 32 | v[steps[i].to] >> 32;
            }
        }
    }
}

static uint64_t
sip13(const uint64_t key[2], const unsigned char *text, size_t len)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                     key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
    uint64_t word;
    size_t   i, j;

    for (i = 0; i <= len / 8; i++) {
        word = i == len / 8 ? (uint64_t) len << 56 : 0;
        for (j = 8 * i; j < len && j < 8 * i + 8; j++) {
            word |= (uint64_t) text[j] << (8 * (j % 8));
        }
        v[3] ^= word;
        sip_rounds(v, 1);
        v[0] ^= word;
    }

    v[2] ^= 0xff;
    sip_rounds(v, 3);

    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void
test_the_hash_is_siphash_1_3(void **state)
{
    lp_ring_t    *ring = ring_in(SIZE);
    unsigned char text[100];
    size_t        len;
    lp_span_t     key = {(const char *) text, 0};

    (void) state;

    for (len = 0; len < sizeof(text); len++) {
        text[len] = (unsigned char) len;
    }

    /* the published vector for the empty message */
    assert_true(lp_ring_hash(ring, key) == 0xabac0158050fc4dc);

    for (len = 0; len <= sizeof(text); len++) {
        key.len = len;
        assert_true(lp_ring_hash(ring, key) == sip13(seed, text, len));
    }
}

static void
test_another_seed_gives_other_hashes(void **state)
{
    static uint64_t other_memory[LP_RING_MIN / 8];
    lp_ring_t      *ring = ring_in(SIZE), *other;
    uint64_t        other_seed[2] = {seed[0], seed[1]};
    size_t          i;

    (void) state;

    for (i = 0; i < 128; i++) {
        other_seed[i / 64] = seed[i / 64] ^ (uint64_t) 1 << (i % 64);
        other = lp_ring_init(other_memory, sizeof(other_memory), other_seed);
        other_seed[i / 64] = seed[i / 64];

        assert_true(lp_ring_hash(ring, lp_span("key"))
                    != lp_ring_hash(other, lp_span("key")));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_ring_has_nothing),
        cmocka_unit_test(test_what_is_stored_is_found),
        cmocka_unit_test(test_keys_with_one_hash_are_kept_apart),
        cmocka_unit_test(test_a_key_stored_again_has_its_last_value),
        cmocka_unit_test(test_a_dropped_key_is_gone),
        cmocka_unit_test(test_the_oldest_makes_room_first),
        cmocka_unit_test(test_records_that_fill_the_log_to_its_end),
        cmocka_unit_test(
            test_a_record_too_large_is_refused_and_its_key_forgotten),
        cmocka_unit_test(test_the_longest_key),
        cmocka_unit_test(test_every_size_of_memory),
        cmocka_unit_test(test_a_change_that_was_not_finished_is_noticed),
        cmocka_unit_test(test_the_memory_may_lie_elsewhere),
        cmocka_unit_test(test_the_hash_is_siphash_1_3),
        cmocka_unit_test(test_another_seed_gives_other_hashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
