/*
 * Protects the difference between a sign-out and an operator's revocation: the
 * one lets other devices go on, and never undoes the other.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../sso/tokens_before.h"
#include "wire.h"

#define USER "AAAAAAAAAAAAAAAAAAAAAA"

/* A pupil at school S; without: a private customer. */
static lp_owner_t
owner_at(const char *school)
{
    lp_owner_t owner;

    memset(&owner, 0, sizeof(owner));
    owner.n_users = 1;
    memcpy(owner.users[0], USER, LP_USER_KEY_LEN);
    owner.school_len = strlen(school);
    memcpy(owner.school, school, owner.school_len);
    return owner;
}

/* Asks; the replies are "!" and the key beside it, of each hash. */
static lp_tokens_before_t
ask(wire_t *wire, const lp_owner_t *owner, const char *replies)
{
    unsigned n = lp_tokens_before_ask(wire->store, owner);

    assert_int_equal(n, owner->school_len > 0 ? 5 : 3);
    if (wire->link == -1) {
        wire_accept(wire);
    }
    wire_answer(wire, "+OK\r\n");
    wire_answer(wire, replies);
    assert_int_equal(lp_store_run(wire->store), LP_STORE_OK);
    return lp_tokens_before_read(wire->store, owner, 0);
}

static void
forget_commands(wire_t *wire)
{
    redisReply *command;

    while ((command = wire_command(wire)) != NULL) {
        freeReplyObject(command);
    }
}

static void
assert_words(wire_t *wire, const char *const *words, size_t n)
{
    redisReply *command = wire_command(wire);
    size_t      i;

    assert_non_null(command);
    assert_int_equal(command->elements, n);
    for (i = 0; i < n; i++) {
        assert_string_equal(command->element[i]->str, words[i]);
    }
    freeReplyObject(command);
}

static void
test_who_wrote_it_the_key_beside_it_says(void **state)
{
    static const struct {
        const char *replies;
        int64_t     before, revoked;
    } cases[] = {
        {"$-1\r\n$-1\r\n", 0, 0},
        {"$3\r\n500\r\n$-1\r\n", 500, 500},
        {"$3\r\n500\r\n$5\r\n500 0\r\n", 500, 0},
        {"$3\r\n500\r\n$7\r\n500 300\r\n", 500, 300},
        /* an operator wrote it after the sign-out, or somebody else */
        {"$3\r\n600\r\n$5\r\n500 0\r\n", 600, 600},
        {"$3\r\n400\r\n$5\r\n500 0\r\n", 400, 400},
        /* what can't be read is an operator's */
        {"$3\r\n500\r\n$3\r\n500\r\n", 500, 500},
        {"$3\r\n500\r\n$4\r\n500 \r\n", 500, 500},
        {"$3\r\n500\r\n$6\r\n500 -1\r\n", 500, 500},
        {"$3\r\n500\r\n$0\r\n\r\n", 500, 500},
        {"$1\r\nx\r\n$5\r\n500 0\r\n", INT64_MAX, INT64_MAX},
        {"$0\r\n\r\n$-1\r\n", INT64_MAX, INT64_MAX},
    };
    wire_t            *wire = *state;
    lp_owner_t         owner = owner_at("");
    lp_tokens_before_t found;
    size_t             i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        found = ask(wire, &owner, cases[i].replies);
        assert_int_equal(found.before, cases[i].before);
        assert_int_equal(found.revoked, cases[i].revoked);
        forget_commands(wire);
    }
}

static void
test_the_hashes_are_those_of_the_edge(void **state)
{
    static const char *const watch[] = {
        "WATCH", ("u:{22}:S/" USER), ("signout:{22}:S/" USER),
        ("u:{13}:/" USER), ("signout:{13}:/" USER)};
    static const char *const hget[] = {"HGET", ("u:{22}:S/" USER), "!"};
    static const char *const get[] = {"GET", ("signout:{22}:S/" USER)};
    wire_t            *wire = *state;
    lp_owner_t         owner = owner_at("S");
    lp_tokens_before_t found;

    found = ask(wire, &owner, "$3\r\n500\r\n$5\r\n500 0\r\n"
                              "$3\r\n400\r\n$-1\r\n");
    assert_int_equal(found.before, 500);
    assert_int_equal(found.revoked, 400);
    assert_words(wire, watch, 5);
    assert_words(wire, hget, 3);
    assert_words(wire, get, 2);
}

static void
test_a_sign_out_remembers_what_an_operator_wrote(void **state)
{
    static const struct {
        const char *replies;
        const char *beside; /* NULL: nothing is written */
    } cases[] = {
        {"$-1\r\n$-1\r\n", "700 0"},
        {"$3\r\n500\r\n$-1\r\n", "700 500"},
        {"$3\r\n500\r\n$7\r\n500 300\r\n", "700 300"},
        {"$3\r\n600\r\n$7\r\n500 300\r\n", "700 600"},
        {"$3\r\n700\r\n$7\r\n700 300\r\n", NULL},
        {"$3\r\n900\r\n$-1\r\n", NULL},
        {"$1\r\nx\r\n$-1\r\n", NULL},
    };
    static const char *const hset[] = {"HSET", ("u:{13}:/" USER), "!", "700"};
    const char *set[] = {"SET", ("signout:{13}:/" USER), NULL, "EX", "28800"};
    wire_t     *wire = *state;
    lp_owner_t  owner = owner_at("");
    size_t      i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void) ask(wire, &owner, cases[i].replies);
        forget_commands(wire);
        lp_tokens_before_set(wire->store, &owner, 0, 700, 28800);
        set[2] = cases[i].beside;
        if (set[2] == NULL) {
            assert_int_equal(lp_store_run(wire->store), LP_STORE_OK);
            assert_null(wire_command(wire));
            continue;
        }
        wire_answer(wire, ":1\r\n+OK\r\n");
        assert_int_equal(lp_store_run(wire->store), LP_STORE_OK);
        assert_words(wire, hset, 4);
        assert_words(wire, set, 5);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WIRED(test_who_wrote_it_the_key_beside_it_says),
        WIRED(test_the_hashes_are_those_of_the_edge),
        WIRED(test_a_sign_out_remembers_what_an_operator_wrote),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
