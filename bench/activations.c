/*
 * Sends FastCGI requests to the workers' socket, each once, as nginx does: a
 * new connection for each, all of the request with one write, and closed as
 * soon as the answer has ended.
 *
 *   activations <unix socket> <connections> <file>
 *
 * The file holds requests as they are sent (FCGI_BEGIN_REQUEST to the empty
 * FCGI_STDIN), each behind a line "<its bytes>". So many connections at a time:
 * where one has its answer, the next request is sent. What is no activation's
 * answer (X-Accel-Redirect without a Leerpoort-Outcome) is counted as wrong; a
 * connection that ends before its answer is a failure, exit code 1.
 *
 * Prints one line of JSON: requests, those that are wrong, seconds, and
 * quantiles of the time from connecting until the answer has ended.
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
#define ANSWER_MAX      4096
#define EVENTS          64
#define HEADER          8 /* of a record: FastCGI 1.0, section 3.3 */
#define END_REQUEST     3

typedef struct {
    const char *text;
    size_t      len;
} request_t;

typedef struct {
    int    fd;
    size_t len;  /* of what has come */
    double began;
    char   answer[ANSWER_MAX];
} connection_t;

typedef struct {
    struct sockaddr_un  address;
    request_t          *list;
    double             *took;
    size_t              n;
    size_t              next;
    size_t              done;
    size_t              wrong;
    int                 epoll;
} run_t;

static connection_t connections[CONNECTIONS_MAX];

static int read_file(run_t *run, const char *name);
static int split(run_t *run, char *text, const char *last);
static int turn(run_t *run);
static int send_next(run_t *run, connection_t *c);
static int receive(run_t *run, connection_t *c);
static int has_ended(const connection_t *c);
static int is_activation(const connection_t *c);


int
main(int argc, char **argv)
{
    long    n, i;
    run_t   run;
    double  began;

    memset(&run, 0, sizeof(run));
    n = argc == 4 ? strtol(argv[2], NULL, 10) : 0;

    if (n < 1 || n > CONNECTIONS_MAX
        || strlen(argv[1]) >= sizeof(run.address.sun_path))
    {
        fputs("usage: activations <unix socket> <connections> <file>\n",
              stderr);
        return 2;
    }

    run.address.sun_family = AF_UNIX;
    memcpy(run.address.sun_path, argv[1], strlen(argv[1]));

    if (read_file(&run, argv[3]) != 0) {
        fputs("activations: the file can't be read\n", stderr);
        return 1;
    }

    run.epoll = epoll_create1(0);
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

    printf("{\"requests\": %zu, \"wrong\": %zu, \"seconds\": %.6f, "
           "\"p50_ms\": %.4f, \"p99_ms\": %.4f}\n", run.n, run.wrong, began,
           quantile(run.took, run.n, 0.5), quantile(run.took, run.n, 0.99));

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
    size = 0;

    if (fseek(stream, 0, SEEK_END) == 0 && (size = ftell(stream)) > 0) {
        rewind(stream);
        text = malloc((size_t) size + 1);

        if (text != NULL
            && fread(text, 1, (size_t) size, stream) != (size_t) size)
        {
            free(text);
            text = NULL;
        }
    }

    fclose(stream);

    if (text == NULL) {
        return -1;
    }

    text[size] = '\0';

    return split(run, text, text + size);
}


static int
split(run_t *run, char *text, const char *last)
{
    size_t      room;
    request_t  *request;

    room = 0;

    while (text < last) {
        if (run->n == room) {
            room = room == 0 ? 1024 : room * 2;
            run->list = realloc(run->list, room * sizeof(request_t));
            if (run->list == NULL) {
                return -1;
            }
        }

        request = &run->list[run->n++];
        request->len = strtoul(text, &text, 10);
        request->text = ++text;

        if (text > last || request->len == 0
            || (size_t) (last - text) < request->len)
        {
            return -1;
        }

        text += request->len;
    }

    run->took = calloc(run->n + 1, sizeof(double));

    return run->n > 0 && run->took != NULL ? 0 : -1;
}


static int
turn(run_t *run)
{
    int                 i, n;
    struct epoll_event  events[EVENTS];

    while (run->done < run->n) {
        n = epoll_wait(run->epoll, events, EVENTS, 20000);

        if (n == 0 || (n == -1 && errno != EINTR)) {
            fputs("activations: no answer\n", stderr);
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
    const request_t     *request;
    struct epoll_event   event;

    request = &run->list[run->next++];
    c->len = 0;
    c->began = now();
    c->fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &run->address,
                   sizeof(run->address)) == -1
        || send(c->fd, request->text, request->len, MSG_NOSIGNAL)
           != (ssize_t) request->len)
    {
        perror("activations: sending");
        return -1;
    }

    event.events = EPOLLIN;
    event.data.ptr = c;

    return epoll_ctl(run->epoll, EPOLL_CTL_ADD, c->fd, &event);
}


static int
receive(run_t *run, connection_t *c)
{
    ssize_t  n;

    n = recv(c->fd, c->answer + c->len, ANSWER_MAX - c->len, 0);
    if (n <= 0) {
        fputs("activations: no end of an answer\n", stderr);
        return -1;
    }

    c->len += (size_t) n;

    if (!has_ended(c)) {
        return 0;
    }

    close(c->fd);
    run->wrong += !is_activation(c);
    run->took[run->done++] = (now() - c->began) * 1000;

    return run->next < run->n ? send_next(run, c) : 0;
}


/* FCGI_END_REQUEST is there, whole. */
static int
has_ended(const connection_t *c)
{
    size_t                at, size;
    const unsigned char  *p;

    for (at = 0; at + HEADER <= c->len; at += size) {
        p = (const unsigned char *) c->answer + at;
        size = HEADER + ((size_t) p[4] << 8 | p[5]) + p[6];

        if (p[1] == END_REQUEST) {
            return at + size <= c->len;
        }
    }

    return 0;
}


static int
is_activation(const connection_t *c)
{
    return memmem(c->answer, c->len, "X-Accel-Redirect:", 17) != NULL
           && memmem(c->answer, c->len, "Leerpoort-Outcome", 17) == NULL;
}
