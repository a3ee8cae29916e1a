/*
 * Exchanges. Each socket is given to epoll once, edge-triggered, for reading
 * and writing: a click on an idle connection costs one send(), one recv() and
 * its share of an epoll_wait(). Reading into one buffer of the engine, a
 * connection needs memory for an answer only while it has a part of one.
 *
 * An answer that is followed by bytes nobody asked for is judged, and its
 * connection is not used again. An idle connection that says anything at all
 * is closed.
 */

#include "exchange.h"

#include <errno.h>
#include <stdlib.h>

#include <sys/epoll.h>

#define READABLE (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)
#define CLOSED   (EPOLLRDHUP | EPOLLHUP | EPOLLERR)

static void opening(lp_rig_t *rig, lp_connection_t *connection);
static void opened(lp_rig_t *rig, lp_connection_t *connection);
static void not_opened(lp_rig_t *rig, lp_connection_t *connection,
                       lp_end_t end);
static void ask(lp_rig_t *rig, lp_flight_t *flight);
static int put(lp_rig_t *rig, lp_connection_t *connection, size_t len);
static void put_rest(lp_rig_t *rig, lp_connection_t *connection);
static void receive(lp_rig_t *rig, lp_connection_t *connection,
                    uint32_t events);
static int take(lp_rig_t *rig, lp_connection_t *connection, size_t len);
static void whole(lp_rig_t *rig, lp_connection_t *connection, int more);
static void broken(lp_rig_t *rig, lp_connection_t *connection, ssize_t why);
static void fail(lp_rig_t *rig, lp_connection_t *connection, lp_end_t end);
static void listen_idle(lp_rig_t *rig, lp_connection_t *connection);
static void drop_answer(lp_rig_t *rig, lp_connection_t *connection);


int
lp_exchange_open(lp_rig_t *rig, lp_flight_t *flight, unsigned group)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
    };
    lp_connection_t *connection = lp_slab_take(&rig->connections);
    int64_t          began = lp_now_ns();
    int              error;

    if (connection == NULL) {
        return ENOMEM;
    }

    error = lp_connection_open(connection, &rig->way, group,
                               flight != NULL && flight->arrival.resumed);
    event.data.ptr = connection;
    if (error == 0
        && epoll_ctl(rig->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
    {
        error = errno == ENOSPC ? ENOBUFS : errno;
        lp_connection_close(connection, 1);
    }
    if (error != 0) {
        lp_slab_give(&rig->connections, connection);
        return error;
    }

    rig->shortage = 0;
    connection->since_ns = began;
    connection->flight = flight;
    if (flight != NULL) {
        flight->connection = connection;
    }
    lp_queue_append(&rig->opening, &connection->order);
    rig->open++;
    if (rig->open > rig->score->most_open) {
        rig->score->most_open = rig->open;
    }
    return 0;
}


void
lp_exchange_event(lp_rig_t *rig, lp_connection_t *connection, uint32_t events)
{
    switch (connection->stage) {
    case LP_STAGE_CONNECTING:
    case LP_STAGE_HANDSHAKE:
        opening(rig, connection);
        if (connection->stage == LP_STAGE_IDLE && (events & READABLE)) {
            listen_idle(rig, connection); /* it spoke first */
        }
        break;

    case LP_STAGE_BUSY:
        if (connection->rest != NULL && (events & EPOLLOUT)) {
            put_rest(rig, connection);
        }
        if (connection->stage == LP_STAGE_BUSY && (events & READABLE)) {
            receive(rig, connection, events);
        }
        break;

    case LP_STAGE_IDLE:
        if (events & READABLE) {
            listen_idle(rig, connection);
        }
        break;

    default:
        break;
    }
}


static void
opening(lp_rig_t *rig, lp_connection_t *connection)
{
    switch (lp_connection_step(connection)) {
    case LP_STEP_AGAIN:
        break;
    case LP_STEP_OPENED:
        opened(rig, connection);
        break;
    case LP_STEP_REFUSED:
        not_opened(rig, connection, LP_END_NO_CONNECTION);
        break;
    case LP_STEP_TLS:
        not_opened(rig, connection, LP_END_TLS);
        break;
    }
}


static void
opened(lp_rig_t *rig, lp_connection_t *connection)
{
    lp_flight_t *flight = connection->flight;
    int64_t      now = lp_now_ns();

    lp_queue_remove(&rig->opening, &connection->order);
    lp_scoring_connected(rig->score,
                         flight == NULL ? NULL : &flight->arrival, connection,
                         now - connection->since_ns);
    if (connection->ssl != NULL) {
        lp_tls_opened(connection->ssl);
    }

    if (flight == NULL) {
        lp_pool_put(&rig->pool, connection, now);
    } else {
        lp_exchange_send(rig, connection, flight);
    }
}


static void
not_opened(lp_rig_t *rig, lp_connection_t *connection, lp_end_t end)
{
    if (connection->flight == NULL) {
        lp_exchange_close(rig, connection);
    } else {
        fail(rig, connection, end);
    }
}


void
lp_exchange_send(lp_rig_t *rig, lp_connection_t *connection,
                 lp_flight_t *flight)
{
    const lp_engine_t *engine = rig->engine;
    size_t             len;

    connection->stage = LP_STAGE_BUSY;
    connection->flight = flight;
    flight->connection = connection;

    len = lp_request_write(rig->out, &engine->aim->wire, engine->plan,
                           engine->population, &flight->arrival);
    if (len == 0) { /* nothing that it could say: the tool's fault */
        rig->score->missed_by_tool++;
        fail(rig, connection, LP_END_MISSED);
        return;
    }

    if (engine->told != NULL && !flight->asked) {
        ask(rig, flight);
    }
    if (flight->sent_ns == 0) {
        lp_scoring_sent(rig->score, &flight->arrival);
    }
    flight->sent_ns = lp_now_ns();
    flight->out = 1;

    if (put(rig, connection, len) != 0) {
        broken(rig, connection, LP_IO_BROKEN);
    }
}


/* Of clicks that should end in a redirect, what was told is kept. */
static void
ask(lp_rig_t *rig, lp_flight_t *flight)
{
    const lp_population_t *population = rig->engine->population;
    const lp_arrival_t    *arrival = &flight->arrival;

    if (arrival->token != LP_TOKEN_GOOD || arrival->slot >= LP_SHELF
        || lp_hold_outcome(lp_population_hold(population, arrival->member,
                                              arrival->slot))
               != LP_REDIRECT)
    {
        return;
    }

    flight->asked = 1;
    flight->repeats = (uint8_t) lp_told_asked(rig->engine->told,
                                              arrival->member, arrival->slot);
    flight->product = lp_population_shelf(
        population, lp_population_class_of(population, arrival->member),
        arrival->slot);
    lp_told_ask(rig->engine->told, arrival->member, arrival->slot);
}


/* The request in rig->out; what the socket does not take is kept. */
static int
put(lp_rig_t *rig, lp_connection_t *connection, size_t len)
{
    ssize_t    n = lp_connection_send(connection, rig->out, len);
    lp_rest_t *rest;
    size_t     sent = n > 0 ? (size_t) n : 0;

    if (sent == len) {
        return 0;
    }
    if (n < 0 && n != LP_IO_AGAIN) {
        return -1;
    }

    rest = malloc(sizeof(*rest) + len - sent);
    if (rest == NULL) {
        return -1;
    }
    rest->len = len - sent;
    rest->sent = 0;
    memcpy(rest->bytes, rig->out + sent, rest->len);
    connection->rest = rest;
    put_rest(rig, connection);
    return 0;
}


static void
put_rest(lp_rig_t *rig, lp_connection_t *connection)
{
    lp_rest_t *rest = connection->rest;
    ssize_t    n;

    do {
        n = lp_connection_send(connection, rest->bytes + rest->sent,
                               rest->len - rest->sent);
        if (n == LP_IO_AGAIN) {
            return;
        }
        if (n < 0) {
            broken(rig, connection, n);
            return;
        }
        rest->sent += (size_t) n;
    } while (rest->sent < rest->len);

    free(rest);
    connection->rest = NULL;
}


static void
receive(lp_rig_t *rig, lp_connection_t *connection, uint32_t events)
{
    ssize_t n;

    do {
        n = lp_connection_receive(connection, rig->in, sizeof(rig->in));
        if (n == LP_IO_AGAIN) {
            return;
        }
        if (n <= 0) {
            broken(rig, connection, n);
            return;
        }
        if (take(rig, connection, (size_t) n)) {
            if (connection->stage == LP_STAGE_IDLE
                && ((size_t) n == sizeof(rig->in)
                    || lp_connection_pending(connection)))
            {
                listen_idle(rig, connection); /* of the rest comes no event */
            }
            return;
        }
        /* less than there was room for: the next byte is a new edge */
    } while ((size_t) n == sizeof(rig->in) || connection->ssl != NULL
             || (events & CLOSED));
}


/* What has come; 1: the exchange is over. */
static int
take(lp_rig_t *rig, lp_connection_t *connection, size_t len)
{
    size_t used;

    if (connection->answer == NULL) {
        connection->answer = lp_slab_take(&rig->answers);
        if (connection->answer == NULL) {
            fail(rig, connection, LP_END_RESET);
            return 1;
        }
        lp_answer_start(connection->answer);
    }

    switch (lp_answer_feed(connection->answer, rig->in, len, &used)) {
    case LP_ANSWER_WHOLE:
        whole(rig, connection, used < len);
        return 1;
    case LP_ANSWER_MALFORMED:
        fail(rig, connection, LP_END_MALFORMED);
        return 1;
    default:
        return 0;
    }
}


/* more: and something behind it. */
static void
whole(lp_rig_t *rig, lp_connection_t *connection, int more)
{
    lp_flight_t *flight = connection->flight;
    lp_answer_t *answer = connection->answer;
    int          keep = answer->keep && !more && connection->rest == NULL;

    connection->flight = NULL;
    lp_clicks_answered(rig, flight, answer);
    if (keep) {
        drop_answer(rig, connection);
        lp_pool_put(&rig->pool, connection, lp_now_ns());
    } else {
        lp_exchange_close(rig, connection);
    }
}


/* Closed (0), reset or garbled by the other side. */
static void
broken(lp_rig_t *rig, lp_connection_t *connection, ssize_t why)
{
    lp_flight_t *flight = connection->flight;

    if (why == 0 && connection->answer != NULL
        && lp_answer_close(connection->answer) == LP_ANSWER_WHOLE)
    {
        whole(rig, connection, 0);
        return;
    }

    if (connection->waited && connection->answer == NULL && !flight->retried)
    {
        lp_exchange_close(rig, connection);
        lp_clicks_retry(rig, flight);
        return;
    }

    fail(rig, connection, why == LP_IO_TLS ? LP_END_TLS : LP_END_RESET);
}


static void
fail(lp_rig_t *rig, lp_connection_t *connection, lp_end_t end)
{
    lp_flight_t *flight = connection->flight;

    if (lp_clicks_astray(rig, flight, connection->answer)) {
        end = LP_END_WRONG_REDIRECT;
    }
    lp_exchange_close(rig, connection);
    lp_clicks_fail(rig, flight, end);
}


/* An end, or what nobody asked for; with TLS it may be a ticket. */
static void
listen_idle(lp_rig_t *rig, lp_connection_t *connection)
{
    if (lp_connection_receive(connection, rig->in, sizeof(rig->in))
        != LP_IO_AGAIN)
    {
        lp_exchange_close(rig, connection);
    }
}


void
lp_exchange_close(lp_rig_t *rig, lp_connection_t *connection)
{
    int idle = connection->stage == LP_STAGE_IDLE;

    if (idle) {
        lp_pool_remove(&rig->pool, connection);
    } else if (connection->stage != LP_STAGE_BUSY) {
        lp_queue_remove(&rig->opening, &connection->order);
    }

    /* elsewhere, where there is one address for all, ports are dear */
    lp_connection_close(connection, idle && !rig->engine->aim->loopback);
    drop_answer(rig, connection);
    if (connection->flight != NULL) {
        connection->flight->connection = NULL;
        connection->flight = NULL;
    }
    lp_queue_append(&rig->gone, &connection->order);
    rig->open--;
}


static void
drop_answer(lp_rig_t *rig, lp_connection_t *connection)
{
    if (connection->answer != NULL) {
        lp_slab_give(&rig->answers, connection->answer);
        connection->answer = NULL;
    }
}


void
lp_exchange_late(lp_rig_t *rig, int64_t now_ns)
{
    lp_connection_t *connection;
    lp_link_t       *link;

    while ((link = lp_queue_first(&rig->opening)) != NULL) {
        connection = lp_queue_thing(link, lp_connection_t, order);
        if (now_ns - connection->since_ns < rig->connect_ns) {
            break;
        }
        not_opened(rig, connection, LP_END_LATE);
    }

    while (rig->open > rig->hold) {
        connection = lp_pool_oldest(&rig->pool);
        if (connection == NULL
            || now_ns - connection->since_ns < rig->idle_ns)
        {
            break;
        }
        lp_exchange_close(rig, connection);
    }
}


void
lp_exchange_close_all(lp_rig_t *rig)
{
    lp_connection_t *connection;
    lp_link_t       *link;

    while ((connection = lp_pool_oldest(&rig->pool)) != NULL) {
        lp_exchange_close(rig, connection);
    }
    while ((link = lp_queue_first(&rig->opening)) != NULL) {
        lp_exchange_close(rig, lp_queue_thing(link, lp_connection_t, order));
    }
}


void
lp_exchange_sweep(lp_rig_t *rig)
{
    lp_link_t *link;

    while ((link = lp_queue_first(&rig->gone)) != NULL) {
        lp_queue_remove(&rig->gone, link);
        lp_slab_give(&rig->connections,
                     lp_queue_thing(link, lp_connection_t, order));
    }
}
