/*
 * A closed-loop HTTP/1.1 client that sends requests from a file, each in turn.
 *
 *   clicks <sleep|poll> <port> <connections> <seconds> <status> <file>
 *
 * wrk can't vary its requests without a script, and identical clicks that miss
 * the mirror at the same time share one question to Redis. So where variety
 * matters, this client stands in for wrk on both sides of the comparison.
 *
 * file: whole requests without a body, one after the other; each ends with an
 * empty line. Every connection sends one request, reads the whole answer
 * (Content-Length is needed unless the answer has no body), then sends the next
 * request of the file; the file is gone through again and again. No connection
 * is opened twice: one that is closed by the server, or an answer that can't be
 * read, ends the run with exit code 1.
 *
 * poll: never sleeps. A server that is slower than its client has to wake it up
 * for every answer; on a virtual machine, waking an idle core costs the server
 * some 15 us of CPU time, which is not the server's own work.
 *
 * seconds 0: each request once, however long that takes; for clicks that change
 * something.
 *
 * Prints one line of JSON: answers, those with another status than the one
 * given, seconds; with seconds 0 also quantiles of the time from sending until
 * the whole answer has been read.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "timing.h"

#define CONNECTIONS_MAX 1024
#define ANSWER_MAX      8192
#define EVENTS          128

typedef struct {
    const char *text;
    size_t      len;
} request_t;

typedef struct {
    int    fd;
    size_t sent; /* of the request; less than its length: not all of it */
    size_t len;  /* of what has come */
    double began;
    const request_t *request;
    char   answer[ANSWER_MAX + 1];
} connection_t;

typedef struct {
    request_t     *requests;
    size_t         n_requests;
    size_t         next;
    int            epoll;
    int            patience; /* ms, of epoll_wait */
    int            status;
    double        *took;     /* of each answer, ms; NULL: not asked for */
    unsigned long  answers;
    unsigned long  wrong;
} run_t;

static connection_t connections[CONNECTIONS_MAX];

static int read_requests(run_t *run, const char *name);
static char *read_all(const char *name, size_t *len);
static int split(run_t *run, char *text, size_t len);
static int connect_all(run_t *run, unsigned port, size_t n);
static int connect_one(run_t *run, connection_t *c, unsigned port);
static int turn(run_t *run, double seconds, double *took);
static int send_next(run_t *run, connection_t *c);
static int send_rest(run_t *run, connection_t *c);
static int receive(run_t *run, connection_t *c);
static long answer_size(const connection_t *c);


int
main(int argc, char **argv)
{
    long    n, port;
    double  seconds, took;
    run_t   run;

    if (argc != 7) {
        fputs("usage: clicks <sleep|poll> <port> <connections> <seconds> "
              "<status> <file>\n", stderr);
        return 2;
    }

    memset(&run, 0, sizeof(run));
    run.patience = strcmp(argv[1], "poll") == 0 ? 0 : 1000;
    port = strtol(argv[2], NULL, 10);
    n = strtol(argv[3], NULL, 10);
    seconds = strtod(argv[4], NULL);
    run.status = (int) strtol(argv[5], NULL, 10);

    if (port < 1 || port > 65535 || n < 1 || n > CONNECTIONS_MAX
        || seconds < 0)
    {
        fputs("clicks: port, connections or seconds out of range\n", stderr);
        return 2;
    }

    if (read_requests(&run, argv[6]) != 0
        || (seconds == 0
            && (run.took = calloc(run.n_requests, sizeof(double))) == NULL)
        || connect_all(&run, (unsigned) port, (size_t) n) != 0
        || turn(&run, seconds, &took) != 0)
    {
        return 1;
    }

    printf("{\"requests\": %lu, \"wrong\": %lu, \"seconds\": %.6f",
           run.answers, run.wrong, took);

    if (run.took != NULL) {
        qsort(run.took, run.answers, sizeof(double), order);
        printf(", \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"max_ms\": %.4f",
               quantile(run.took, run.answers, 0.5),
               quantile(run.took, run.answers, 0.99),
               quantile(run.took, run.answers, 1));
    }

    puts("}");

    return 0;
}


static int
read_requests(run_t *run, const char *name)
{
    char   *text;
    size_t  len;

    text = read_all(name, &len);
    if (text == NULL) {
        perror("clicks: the file of requests");
        return -1;
    }

    if (split(run, text, len) != 0) {
        fputs("clicks: no requests, or the last one does not end\n", stderr);
        return -1;
    }

    return 0;
}


/* The whole file and a NUL behind it. The process frees nothing: it is short.
 */
static char *
read_all(const char *name, size_t *len)
{
    FILE   *stream;
    char   *text, *more;
    size_t  room;

    stream = fopen(name, "rb");
    if (stream == NULL) {
        return NULL;
    }

    text = NULL;
    room = 0;
    *len = 0;

    do {
        room = room == 0 ? 1 << 20 : room * 2;

        more = realloc(text, room);
        if (more == NULL) {
            break;
        }

        text = more;
        *len += fread(text + *len, 1, room - 1 - *len, stream);

    } while (*len == room - 1);

    fclose(stream);

    if (more == NULL) {
        free(text);
        return NULL;
    }

    text[*len] = '\0';

    return text;
}


static int
split(run_t *run, char *text, size_t len)
{
    char   *end, *last;
    size_t  room;

    last = text + len;
    room = 0;

    while (text < last) {
        end = strstr(text, "\r\n\r\n");
        if (end == NULL) {
            return -1;
        }

        if (run->n_requests == room) {
            room = room == 0 ? 1024 : room * 2;
            run->requests = realloc(run->requests, room * sizeof(request_t));
            if (run->requests == NULL) {
                return -1;
            }
        }

        run->requests[run->n_requests].text = text;
        run->requests[run->n_requests].len = (size_t) (end + 4 - text);
        run->n_requests++;
        text = end + 4;
    }

    return run->n_requests > 0 ? 0 : -1;
}


static int
connect_all(run_t *run, unsigned port, size_t n)
{
    size_t i;

    run->epoll = epoll_create1(0);

    for (i = 0; i < n; i++) {
        if (connect_one(run, &connections[i], port) != 0) {
            perror("clicks: connecting");
            return -1;
        }
    }

    return 0;
}


static int
connect_one(run_t *run, connection_t *c, unsigned port)
{
    int                 on;
    struct epoll_event  event;
    struct sockaddr_in  address;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t) port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &address, sizeof(address)) == -1)
    {
        return -1;
    }

    on = 1;
    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    event.events = EPOLLIN;
    event.data.ptr = c;

    if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, c->fd, &event) == -1) {
        return -1;
    }

    return send_next(run, c);
}


/*
 * Answers that are still on their way when the time is up do not count. Without
 * a limit of time the last request ends it.
 */
static int
turn(run_t *run, double seconds, double *took)
{
    int                 i, n;
    double              began;
    connection_t       *c;
    struct epoll_event  events[EVENTS];

    began = now();

    do {
        n = epoll_wait(run->epoll, events, EVENTS, run->patience);

        if (n == -1 && errno != EINTR) {
            perror("clicks: epoll_wait");
            return -1;
        }

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if ((events[i].events & EPOLLOUT) && send_rest(run, c) != 0) {
                return -1;
            }

            if ((events[i].events & ~(unsigned) EPOLLOUT)
                && receive(run, c) != 0)
            {
                return -1;
            }
        }

        *took = now() - began;

    } while (run->took != NULL ? run->answers < run->n_requests
                               : *took < seconds);

    return 0;
}


static int
send_next(run_t *run, connection_t *c)
{
    if (run->next == run->n_requests) {
        if (run->took != NULL) {
            return 0;
        }
        run->next = 0;
    }

    c->request = &run->requests[run->next++];
    c->sent = 0;
    c->len = 0;
    c->began = run->took != NULL ? now() : 0;

    return send_rest(run, c);
}


static int
send_rest(run_t *run, connection_t *c)
{
    ssize_t             n;
    struct epoll_event  event;

    n = send(c->fd, c->request->text + c->sent, c->request->len - c->sent,
             MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n == -1 && errno != EAGAIN) {
        perror("clicks: sending");
        return -1;
    }

    c->sent += n > 0 ? (size_t) n : 0;

    if (n >= 0 && c->sent == c->request->len && n == (ssize_t) c->sent) {
        return 0; /* in one go, as nearly always */
    }

    event.events = EPOLLIN;
    if (c->sent < c->request->len) {
        event.events |= EPOLLOUT;
    }
    event.data.ptr = c;

    return epoll_ctl(run->epoll, EPOLL_CTL_MOD, c->fd, &event);
}


static int
receive(run_t *run, connection_t *c)
{
    long    size;
    ssize_t n;

    n = recv(c->fd, c->answer + c->len, ANSWER_MAX - c->len, MSG_DONTWAIT);

    if (n == -1 && errno == EAGAIN) {
        return 0;
    }

    if (n <= 0) {
        fputs("clicks: a connection was closed\n", stderr);
        return -1;
    }

    c->len += (size_t) n;
    c->answer[c->len] = '\0';

    size = answer_size(c);

    if (size == 0 && c->len < ANSWER_MAX) {
        return 0; /* the rest is to come */
    }

    if (size <= 0 || (size_t) size < c->len) {
        fputs("clicks: an answer that can't be read\n", stderr);
        return -1;
    }

    if (run->took != NULL) {
        run->took[run->answers] = (now() - c->began) * 1000;
    }

    run->answers++;
    run->wrong += strtol(c->answer + sizeof("HTTP/1.1"), NULL, 10)
                  != run->status;

    return send_next(run, c);
}


/* Bytes of the whole answer; 0: not all of it is there; -1: can't be read. */
static long
answer_size(const connection_t *c)
{
    long        size;
    const char *end, *line;

    end = strstr(c->answer, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }

    if (strncmp(c->answer, "HTTP/1.1 ", 9) != 0) {
        return -1;
    }

    size = end + 4 - c->answer;

    for (line = strstr(c->answer, "\r\n"); line < end;
         line = strstr(line + 2, "\r\n"))
    {
        if (strncasecmp(line + 2, "Content-Length:", 15) == 0) {
            size += strtol(line + 17, NULL, 10);
            break;
        }
    }

    return (size_t) size <= c->len ? size : 0;
}
