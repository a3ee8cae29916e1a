/*
 * It goes the engine's way, lp_tls_create() and lp_connection_step(), so that
 * what is refused here is what clicks would refuse. Only what is known to stay
 * so all evening is refused; the rest is left to the run.
 */

#include "handshake.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "../workers/command_line.h"
#include "../workers/say.h"
#include "clock.h"
#include "connection.h"

#define PATIENCE_NS (3 * LP_SECOND_NS)

static int
refuse_certificate(const lp_aim_t *aim, long result)
{
    const char *way = "--ca FILE takes the certificate of who signed it";

    if (result == X509_V_ERR_HOSTNAME_MISMATCH
        || result == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        way = "--target takes a name that it holds";
    } else if (result == X509_V_ERR_CERT_HAS_EXPIRED
               || result == X509_V_ERR_CERT_NOT_YET_VALID) {
        way = "it needs one that is valid today";
    }
    lp_say("the certificate of %s does not verify: %s; %s%s", aim->wire.host,
           X509_verify_cert_error_string(result), way,
           aim->loopback ? ", or --insecure, on this machine" : "");
    return LP_USAGE;
}

/* Why TLS failed is in OpenSSL's queue. */
static int
judge(const lp_aim_t *aim, const SSL *ssl)
{
    unsigned long error = ERR_peek_error();

    if (ERR_GET_LIB(error) != ERR_LIB_SSL) {
        return LP_YES; /* it hung up */
    }
    switch (ERR_GET_REASON(error)) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return refuse_certificate(aim, SSL_get_verify_result(ssl));
    case SSL_R_WRONG_VERSION_NUMBER: /* of a record: there was none */
        lp_say("%s answers, but not in TLS: is it http://%s?", aim->wire.host,
               aim->wire.host);
        return LP_USAGE;
    default:
        return LP_YES;
    }
}

/* Waits until the connection may go on; 0 where time is over. */
static int
await(const lp_connection_t *connection, int64_t until)
{
    struct pollfd wait = {connection->fd, POLLIN, 0};
    int64_t       left = until - lp_now_ns();

    if (connection->stage == LP_STAGE_CONNECTING
        || SSL_want_write(connection->ssl)) {
        wait.events = POLLOUT;
    }
    return left > 0 && (poll(&wait, 1, (int) (left / 1000000) + 1) >= 0
                        || errno == EINTR);
}

int
lp_handshake_try(const lp_aim_t *aim)
{
    lp_way_t        way = {.aim = aim, .groups = 1};
    lp_connection_t connection;
    lp_step_t       step = LP_STEP_AGAIN;
    int64_t         until = lp_now_ns() + PATIENCE_NS;
    int             rc = LP_YES;

    way.tls = lp_tls_create(aim);
    if (way.tls == NULL && errno == ENOMEM) {
        lp_say("out of memory");
        return LP_USAGE;
    }
    if (way.tls == NULL) {
        lp_say("--ca takes a file with certificates in PEM: none can be read "
               "from %s", aim->ca != NULL ? aim->ca : "the system's");
        return LP_USAGE;
    }
    if (lp_connection_open(&connection, &way, 0, 0) == 0) {
        while (step == LP_STEP_AGAIN && await(&connection, until)) {
            step = lp_connection_step(&connection);
        }
        if (step == LP_STEP_TLS) {
            rc = judge(aim, connection.ssl);
        }
        lp_connection_close(&connection, 0);
    }
    lp_tls_destroy(way.tls);
    return rc;
}
