/*
 * One connection to the target: socket and TLS, nothing of HTTP. It never
 * blocks; whoever owns it waits by epoll, edge-triggered, for all at once.
 */

#ifndef LP_LOAD_CONNECTION_H
#define LP_LOAD_CONNECTION_H

#include "answer.h"
#include "queue.h"
#include "tls.h"

typedef struct lp_flight_s lp_flight_t; /* a click in flight: clicks.h */

typedef enum {
    LP_STAGE_CONNECTING = 0,
    LP_STAGE_HANDSHAKE,
    LP_STAGE_IDLE,
    LP_STAGE_BUSY,
    LP_STAGE_GONE /* closed; an event may still name it */
} lp_stage_of_connection_t;

/* What a socket did not take of a request. */
typedef struct {
    size_t len;
    size_t sent;
    char   bytes[];
} lp_rest_t;

typedef struct {
    int          fd;
    uint8_t      stage;
    uint8_t      waited; /* it was idle at least once */
    unsigned     group;  /* of source addresses */
    SSL         *ssl;
    lp_flight_t *flight;
    lp_answer_t *answer;   /* once its first byte is here */
    lp_rest_t   *rest;
    int64_t      since_ns; /* being opened, or idle */
    lp_link_t    order;    /* opening, idle or gone: the longest first */
    lp_link_t    mates;    /* idle ones of its group */
} lp_connection_t;

/* Where connections go, and from which addresses. */
typedef struct {
    const lp_aim_t *aim;
    lp_tls_t       *tls;
    unsigned        groups; /* 127.0.x.y, at least 1 */
} lp_way_t;

/* Of reading and writing, besides a number of bytes. */
#define LP_IO_AGAIN  (-1)
#define LP_IO_BROKEN (-2) /* reset */
#define LP_IO_TLS    (-3) /* no TLS any more */

/*
 * Opens one: CONNECTING from then on. Returns 0, or an errno; see
 * lp_connection_shortage().
 */
int lp_connection_open(lp_connection_t *connection, const lp_way_t *way,
                       unsigned group, int resume);

/* Whether this machine lacks something, a port or a descriptor; if not, the
   target is not to be had. */
int lp_connection_shortage(int error);

typedef enum {
    LP_STEP_AGAIN = 0,
    LP_STEP_OPENED,
    LP_STEP_REFUSED,
    LP_STEP_TLS
} lp_step_t;

/* Goes on with opening as far as it gets. */
lp_step_t lp_connection_step(lp_connection_t *connection);

/* Returns bytes, 0 for the end, or LP_IO_*. */
ssize_t lp_connection_receive(lp_connection_t *connection, char *dst,
                              size_t size);
ssize_t lp_connection_send(lp_connection_t *connection, const char *data,
                           size_t len);

/* Whether TLS holds bytes that were not asked for yet: they have come, and no
   event will tell. */
int lp_connection_pending(const lp_connection_t *connection);

/* Closes, and frees what hangs on it but flight and answer. abort: by a reset,
   which leaves no port behind in TIME_WAIT. */
void lp_connection_close(lp_connection_t *connection, int abort);

#endif
