/*
 * Protects what the edge reads from Redis: the same reply however its bytes
 * arrive, the fields of a hash, the news on the invalidation link, and that
 * what is no reply ends the connection, not the worker.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <hiredis/hiredis.h>

#include "../../ngx_module/ngx_http_leerpoort_reply.h"

#define NEWS "$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n"

static int
setup(void **state)
{
    static lp_reply_t reply;

    *state = &reply;

    return lp_reply_create(&reply);
}

static int
teardown(void **state)
{
    lp_reply_destroy(*state);

    return 0;
}

/* Feeds bytes; returns what lp_reply_next() makes of them. */
static int
take(lp_reply_t *reply, const char *bytes, size_t len)
{
    assert_int_equal(lp_reply_feed(reply, bytes, len), 0);

    return lp_reply_next(reply);
}

static int
take_text(lp_reply_t *reply, const char *text)
{
    return take(reply, text, strlen(text));
}

/* One reply that has nothing before it, on a connection of its own. */
static int
take_alone(const char *text)
{
    int        taken;
    lp_reply_t reply;

    assert_int_equal(lp_reply_create(&reply), 0);
    taken = take_text(&reply, text);
    lp_reply_destroy(&reply);

    return taken;
}

static void
assert_span(lp_span_t span, const char *text)
{
    assert_non_null(span.data);
    assert_int_equal(span.len, strlen(text));
    assert_memory_equal(span.data, text, span.len);
}

static void
test_every_type_is_told_apart(void **state)
{
    lp_reply_t *reply = *state;

    assert_int_equal(take_text(reply, "$5\r\nhallo\r\n"), 1);
    assert_int_equal(reply->nodes[0].type, LP_REPLY_STRING);
    assert_span(lp_reply_text(reply, &reply->nodes[0]), "hallo");

    assert_int_equal(take_text(reply, "+PONG\r\n"), 1);
    assert_int_equal(reply->nodes[0].type, LP_REPLY_STATUS);
    assert_span(lp_reply_text(reply, &reply->nodes[0]), "PONG");

    assert_int_equal(take_text(reply, ":-9223372036854775808\r\n"), 1);
    assert_int_equal(reply->nodes[0].type, LP_REPLY_INTEGER);
    assert_true(reply->nodes[0].integer == INT64_MIN);
    assert_span(lp_reply_text(reply, &reply->nodes[0]), "");

    assert_int_equal(take_text(reply, "-ERR not you\r\n"), 1);
    assert_int_equal(reply->nodes[0].type, LP_REPLY_ERROR);
    assert_span(lp_reply_text(reply, &reply->nodes[0]), "ERR not you");

    assert_int_equal(take_text(reply, "*2\r\n:7\r\n$0\r\n\r\n"), 1);
    assert_int_equal(reply->n, 3);
    assert_int_equal(reply->nodes[0].type, LP_REPLY_ARRAY);
    assert_int_equal(reply->nodes[0].integer, 2);
    assert_int_equal(reply->nodes[1].integer, 7);
    assert_span(lp_reply_text(reply, &reply->nodes[2]), "");
}

/* RESP2 has two spellings of nothing. */
static void
test_nil_is_nil_in_both_spellings(void **state)
{
    lp_reply_t *reply = *state;

    assert_int_equal(take_text(reply, "$-1\r\n"), 1);
    assert_int_equal(reply->nodes[0].type, LP_REPLY_NIL);

    assert_int_equal(take_text(reply, "*-1\r\n"), 1);
    assert_int_equal(reply->nodes[0].type, LP_REPLY_NIL);

    assert_int_equal(take_text(reply, "*2\r\n$-1\r\n*-1\r\n"), 1);
    assert_int_equal(reply->n, 3);
    assert_int_equal(reply->nodes[1].type, LP_REPLY_NIL);
    assert_int_equal(reply->nodes[2].type, LP_REPLY_NIL);
}

static void
test_a_reply_cut_at_any_byte_is_the_same_reply(void **state)
{
    static const char text[] = "*4\r\n$3\r\nabc\r\n$2\r\n\r\n\r\n"
                               "$1\r\nx\r\n$0\r\n\r\n";
    lp_reply_t *reply = *state;
    size_t      cut, len = sizeof(text) - 1;
    lp_span_t   packed;

    for (cut = 1; cut < len; cut++) {
        assert_int_equal(take(reply, text, cut), 0);
        assert_int_equal(take(reply, text + cut, len - cut), 1);

        packed = lp_reply_pack(reply);
        assert_int_equal(lp_fields_count(packed), 2);
        assert_span(lp_fields_find(packed, lp_span("abc")), "\r\n");
        assert_span(lp_fields_find(packed, lp_span("x")), "");
        assert_int_equal(lp_reply_next(reply), 0);
    }
}

static void
test_a_reply_byte_by_byte(void **state)
{
    static const char text[] = "*2\r\n$5\r\nbiol4\r\n*2\r\n:1\r\n$-1\r\n";
    lp_reply_t *reply = *state;
    size_t      i, len = sizeof(text) - 1;

    for (i = 0; i + 1 < len; i++) {
        assert_int_equal(take(reply, text + i, 1), 0);
    }

    assert_int_equal(take(reply, text + i, 1), 1);
    assert_int_equal(reply->n, 5);
    assert_span(lp_reply_text(reply, &reply->nodes[1]), "biol4");
    assert_int_equal(reply->nodes[2].type, LP_REPLY_ARRAY);
    assert_int_equal(reply->nodes[3].integer, 1);
}

static void
test_replies_in_one_read_come_one_by_one(void **state)
{
    lp_reply_t *reply = *state;

    assert_int_equal(take_text(reply, "+OK\r\n:2\r\n$2\r\nno\r\n+half"), 1);
    assert_int_equal(reply->nodes[0].type, LP_REPLY_STATUS);

    assert_int_equal(lp_reply_next(reply), 1);
    assert_int_equal(reply->nodes[0].integer, 2);

    assert_int_equal(lp_reply_next(reply), 1);
    assert_int_equal(reply->n, 1);
    assert_span(lp_reply_text(reply, &reply->nodes[0]), "no");

    assert_int_equal(lp_reply_next(reply), 0);
    assert_int_equal(take_text(reply, "way\r\n"), 1);
    assert_span(lp_reply_text(reply, &reply->nodes[0]), "halfway");
}

static void
test_a_hash_is_packed_whole(void **state)
{
    lp_reply_t *reply = *state;
    lp_span_t   packed;

    assert_int_equal(take_text(reply, "*4\r\n$4\r\nwis1\r\n$3\r\none\r\n"
                                      "$1\r\n!\r\n$2\r\n17\r\n"), 1);

    packed = lp_reply_pack(reply);
    assert_int_equal(lp_fields_count(packed), 2);
    assert_span(lp_fields_find(packed, lp_span("wis1")), "one");
    assert_span(lp_fields_find(packed, lp_span("!")), "17");
    assert_null(lp_fields_find(packed, lp_span("one")).data);
}

/* No such key: known to be empty, which is not the same as not known. */
static void
test_what_is_not_there_is_packed_as_nothing(void **state)
{
    static const char *const nothing[] = {"*0\r\n", "$-1\r\n", "*-1\r\n"};
    lp_reply_t              *reply = *state;
    lp_span_t                packed;
    size_t                   i;

    for (i = 0; i < 3; i++) {
        assert_int_equal(take_text(reply, nothing[i]), 1);
        packed = lp_reply_pack(reply);
        assert_non_null(packed.data);
        assert_true(packed.len > 0);
        assert_int_equal(lp_fields_count(packed), 0);
    }
}

static void
test_an_alias_is_packed_under_no_name(void **state)
{
    lp_reply_t *reply = *state;
    lp_span_t   packed;

    assert_int_equal(take_text(reply, "$4\r\n02VG\r\n"), 1);
    packed = lp_reply_pack(reply);
    assert_int_equal(lp_fields_count(packed), 1);
    assert_span(lp_fields_find(packed, lp_span("")), "02VG");

    /* an empty value is a value */
    assert_int_equal(take_text(reply, "$0\r\n\r\n"), 1);
    packed = lp_reply_pack(reply);
    assert_int_equal(lp_fields_count(packed), 1);
}

static void
test_what_is_no_hash_is_not_packed(void **state)
{
    static const char *const wrong[] = {
        "+OK\r\n",
        ":1\r\n",
        "-ERR no\r\n",
        "*1\r\n$1\r\na\r\n",
        "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
        "*2\r\n$1\r\na\r\n:1\r\n",
        "*2\r\n$1\r\na\r\n$-1\r\n",
        "*2\r\n$-1\r\n$1\r\na\r\n",
        "*2\r\n$1\r\na\r\n*0\r\n",
        "*2\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n",
        "*2\r\n*1\r\n$1\r\na\r\n$1\r\nb\r\n",
    };
    lp_reply_t *reply = *state;
    size_t      i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(take_text(reply, wrong[i]), 1);
        assert_null(lp_reply_pack(reply).data);
    }
}

static void
test_the_first_word_of_an_error(void **state)
{
    static const struct {
        const char *text, *word;
    } errors[] = {
        {"-WRONGTYPE Operation against a key\r\n", "WRONGTYPE"},
        {"-LOADING\r\n", "LOADING"},
        {"-NOAUTH Authentication required.\r\n", "NOAUTH"},
        {"-\r\n", ""},
        {"-err small\r\n", ""},
        {"-ABCDEFGHIJKLMNOPQRSTUVWXYZ\r\n", "ABCDEFGHIJKLMNOP"},
        {"+WRONGTYPE\r\n", ""},
        {"$9\r\nWRONGTYPE\r\n", ""},
    };
    lp_reply_t *reply = *state;
    size_t      i;

    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        assert_int_equal(take_text(reply, errors[i].text), 1);
        assert_span(lp_reply_error(reply), errors[i].word);
    }
}

static void
test_changed_keys_are_named(void **state)
{
    lp_reply_t *reply = *state;
    size_t      first, count;

    assert_int_equal(take_text(reply, "*3\r\n" NEWS "*2\r\n$3\r\nu:1\r\n"
                                      "$3\r\np:2\r\n"), 1);
    assert_int_equal(lp_reply_link(reply, &first, &count), LP_LINK_KEYS);
    assert_int_equal(count, 2);
    assert_span(lp_reply_text(reply, &reply->nodes[first]), "u:1");
    assert_span(lp_reply_text(reply, &reply->nodes[first + 1]), "p:2");
}

/* FLUSHALL: taken for an empty list it would leave every right standing. */
static void
test_a_nil_list_means_everything(void **state)
{
    lp_reply_t *reply = *state;
    size_t      first, count;

    assert_int_equal(take_text(reply, "*3\r\n" NEWS "*-1\r\n"), 1);
    assert_int_equal(lp_reply_link(reply, &first, &count), LP_LINK_ALL);

    assert_int_equal(take_text(reply, "*3\r\n" NEWS "$-1\r\n"), 1);
    assert_int_equal(lp_reply_link(reply, &first, &count), LP_LINK_ALL);
}

/* A message that names so many keys, "u:00000" onwards. */
static size_t
write_news(char *dst, size_t cap, size_t keys)
{
    size_t i, len;

    len = (size_t) snprintf(dst, cap, "*3\r\n" NEWS "*%zu\r\n", keys);

    for (i = 0; i < keys; i++) {
        len += (size_t) snprintf(dst + len, cap - len, "$7\r\nu:%05zu\r\n", i);
    }

    assert_true(len < cap);

    return len;
}

static void
test_five_thousand_changed_keys_in_small_pieces(void **state)
{
    static char text[80 * 1000];
    lp_reply_t *reply = *state;
    size_t      i, len, at, first, count, keys = 5000;
    char        key[16];
    int         whole;

    len = write_news(text, sizeof(text), keys);
    whole = 0;

    for (at = 0; at < len; at += 1000) {
        assert_int_equal(whole, 0);
        whole = take(reply, text + at, len - at < 1000 ? len - at : 1000);
    }

    assert_int_equal(whole, 1);
    assert_int_equal(lp_reply_link(reply, &first, &count), LP_LINK_KEYS);
    assert_int_equal(count, keys);

    for (i = 0; i < keys; i++) {
        (void) snprintf(key, sizeof(key), "u:%05zu", i);
        assert_span(lp_reply_text(reply, &reply->nodes[first + i]), key);
    }
}

static void
test_the_reply_to_subscribe(void **state)
{
    lp_reply_t *reply = *state;
    size_t      first, count;

    assert_int_equal(take_text(reply, "*3\r\n$9\r\nsubscribe\r\n$20\r\n"
                                      "__redis__:invalidate\r\n:1\r\n"), 1);
    assert_int_equal(lp_reply_link(reply, &first, &count),
                     LP_LINK_SUBSCRIBED);
}

static void
test_what_is_no_news_is_told_apart(void **state)
{
    static const struct {
        const char       *text;
        lp_link_message_t message;
    } cases[] = {
        {"+OK\r\n", LP_LINK_OTHER},
        {":12\r\n", LP_LINK_OTHER},
        {"-ERR no\r\n", LP_LINK_OTHER},
        {"*0\r\n", LP_LINK_OTHER},
        {"*-1\r\n", LP_LINK_OTHER},
        {"*2\r\n" NEWS, LP_LINK_OTHER},
        {"*3\r\n:1\r\n:2\r\n:3\r\n", LP_LINK_OTHER},
        {"*3\r\n$8\r\npmessage\r\n$1\r\nx\r\n*0\r\n", LP_LINK_OTHER},
        {"*3\r\n" NEWS ":1\r\n", LP_LINK_BROKEN},
        {"*3\r\n" NEWS "$3\r\nu:1\r\n", LP_LINK_BROKEN},
        {"*3\r\n" NEWS "*1\r\n:1\r\n", LP_LINK_BROKEN},
        {"*3\r\n" NEWS "*2\r\n$1\r\nu\r\n$-1\r\n", LP_LINK_BROKEN},
        {"*3\r\n" NEWS "*2\r\n$1\r\nu\r\n*1\r\n$1\r\nv\r\n", LP_LINK_BROKEN},
        {"*3\r\n" NEWS "*0\r\n", LP_LINK_KEYS},
    };
    lp_reply_t *reply = *state;
    size_t      i, first, count;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(take_text(reply, cases[i].text), 1);
        assert_int_equal(lp_reply_link(reply, &first, &count),
                         cases[i].message);
    }
}

static void
test_what_is_no_reply_ends_the_connection(void **state)
{
    static const char *const garbage[] = {
        "HTTP/1.1 400 Bad Request\r\n",
        "\r\n",
        "hallo\r\n",
        "*2\r\n+OK\r\nhallo\r\n",
    };
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        assert_int_equal(take_alone(garbage[i]), -1);
    }
}

static void
test_arrays_in_arrays_have_an_end(void **state)
{
    lp_reply_t *reply = *state;
    size_t      depth;
    int         taken;

    taken = 0;
    for (depth = 0; depth < 10 * 1000 && taken == 0; depth++) {
        taken = take_text(reply, "*1\r\n");
    }

    assert_int_equal(taken, -1);
    assert_in_range(depth, 4, 2000);
}

#if HIREDIS_MAJOR >= 1

/* RESP3 is not asked for. hiredis may build nothing at all for such a reply;
   no reply is handed out that has no node. */
static void
test_a_reply_of_resp3_has_a_node_or_is_refused(void **state)
{
    static const char *const replies[] = {"#t\r\n", ",1.5\r\n", "_\r\n",
                                          "(12345678901234567890\r\n"};
    lp_reply_t               reply;
    size_t                   i;
    int                      taken;

    (void) state;

    for (i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        assert_int_equal(lp_reply_create(&reply), 0);
        taken = take_text(&reply, replies[i]);
        assert_true(taken == -1 || reply.n > 0);
        lp_reply_destroy(&reply);
    }
}

#endif

/* Feeds bytes of one kind until they are refused; returns how many it took. */
static size_t
fill(lp_reply_t *reply, char byte, size_t limit)
{
    static char piece[16 * 1024];
    size_t      fed;

    memset(piece, byte, sizeof(piece));

    for (fed = 0; fed < limit; fed += sizeof(piece)) {
        if (lp_reply_feed(reply, piece, sizeof(piece)) != 0
            || lp_reply_next(reply) != 0) {
            break;
        }
    }

    return fed;
}

static void
test_a_reply_that_never_ends_is_given_up(void **state)
{
    lp_reply_t *reply = *state;
    size_t      fed;

    assert_int_equal(take_text(reply, "$500000000\r\n"), 0);
    fed = fill(reply, 'a', 4 * (size_t) LP_REPLY_MAX);

    assert_true(fed >= LP_REPLY_MAX / 2);
    assert_true(fed <= LP_REPLY_MAX + 64 * 1024);
}

static void
test_an_array_of_too_many_elements_is_refused(void **state)
{
    lp_reply_t *reply = *state;
    size_t      i;
    int         taken;

    taken = take_text(reply, "*1000000000\r\n");

    for (i = 0; i < LP_REPLY_NODES_MAX + 1000 && taken == 0; i++) {
        taken = take_text(reply, ":1\r\n");
    }

    assert_int_equal(taken, -1);
    assert_true(reply->n <= LP_REPLY_NODES_MAX);
}

static void
test_texts_that_are_too_much_together_are_refused(void **state)
{
    static char bulk[1024 * 1024 + 32];
    lp_reply_t *reply = *state;
    size_t      i, len;
    int         taken;

    len = (size_t) snprintf(bulk, sizeof(bulk), "$%d\r\n", 1024 * 1024);
    memset(bulk + len, 'x', 1024 * 1024);
    len += 1024 * 1024;
    memcpy(bulk + len, "\r\n", 2);
    len += 2;

    assert_int_equal(take_text(reply, "*20\r\n"), 0);

    taken = 0;
    for (i = 0; i < 20 && taken == 0; i++) {
        taken = take(reply, bulk, len);
    }

    assert_int_equal(taken, -1);
    assert_int_equal(i, LP_REPLY_MAX / (1024 * 1024) + 1);
}

/* The arrays are kept from one reply to the next: nothing of the last stays. */
static void
test_a_small_reply_after_a_large_one(void **state)
{
    static char text[80 * 1000];
    lp_reply_t *reply = *state;
    size_t      len;
    lp_span_t   packed;

    len = write_news(text, sizeof(text), 5000);
    assert_int_equal(take(reply, text, len), 1);

    assert_int_equal(take_text(reply, "*2\r\n$1\r\na\r\n$1\r\nb\r\n"), 1);
    assert_int_equal(reply->n, 3);
    packed = lp_reply_pack(reply);
    assert_int_equal(lp_fields_count(packed), 1);
    assert_span(lp_fields_find(packed, lp_span("a")), "b");
}

static void
test_a_command_is_written_by_lengths(void **state)
{
    static const char wanted[] = "*2\r\n$7\r\nHGETALL\r\n$7\r\nu:\r\n\0 x\r\n";
    lp_span_t         args[2] = {lp_span("HGETALL"), lp_span("u:\r\n\0 x")};
    char              dst[LP_REPLY_COMMAND_MAX(2, 14) + 1];
    size_t            cap, len = sizeof(wanted) - 1;

    (void) state;

    assert_int_equal(lp_reply_command(dst, sizeof(dst) - 1, args, 2), len);
    assert_memory_equal(dst, wanted, len);

    /* too small by any number of bytes: nothing is written */
    for (cap = 0; cap < sizeof(dst) - 1; cap++) {
        memset(dst, '#', sizeof(dst));
        assert_int_equal(lp_reply_command(dst, cap, args, 2), 0);
        assert_int_equal(dst[0], '#');
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        EACH(test_every_type_is_told_apart),
        EACH(test_nil_is_nil_in_both_spellings),
        EACH(test_a_reply_cut_at_any_byte_is_the_same_reply),
        EACH(test_a_reply_byte_by_byte),
        EACH(test_replies_in_one_read_come_one_by_one),
        EACH(test_a_hash_is_packed_whole),
        EACH(test_what_is_not_there_is_packed_as_nothing),
        EACH(test_an_alias_is_packed_under_no_name),
        EACH(test_what_is_no_hash_is_not_packed),
        EACH(test_the_first_word_of_an_error),
        EACH(test_changed_keys_are_named),
        EACH(test_a_nil_list_means_everything),
        EACH(test_five_thousand_changed_keys_in_small_pieces),
        EACH(test_the_reply_to_subscribe),
        EACH(test_what_is_no_news_is_told_apart),
        EACH(test_what_is_no_reply_ends_the_connection),
        EACH(test_arrays_in_arrays_have_an_end),
#if HIREDIS_MAJOR >= 1
        EACH(test_a_reply_of_resp3_has_a_node_or_is_refused),
#endif
        EACH(test_a_reply_that_never_ends_is_given_up),
        EACH(test_an_array_of_too_many_elements_is_refused),
        EACH(test_texts_that_are_too_much_together_are_refused),
        EACH(test_a_small_reply_after_a_large_one),
        EACH(test_a_command_is_written_by_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
