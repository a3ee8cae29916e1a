/*
 * A connection to Redis on the event loop of one nginx worker. Each worker has
 * two: one that asks (ngx_http_leerpoort_mirror.c), one that listens for
 * changes (ngx_http_leerpoort_link.c). This file knows how to connect, greet,
 * write, read, fail and try again; what is said is theirs.
 *
 *   IDLE -> CONNECTING -> GREETING -> UP
 *               |            |         |   anything that is not as it should be
 *               v            v         v
 *             WAITING <-----------------   first at once, then after 20 ms,
 *               '-> CONNECTING             doubled up to 1 s, half of it random
 *
 * UP means that Redis has answered PING: a frozen Redis accepts connections,
 * one that is loading its data accepts commands, and neither is of use.
 *
 * Commands written in one turn of the loop leave in one write: sending only
 * posts an event. Nothing here blocks and nothing is logged twice in a row.
 */

#include "ngx_http_leerpoort.h"

#define NGX_HTTP_LEERPOORT_GREETING_TIME  1000 /* ms to connect and greet */
#define NGX_HTTP_LEERPOORT_BACKOFF_MIN    20   /* ms */
#define NGX_HTTP_LEERPOORT_BACKOFF_MAX    1000 /* ms: back within 2 s */
#define NGX_HTTP_LEERPOORT_PROVED_TIME    1000 /* ms up without a question */
#define NGX_HTTP_LEERPOORT_OUT_MAX        (4 * 1024 * 1024) /* bytes */

static ngx_int_t ngx_http_leerpoort_redis_open(
    ngx_http_leerpoort_redis_t *redis);
static ngx_connection_t *ngx_http_leerpoort_redis_socket(
    ngx_http_leerpoort_redis_t *redis);
static void ngx_http_leerpoort_redis_greet(ngx_http_leerpoort_redis_t *redis);
static void ngx_http_leerpoort_redis_write_handler(ngx_event_t *wev);
static void ngx_http_leerpoort_redis_flush(ngx_event_t *ev);
static void ngx_http_leerpoort_redis_write(ngx_http_leerpoort_redis_t *redis);
static void ngx_http_leerpoort_redis_read_handler(ngx_event_t *rev);
static void ngx_http_leerpoort_redis_read(ngx_http_leerpoort_redis_t *redis,
    const u_char *bytes, size_t len);
static ngx_int_t ngx_http_leerpoort_redis_greeted(
    ngx_http_leerpoort_redis_t *redis);
static void ngx_http_leerpoort_redis_timer(ngx_event_t *ev);
static ngx_msec_t ngx_http_leerpoort_redis_backoff(ngx_uint_t failures);
static void ngx_http_leerpoort_redis_release(
    ngx_http_leerpoort_redis_t *redis);


void
ngx_http_leerpoort_redis_init(ngx_http_leerpoort_redis_t *redis,
    const char *name, const ngx_http_leerpoort_redis_events_t *events,
    ngx_http_leerpoort_redis_conf_t *conf, ngx_log_t *log)
{
    ngx_memzero(redis, sizeof(ngx_http_leerpoort_redis_t));

    redis->name = name;
    redis->events = events;
    redis->conf = conf;
    redis->log = log;

    redis->flush.handler = ngx_http_leerpoort_redis_flush;
    redis->flush.data = redis;
    redis->flush.log = log;

    redis->timer.handler = ngx_http_leerpoort_redis_timer;
    redis->timer.data = redis;
    redis->timer.log = log;
    redis->timer.cancelable = 1;
}


/* Starts to connect, unless it has been started. */
void
ngx_http_leerpoort_redis_connect(ngx_http_leerpoort_redis_t *redis)
{
    if (redis->state != NGX_HTTP_LEERPOORT_REDIS_IDLE) {
        return;
    }

    if (lp_reply_create(&redis->reply) != 0
        || ngx_http_leerpoort_redis_open(redis) != NGX_OK)
    {
        ngx_http_leerpoort_redis_drop(redis, "can't be connected to");
    }
}


/*
 * Puts a command into the buffer; it leaves at the end of this turn. Returns
 * NGX_ERROR when the buffer is full: Redis takes nothing.
 */
ngx_int_t
ngx_http_leerpoort_redis_send(ngx_http_leerpoort_redis_t *redis,
    const lp_span_t *args, size_t n)
{
    size_t   i, need, cap;
    u_char  *out;

    need = redis->out_len + LP_REPLY_COMMAND_MAX(n, 0);
    for (i = 0; i < n; i++) {
        need += args[i].len;
    }

    if (need > redis->out_cap) {
        if (need > NGX_HTTP_LEERPOORT_OUT_MAX) {
            return NGX_ERROR;
        }

        cap = ngx_max(2 * need, 16 * 1024);
        out = ngx_alloc(cap, redis->log);
        if (out == NULL) {
            return NGX_ERROR;
        }

        if (redis->out) {
            ngx_memcpy(out, redis->out, redis->out_len);
            ngx_free(redis->out);
        }

        redis->out = out;
        redis->out_cap = cap;
    }

    redis->out_len += lp_reply_command((char *) redis->out + redis->out_len,
                                       redis->out_cap - redis->out_len,
                                       args, n);

    if (!redis->flush.posted) {
        ngx_post_event(&redis->flush, &ngx_posted_events);
    }

    return NGX_OK;
}


/*
 * Gives the connection up and tries again later. reason: goes on after "Redis";
 * logged once until something else happens.
 */
void
ngx_http_leerpoort_redis_drop(ngx_http_leerpoort_redis_t *redis,
    const char *reason)
{
    ngx_msec_t  delay;

    if (redis->complaint != reason) {
        redis->complaint = reason;
        ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                      "leerpoort: Redis %s (%s, \"%V\"); trying again until "
                      "it answers", reason, redis->name, &redis->conf->text);
    }

    if (redis->state == NGX_HTTP_LEERPOORT_REDIS_UP
        && ngx_current_msec - redis->up_since
           >= NGX_HTTP_LEERPOORT_PROVED_TIME)
    {
        redis->failures = 0;
    }

    ngx_http_leerpoort_redis_release(redis);

    delay = ngx_http_leerpoort_redis_backoff(redis->failures++);
    redis->state = NGX_HTTP_LEERPOORT_REDIS_WAITING;
    ngx_add_timer(&redis->timer, delay);

    redis->events->down(redis);
}


/* A useful answer has come: the next failure is a first one again. */
void
ngx_http_leerpoort_redis_proved(ngx_http_leerpoort_redis_t *redis)
{
    redis->failures = 0;

    if (redis->complaint) {
        redis->complaint = NULL;
        ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                      "leerpoort: Redis answers again (%s, \"%V\")",
                      redis->name, &redis->conf->text);
    }
}


/* For good: the worker exits. */
void
ngx_http_leerpoort_redis_close(ngx_http_leerpoort_redis_t *redis)
{
    ngx_http_leerpoort_redis_release(redis);
    redis->state = NGX_HTTP_LEERPOORT_REDIS_IDLE;

    if (redis->out) {
        ngx_free(redis->out);
        redis->out = NULL;
        redis->out_cap = 0;
    }
}


/* Everything of this connection goes; the buffer stays for the next. */
static void
ngx_http_leerpoort_redis_release(ngx_http_leerpoort_redis_t *redis)
{
    if (redis->connection) {
        ngx_close_connection(redis->connection);
        redis->connection = NULL;
    }

    if (redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }

    if (redis->flush.posted) {
        ngx_delete_posted_event(&redis->flush);
    }

    lp_reply_destroy(&redis->reply);
    redis->out_len = 0;
    redis->out_sent = 0;
}


static ngx_int_t
ngx_http_leerpoort_redis_open(ngx_http_leerpoort_redis_t *redis)
{
    int                rc;
    ngx_err_t          err;
    ngx_connection_t  *c;

    c = ngx_http_leerpoort_redis_socket(redis);
    if (c == NULL) {
        return NGX_ERROR;
    }

    if (ngx_add_conn && ngx_add_conn(c) == NGX_ERROR) {
        return NGX_ERROR;
    }

    rc = connect(c->fd, redis->conf->sockaddr, redis->conf->socklen);
    err = ngx_socket_errno;

    if (rc == -1 && err != NGX_EINPROGRESS) {
        return NGX_ERROR;
    }

    if (ngx_add_conn == NULL
        && ngx_add_event(c->read, NGX_READ_EVENT,
                         (ngx_event_flags & NGX_USE_CLEAR_EVENT)
                         ? NGX_CLEAR_EVENT : NGX_LEVEL_EVENT)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_add_timer(&redis->timer, NGX_HTTP_LEERPOORT_GREETING_TIME);

    if (rc == -1) {
        redis->state = NGX_HTTP_LEERPOORT_REDIS_CONNECTING;
        return ngx_handle_write_event(c->write, 0);
    }

    c->write->ready = 1;
    ngx_http_leerpoort_redis_greet(redis);

    return NGX_OK;
}


/*
 * A socket as a connection of nginx. It is redis->connection as soon as there
 * is one, so that dropping gives it back, also where this returns NULL.
 */
static ngx_connection_t *
ngx_http_leerpoort_redis_socket(ngx_http_leerpoort_redis_t *redis)
{
    int                on;
    ngx_socket_t       s;
    ngx_connection_t  *c;

    s = ngx_socket(redis->conf->sockaddr->sa_family, SOCK_STREAM, 0);
    if (s == (ngx_socket_t) -1) {
        return NULL;
    }

    c = ngx_get_connection(s, redis->log);
    if (c == NULL) {
        (void) ngx_close_socket(s);
        return NULL;
    }

    redis->connection = c;

    c->type = SOCK_STREAM;
    c->data = redis;
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->log_error = NGX_ERROR_INFO;
    c->log = redis->log;
    c->read->log = redis->log;
    c->write->log = redis->log;
    c->read->handler = ngx_http_leerpoort_redis_read_handler;
    c->write->handler = ngx_http_leerpoort_redis_write_handler;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

    if (ngx_nonblocking(s) == -1) {
        return NULL;
    }

    if (redis->conf->sockaddr->sa_family != AF_UNIX) {
        on = 1;
        (void) setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void) setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }

    return c;
}


/* AUTH where it is configured, then PING. */
static void
ngx_http_leerpoort_redis_greet(ngx_http_leerpoort_redis_t *redis)
{
    size_t                            n;
    lp_span_t                         args[3];
    ngx_http_leerpoort_redis_conf_t  *conf;

    conf = redis->conf;
    redis->state = NGX_HTTP_LEERPOORT_REDIS_GREETING;
    redis->greetings = 0;

    if (conf->password.len) {
        n = 0;
        args[n++] = lp_span("AUTH");
        if (conf->user.len) {
            args[n++] = ngx_http_leerpoort_span(&conf->user);
        }
        args[n++] = ngx_http_leerpoort_span(&conf->password);

        (void) ngx_http_leerpoort_redis_send(redis, args, n);
        redis->greetings++;
    }

    args[0] = lp_span("PING");
    (void) ngx_http_leerpoort_redis_send(redis, args, 1);
    redis->greetings++;
}


static void
ngx_http_leerpoort_redis_write_handler(ngx_event_t *wev)
{
    int                          err;
    socklen_t                    len;
    ngx_connection_t            *c;
    ngx_http_leerpoort_redis_t  *redis;

    c = wev->data;
    redis = c->data;

    if (redis->state == NGX_HTTP_LEERPOORT_REDIS_CONNECTING) {
        err = 0;
        len = sizeof(err);

        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1 || err) {
            ngx_http_leerpoort_redis_drop(redis, "can't be connected to");
            return;
        }

        ngx_http_leerpoort_redis_greet(redis);
        return;
    }

    ngx_http_leerpoort_redis_write(redis);
}


static void
ngx_http_leerpoort_redis_flush(ngx_event_t *ev)
{
    ngx_http_leerpoort_redis_t  *redis = ev->data;

    if (redis->connection && redis->connection->write->ready) {
        ngx_http_leerpoort_redis_write(redis);
    }
}


static void
ngx_http_leerpoort_redis_write(ngx_http_leerpoort_redis_t *redis)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = redis->connection;

    while (redis->out_sent < redis->out_len) {
        n = c->send(c, redis->out + redis->out_sent,
                    redis->out_len - redis->out_sent);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            ngx_http_leerpoort_redis_drop(redis, "closed the connection");
            return;
        }

        redis->out_sent += n;
    }

    if (redis->out_sent == redis->out_len) {
        redis->out_sent = 0;
        redis->out_len = 0;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_leerpoort_redis_drop(redis, "can't be written to");
    }
}


static void
ngx_http_leerpoort_redis_read_handler(ngx_event_t *rev)
{
    ssize_t                      n;
    u_char                       bytes[16 * 1024];
    ngx_connection_t            *c;
    ngx_http_leerpoort_redis_t  *redis;

    c = rev->data;
    redis = c->data;

    while (redis->connection == c && rev->ready) {

        n = c->recv(c, bytes, sizeof(bytes));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            ngx_http_leerpoort_redis_drop(redis,
                redis->state == NGX_HTTP_LEERPOORT_REDIS_CONNECTING
                ? "can't be connected to" : "closed the connection");
            return;
        }

        ngx_http_leerpoort_redis_read(redis, bytes, n);
    }

    if (redis->connection == c && ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_leerpoort_redis_drop(redis, "can't be read from");
    }
}


/* Hands out every whole reply. An event may drop the connection. */
static void
ngx_http_leerpoort_redis_read(ngx_http_leerpoort_redis_t *redis,
    const u_char *bytes, size_t len)
{
    int                whole;
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = redis->connection;

    if (lp_reply_feed(&redis->reply, (const char *) bytes, len) != 0) {
        ngx_http_leerpoort_redis_drop(redis, "sent too long a reply");
        return;
    }

    for ( ;; ) {
        whole = lp_reply_next(&redis->reply);

        if (whole == 0) {
            return;
        }

        if (whole < 0) {
            ngx_http_leerpoort_redis_drop(redis,
                                          "sent what is no reply, or too long");
            return;
        }

        rc = redis->state == NGX_HTTP_LEERPOORT_REDIS_UP
             ? redis->events->reply(redis)
             : ngx_http_leerpoort_redis_greeted(redis);

        if (redis->connection != c) {
            return;
        }

        if (rc != NGX_OK) {
            ngx_http_leerpoort_count(errors);
            ngx_http_leerpoort_redis_drop(redis, "answered with an error");
            return;
        }
    }
}


static ngx_int_t
ngx_http_leerpoort_redis_greeted(ngx_http_leerpoort_redis_t *redis)
{
    size_t     i;
    lp_span_t  error;

    static const struct {
        const char  *word;
        const char  *reason;
    } reasons[] = {
        { "LOADING", "is loading its data" },
        { "NOAUTH", "wants a password: set user= and password_file=" },
        { "WRONGPASS", "refuses the user or the password" },
        { "NOPERM", "does not permit this user what the edge needs" },
        { "MASTERDOWN", "is a replica that has lost its primary" }
    };

    if (redis->reply.nodes[0].type == LP_REPLY_STATUS) {

        if (--redis->greetings > 0) {
            return NGX_OK;
        }

        ngx_del_timer(&redis->timer);
        redis->state = NGX_HTTP_LEERPOORT_REDIS_UP;
        redis->up_since = ngx_current_msec;
        ngx_http_leerpoort_count(connects);
        redis->events->up(redis);

        return NGX_OK;
    }

    error = lp_reply_error(&redis->reply);

    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (lp_span_equal(error, lp_span_of(reasons[i].word))) {
            ngx_http_leerpoort_redis_drop(redis, reasons[i].reason);
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


/* Either the greeting took too long, or the wait is over. */
static void
ngx_http_leerpoort_redis_timer(ngx_event_t *ev)
{
    ngx_http_leerpoort_redis_t  *redis = ev->data;

    if (redis->state != NGX_HTTP_LEERPOORT_REDIS_WAITING) {
        ngx_http_leerpoort_redis_drop(redis, "does not answer");
        return;
    }

    redis->state = NGX_HTTP_LEERPOORT_REDIS_IDLE;
    ngx_http_leerpoort_redis_connect(redis);
}


/*
 * The first try comes at once: the server may have closed an idle connection.
 * Half of a later wait is random, so that edges don't come back all together.
 */
static ngx_msec_t
ngx_http_leerpoort_redis_backoff(ngx_uint_t failures)
{
    ngx_msec_t  delay;

    if (failures == 0) {
        return 1;
    }

    delay = NGX_HTTP_LEERPOORT_BACKOFF_MIN << ngx_min(failures, 10);
    delay = ngx_min(delay, NGX_HTTP_LEERPOORT_BACKOFF_MAX);

    return delay / 2 + (ngx_msec_t) ngx_random() % (delay / 2 + 1);
}
