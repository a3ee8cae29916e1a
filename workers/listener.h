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

void lp_listener_close(lp_listener_t *listener);

#endif
