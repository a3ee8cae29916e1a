/*
 * leerpoort check: is this a Redis that Leerpoort can trust with licences, and
 * an nginx configuration that keeps secrets? One line for each thing looked
 * at: ok, warn (works, but not as it should) or FAIL, and what to do.
 */

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backlog.h"
#include "commands.h"
#include "nginx_lint.h"
#include "record.h"
#include "say.h"

#define LINE_MAX_BYTES 8192 /* two paths fit */
#define VALUE_MAX      64
#define MAJOR_NEEDED   7
#define BACKLOG_S      60 /* seconds; relay and tally read within one */
#define NGINX_WAIT_MS  30000 /* nginx -t resolves names: may take a while */
#define NGINX_TEXT_MAX 4096

typedef enum { OK = 0, WARN, FAIL } level_t;

typedef struct {
    const lp_args_t *args;
    lp_redis_t       redis;
    json_t          *lines; /* NULL: written at once, for people */
    int              failed;
} check_t;

static const char *const level_names[] = {"ok", "warn", "FAIL"};

static void line(check_t *check, level_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
to_ascii(char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] >= 0x7f) {
            text[i] = '?';
        }
    }
}

static void
line(check_t *check, level_t level, const char *format, ...)
{
    char    text[LINE_MAX_BYTES];
    json_t *sentence;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    check->failed |= level == FAIL;
    if (check->lines == NULL) {
        printf("%-5s %s\n", level_names[level], text);
        return;
    }
    sentence = json_string(text);
    if (sentence == NULL) {
        to_ascii(text, strlen(text)); /* a path need not be UTF-8 */
        sentence = json_string(text);
    }
    json_array_append_new(check->lines,
                          json_pack("{s:s, s:o}", "level", level_names[level],
                                    "text", sentence));
}

/* Redis */

static double
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}

/*
 * Asks, and makes an error reply a line of its own at that level. NULL: said.
 */
static redisReply *
ask(check_t *check, const char *about, level_t level, lp_words_t words,
    unsigned types)
{
    redisReply *reply;
    char        word[LP_REDIS_WORD_MAX];
    const char *shown;

    reply = lp_redis_ask(&check->redis, words, types | LP_REPLY_ERROR);
    if (reply == NULL) {
        line(check, FAIL, "%s: no answer that can be used: %s", about,
             check->redis.reason);
        return NULL;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        shown = lp_redis_error_word(word, reply);
        line(check, level, "%s: Redis says %s: %s", about, shown,
             lp_redis_error_text(shown));
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

/* PING, timed; a Redis that can't do this needs no further questions. */
static int
check_reach(check_t *check)
{
    redisReply *reply;
    double      start = now_ms();

    reply = ask(check, "reach", FAIL, LP_WORDS(lp_span("PING")),
                LP_REPLY_STATUS);
    if (reply == NULL) {
        return LP_NO;
    }
    freeReplyObject(reply);
    line(check, OK, "Redis at %s answers in %.2f ms", check->redis.address,
         now_ms() - start);
    return LP_YES;
}

/* The value of "name:" in an INFO text, "" where there is none. */
static void
info_value(char *dst, const redisReply *reply, const char *name)
{
    size_t      len = strlen(name), n = 0;
    const char *p = reply->str, *end = reply->str + reply->len;

    while (p != NULL && p < end) {
        if ((size_t) (end - p) > len && memcmp(p, name, len) == 0
            && p[len] == ':') {
            for (p += len + 1; p < end && n < VALUE_MAX - 1 && *p > ' '
                               && *p < 0x7f; p++) {
                dst[n++] = *p;
            }
            break;
        }
        p = memchr(p, '\n', (size_t) (end - p));
        p = p == NULL ? NULL : p + 1;
    }
    dst[n] = '\0';
}

static void
check_version(check_t *check)
{
    redisReply *reply;
    char        version[VALUE_MAX];

    reply = ask(check, "version", WARN,
                LP_WORDS(lp_span("INFO"), lp_span("server")), LP_REPLY_STRING);
    if (reply == NULL) {
        return;
    }
    info_value(version, reply, "redis_version");
    freeReplyObject(reply);
    if (strtol(version, NULL, 10) >= MAJOR_NEEDED) {
        line(check, OK, "version %s", version);
    } else {
        line(check, FAIL, "version %s: Leerpoort needs Redis %d or later",
             version[0] == '\0' ? "unknown" : version, MAJOR_NEEDED);
    }
}

static void
check_persistence(check_t *check)
{
    redisReply *reply;
    char        write[VALUE_MAX], rewrite[VALUE_MAX];

    reply = ask(check, "append-only file", WARN,
                LP_WORDS(lp_span("INFO"), lp_span("persistence")),
                LP_REPLY_STRING);
    if (reply == NULL) {
        return;
    }
    info_value(write, reply, "aof_last_write_status");
    info_value(rewrite, reply, "aof_last_bgrewrite_status");
    freeReplyObject(reply);
    if (strcmp(write, "ok") != 0) {
        line(check, FAIL, "the last write to the append-only file failed; "
                          "look at the disk and at Redis' log");
    } else if (strcmp(rewrite, "ok") != 0) {
        line(check, WARN, "the last rewrite of the append-only file failed; "
                          "look at free disk space and at Redis' log");
    } else {
        line(check, OK, "the append-only file was written without error");
    }
}

/*
 * Redis with maxmemory-policy noeviction refuses every write at maxmemory:
 * no right could be set and no licence activated, while clicks go on.
 */
static void
check_memory(check_t *check)
{
    redisReply        *reply;
    char               used_text[VALUE_MAX], most_text[VALUE_MAX];
    unsigned long long used, most;

    reply = ask(check, "memory", WARN,
                LP_WORDS(lp_span("INFO"), lp_span("memory")), LP_REPLY_STRING);
    if (reply == NULL) {
        return;
    }
    info_value(used_text, reply, "used_memory");
    info_value(most_text, reply, "maxmemory");
    freeReplyObject(reply);
    used = strtoull(used_text, NULL, 10);
    most = strtoull(most_text, NULL, 10);
    if (used == 0 || most_text[0] == '\0') {
        line(check, WARN, "memory: Redis does not say how much is used");
    } else if (most == 0) {
        line(check, OK, "memory: %.1f MB used, no maxmemory",
             (double) used / 1e6);
    } else if (used >= most) {
        line(check, FAIL, "memory: %.1f MB used and maxmemory is %.1f MB: "
                          "writes are refused; raise maxmemory",
             (double) used / 1e6, (double) most / 1e6);
    } else {
        line(check, used > most - most / 10 ? WARN : OK,
             "memory: %.1f MB used of %.1f MB (maxmemory)%s",
             (double) used / 1e6, (double) most / 1e6,
             used > most - most / 10
                 ? ": more than 90 %; raise maxmemory before writes are "
                   "refused"
                 : "");
    }
}

/* Reads one setting; returns LP_NO where it may not be read. */
static int
read_setting(check_t *check, const char *name, char *value)
{
    redisReply *reply;
    lp_span_t   text = {NULL, 0};
    size_t      n;

    reply = ask(check, name, WARN,
                LP_WORDS(lp_span("CONFIG"), lp_span("GET"), lp_span_of(name)),
                LP_REPLY_ARRAY);
    if (reply == NULL) {
        return LP_NO;
    }
    if (reply->elements == 2) {
        text = lp_redis_text(reply->element[1]);
    }
    n = text.len < VALUE_MAX - 1 ? text.len : VALUE_MAX - 1;
    memcpy(value, text.data == NULL ? "" : text.data, n);
    value[n] = '\0';
    freeReplyObject(reply);
    return LP_YES;
}

static void
check_setting(check_t *check, const char *name, const char *wanted,
              const char *otherwise)
{
    char value[VALUE_MAX], shown[LP_ESCAPED_MAX];

    if (read_setting(check, name, value) != LP_YES) {
        return;
    }
    if (strcmp(value, wanted) == 0) {
        line(check, OK, "%s %s", name, wanted);
        return;
    }
    line(check, FAIL, "%s is %s: %s; set \"%s %s\" in redis.conf", name,
         value[0] == '\0' ? "unknown"
                          : lp_escape(shown, lp_span_of(value), VALUE_MAX),
         otherwise, name, wanted);
}

/* What the edge does on its invalidation link, tried on this one. */
static void
check_tracking(check_t *check)
{
    redisReply *reply;
    char        id[VALUE_MAX];

    reply = ask(check, "invalidation", FAIL,
                LP_WORDS(lp_span("CLIENT"), lp_span("ID")), LP_REPLY_INTEGER);
    if (reply == NULL) {
        return;
    }
    snprintf(id, sizeof(id), "%lld", reply->integer);
    freeReplyObject(reply);
    reply = ask(check, "invalidation", FAIL,
                LP_WORDS(lp_span("CLIENT"), lp_span("TRACKING"), lp_span("ON"),
                         lp_span("REDIRECT"), lp_span_of(id), lp_span("BCAST"),
                         lp_span("PREFIX"), lp_span("u:"), lp_span("PREFIX"),
                         lp_span("s:"), lp_span("PREFIX"), lp_span("a:"),
                         lp_span("PREFIX"), lp_span("p:")),
                LP_REPLY_STATUS);
    if (reply == NULL) {
        return;
    }
    freeReplyObject(reply);
    line(check, OK, "CLIENT TRACKING can be used: edges hear of every change");
    lp_redis_tell(&check->redis,
                  LP_WORDS(lp_span("CLIENT"), lp_span("TRACKING"),
                           lp_span("OFF")));
}

/* A primary: how many replicas, and how many must have a write. */
static void
check_replicas(check_t *check, size_t replicas)
{
    char minimum[VALUE_MAX];
    long wanted;

    if (read_setting(check, "min-replicas-to-write", minimum) != LP_YES) {
        return;
    }
    wanted = strtol(minimum, NULL, 10);
    if (replicas == 0 && wanted == 0) {
        line(check, OK, "primary without replicas: its disk is the only "
                        "copy");
    } else if (wanted == 0) {
        line(check, WARN, "primary with %zu replicas that no write waits for; "
                          "set \"min-replicas-to-write 1\" in redis.conf",
             replicas);
    } else if ((long) replicas < wanted) {
        line(check, FAIL, "primary with %zu replicas, and min-replicas-to-"
                          "write is %ld: it takes no writes; start the "
                          "replicas", replicas, wanted);
    } else {
        line(check, OK, "primary with %zu replicas, min-replicas-to-write "
                        "%ld", replicas, wanted);
    }
}

static void
check_role(check_t *check)
{
    redisReply *reply;
    lp_span_t   role = {NULL, 0};
    size_t      replicas = 0;

    reply = ask(check, "role", WARN, LP_WORDS(lp_span("ROLE")),
                LP_REPLY_ARRAY);
    if (reply == NULL) {
        return;
    }
    if (reply->elements > 0) {
        role = lp_redis_text(reply->element[0]);
    }
    if (reply->elements > 2 && reply->element[2]->type == REDIS_REPLY_ARRAY) {
        replicas = reply->element[2]->elements;
    }
    if (role.data != NULL && lp_span_equal(role, lp_span("master"))) {
        check_replicas(check, replicas);
    } else {
        line(check, FAIL, "this is not a primary; give the primary's address, "
                          "since a replica takes no writes");
    }
    freeReplyObject(reply);
}

/* In this user's name Redis does its append-only file again. */
static void
check_default_user(check_t *check)
{
    redisReply *reply;

    reply = ask(check, "default user", WARN,
                LP_WORDS(lp_span("ACL"), lp_span("DRYRUN"),
                         lp_span("default"), lp_span("XADD"),
                         lp_span("journal:{00}"), lp_span("*"),
                         lp_span("kind"), lp_span("activation")),
                LP_REPLY_STATUS | LP_REPLY_STRING);
    if (reply == NULL) {
        return;
    }
    if (reply->type == REDIS_REPLY_STATUS) {
        line(check, OK, "a restart does transactions again");
    } else {
        line(check, FAIL, "a restart would forget every transaction: the user "
                          "\"default\" may not do them; set \"user default "
                          "off resetpass ~* &* +@all\" in users.acl");
    }
    freeReplyObject(reply);
}

/* Streams that nobody reads fill the memory, and nobody is told. */
static void
check_backlog(check_t *check, const char *name,
              size_t (*key)(char *, unsigned), const char *question)
{
    lp_backlog_t backlog;
    int64_t      waits;

    if (lp_backlog_read(&check->redis, key, &backlog) != LP_YES) {
        line(check, WARN, "%s: %s", name, check->redis.reason);
        return;
    }
    waits = backlog.oldest_ms == 0
                ? 0
                : (int64_t) time(NULL) - backlog.oldest_ms / 1000;
    if (waits >= BACKLOG_S) {
        line(check, WARN, "%s: %" PRIu64 " entries wait, the oldest for %"
                          PRId64 " s: %s", name, backlog.entries, waits,
             question);
    } else {
        line(check, OK, "%s: %" PRIu64 " entries wait", name,
             backlog.entries);
    }
}

static int
check_redis(check_t *check)
{
    int rc;

    rc = lp_redis_open(&check->redis, check->args);
    if (rc == LP_USAGE) {
        return rc;
    }
    if (rc != LP_YES) {
        line(check, FAIL, "%s", check->redis.reason);
        return LP_YES;
    }
    if (check_reach(check) != LP_YES) {
        return LP_YES;
    }
    check_version(check);
    check_setting(check, "appendonly", "yes",
                  "a restart would forget every licence");
    check_setting(check, "appendfsync", "always",
                  "a crash would forget acknowledged activations");
    check_setting(check, "maxmemory-policy", "noeviction",
                  "full memory would drop rights silently");
    check_default_user(check);
    check_memory(check);
    check_persistence(check);
    check_tracking(check);
    check_role(check);
    check_backlog(check, "journal", lp_key_journal,
                  "is leerpoort-relay running?");
    check_backlog(check, "usage", lp_key_usage, "is leerpoort-tally running?");
    return LP_YES;
}

/* nginx */

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
    double        until = now_ms() + NGINX_WAIT_MS;
    char          rest[512];
    ssize_t       n;

    *len = 0;
    for (;;) {
        if (poll(&wait, 1, (int) (until - now_ms())) <= 0
            || now_ms() > until) {
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
show_nginx(check_t *check, level_t level, char *text, size_t len)
{
    size_t i, start = 0;

    for (i = 0; i < len; i++) {
        if (text[i] != '\n') {
            to_ascii(text + i, 1);
            continue;
        }
        if (i > start) {
            line(check, level, "%.*s", (int) (i - start), text + start);
        }
        start = i + 1;
    }
    if (len > start) {
        line(check, level, "%.*s", (int) (len - start), text + start);
    }
}

/* Returns nginx's exit status, -1 where it had none. */
static int
test_conf(check_t *check, const char *program, const char *conf, char *text,
          size_t *len)
{
    int   pipes[2], status, timely;
    pid_t child;

    *len = 0;
    if (pipe(pipes) != 0) {
        line(check, FAIL, "nginx can't be started: %s", strerror(errno));
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
        line(check, FAIL, "nginx can't be started: %s", strerror(errno));
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
    level_t level = leaks ? FAIL : WARN;

    if (at == 0) {
        line(data, level, "%s: %s", file, sentence);
    } else {
        line(data, level, "%s:%u: %s", file, at, sentence);
    }
}

static void
check_nginx(check_t *check)
{
    const char *program = check->args->value[LP_OPT_NGINX];
    const char *given = check->args->value[LP_OPT_NGINX_CONF];
    char        conf[PATH_MAX], text[NGINX_TEXT_MAX];
    size_t      len;
    int         status;

    /* nginx takes a relative path from its own prefix, not from here */
    if (realpath(given, conf) == NULL) {
        line(check, FAIL, "%s can't be opened: %s", given, strerror(errno));
        return;
    }
    status = test_conf(check, program == NULL ? "nginx" : program, conf, text,
                       &len);
    show_nginx(check, status == 0 ? WARN : FAIL, text, len);
    if (status == 0) {
        line(check, OK, "nginx takes %s", conf);
    } else {
        line(check, FAIL, "nginx does not take %s; mend what it names", conf);
    }
    if (lp_nginx_lint(conf, hear_finding, check) != 0) {
        line(check, FAIL, "%s could not be read for secrets in logs", conf);
    }
}

int
lp_command_check(const lp_args_t *args)
{
    check_t check = {.args = args};
    json_t *answer;
    int     rc;

    if (args->value[LP_OPT_NGINX] != NULL
        && args->value[LP_OPT_NGINX_CONF] == NULL) {
        return lp_args_refuse(args, "--nginx needs --nginx-conf");
    }
    if (args->value[LP_OPT_JSON] != NULL) {
        check.lines = json_array();
    }
    rc = check_redis(&check);
    if (rc == LP_YES && args->value[LP_OPT_NGINX_CONF] != NULL) {
        check_nginx(&check);
    }
    lp_redis_close(&check.redis);
    if (check.lines != NULL && rc == LP_YES) {
        answer = json_pack("{s:b, s:O}", "ok", !check.failed, "lines",
                           check.lines);
        json_dumpf(answer, stdout, JSON_INDENT(2));
        fputc('\n', stdout);
        json_decref(answer);
    }
    json_decref(check.lines);
    if (rc == LP_YES && check.failed) {
        lp_say("the check found what must be mended");
        return LP_NO;
    }
    return rc;
}
