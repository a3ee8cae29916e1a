/*
 * The command's link to Redis. Data only ever travels as counted arguments,
 * never inside a format. Redis may be gone, frozen, loading or somebody
 * else's: each ends in a sentence within two timeouts, never in a hang.
 */

#include "redis_link.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "input.h"
#include "say.h"

#define DEFAULT_ADDRESS "unix:/run/redis/redis-server.sock"
#define TIMEOUT_S       2
#define PASSWORD_MAX    512
#define HOST_MAX        256
#define WORDS_MAX       64

typedef struct {
    const char *word;
    const char *text;
} refusal_t;

static const refusal_t refusals[] = {
    {"NOAUTH", "it wants a password; give --user and --password-file"},
    {"WRONGPASS", "the user or the password is not right, or the user is off"},
    {"NOPERM", "this Redis user may not do that; see ACL in redis.conf"},
    {"DENIED", "protected mode; bind Redis to loopback or set a password"},
    {"LOADING", "it still loads its data; try again in a moment"},
    {"BUSY", "a script keeps it busy"},
    {"READONLY", "it is a replica; give the primary's address"},
    {"MASTERDOWN", "it is a replica that has lost its primary"},
    {"NOREPLICAS", "too few replicas are in reach, so that it takes no "
                   "writes (min-replicas-to-write)"},
    {"MISCONF", "it can't write to its disk and takes no writes; look at "
                "the disk and Redis' log"},
    {"OOM", "its memory is full; raise maxmemory"},
    {"WRONGTYPE", "the key holds another type: something else writes there"},
    {"MOVED", "it is a cluster; this command speaks to a single Redis"},
    {"CLUSTERDOWN", "its cluster is down"},
};

#define N_REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

static void complain(lp_redis_t *redis, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

lp_span_t
lp_redis_text(const redisReply *reply)
{
    if (reply == NULL
        || (reply->type != REDIS_REPLY_STRING
            && reply->type != REDIS_REPLY_STATUS)) {
        return (lp_span_t) {NULL, 0};
    }
    return (lp_span_t) {reply->str, reply->len};
}

const char *
lp_redis_error_word(char *dst, const redisReply *reply)
{
    size_t n = 0;

    while (n < reply->len && n < LP_REDIS_WORD_MAX - 1 && reply->str[n] >= 'A'
           && reply->str[n] <= 'Z') {
        dst[n] = reply->str[n];
        n++;
    }
    dst[n] = '\0';
    if (n == 0 || (n < reply->len && reply->str[n] != ' ')) {
        return "ERR";
    }
    return dst;
}

const char *
lp_redis_error_text(const char *word)
{
    unsigned i;

    for (i = 0; i < N_REFUSALS; i++) {
        if (strcmp(refusals[i].word, word) == 0) {
            return refusals[i].text;
        }
    }
    return "it refused the command; is it Redis 7 or later?";
}

/* Splits "host:port" or "[::1]:port" at the last colon. */
static int
connect_host(lp_redis_t *redis, const char *address, struct timeval timeout)
{
    const char *colon = strrchr(address, ':');
    char        host[HOST_MAX], *end;
    size_t      len;
    long        port;

    if (colon == NULL || colon == address) {
        return -1;
    }
    len = (size_t) (colon - address);
    if (address[0] == '[' && len > 2 && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    port = strtol(colon + 1, &end, 10);
    if (len >= sizeof(host) || colon[1] < '0' || colon[1] > '9' || *end != '\0'
        || port < 1 || port > 65535) {
        return -1;
    }
    memcpy(host, address, len);
    host[len] = '\0';
    redis->context = redisConnectWithTimeout(host, (int) port, timeout);
    return 0;
}

static int
connect_to(lp_redis_t *redis, const char *address)
{
    struct timeval timeout = {TIMEOUT_S, 0};

    if (strncmp(address, "unix:", 5) == 0 && address[5] == '/') {
        redis->context = redisConnectUnixWithTimeout(address + 5, timeout);
        return 0;
    }
    return connect_host(redis, address, timeout);
}

/* Says a sentence, and keeps it for a caller who writes it elsewhere too. */
static void
complain(lp_redis_t *redis, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(redis->reason, sizeof(redis->reason), format, args);
    va_end(args);
    lp_say("%s", redis->reason);
}

static void
say_broken(lp_redis_t *redis)
{
    const redisContext *context = redis->context;

    if (context->err == REDIS_ERR_EOF) {
        complain(redis, "Redis at %s closed the connection", redis->address);
    } else if (context->err == REDIS_ERR_IO
               && (errno == EAGAIN || errno == EINPROGRESS
                   || errno == ETIMEDOUT)) {
        complain(redis, "Redis at %s does not answer within %d s; is it "
                        "frozen or overloaded?", redis->address, TIMEOUT_S);
    } else if (context->err == REDIS_ERR_PROTOCOL) {
        complain(redis, "what listens at %s does not speak Redis' protocol",
                 redis->address);
    } else {
        complain(redis, "Redis at %s can't be reached: %s; is it running, "
                        "and is the address right?", redis->address,
                 context->errstr);
    }
}

static int
authenticate(lp_redis_t *redis, const lp_args_t *args)
{
    const char *path = args->value[LP_OPT_PASSWORD_FILE];
    const char *user = args->value[LP_OPT_USER];
    lp_input_t  file;
    lp_span_t   password;
    int         rc;

    if (path == NULL) {
        return LP_YES;
    }
    if (lp_input_file(&file, path, PASSWORD_MAX) != 0) {
        snprintf(redis->reason, sizeof(redis->reason),
                 "the password file %s can't be used", path);
        return LP_NO;
    }
    lp_input_warn_open(path, "password file");
    password = lp_input_span(&file);
    if (password.len > 0 && password.data[password.len - 1] == '\n') {
        password.len--;
    }
    if (user == NULL) {
        rc = lp_redis_tell(redis, LP_WORDS(lp_span("AUTH"), password));
    } else {
        rc = lp_redis_tell(redis, LP_WORDS(lp_span("AUTH"), lp_span_of(user),
                                           password));
    }
    lp_input_free(&file);
    return rc;
}

int
lp_redis_open(lp_redis_t *redis, const lp_args_t *args)
{
    struct timeval timeout = {TIMEOUT_S, 0};

    redis->context = NULL;
    redis->reason[0] = '\0';
    redis->address = args->value[LP_OPT_REDIS];
    if (redis->address == NULL) {
        redis->address = getenv("LEERPOORT_REDIS");
    }
    if (redis->address == NULL || redis->address[0] == '\0') {
        redis->address = DEFAULT_ADDRESS;
    }
    if (args->value[LP_OPT_USER] != NULL
        && args->value[LP_OPT_PASSWORD_FILE] == NULL) {
        return lp_args_refuse(args, "--user needs --password-file");
    }
    if (connect_to(redis, redis->address) != 0) {
        return lp_args_refuse(args, "the address of Redis is unix:/path or "
                                    "host:port");
    }
    if (redis->context == NULL) {
        complain(redis, "out of memory");
        return LP_NO;
    }
    if (redis->context->err != 0
        || redisSetTimeout(redis->context, timeout) != REDIS_OK) {
        say_broken(redis);
        return LP_NO;
    }
    return authenticate(redis, args);
}

void
lp_redis_close(lp_redis_t *redis)
{
    if (redis->context != NULL) {
        redisFree(redis->context);
    }
    redis->context = NULL;
}

static redisReply *
send_words(lp_redis_t *redis, lp_words_t words)
{
    const char *argv[WORDS_MAX];
    size_t      lens[WORDS_MAX];
    unsigned    i;

    if (words.n > WORDS_MAX) {
        return NULL;
    }
    for (i = 0; i < words.n; i++) {
        argv[i] = words.list[i].data;
        lens[i] = words.list[i].len;
    }
    return redisCommandArgv(redis->context, (int) words.n, argv, lens);
}

redisReply *
lp_redis_ask(lp_redis_t *redis, lp_words_t words, unsigned types)
{
    redisReply *reply = send_words(redis, words);
    char        word[LP_REDIS_WORD_MAX];
    const char *shown;

    if (reply == NULL) {
        say_broken(redis);
        return NULL;
    }
    if (reply->type >= 0 && reply->type < 32
        && (types & LP_REPLY(reply->type)) != 0) {
        return reply;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        shown = lp_redis_error_word(word, reply);
        complain(redis, "Redis at %s says %s: %s", redis->address, shown,
                 lp_redis_error_text(shown));
    } else {
        complain(redis, "Redis at %s answered with a type that the command "
                        "can't have", redis->address);
    }
    freeReplyObject(reply);
    return NULL;
}

int
lp_redis_tell(lp_redis_t *redis, lp_words_t words)
{
    redisReply *reply;

    reply = lp_redis_ask(redis, words, LP_REPLY_STATUS | LP_REPLY_INTEGER);
    if (reply == NULL) {
        return LP_NO;
    }
    freeReplyObject(reply);
    return LP_YES;
}
