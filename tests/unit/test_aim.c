/*
 * Where a run may go: what a target may look like, and that nothing but this
 * machine is free. Real sockets, on loopback alone.
 */

#include "../../loadtest/target.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../workers/say.h"

typedef struct {
    int      fd;
    unsigned port;
} listener_t;

static int
open_listener(listener_t *listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t          len = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener->fd, (void *) &address, len) != 0
        || listen(listener->fd, 16) != 0
        || getsockname(listener->fd, (void *) &address, &len) != 0) {
        return -1;
    }
    listener->port = ntohs(address.sin_port);
    return 0;
}

static int
listen_somewhere(void **state)
{
    static listener_t listener;

    *state = &listener;
    return open_listener(&listener);
}

static int
listen_no_more(void **state)
{
    return close(((listener_t *) *state)->fd);
}

static int
aim_at(lp_aim_t *aim, const char *url)
{
    lp_target_options_t options = {.url = url};
    int                 rc = lp_target_aim(aim, &options);

    lp_target_free(aim);
    return rc;
}

static void
test_what_is_no_origin_is_refused(void **state)
{
    static const char *const urls[] = {
        "", "127.0.0.1", "ftp://127.0.0.1", "http://", "http://:80",
        "http:///", "http://127.0.0.1:0", "http://127.0.0.1:65536",
        "http://127.0.0.1:", "http://127.0.0.1:80x", "http://127.0.0.1:+80",
        "http://127.0.0.1: 80", "http://127.0.0.1/go/", "http://127.0.0.1?x",
        "http://127.0.0.1#x", "http://me@127.0.0.1", "http://me:pw@127.0.0.1",
        "http://[::1", "http://[]:80", "http://[::1]x", "http://::1",
        "http://127.0.0.1\\@example", "http://a b", "http://a%20b",
        "http://127.0.0.1:99999999999999999999", "HTTP//x", "http:/127.0.0.1",
    };
    lp_aim_t aim;
    char     longest[400];
    unsigned i;

    (void) state;
    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        assert_int_equal(aim_at(&aim, urls[i]), LP_USAGE);
    }
    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "http://", 7);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(aim_at(&aim, longest), LP_USAGE);
}

static void
test_this_machine_is_free(void **state)
{
    listener_t *listener = *state;
    lp_aim_t    aim;
    char        url[64], host[64];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", listener->port);
    snprintf(host, sizeof(host), "127.0.0.1:%u", listener->port);
    assert_int_equal(aim_at(&aim, url), LP_YES);
    assert_true(aim.loopback);
    assert_false(aim.tls);
    assert_string_equal(aim.wire.host, host);
    assert_string_equal(aim.wire.prefix, "/go/");
    assert_string_equal(aim.wire.login, "");
    assert_int_equal(aim.address.ss_family, AF_INET);
    assert_int_equal(ntohs(((struct sockaddr_in *) &aim.address)->sin_port),
                     listener->port);
}

static void
test_nobody_there_is_said_before_the_first_click(void **state)
{
    listener_t gone = {0};
    lp_aim_t   aim;
    char       url[64];

    (void) state;
    assert_int_equal(open_listener(&gone), 0);
    close(gone.fd);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", gone.port);
    assert_int_equal(aim_at(&aim, url), LP_NO);
}

static int
aim_with(unsigned port, const char *prefix, const char *login)
{
    lp_target_options_t options = {.prefix = prefix, .login = login};
    lp_aim_t            aim;
    char                url[64];
    int                 rc;

    snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
    options.url = url;
    rc = lp_target_aim(&aim, &options);
    if (rc == LP_YES) {
        assert_string_equal(aim.name, "127.0.0.1");
        assert_string_equal(aim.wire.prefix, prefix);
    }
    lp_target_free(&aim);
    return rc;
}

static void
test_prefix_and_login_have_their_forms(void **state)
{
    unsigned port = ((listener_t *) *state)->port;
    char     longest[300];

    memset(longest, '/', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(aim_with(port, "/", NULL), LP_YES);
    assert_int_equal(aim_with(port, "/a/b/", "https://login.example/?r="),
                     LP_YES);
    assert_int_equal(aim_with(port, "/a/b/", "/login?r="), LP_YES);
    assert_int_equal(aim_with(port, "", NULL), LP_USAGE);
    assert_int_equal(aim_with(port, "/go", NULL), LP_USAGE);
    assert_int_equal(aim_with(port, "go/", NULL), LP_USAGE);
    assert_int_equal(aim_with(port, "/go /", NULL), LP_USAGE);
    assert_int_equal(aim_with(port, "/go/\r\nX: /", NULL), LP_USAGE);
    assert_int_equal(aim_with(port, "/go/?a=/", NULL), LP_USAGE);
    assert_int_equal(aim_with(port, longest, NULL), LP_USAGE);
    assert_int_equal(aim_with(port, "/go/", ""), LP_USAGE);
    assert_int_equal(aim_with(port, "/go/", "login.example"), LP_USAGE);
    assert_int_equal(aim_with(port, "/go/", "https://login.example"), LP_USAGE);
    assert_int_equal(aim_with(port, "/go/", "https:///login"), LP_USAGE);
    assert_int_equal(aim_with(port, "/go/", "//login.example/"), LP_USAGE);
    assert_int_equal(aim_with(port, "/go/", longest), LP_USAGE);
}

/* Answers two connections, that which asks whether somebody is there and the
   handshake, once something has come, and hangs up. */
static pid_t
answer_twice(int listener, const char *answer)
{
    pid_t pid = fork();
    char  hello[4096];
    int   i, fd;

    if (pid != 0) {
        return pid;
    }
    for (i = 0; i < 2; i++) {
        fd = accept(listener, NULL, NULL);
        if (recv(fd, hello, sizeof(hello), 0) > 0) {
            (void) !send(fd, answer, strlen(answer), MSG_NOSIGNAL);
        }
        close(fd);
    }
    _exit(0);
}

static int
aim_at_answer(const char *answer)
{
    listener_t listener = {0};
    lp_aim_t   aim;
    pid_t      pid;
    char       url[64];
    int        rc, status = -1;

    assert_int_equal(open_listener(&listener), 0);
    pid = answer_twice(listener.fd, answer);
    assert_true(pid > 0);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u", listener.port);
    rc = aim_at(&aim, url);
    close(listener.fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return rc;
}

static void
test_what_speaks_no_tls_is_refused(void **state)
{
    (void) state;
    assert_int_equal(aim_at_answer("HTTP/1.1 400 Bad Request\r\n\r\n"),
                     LP_USAGE);
    assert_int_equal(aim_at_answer("SSH-2.0-OpenSSH_9.2\r\n"), LP_USAGE);
}

static void
test_what_is_sick_may_be_rehearsed(void **state)
{
    lp_aim_t aim;
    char     url[64];

    assert_int_equal(aim_at_answer(""), LP_YES);         /* hangs up */
    assert_int_equal(aim_at_answer("\x16\x03\x03"), LP_YES); /* half */
    snprintf(url, sizeof(url), "https://127.0.0.1:%u",
             ((listener_t *) *state)->port);
    assert_int_equal(aim_at(&aim, url), LP_YES);         /* is silent */
    assert_true(aim.tls);
}

static void
test_options_without_effect_are_refused(void **state)
{
    lp_target_options_t insecure = {.url = "http://a", .insecure = 1};
    lp_target_options_t ca = {.url = "http://a", .ca = "/dev/null"};
    lp_target_options_t opt_in = {.url = "http://a", .opt_in = "/nowhere/t"};

    (void) state;
    assert_int_equal(lp_target_check_options(&insecure), LP_USAGE);
    assert_int_equal(lp_target_check_options(&ca), LP_USAGE);
    assert_int_equal(lp_target_check_options(&opt_in), LP_USAGE);

    insecure.url = ca.url = "https://a";
    opt_in.opt_in = "/dev/null";
    assert_int_equal(lp_target_check_options(&insecure), LP_YES);
    assert_int_equal(lp_target_check_options(&ca), LP_YES);
    assert_int_equal(lp_target_check_options(&opt_in), LP_YES);

    ca.url = "http://a"; /* sellers have use for it */
    ca.token_url = "https://b/token";
    assert_int_equal(lp_target_check_options(&ca), LP_YES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_origin_is_refused),
        cmocka_unit_test(test_this_machine_is_free),
        cmocka_unit_test(test_nobody_there_is_said_before_the_first_click),
        cmocka_unit_test(test_prefix_and_login_have_their_forms),
        cmocka_unit_test(test_what_speaks_no_tls_is_refused),
        cmocka_unit_test(test_what_is_sick_may_be_rehearsed),
        cmocka_unit_test(test_options_without_effect_are_refused),
    };

    signal(SIGPIPE, SIG_IGN); /* as in the program */
    return cmocka_run_group_tests(tests, listen_somewhere, listen_no_more);
}
