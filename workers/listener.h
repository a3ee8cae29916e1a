/*
 * The listening socket on standard input, as spawn-fcgi and systemd give it,
 * and when to stop listening.
 */

#ifndef LP_LISTENER_H
#define LP_LISTENER_H

#include <fcgiapp.h>

typedef struct {
    FCGX_Request connection;
    int          signals; /* a signalfd: SIGTERM, SIGINT, SIGUSR1 */
    int          whole;   /* nothing of the request is still to come */
    int          epoll;   /* of both, the socket for one worker at a time */
} lp_listener_t;

/*
 * Takes the socket. Returns 0; -1 after saying why.
 * lp_listener_close() must follow either way.
 */
int lp_listener_open(lp_listener_t *listener);

/*
 * Waits for a request. Returns 1: listener->connection holds it, its parameters
 * read, and lp_listener_finish() must follow; 0: asked to stop; -1 after saying
 * why: the socket is of no use any more.
 */
int lp_listener_next(lp_listener_t *listener);

/* Sends what is left of the answer and closes the connection. */
void lp_listener_finish(lp_listener_t *listener);

/*
 * For a loop of one's own, which waits for other things as well.
 *
 * listener->epoll can be read where there may be something to do here: a
 * connection, or a signal to stop.
 */

/* 1: a signal to stop has come since the last call. */
int lp_listener_asked_to_stop(const lp_listener_t *listener);

/*
 * Takes a connection that is there; the peer may be silent for so many seconds.
 * connection: one of FCGX_InitRequest(-1). Returns 1: it holds a request, and
 * lp_listener_end() must follow; 2: there was one, of no use; 0: nobody is
 * there; -1 after saying why: the socket is of no use any more.
 */
int lp_listener_accept(FCGX_Request *connection, int silence, int *whole);

/* Sends what is left of the answer and closes. whole: nothing of the request is
   still to come. */
void lp_listener_end(FCGX_Request *connection, int whole);

/* Waits for either, or until wait_ms have passed. */
void lp_listener_wait(const lp_listener_t *listener, int wait_ms);

/* From now on connections are others' to take. */
void lp_listener_leave(lp_listener_t *listener);

void lp_listener_close(lp_listener_t *listener);

#endif
