/*
 * Protects the reader of answers: what is whole, what is malformed, where an
 * answer ends, and that it says the same however the bytes come in.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../loadtest/answer.h"

#define H       "HTTP/1.1 200 OK\r\n"
#define NOTHING "Content-Length: 0\r\n\r\n"

static lp_answer_t answer;

/* Feeds it in pieces of so many bytes, each in memory of its own length. */
static lp_answer_state_t
feed(const char *text, size_t len, size_t piece, size_t *used)
{
    lp_answer_state_t state = LP_ANSWER_MORE;
    size_t            n, taken;
    char             *copy;

    lp_answer_start(&answer);
    *used = 0;

    while (*used < len && state == LP_ANSWER_MORE) {
        n = len - *used < piece ? len - *used : piece;
        copy = malloc(n > 0 ? n : 1);
        assert_non_null(copy);
        memcpy(copy, text + *used, n);
        state = lp_answer_feed(&answer, copy, n, &taken);
        free(copy);
        assert_true(taken <= n);
        assert_true(taken == n || state != LP_ANSWER_MORE);
        *used += taken;
    }
    return state;
}

/* The state after all of it, the same whatever the pieces. */
static lp_answer_state_t
read_text(const char *text)
{
    static const size_t pieces[] = {1, 2, 3, 7, 64, SIZE_MAX};
    lp_answer_state_t   state = LP_ANSWER_MORE, first = LP_ANSWER_MORE;
    lp_answer_t         result;
    size_t              used, i;

    memset(&result, 0, sizeof(result));
    for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        state = feed(text, strlen(text), pieces[i], &used);
        if (i == 0) {
            first = state;
            result = answer;
        }
        assert_int_equal(state, first);
        if (state == LP_ANSWER_WHOLE) {
            assert_int_equal(answer.status, result.status);
            assert_int_equal(answer.outcome, result.outcome);
            assert_int_equal(answer.keep, result.keep);
            assert_int_equal(answer.redirects, result.redirects);
            assert_int_equal(answer.location_len, result.location_len);
        }
    }
    return state;
}

static void
assert_malformed(const char *text)
{
    if (read_text(text) != LP_ANSWER_MALFORMED) {
        fail_msg("taken: %s", text);
    }
}

static void
assert_whole(const char *text)
{
    if (read_text(text) != LP_ANSWER_WHOLE) {
        fail_msg("not whole: %s", text);
    }
}

static void
test_redirect(void **state)
{
    static const char location[] = "https://u01.load.example/boek/000001";

    (void) state;
    assert_whole("HTTP/1.1 302 Moved Temporarily\r\nServer: nginx\r\n"
                 "Content-Type: text/html\r\nContent-Length: 5\r\n"
                 "Connection: keep-alive\r\n"
                 "Location: https://u01.load.example/boek/000001\r\n"
                 "Leerpoort-Outcome: redirect\r\n\r\n<html");
    assert_int_equal(answer.status, 302);
    assert_int_equal(answer.outcome, LP_REDIRECT);
    assert_true(answer.keep);
    assert_true(answer.redirects);
    assert_int_equal(answer.location_len, strlen(location));
    assert_memory_equal(answer.location, location, strlen(location));
}

static void
test_names_in_any_case_and_blanks_about_values(void **state)
{
    (void) state;
    assert_whole("HTTP/1.1 302 x\r\nLOCATION:\t https://a/ \t\r\n"
                 "leerpoort-outcome:login\r\ncontent-LENGTH:0\r\n\r\n");
    assert_int_equal(answer.outcome, LP_LOGIN);
    assert_int_equal(answer.location_len, 10);
    assert_memory_equal(answer.location, "https://a/", 10);
}

static void
test_every_outcome_by_its_name(void **state)
{
    char     text[256];
    unsigned i;

    (void) state;
    for (i = 0; i < LP_OUTCOMES; i++) {
        snprintf(text, sizeof(text), H "Leerpoort-Outcome: %s\r\n" NOTHING,
                 lp_outcome_name((lp_outcome_t) i));
        assert_whole(text);
        assert_int_equal(answer.outcome, i);
    }
}

static void
test_no_single_known_outcome_is_none(void **state)
{
    (void) state;
    assert_whole(H NOTHING);
    assert_int_equal(answer.outcome, LP_OUTCOME_NONE);
    assert_whole(H "Leerpoort-Outcome: Redirect\r\n" NOTHING);
    assert_int_equal(answer.outcome, LP_OUTCOME_NONE);
    assert_whole(H "Leerpoort-Outcome: redirect2\r\n" NOTHING);
    assert_int_equal(answer.outcome, LP_OUTCOME_NONE);
    assert_whole(H "Leerpoort-Outcome: redirect\r\n"
                   "Leerpoort-Outcome: redirect\r\n" NOTHING);
    assert_int_equal(answer.outcome, LP_OUTCOME_NONE);
}

static void
test_it_ends_where_its_length_says(void **state)
{
    static const char text[] = H "Content-Length: 3\r\n\r\nabcHTTP/1.1";
    size_t            used;

    (void) state;
    assert_int_equal(feed(text, sizeof(text) - 1, SIZE_MAX, &used),
                     LP_ANSWER_WHOLE);
    assert_int_equal(used, sizeof(text) - 1 - 8);
    assert_int_equal(read_text(H "Content-Length: 3\r\n\r\nab"),
                     LP_ANSWER_MORE);
    assert_int_equal(lp_answer_close(&answer), LP_ANSWER_MORE);
}

static void
test_chunks(void **state)
{
    static const char text[] = H "Transfer-Encoding: Chunked\r\n\r\n"
                                 "3\r\nabc\r\n1A;x=y\r\n"
                                 "abcdefghijklmnopqrstuvwxyz\r\n0\r\n"
                                 "Trailer: x\r\n\r\nrest";
    size_t            used;

    (void) state;
    assert_int_equal(feed(text, sizeof(text) - 1, SIZE_MAX, &used),
                     LP_ANSWER_WHOLE);
    assert_int_equal(used, sizeof(text) - 1 - 4);
    assert_true(answer.keep);
    assert_whole(text);
    assert_int_equal(read_text(H "Transfer-Encoding: chunked\r\n\r\n0\r\n"),
                     LP_ANSWER_MORE);
}

static void
test_chunks_that_are_none(void **state)
{
    static const char *const bodies[] = {
        "\r\n", "x\r\n", "-1\r\n", "3\r\nabcd\r\n", "3\r\nabc0\r\n",
        "ffffffffffffffff1\r\n", "100001\r\n", "3 3\r\nabcx\r\n",
        "0\r\nno colon\r\n",
    };
    char   text[256];
    size_t i;

    (void) state;
    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        snprintf(text, sizeof(text), H "Transfer-Encoding: chunked\r\n\r\n%s",
                 bodies[i]);
        assert_malformed(text);
    }
}

static void
test_some_statuses_have_no_body(void **state)
{
    (void) state;
    assert_whole("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n");
    assert_true(answer.keep);
    assert_whole("HTTP/1.1 204 No Content\r\n\r\n");
    assert_true(answer.keep);
}

static void
test_a_body_may_end_with_the_connection(void **state)
{
    (void) state;
    assert_int_equal(read_text(H "\r\nsome"), LP_ANSWER_MORE);
    assert_int_equal(lp_answer_close(&answer), LP_ANSWER_WHOLE);
    assert_false(answer.keep);
    assert_int_equal(read_text(H "Server: x\r\n"), LP_ANSWER_MORE);
    assert_int_equal(lp_answer_close(&answer), LP_ANSWER_MORE);
}

static void
test_whether_the_connection_lives_on(void **state)
{
    (void) state;
    assert_whole(H "Connection: close\r\n" NOTHING);
    assert_false(answer.keep);
    assert_whole(H "Connection: x, CLOSE\r\n" NOTHING);
    assert_false(answer.keep);
    assert_whole(H "Connection: closed\r\n" NOTHING);
    assert_true(answer.keep);
    assert_whole("HTTP/1.0 200 OK\r\n" NOTHING);
    assert_false(answer.keep);
    assert_whole("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" NOTHING);
    assert_true(answer.keep);
}

static void
test_interim_answers_are_skipped(void **state)
{
    char     text[2048] = "";
    unsigned i, len = 0;

    (void) state;
    assert_whole("HTTP/1.1 103 Early Hints\r\nLocation: https://x/\r\n"
                 "Leerpoort-Outcome: redirect\r\nContent-Length: 5\r\n\r\n"
                 "HTTP/1.1 404 Not Found\r\n" NOTHING);
    assert_int_equal(answer.status, 404);
    assert_false(answer.redirects);
    assert_int_equal(answer.outcome, LP_OUTCOME_NONE);

    for (i = 0; i <= LP_ANSWER_INTERIM_MAX; i++) {
        len += (unsigned) snprintf(text + len, sizeof(text) - len,
                                   "HTTP/1.1 100 Continue\r\n\r\n");
    }
    assert_malformed(text);
}

static void
test_bare_line_feeds_are_taken(void **state)
{
    (void) state;
    assert_whole("HTTP/1.1 200 OK\nContent-Length: 2\n\nab");
    assert_true(answer.keep);
}

static void
test_what_is_no_http(void **state)
{
    static const char *const texts[] = {
        "\r\n", "SSH-2.0-OpenSSH\r\n", "HTTP/2.0 200 OK\r\n",
        "HTTP/1.2 200 OK\r\n", "HTTP/1.1 20 OK\r\n", "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1  200 OK\r\n", "HTTP/1.1 099 OK\r\n", "HTTP/1.1 600 OK\r\n",
        "HTTP/1.1 101 Switching\r\n", "HTTP/1.1 2x0 OK\r\n",
        "http/1.1 200 OK\r\n", " HTTP/1.1 200 OK\r\n",
        H "no colon\r\n", H ": no name\r\n", H "blank : x\r\n",
        H " folded: x\r\n", H "A: b\r\n c\r\n", H "A: b\rc\r\n",
        H "A: b\r\r\n", H "Content-Length: 1\r\nContent-Length: 1\r\n",
        H "Content-Length: 1, 1\r\n", H "Content-Length: +1\r\n",
        H "Content-Length:\r\n", H "Content-Length: 0x1\r\n",
        H "Content-Length: 1048577\r\n",
        H "Content-Length: 99999999999999999999999\r\n",
        H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        H "Transfer-Encoding: gzip, chunked\r\n",
        H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        H "Location: https://a/\r\nLocation: https://a/\r\n",
    };
    size_t i, used;

    (void) state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_malformed(texts[i]);
    }
    assert_int_equal(feed("HTTP/1.1 200 O\0K\r\n", 18, SIZE_MAX, &used),
                     LP_ANSWER_MALFORMED);
}

static void
test_a_long_location_is_nothing_that_is_expected(void **state)
{
    static char text[8192];
    size_t      i, len, lengths[] = {LP_LOCATION_KEPT, LP_LOCATION_KEPT + 1,
                                     LP_ANSWER_LINE_MAX, 4000};

    (void) state;
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        len = lengths[i];
        snprintf(text, sizeof(text), H "Location: %0*d\r\n" NOTHING,
                 (int) len, 0);
        assert_whole(text);
        assert_true(answer.redirects);
        assert_int_equal(answer.location_len, len <= LP_LOCATION_KEPT
                                                  ? len
                                                  : LP_LOCATION_KEPT + 1);
        assert_memory_equal(answer.location, strstr(text, "0000"),
                            LP_LOCATION_KEPT);
    }
}

/* Of a line that is cut behind blanks there is next to nothing. */
static void
test_what_is_not_there_of_a_location_is_nothing(void **state)
{
    static char text[8192], none[LP_LOCATION_KEPT];

    (void) state;
    memset(answer.location, 'x', sizeof(answer.location));
    snprintf(text, sizeof(text), H "Location:%*s/away\r\n" NOTHING,
             LP_ANSWER_LINE_MAX, "");
    assert_whole(text);
    assert_true(answer.redirects);
    assert_int_equal(answer.location_len, LP_LOCATION_KEPT + 1);
    assert_memory_equal(answer.location, none, sizeof(none));
}

/* text, and then so many bytes that belong to it. */
static lp_answer_state_t
feed_long(const char *text, char filler, size_t n, size_t piece)
{
    size_t            len = strlen(text), used;
    char             *bytes = malloc(len + n);
    lp_answer_state_t state;

    assert_non_null(bytes);
    memcpy(bytes, text, len);
    memset(bytes + len, filler, n);
    state = feed(bytes, len + n, piece, &used);
    free(bytes);
    return state;
}

static void
test_everything_is_bounded(void **state)
{
    size_t line = strlen(H);

    (void) state;
    /* a head of 10 MB is given up after 64 KB, whatever it is made of */
    assert_int_equal(feed_long(H "A: ", 'x', 10485760, SIZE_MAX),
                     LP_ANSWER_MALFORMED);
    assert_int_equal(feed_long(H "A: ", 'x', 10485760, 1000),
                     LP_ANSWER_MALFORMED);
    assert_int_equal(feed_long("", 'x', 10485760, 1000), LP_ANSWER_MALFORMED);
    assert_int_equal(feed_long(H, 'x', LP_ANSWER_HEAD_MAX - line, 1000),
                     LP_ANSWER_MORE);
    assert_int_equal(feed_long(H, 'x', LP_ANSWER_HEAD_MAX - line + 1, 1000),
                     LP_ANSWER_MALFORMED);

    /* and a body that does not end after 1 MB */
    assert_int_equal(feed_long(H "\r\n", 'x', LP_ANSWER_BODY_MAX, 4096),
                     LP_ANSWER_MORE);
    assert_int_equal(feed_long(H "\r\n", 'x', LP_ANSWER_BODY_MAX + 1, 4096),
                     LP_ANSWER_MALFORMED);
    assert_int_equal(feed_long(H "Content-Length: 1048576\r\n\r\n", 'x',
                               1048576, 4096),
                     LP_ANSWER_WHOLE);
    assert_int_equal(feed_long(H "Transfer-Encoding: chunked\r\n\r\n1;", 'x',
                               2 * LP_ANSWER_BODY_MAX, 4096),
                     LP_ANSWER_MALFORMED);
}

static void
test_one_answer_leaves_nothing_to_the_next(void **state)
{
    (void) state;
    assert_whole("HTTP/1.1 302 x\r\nLocation: https://a/\r\n"
                 "Leerpoort-Outcome: redirect\r\nConnection: close\r\n"
                 NOTHING);
    assert_whole("HTTP/1.1 403 x\r\n" NOTHING);
    assert_false(answer.redirects);
    assert_int_equal(answer.location_len, 0);
    assert_int_equal(answer.outcome, LP_OUTCOME_NONE);
    assert_true(answer.keep);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redirect),
        cmocka_unit_test(test_names_in_any_case_and_blanks_about_values),
        cmocka_unit_test(test_every_outcome_by_its_name),
        cmocka_unit_test(test_no_single_known_outcome_is_none),
        cmocka_unit_test(test_it_ends_where_its_length_says),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_chunks_that_are_none),
        cmocka_unit_test(test_some_statuses_have_no_body),
        cmocka_unit_test(test_a_body_may_end_with_the_connection),
        cmocka_unit_test(test_whether_the_connection_lives_on),
        cmocka_unit_test(test_interim_answers_are_skipped),
        cmocka_unit_test(test_bare_line_feeds_are_taken),
        cmocka_unit_test(test_what_is_no_http),
        cmocka_unit_test(test_a_long_location_is_nothing_that_is_expected),
        cmocka_unit_test(test_what_is_not_there_of_a_location_is_nothing),
        cmocka_unit_test(test_everything_is_bounded),
        cmocka_unit_test(test_one_answer_leaves_nothing_to_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
