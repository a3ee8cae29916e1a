/*
 * Two streams of libfcgi whose buffers are filled and emptied here.
 */

#include "connection.h"

#include "must.h"

static void
next_piece(FCGX_Stream *in)
{
    connection_t *connection = in->data;
    size_t        size = 1 + connection->pieces % CONNECTION_PIECE;

    connection->pieces = connection->pieces * 5 % 256;

    if (size > connection->rest.len) {
        size = connection->rest.len;
    }

    if (size == 0) {
        in->isClosed = 1;
        in->FCGI_errno = connection->fails ? FCGX_PROTOCOL_ERROR : 0;
        return;
    }

    memcpy(connection->piece, connection->rest.data, size);
    connection->rest.data += size;
    connection->rest.len -= size;
    in->rdNext = connection->piece;
    in->stop = connection->piece + size;
}


static void
overflow(FCGX_Stream *out, int close)
{
    connection_t *connection = out->data;

    (void) close;
    connection->overflow = 1;
    out->isClosed = 1;
}


void
connection_open(connection_t *connection, lp_request_t *request,
                lp_span_t body, unsigned pieces, int fails)
{
    memset(connection, 0, sizeof(*connection));
    connection->rest = body;
    connection->pieces = pieces;
    connection->fails = fails;

    connection->in.isReader = 1;
    connection->in.rdNext = connection->in.stop = connection->piece;
    connection->in.wrNext = connection->in.stopUnget = connection->piece;
    connection->in.fillBuffProc = next_piece;
    connection->in.data = connection;

    connection->out.wrNext = connection->answer;
    connection->out.stop = connection->answer + CONNECTION_ANSWER - 1;
    connection->out.rdNext = connection->out.stop;
    connection->out.emptyBuffProc = overflow;
    connection->out.data = connection;

    connection->request.in = &connection->in;
    connection->request.out = &connection->out;

    memset(request, 0, sizeof(*request));
    request->connection = &connection->request;
    request->length = -1;
}


int
connection_answer(connection_t *connection, const char **body)
{
    const char *text = (const char *) connection->answer;
    const char *status;

    must(!connection->overflow);
    *connection->out.wrNext = '\0';

    status = strstr(text, "Status: ");
    must(status != NULL);
    *body = strstr(status, "\r\n\r\n");
    must(*body != NULL);
    *body += 4;
    must(strlen(text) == (size_t) (connection->out.wrNext
                                   - connection->answer));

    return (int) strtol(status + strlen("Status: "), NULL, 10);
}
