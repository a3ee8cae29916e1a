/*
 * A connection to Redis. hiredis connects and parses; sending and waiting are
 * done here, because every wait has one deadline for a whole batch (a reply
 * that trickles must not hold a worker) and because writing to a connection
 * that Redis has closed must not raise SIGPIPE.
 *
 * A Redis that is away costs one timeout, not one per request: after a failure
 * the next attempt has to wait a little, up to BACKOFF_MAX_MS, and until then
 * opening fails at once.
 */

#include "store_link.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 1000
#define TIMEOUT_MS     1000 /* where the options say nothing */
#define PASSWORD_MAX   512
#define HOST_MAX       256
#define READ_SIZE      16384
#define KEPT_SIZE      (1 << 20) /* of the output, between two batches */
#define HEAD_MAX       24        /* "$<20 digits>\r\n" */

static int64_t now_ms(void);
static redisContext *connect_to(const char *address, struct timeval timeout);
static redisContext *connect_host(const char *address,
                                  struct timeval timeout);
static lp_store_status_t authenticate(lp_store_link_t *link);
static int put_password(lp_store_link_t *link);
static ssize_t read_password(const char *path, char *dst);
static int reserve(lp_store_link_t *link, size_t more);
static char *put_head(char *p, char mark, size_t n);
static int fill(lp_store_link_t *link, int64_t deadline);
static int await(int fd, short events, int64_t deadline);

int
lp_store_link_set(lp_store_link_t *link, const lp_store_options_t *options)
{
    link->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms
                                               : TIMEOUT_MS;
    link->address = strdup(options->address);

    if (options->user != NULL) {
        link->user = strdup(options->user);
    }
    if (options->password_file != NULL) {
        link->password_file = strdup(options->password_file);
    }

    return link->address == NULL
                   || (options->user != NULL && link->user == NULL)
                   || (options->password_file != NULL
                       && link->password_file == NULL)
               ? -1 : 0;
}

void
lp_store_link_free(lp_store_link_t *link)
{
    lp_store_link_close(link);
    free(link->out);
    free(link->address);
    free(link->user);
    free(link->password_file);
}

lp_store_status_t
lp_store_link_open(lp_store_link_t *link)
{
    struct timeval    timeout;
    lp_store_status_t status;

    if (now_ms() < link->retry_at) {
        return LP_STORE_DOWN;
    }

    link->error[0] = '\0';
    timeout.tv_sec = link->timeout_ms / 1000;
    timeout.tv_usec = link->timeout_ms % 1000 * 1000;
    link->context = connect_to(link->address, timeout);
    status = LP_STORE_DOWN;

    if (link->context != NULL && link->context->err == 0) {
        (void) fcntl(link->context->fd, F_SETFD, FD_CLOEXEC);
        status = link->password_file == NULL ? LP_STORE_OK
                                             : authenticate(link);
    }

    if (status != LP_STORE_OK) {
        lp_store_link_fail(link);
    }

    return status;
}

void
lp_store_link_close(lp_store_link_t *link)
{
    if (link->context != NULL) {
        redisFree(link->context);
        link->context = NULL;
    }

    link->out_len = 0;
}

void
lp_store_link_fail(lp_store_link_t *link)
{
    lp_store_link_close(link);
    link->backoff_ms *= 2;

    if (link->backoff_ms < BACKOFF_MIN_MS) {
        link->backoff_ms = BACKOFF_MIN_MS;
    } else if (link->backoff_ms > BACKOFF_MAX_MS) {
        link->backoff_ms = BACKOFF_MAX_MS;
    }

    link->retry_at = now_ms() + link->backoff_ms;
}

/* Nothing is expected from Redis: what can be read is its end. */
int
lp_store_link_ended(const lp_store_link_t *link)
{
    return await(link->context->fd, POLLIN, 0) == 0;
}

/* RESP: an array of counted strings. */
int
lp_store_link_put(lp_store_link_t *link, lp_words_t words)
{
    char    *p;
    size_t   size;
    unsigned i;

    size = HEAD_MAX;
    for (i = 0; i < words.n; i++) {
        size += HEAD_MAX + words.list[i].len + 2;
    }

    if (reserve(link, size) != 0) {
        return -1;
    }

    p = put_head(link->out + link->out_len, '*', words.n);

    for (i = 0; i < words.n; i++) {
        p = put_head(p, '$', words.list[i].len);

        if (words.list[i].len > 0) {
            memcpy(p, words.list[i].data, words.list[i].len);
            p += words.list[i].len;
        }

        *p++ = '\r';
        *p++ = '\n';
    }

    link->out_len = (size_t) (p - link->out);

    return 0;
}

int64_t
lp_store_link_deadline(const lp_store_link_t *link)
{
    return now_ms() + link->timeout_ms;
}

int
lp_store_link_send(lp_store_link_t *link, int64_t deadline)
{
    size_t  at;
    ssize_t n;
    int     fd;

    fd = link->context->fd;
    at = 0;

    while (at < link->out_len) {
        n = send(fd, link->out + at, link->out_len - at,
                 MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            at += (size_t) n;
        } else if (n < 0 && errno == EAGAIN) {
            if (await(fd, POLLOUT, deadline) != 0) {
                return -1;
            }
        } else if (n == 0 || errno != EINTR) {
            return -1;
        }
    }

    link->out_len = 0;
    link->asked = 1;

    if (link->out_size > KEPT_SIZE) {
        free(link->out);
        link->out = NULL;
        link->out_size = 0;
    }

    return 0;
}

redisReply *
lp_store_link_reply(lp_store_link_t *link, int64_t deadline)
{
    void *reply;

    for ( ;; ) {
        reply = NULL;

        if (redisReaderGetReply(link->context->reader, &reply) != REDIS_OK) {
            return NULL;
        }

        if (reply != NULL) {
            return reply;
        }

        if (fill(link, deadline) != 0) {
            return NULL;
        }
    }
}

/* Of several errors the first: EXECABORT says less than what it follows. */
void
lp_store_link_note(lp_store_link_t *link, const redisReply *reply)
{
    size_t n;

    if (link->error[0] != '\0') {
        return;
    }

    n = 0;
    while (n < (size_t) reply->len && n < sizeof(link->error) - 1
           && reply->str[n] >= 'A' && reply->str[n] <= 'Z') {
        link->error[n] = reply->str[n];
        n++;
    }

    link->error[n] = '\0';

    if (n == 0) {
        memcpy(link->error, "ERR", sizeof("ERR"));
    }
}

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static redisContext *
connect_to(const char *address, struct timeval timeout)
{
    if (strncmp(address, "unix:", 5) == 0) {
        return redisConnectUnixWithTimeout(address + 5, timeout);
    }

    return connect_host(address, timeout);
}

/* "host:port" or "[::1]:port", split at the last colon. */
static redisContext *
connect_host(const char *address, struct timeval timeout)
{
    const char *colon;
    char        host[HOST_MAX], *end;
    size_t      len;
    long        port;

    colon = strrchr(address, ':');
    if (colon == NULL || colon == address) {
        return NULL;
    }

    len = (size_t) (colon - address);
    if (address[0] == '[' && len > 2 && address[len - 1] == ']') {
        address++;
        len -= 2;
    }

    port = strtol(colon + 1, &end, 10);
    if (len >= sizeof(host) || colon[1] < '0' || colon[1] > '9'
        || *end != '\0' || port < 1 || port > 65535) {
        return NULL;
    }

    memcpy(host, address, len);
    host[len] = '\0';

    return redisConnectWithTimeout(host, (int) port, timeout);
}

static lp_store_status_t
authenticate(lp_store_link_t *link)
{
    lp_store_status_t status;
    redisReply       *reply;
    int64_t           deadline;
    int               rc;

    deadline = lp_store_link_deadline(link);
    rc = put_password(link);
    if (rc == 0) {
        rc = lp_store_link_send(link, deadline);
    }
    if (link->out != NULL) {
        OPENSSL_cleanse(link->out, link->out_size);
    }

    reply = rc == 0 ? lp_store_link_reply(link, deadline) : NULL;
    if (reply == NULL) {
        return LP_STORE_DOWN;
    }

    status = LP_STORE_DOWN;
    if (reply->type == REDIS_REPLY_STATUS) {
        status = LP_STORE_OK;
    } else if (reply->type == REDIS_REPLY_ERROR) {
        lp_store_link_note(link, reply);
        status = LP_STORE_REFUSED;
    }

    freeReplyObject(reply);

    return status;
}

/* The file is read for each connection: a password may be changed. */
static int
put_password(lp_store_link_t *link)
{
    char      bytes[PASSWORD_MAX];
    lp_span_t password;
    ssize_t   len;
    int       rc;

    len = read_password(link->password_file, bytes);
    if (len < 0) {
        return -1;
    }

    password = (lp_span_t) {bytes, (size_t) len};

    if (link->user == NULL) {
        rc = lp_store_link_put(link, LP_WORDS(lp_span("AUTH"), password));
    } else {
        rc = lp_store_link_put(link, LP_WORDS(lp_span("AUTH"),
                                              lp_span_of(link->user),
                                              password));
    }

    OPENSSL_cleanse(bytes, sizeof(bytes));

    return rc;
}

/* Without the newline at its end; -1: not readable, or too long. */
static ssize_t
read_password(const char *path, char *dst)
{
    ssize_t len;
    int     fd;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }

    len = read(fd, dst, PASSWORD_MAX);
    close(fd);

    if (len <= 0 || len == PASSWORD_MAX) {
        return -1;
    }

    return dst[len - 1] == '\n' ? len - 1 : len;
}

static int
reserve(lp_store_link_t *link, size_t more)
{
    size_t size;
    char  *grown;

    if (link->out_size - link->out_len >= more) {
        return 0;
    }

    size = link->out_size == 0 ? READ_SIZE : link->out_size;
    while (size - link->out_len < more) {
        size *= 2;
    }

    grown = realloc(link->out, size);
    if (grown == NULL) {
        return -1;
    }

    link->out = grown;
    link->out_size = size;

    return 0;
}

static char *
put_head(char *p, char mark, size_t n)
{
    char   digits[HEAD_MAX];
    size_t i;

    i = sizeof(digits);
    do {
        digits[--i] = (char) ('0' + n % 10);
        n /= 10;
    } while (n > 0);

    *p++ = mark;
    memcpy(p, digits + i, sizeof(digits) - i);
    p += sizeof(digits) - i;
    *p++ = '\r';
    *p++ = '\n';

    return p;
}

static int
fill(lp_store_link_t *link, int64_t deadline)
{
    char    bytes[READ_SIZE];
    ssize_t n;

    /* a read that finds nothing is spared */
    if (link->asked && await(link->context->fd, POLLIN, deadline) != 0) {
        return -1;
    }
    link->asked = 0;

    for ( ;; ) {
        n = recv(link->context->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (n > 0) {
            return redisReaderFeed(link->context->reader, bytes, (size_t) n)
                           == REDIS_OK
                       ? 0 : -1;
        }

        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            return -1;
        }

        if (errno == EAGAIN
            && await(link->context->fd, POLLIN, deadline) != 0) {
            return -1;
        }
    }
}

/* 0: the socket is ready, or broken, which the next call on it will tell; 1:
   not before the deadline (0: now). */
static int
await(int fd, short events, int64_t deadline)
{
    struct pollfd one = {fd, events, 0};
    int64_t       left;
    int           n;

    do {
        left = deadline == 0 ? 0 : deadline - now_ms();
        n = poll(&one, 1, left > 0 ? (int) left : 0);
    } while (n < 0 && errno == EINTR);

    return n > 0 ? 0 : 1;
}
