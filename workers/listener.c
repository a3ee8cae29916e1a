/*
 * Waiting for requests, without ever missing a signal to stop.
 *
 * The signals are blocked for good and come as bytes of a signalfd, which is
 * polled beside the socket and looked at first: a request in hand is never
 * disturbed, a busy socket can't hide a signal, and there is no moment between
 * looking and waiting in which one could be lost, as there is in libfcgi's own
 * accept ("There's a window here").
 *
 * The connection is accepted here rather than by libfcgi, because each gets a
 * time limit for every read and write before its first byte is read. The
 * socket is shared by all workers, so it is made non-blocking: who comes second
 * waits on. A connection wakes one of those that wait, not all of them
 * (EPOLLEXCLUSIVE): with eight, waking all cost more than half of their time.
 * One that is woken and killed before it accepts leaves a connection that
 * nobody else heard of; so each looks by itself now and then.
 */

#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "preamble.h"
#include "say.h"

#define SILENCE       10   /* seconds that a peer may be silent, or not read */
#define LOOK_AGAIN_MS 1000 /* nobody has woken us */

static int
is_listening(int fd)
{
    int       listens = 0;
    socklen_t len = sizeof(listens);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0
           && listens;
}

static int
open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return -1;
    }
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
watch(int epoll, int fd, uint32_t events)
{
    struct epoll_event event = {events, {.fd = fd}};

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int
lp_listener_open(lp_listener_t *listener)
{
    int flags;

    listener->epoll = -1;
    /* before FCGX_Init(), whose handlers would swallow a signal */
    listener->signals = open_signals();
    if (listener->signals == -1) {
        lp_say("signals cannot be waited for");
        return -1;
    }
    /* -1: libfcgi has no socket that it could wait for by itself */
    if (FCGX_Init() != 0
        || FCGX_InitRequest(&listener->connection, -1, 0) != 0) {
        lp_say("libfcgi could not be set up");
        return -1;
    }
    signal(SIGPIPE, SIG_IGN); /* a peer that left is a write error */
    if (!is_listening(STDIN_FILENO)) {
        lp_say("standard input is not a listening socket. spawn-fcgi makes "
               "one, as --help shows, or systemd, with a .socket and "
               "StandardInput=socket");
        return -1;
    }
    flags = fcntl(STDIN_FILENO, F_GETFL);
    if (flags == -1
        || fcntl(STDIN_FILENO, F_SETFL, flags | O_NONBLOCK) == -1) {
        lp_say("the socket cannot be made non-blocking");
        return -1;
    }
    listener->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (listener->epoll == -1
        || watch(listener->epoll, listener->signals, EPOLLIN) == -1
        || watch(listener->epoll, STDIN_FILENO, EPOLLIN | EPOLLEXCLUSIVE)
               == -1) {
        lp_say("the socket cannot be waited for");
        return -1;
    }
    return 0;
}

/* 1: asked to stop; 0: there may be a connection; -1 after saying why. */
static int
wait_for_event(const lp_listener_t *listener)
{
    struct epoll_event events[2];
    int                i, n;

    n = epoll_wait(listener->epoll, events, 2, LOOK_AGAIN_MS);
    if (n == -1 && errno != EINTR) {
        lp_say("epoll_wait failed");
        return -1;
    }
    for (i = 0; i < n; i++) {
        if (events[i].data.fd == listener->signals) {
            return 1;
        }
    }
    return 0;
}

/* Nobody is there, or who was there has left. */
static int
is_passing(int error)
{
    return error == EAGAIN || error == EINTR || error == ECONNABORTED
           || error == EPROTO;
}

/* A connection; -1: asked to stop; -2 after saying why. */
static int
wait_for_connection(const lp_listener_t *listener)
{
    int fd;

    for (;;) {
        switch (wait_for_event(listener)) {
        case 1:
            return -1;
        case -1:
            return -2;
        default:
            break;
        }
        fd = accept4(STDIN_FILENO, NULL, NULL, SOCK_CLOEXEC);
        if (fd != -1) {
            return fd;
        }
        if (!is_passing(errno)) {
            lp_say("no connection can be accepted any more");
            return -2;
        }
    }
}

static void
limit_silence(int fd, int seconds)
{
    struct timeval limit = {seconds, 0};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/*
 * Gives libfcgi a connection that is open already, as if it were one kept from
 * a request before. Where what comes is no request, libfcgi closes it, asks
 * its own socket for another, and fails, because it has none.
 */
static int
read_request(FCGX_Request *connection, int fd)
{
    connection->ipcFd = fd;
    connection->keepConnection = 1;
    return FCGX_Accept_r(connection) == 0 ? 0 : -1;
}

/* Reads the request that a connection brings; where it brings none, it is
   closed. */
static int
take(FCGX_Request *connection, int fd, int silence, int *whole)
{
    limit_silence(fd, silence);
    if (lp_preamble_check(fd, whole) != 0) {
        close(fd);
        return -1;
    }
    return read_request(connection, fd);
}

int
lp_listener_next(lp_listener_t *listener)
{
    int fd;

    for (;;) {
        fd = wait_for_connection(listener);
        if (fd < 0) {
            return fd == -1 ? 0 : -1;
        }
        if (take(&listener->connection, fd, SILENCE, &listener->whole) == 0) {
            return 1;
        }
    }
}

/* For a loop of one's own. */

int
lp_listener_asked_to_stop(const lp_listener_t *listener)
{
    struct signalfd_siginfo signal;

    return read(listener->signals, &signal, sizeof(signal))
           == (ssize_t) sizeof(signal);
}

int
lp_listener_accept(FCGX_Request *connection, int silence, int *whole)
{
    int fd = accept4(STDIN_FILENO, NULL, NULL, SOCK_CLOEXEC);

    if (fd == -1) {
        if (is_passing(errno)) {
            return 0;
        }
        lp_say("no connection can be accepted any more");
        return -1;
    }
    return take(connection, fd, silence, whole) == 0 ? 1 : 2;
}

void
lp_listener_leave(lp_listener_t *listener)
{
    epoll_ctl(listener->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
}

void
lp_listener_wait(const lp_listener_t *listener, int wait_ms)
{
    struct epoll_event events[2];

    (void) epoll_wait(listener->epoll, events, 2, wait_ms);
}

/*
 * One request a connection, whatever the peer asked for: a connection that is
 * kept would pin this process to one nginx worker.
 *
 * libfcgi waits, up to two seconds, until the peer has closed its side: who is
 * still sending a body must not find the connection broken before the answer
 * is read. Where nothing is to come there is nothing to wait for, and a worker
 * that slept there would not take the next request.
 */
void
lp_listener_end(FCGX_Request *connection, int whole)
{
    connection->keepConnection = whole;
    FCGX_Finish_r(connection);

    if (whole && connection->ipcFd != -1) {
        close(connection->ipcFd);
        connection->ipcFd = -1;
    }
}

void
lp_listener_finish(lp_listener_t *listener)
{
    lp_listener_end(&listener->connection, listener->whole);
}

void
lp_listener_close(lp_listener_t *listener)
{
    if (listener->epoll != -1) {
        close(listener->epoll);
    }
    if (listener->signals != -1) {
        close(listener->signals);
    }
}
