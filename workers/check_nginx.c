/*
 * The part of leerpoort check that looks at an nginx configuration: nginx
 * itself says whether it takes it, nginx_lint.c whether it keeps secrets. nginx
 * runs as a child with its output in a pipe and for so long only: nginx -t
 * resolves names and opens logs, and might wait for ever.
 */

#include "check.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nginx_lint.h"

#define NGINX_WAIT_MS  30000 /* nginx -t resolves names: may take a while */
#define NGINX_TEXT_MAX 4096

static void
run_nginx(const char *program, const char *conf, int out)
{
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    close(out);
    execlp(program, program, "-t", "-q", "-c", conf, (char *) NULL);
    if (strcmp(program, "nginx") == 0) {
        /* not on an ordinary user's PATH */
        execl("/usr/sbin/nginx", program, "-t", "-q", "-c", conf,
              (char *) NULL);
    }
    dprintf(STDERR_FILENO, "%s can't be started: %s\n", program,
            strerror(errno));
    _exit(127);
}

/* Reads what nginx says until it closes its end; -1: it took too long. */
static int
read_nginx(int in, char *text, size_t *len)
{
    struct pollfd wait = {in, POLLIN, 0};
    double        until = lp_check_now_ms() + NGINX_WAIT_MS;
    char          rest[512];
    ssize_t       n;

    *len = 0;
    for (;;) {
        if (poll(&wait, 1, (int) (until - lp_check_now_ms())) <= 0
            || lp_check_now_ms() > until) {
            return -1;
        }
        n = *len < NGINX_TEXT_MAX
                ? read(in, text + *len, NGINX_TEXT_MAX - *len)
                : read(in, rest, sizeof(rest));
        if (n <= 0) {
            return 0;
        }
        *len += *len < NGINX_TEXT_MAX ? (size_t) n : 0;
    }
}

/* nginx's own lines, which name file and line, made safe for a terminal. */
static void
show_nginx(lp_check_t *check, lp_check_level_t level, char *text, size_t len)
{
    size_t i, start = 0;

    for (i = 0; i < len; i++) {
        if (text[i] != '\n') {
            lp_check_ascii(text + i, 1);
            continue;
        }
        if (i > start) {
            lp_line(check, level, "%.*s", (int) (i - start), text + start);
        }
        start = i + 1;
    }
    if (len > start) {
        lp_line(check, level, "%.*s", (int) (len - start), text + start);
    }
}

/* Returns nginx's exit status, -1 where it had none. */
static int
test_conf(lp_check_t *check, const char *program, const char *conf, char *text,
          size_t *len)
{
    int   pipes[2], status, timely;
    pid_t child;

    *len = 0;
    if (pipe(pipes) != 0) {
        lp_line(check, LP_FAIL, "nginx can't be started: %s", strerror(errno));
        return -1;
    }
    fflush(stdout);
    child = fork();
    if (child == 0) {
        close(pipes[0]);
        run_nginx(program, conf, pipes[1]);
    }
    close(pipes[1]);
    timely = child != -1 && read_nginx(pipes[0], text, len) == 0;
    close(pipes[0]);
    if (child == -1) {
        lp_line(check, LP_FAIL, "nginx can't be started: %s", strerror(errno));
        return -1;
    }
    if (!timely) {
        kill(child, SIGKILL);
    }
    while (waitpid(child, &status, 0) == -1 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
hear_finding(void *data, int leaks, const char *file, unsigned at,
             const char *sentence)
{
    lp_check_level_t level = leaks ? LP_FAIL : LP_WARN;

    if (at == 0) {
        lp_line(data, level, "%s: %s", file, sentence);
    } else {
        lp_line(data, level, "%s:%u: %s", file, at, sentence);
    }
}

void
lp_check_nginx(lp_check_t *check)
{
    const char *program = check->args->value[LP_OPT_NGINX];
    const char *given = check->args->value[LP_OPT_NGINX_CONF];
    char        conf[PATH_MAX], text[NGINX_TEXT_MAX];
    size_t      len;
    int         status;

    /* nginx takes a relative path from its own prefix, not from here */
    if (realpath(given, conf) == NULL) {
        lp_line(check, LP_FAIL,
                "%s can't be opened: %s", given, strerror(errno));
        return;
    }
    status = test_conf(check, program == NULL ? "nginx" : program, conf, text,
                       &len);
    show_nginx(check, status == 0 ? LP_WARN : LP_FAIL, text, len);
    if (status == 0) {
        lp_line(check, LP_OK, "nginx takes %s", conf);
    } else {
        lp_line(check, LP_FAIL,
                "nginx does not take %s; mend what it names", conf);
    }
    if (lp_nginx_lint(conf, hear_finding, check) != 0) {
        lp_line(check, LP_FAIL,
                "%s could not be read for secrets in logs", conf);
    }
}
