/*
 * A FastCGI connection that is only memory: routes and readers of requests
 * take what a fuzzer says, in pieces, as they would take it from libfcgi.
 */

#ifndef LP_FUZZ_CONNECTION_H
#define LP_FUZZ_CONNECTION_H

#include <fcgiapp.h>
#include <stdint.h>

#include "../../workers/service.h"

#define CONNECTION_PIECE  64   /* bytes that come at once, at most */
#define CONNECTION_ANSWER 4096

typedef struct {
    FCGX_Request  request;
    FCGX_Stream   in, out;
    lp_span_t     rest;   /* of the body */
    unsigned      pieces; /* chooses their sizes */
    int           fails;  /* the client leaves at the end */
    unsigned char piece[CONNECTION_PIECE];
    unsigned char answer[CONNECTION_ANSWER];
    int           overflow; /* the answer was longer */
} connection_t;

/*
 * The connection of a request whose body comes in pieces; fails: it is cut off
 * where it ends. The request's other members are 0, its length -1.
 */
void connection_open(connection_t *connection, lp_request_t *request,
                     lp_span_t body, unsigned pieces, int fails);

/* The answer's status, and its body after a NUL was put behind it. It must be
   whole: "Status", an empty line. */
int connection_answer(connection_t *connection, const char **body);

#endif
