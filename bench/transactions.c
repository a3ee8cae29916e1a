/*
 * Sends whole transactions to Redis, each once, over some connections at a
 * time: what a process that has nothing to read, decide or answer would reach.
 *
 *   transactions <unix socket> <connections> <file>
 *
 * The file holds transactions as they are sent (MULTI to EXEC, RESP), each
 * behind a line "<replies that it gets> <its bytes>". A connection sends the
 * next one, with one write, once the last one has all its replies. An error, an
 * EXEC without a result or a connection that ends is a failure, exit code 1.
 *
 * Prints one line of JSON: transactions, seconds, and quantiles of the time
 * from sending until the last reply has been read.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "timing.h"

#define CONNECTIONS_MAX 256
#define ANSWER_MAX      65536
#define EVENTS          64
#define DEPTH_MAX       4 /* arrays in arrays */

typedef struct {
    const char *text;
    size_t      len;
    unsigned    replies;
} transaction_t;

typedef struct {
    int      fd;
    unsigned left;  /* replies that are to come */
    size_t   len;   /* of what has come and is not read */
    double   began;
    char     answer[ANSWER_MAX];
} connection_t;

typedef struct {
    transaction_t *list;
    double        *took;
    size_t         n;
    size_t         next;
    size_t         done;
    int            epoll;
} run_t;

static connection_t connections[CONNECTIONS_MAX];

static int read_file(run_t *run, const char *name);
static int split(run_t *run, char *text);
static int connect_one(run_t *run, connection_t *c, const char *path);
static int turn(run_t *run);
static int send_next(run_t *run, connection_t *c);
static int receive(run_t *run, connection_t *c);
static const char *skip_reply(const char *p, const char *end, int depth,
                              int *failed);


int
main(int argc, char **argv)
{
    long    n, i;
    run_t   run;
    double  began;

    memset(&run, 0, sizeof(run));
    n = argc == 4 ? strtol(argv[2], NULL, 10) : 0;

    if (n < 1 || n > CONNECTIONS_MAX) {
        fputs("usage: transactions <unix socket> <connections> <file>\n",
              stderr);
        return 2;
    }

    if (read_file(&run, argv[3]) != 0) {
        fputs("transactions: the file can't be read\n", stderr);
        return 1;
    }

    run.epoll = epoll_create1(0);

    for (i = 0; i < n; i++) {
        if (connect_one(&run, &connections[i], argv[1]) != 0) {
            perror("transactions: connecting");
            return 1;
        }
    }

    began = now();

    for (i = 0; i < n && run.next < run.n; i++) {
        if (send_next(&run, &connections[i]) != 0) {
            return 1;
        }
    }

    if (turn(&run) != 0) {
        return 1;
    }

    began = now() - began;
    qsort(run.took, run.n, sizeof(double), order);

    printf("{\"transactions\": %zu, \"seconds\": %.6f, \"p50_ms\": %.4f, "
           "\"p99_ms\": %.4f}\n", run.n, began, quantile(run.took, run.n, 0.5),
           quantile(run.took, run.n, 0.99));

    return 0;
}


/* The process frees nothing: it is short. */
static int
read_file(run_t *run, const char *name)
{
    long   size;
    FILE  *stream;
    char  *text;

    stream = fopen(name, "rb");
    if (stream == NULL) {
        return -1;
    }

    text = NULL;

    if (fseek(stream, 0, SEEK_END) == 0 && (size = ftell(stream)) > 0) {
        rewind(stream);
        text = malloc((size_t) size + 1);

        if (text != NULL
            && fread(text, 1, (size_t) size, stream) != (size_t) size)
        {
            free(text);
            text = NULL;
        }

        if (text != NULL) {
            text[size] = '\0';
        }
    }

    fclose(stream);

    return text == NULL ? -1 : split(run, text);
}


static int
split(run_t *run, char *text)
{
    char           *last;
    size_t          room;
    transaction_t  *t;

    last = text + strlen(text); /* what is sent holds no NUL */
    room = 0;

    while (text < last) {
        if (run->n == room) {
            room = room == 0 ? 1024 : room * 2;
            run->list = realloc(run->list, room * sizeof(transaction_t));
            if (run->list == NULL) {
                return -1;
            }
        }

        t = &run->list[run->n++];
        t->replies = (unsigned) strtoul(text, &text, 10);
        t->len = strtoul(text, &text, 10);
        t->text = ++text;

        if (t->replies == 0 || text > last
            || t->len == 0 || (size_t) (last - text) < t->len)
        {
            return -1;
        }

        text += t->len;
    }

    run->took = calloc(run->n, sizeof(double));

    return run->n > 0 && run->took != NULL ? 0 : -1;
}


static int
connect_one(run_t *run, connection_t *c, const char *path)
{
    struct sockaddr_un  address;
    struct epoll_event  event;

    memset(&address, 0, sizeof(address));
    address.sun_family = AF_UNIX;

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }

    memcpy(address.sun_path, path, strlen(path));

    c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &address, sizeof(address)) == -1)
    {
        return -1;
    }

    event.events = EPOLLIN;
    event.data.ptr = c;

    return epoll_ctl(run->epoll, EPOLL_CTL_ADD, c->fd, &event);
}


static int
turn(run_t *run)
{
    int                 i, n;
    struct epoll_event  events[EVENTS];

    while (run->done < run->n) {
        n = epoll_wait(run->epoll, events, EVENTS, 10000);

        if (n == 0 || (n == -1 && errno != EINTR)) {
            fputs("transactions: no reply\n", stderr);
            return -1;
        }

        for (i = 0; i < n; i++) {
            if (receive(run, events[i].data.ptr) != 0) {
                return -1;
            }
        }
    }

    return 0;
}


static int
send_next(run_t *run, connection_t *c)
{
    const transaction_t  *t;

    t = &run->list[run->next++];
    c->left = t->replies;
    c->len = 0;
    c->began = now();

    if (send(c->fd, t->text, t->len, MSG_NOSIGNAL) != (ssize_t) t->len) {
        perror("transactions: sending");
        return -1;
    }

    return 0;
}


static int
receive(run_t *run, connection_t *c)
{
    int          failed;
    ssize_t      n;
    const char  *p, *after, *end;

    n = recv(c->fd, c->answer + c->len, ANSWER_MAX - c->len, 0);
    if (n <= 0) {
        fputs("transactions: Redis closed the connection\n", stderr);
        return -1;
    }

    c->len += (size_t) n;
    failed = 0;
    end = c->answer + c->len;

    for (p = c->answer; c->left > 0; p = after) {
        after = skip_reply(p, end, 0, &failed);
        if (after == NULL || failed) {
            break;
        }
        c->left--;
    }

    if (failed || (c->left > 0 && c->len == ANSWER_MAX)) {
        fprintf(stderr, "transactions: %.*s\n", (int) c->len, c->answer);
        return -1;
    }

    if (c->left > 0) {
        c->len = (size_t) (end - p);
        memmove(c->answer, p, c->len);
        return 0;
    }

    run->took[run->done++] = (now() - c->began) * 1000;

    return run->next < run->n ? send_next(run, c) : 0;
}


/* Behind the reply at p; NULL: not all of it is there. */
static const char *
skip_reply(const char *p, const char *end, int depth, int *failed)
{
    long         i, n;
    const char  *line;

    line = memchr(p, '\n', (size_t) (end - p));
    if (line == NULL) {
        return NULL;
    }

    line++;
    n = strtol(p + 1, NULL, 10);

    switch (p[0]) {
    case '+':
    case ':':
        return line;
    case '$':
        if (n < 0) {
            return line;
        }
        return end - line >= n + 2 ? line + n + 2 : NULL;
    case '*':
        *failed |= n < 0 || depth == DEPTH_MAX;
        for (i = 0; i < n && line != NULL && !*failed; i++) {
            line = skip_reply(line, end, depth + 1, failed);
        }
        return line;
    default:
        *failed = 1;
        return line;
    }
}
