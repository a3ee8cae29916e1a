/*
 * The part of leerpoort check that asks Redis: whether it keeps what it is
 * told through a crash and a full memory, tells edges of changes, is the
 * primary, and whether somebody reads its streams. It only asks; nothing is
 * written. A question that Redis refuses is a line of its own, and the others
 * are asked still.
 */

#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backlog.h"
#include "record.h"
#include "say.h"

#define VALUE_MAX    64
#define MAJOR_NEEDED 7
#define BACKLOG_S    60 /* seconds; relay and tally read within one */

/*
 * Asks, and makes an error reply a line of its own at that level. NULL: said.
 */
static redisReply *
ask(lp_check_t *check, const char *about, lp_check_level_t level,
    lp_words_t words, unsigned types)
{
    redisReply *reply;
    char        word[LP_REDIS_WORD_MAX];
    const char *shown;

    reply = lp_redis_ask(&check->redis, words, types | LP_REPLY_ERROR);
    if (reply == NULL) {
        lp_line(check, LP_FAIL, "%s: no answer that can be used: %s", about,
                check->redis.reason);
        return NULL;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        shown = lp_redis_error_word(word, reply);
        lp_line(check, level, "%s: Redis says %s: %s", about, shown,
                lp_redis_error_text(shown));
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

/* PING, timed; a Redis that can't do this needs no further questions. */
static int
check_reach(lp_check_t *check)
{
    redisReply *reply;
    double      start = lp_check_now_ms();

    reply = ask(check, "reach", LP_FAIL, LP_WORDS(lp_span("PING")),
                LP_REPLY_STATUS);
    if (reply == NULL) {
        return LP_NO;
    }
    freeReplyObject(reply);
    lp_line(check, LP_OK,
            "Redis at %s answers in %.2f ms", check->redis.address,
            lp_check_now_ms() - start);
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
check_version(lp_check_t *check)
{
    redisReply *reply;
    char        version[VALUE_MAX];

    reply = ask(check, "version", LP_WARN,
                LP_WORDS(lp_span("INFO"), lp_span("server")), LP_REPLY_STRING);
    if (reply == NULL) {
        return;
    }
    info_value(version, reply, "redis_version");
    freeReplyObject(reply);
    if (strtol(version, NULL, 10) >= MAJOR_NEEDED) {
        lp_line(check, LP_OK, "version %s", version);
    } else {
        lp_line(check, LP_FAIL, "version %s: Leerpoort needs Redis %d or later",
                version[0] == '\0' ? "unknown" : version, MAJOR_NEEDED);
    }
}

static void
check_persistence(lp_check_t *check)
{
    redisReply *reply;
    char        write[VALUE_MAX], rewrite[VALUE_MAX];

    reply = ask(check, "append-only file", LP_WARN,
                LP_WORDS(lp_span("INFO"), lp_span("persistence")),
                LP_REPLY_STRING);
    if (reply == NULL) {
        return;
    }
    info_value(write, reply, "aof_last_write_status");
    info_value(rewrite, reply, "aof_last_bgrewrite_status");
    freeReplyObject(reply);
    if (strcmp(write, "ok") != 0) {
        lp_line(check, LP_FAIL,
                "the last write to the append-only file failed; "
                "look at the disk and at Redis' log");
    } else if (strcmp(rewrite, "ok") != 0) {
        lp_line(check, LP_WARN,
                "the last rewrite of the append-only file failed; "
                "look at free disk space and at Redis' log");
    } else {
        lp_line(check, LP_OK, "the append-only file was written without error");
    }
}

/*
 * Redis with maxmemory-policy noeviction refuses every write at maxmemory:
 * no right could be set and no licence activated, while clicks go on.
 */
static void
check_memory(lp_check_t *check)
{
    redisReply        *reply;
    char               used_text[VALUE_MAX], most_text[VALUE_MAX];
    unsigned long long used, most;

    reply = ask(check, "memory", LP_WARN,
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
        lp_line(check, LP_WARN, "memory: Redis does not say how much is used");
    } else if (most == 0) {
        lp_line(check, LP_OK, "memory: %.1f MB used, no maxmemory",
                (double) used / 1e6);
    } else if (used >= most) {
        lp_line(check, LP_FAIL,
                "memory: %.1f MB used and maxmemory is %.1f MB: "
                "writes are refused; raise maxmemory",
                (double) used / 1e6, (double) most / 1e6);
    } else {
        lp_line(check, used > most - most / 10 ? LP_WARN : LP_OK,
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
read_setting(lp_check_t *check, const char *name, char *value)
{
    redisReply *reply;
    lp_span_t   text = {NULL, 0};
    size_t      n;

    reply = ask(check, name, LP_WARN,
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
check_setting(lp_check_t *check, const char *name, const char *wanted,
              const char *otherwise)
{
    char value[VALUE_MAX], shown[LP_ESCAPED_MAX];

    if (read_setting(check, name, value) != LP_YES) {
        return;
    }
    if (strcmp(value, wanted) == 0) {
        lp_line(check, LP_OK, "%s %s", name, wanted);
        return;
    }
    lp_line(check, LP_FAIL,
            "%s is %s: %s; set \"%s %s\" in redis.conf", name,
            value[0] == '\0' ? "unknown"
                             : lp_escape(shown, lp_span_of(value), VALUE_MAX),
            otherwise, name, wanted);
}

/* What the edge does on its invalidation link, tried on this one. */
static void
check_tracking(lp_check_t *check)
{
    redisReply *reply;
    char        id[VALUE_MAX];

    reply = ask(check, "invalidation", LP_FAIL,
                LP_WORDS(lp_span("CLIENT"), lp_span("ID")), LP_REPLY_INTEGER);
    if (reply == NULL) {
        return;
    }
    snprintf(id, sizeof(id), "%lld", reply->integer);
    freeReplyObject(reply);
    reply = ask(check, "invalidation", LP_FAIL,
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
    lp_line(check, LP_OK,
            "CLIENT TRACKING can be used: edges hear of every change");
    lp_redis_tell(&check->redis,
                  LP_WORDS(lp_span("CLIENT"), lp_span("TRACKING"),
                           lp_span("OFF")));
}

/* A primary: how many replicas, and how many must have a write. */
static void
check_replicas(lp_check_t *check, size_t replicas)
{
    char minimum[VALUE_MAX];
    long wanted;

    if (read_setting(check, "min-replicas-to-write", minimum) != LP_YES) {
        return;
    }
    wanted = strtol(minimum, NULL, 10);
    if (replicas == 0 && wanted == 0) {
        lp_line(check, LP_OK, "primary without replicas: its disk is the only "
                              "copy");
    } else if (wanted == 0) {
        lp_line(check, LP_WARN,
                "primary with %zu replicas that no write waits for; "
                "set \"min-replicas-to-write 1\" in redis.conf",
                replicas);
    } else if ((long) replicas < wanted) {
        lp_line(check, LP_FAIL,
                "primary with %zu replicas, and min-replicas-to-"
                "write is %ld: it takes no writes; start the "
                "replicas", replicas, wanted);
    } else {
        lp_line(check, LP_OK,
                "primary with %zu replicas, min-replicas-to-write "
                "%ld", replicas, wanted);
    }
}

static void
check_role(lp_check_t *check)
{
    redisReply *reply;
    lp_span_t   role = {NULL, 0};
    size_t      replicas = 0;

    reply = ask(check, "role", LP_WARN, LP_WORDS(lp_span("ROLE")),
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
        lp_line(check, LP_FAIL,
                "this is not a primary; give the primary's address, "
                "since a replica takes no writes");
    }
    freeReplyObject(reply);
}

/* In this user's name Redis does its append-only file again. */
static void
check_default_user(lp_check_t *check)
{
    redisReply *reply;

    reply = ask(check, "default user", LP_WARN,
                LP_WORDS(lp_span("ACL"), lp_span("DRYRUN"),
                         lp_span("default"), lp_span("XADD"),
                         lp_span("journal:{00}"), lp_span("*"),
                         lp_span("kind"), lp_span("activation")),
                LP_REPLY_STATUS | LP_REPLY_STRING);
    if (reply == NULL) {
        return;
    }
    if (reply->type == REDIS_REPLY_STATUS) {
        lp_line(check, LP_OK, "a restart does transactions again");
    } else {
        lp_line(check, LP_FAIL,
                "a restart would forget every transaction: the user "
                "\"default\" may not do them; set \"user default "
                "off resetpass ~* &* +@all\" in users.acl");
    }
    freeReplyObject(reply);
}

/* Streams that nobody reads fill the memory, and nobody is told. */
static void
check_backlog(lp_check_t *check, const char *name,
              size_t (*key)(char *, unsigned), const char *question)
{
    lp_backlog_t backlog;
    int64_t      waits;

    if (lp_backlog_read(&check->redis, key, &backlog) != LP_YES) {
        lp_line(check, LP_WARN, "%s: %s", name, check->redis.reason);
        return;
    }
    waits = backlog.oldest_ms == 0
                ? 0
                : (int64_t) time(NULL) - backlog.oldest_ms / 1000;
    if (waits >= BACKLOG_S) {
        lp_line(check, LP_WARN, "%s: %" PRIu64 " entries wait, the oldest for %"
                                PRId64 " s: %s", name, backlog.entries, waits,
                question);
    } else {
        lp_line(check, LP_OK, "%s: %" PRIu64 " entries wait", name,
                backlog.entries);
    }
}

int
lp_check_redis(lp_check_t *check)
{
    int rc;

    rc = lp_redis_open(&check->redis, check->args);
    if (rc == LP_USAGE) {
        return rc;
    }
    if (rc != LP_YES) {
        lp_line(check, LP_FAIL, "%s", check->redis.reason);
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
    lp_check_products(check);
    return LP_YES;
}
