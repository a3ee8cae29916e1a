/*
 * Sockets and TLS. On loopback a connection comes from one of many addresses,
 * 127.0.x.y: schools have addresses of their own, and each has its own 28,000
 * ports. Where one has no port left, the next ones are tried.
 */

#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>

#define TRIES    8   /* addresses, where ports run out */
#define PER_BYTE 254 /* of an address: .1 to .254 */

static int open_from(lp_connection_t *connection, const lp_way_t *way,
                     unsigned group);
static int connect_from(int fd, const lp_way_t *way, unsigned group);
static int bind_source(int fd, unsigned group);
static lp_step_t handshake(lp_connection_t *connection);
static ssize_t tls_result(lp_connection_t *connection, int n);


int
lp_connection_open(lp_connection_t *connection, const lp_way_t *way,
                   unsigned group, int resume)
{
    unsigned i;
    int      error = 0;

    memset(connection, 0, sizeof(*connection));
    connection->fd = -1;

    for (i = 0; i < TRIES && i < way->groups; i++) {
        error = open_from(connection, way, (group + i) % way->groups);
        if (error != EADDRNOTAVAIL) {
            break;
        }
    }
    if (error != 0) {
        return error;
    }

    if (way->tls != NULL) {
        connection->ssl = lp_tls_open(way->tls, connection->fd, resume);
        if (connection->ssl == NULL) {
            lp_connection_close(connection, 1);
            return ENOMEM;
        }
    }
    return 0;
}


static int
open_from(lp_connection_t *connection, const lp_way_t *way, unsigned group)
{
    int error, fd;

    fd = socket(way->aim->address.ss_family,
                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) {
        return errno;
    }

    error = connect_from(fd, way, group);
    if (error != 0) {
        close(fd);
        return error;
    }

    connection->fd = fd;
    connection->group = group;
    connection->stage = LP_STAGE_CONNECTING;
    return 0;
}


static int
connect_from(int fd, const lp_way_t *way, unsigned group)
{
    const lp_aim_t *aim = way->aim;
    int             on = 1, error;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    if (way->groups > 1) {
        error = bind_source(fd, group);
        if (error != 0) {
            return error;
        }
    }

    if (connect(fd, (const struct sockaddr *) &aim->address, aim->address_len)
            != 0
        && errno != EINPROGRESS)
    {
        return errno;
    }
    return 0;
}


/* The port is chosen when the target is known too, so that it needs to be
   free only towards that. */
static int
bind_source(int fd, unsigned group)
{
    struct sockaddr_in source;
    int                on = 1;

    memset(&source, 0, sizeof(source));
    source.sin_family = AF_INET;
    source.sin_addr.s_addr = htonl((127U << 24)
                                   | (group / PER_BYTE % 256 << 8)
                                   | (1 + group % PER_BYTE));

    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    return bind(fd, (struct sockaddr *) &source, sizeof(source)) == 0 ? 0
                                                                      : errno;
}


int
lp_connection_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == EADDRNOTAVAIL
           || error == ENOBUFS || error == ENOMEM || error == EADDRINUSE
           || error == EAGAIN;
}


lp_step_t
lp_connection_step(lp_connection_t *connection)
{
    socklen_t len = sizeof(int);
    int       error = 0;

    if (connection->stage == LP_STAGE_CONNECTING) {
        if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0
            || error != 0)
        {
            return LP_STEP_REFUSED;
        }
        connection->stage = LP_STAGE_HANDSHAKE;
    }

    return connection->ssl == NULL ? LP_STEP_OPENED : handshake(connection);
}


static lp_step_t
handshake(lp_connection_t *connection)
{
    int n;

    ERR_clear_error();
    n = SSL_do_handshake(connection->ssl);
    if (n == 1) {
        return LP_STEP_OPENED;
    }

    switch (SSL_get_error(connection->ssl, n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return LP_STEP_AGAIN;
    default:
        return LP_STEP_TLS;
    }
}


ssize_t
lp_connection_receive(lp_connection_t *connection, char *dst, size_t size)
{
    ssize_t n;

    if (connection->ssl != NULL) {
        ERR_clear_error();
        return tls_result(connection,
                          SSL_read(connection->ssl, dst, (int) size));
    }

    n = recv(connection->fd, dst, size, 0);
    if (n >= 0) {
        return n;
    }
    return errno == EAGAIN || errno == EINTR ? LP_IO_AGAIN : LP_IO_BROKEN;
}


int
lp_connection_pending(const lp_connection_t *connection)
{
    return connection->ssl != NULL && SSL_has_pending(connection->ssl);
}


ssize_t
lp_connection_send(lp_connection_t *connection, const char *data, size_t len)
{
    ssize_t n;

    if (connection->ssl != NULL) {
        ERR_clear_error();
        n = tls_result(connection,
                       SSL_write(connection->ssl, data, (int) len));
        return n == 0 ? LP_IO_BROKEN : n;
    }

    n = send(connection->fd, data, len, MSG_NOSIGNAL);
    if (n >= 0) {
        return n;
    }
    return errno == EAGAIN || errno == EINTR ? LP_IO_AGAIN : LP_IO_BROKEN;
}


static ssize_t
tls_result(lp_connection_t *connection, int n)
{
    if (n > 0) {
        return n;
    }

    switch (SSL_get_error(connection->ssl, n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return LP_IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return LP_IO_BROKEN;
    default:
        return LP_IO_TLS;
    }
}


void
lp_connection_close(lp_connection_t *connection, int abort)
{
    struct linger none = {1, 0};

    if (connection->ssl != NULL) {
        lp_tls_close(connection->ssl);
        connection->ssl = NULL;
    }
    if (connection->fd >= 0) {
        if (abort) {
            setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &none,
                       sizeof(none));
        }
        close(connection->fd);
        connection->fd = -1;
    }
    free(connection->rest);
    connection->rest = NULL;
    connection->stage = LP_STAGE_GONE;
}
