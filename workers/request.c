/*
 * The request in hand: nginx's FastCGI parameters, the body, the query string.
 * All that says who somebody is comes from parameters that the edge sets
 * (LEERPOORT_*); headers of the client do not reach a worker. libfcgi keeps the
 * parameters for as long as the connection lasts, so that spans point there.
 */

#include "routes.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "../core/chars.h"
#include "../core/json.h"

#define BODY_TIME    30 /* seconds for a whole body that is one document */
#define NUMBER_WRONG (-2)

static lp_span_t
param(const FCGX_Request *connection, const char *name)
{
    const char *value = FCGX_GetParam(name, connection->envp);

    return value == NULL ? (lp_span_t) {NULL, 0} : lp_span_of(value);
}

/* Digits: absent is -1, anything else NUMBER_WRONG. */
static int64_t
read_number(lp_span_t text)
{
    int64_t n = 0;
    size_t  i;

    if (text.len == 0) {
        return -1;
    }
    if (text.len > 18) {
        return NUMBER_WRONG;
    }
    for (i = 0; i < text.len; i++) {
        if (!lp_char_is((unsigned char) text.data[i], LP_CHAR_DIGIT)) {
            return NUMBER_WRONG;
        }
        n = n * 10 + (text.data[i] - '0');
    }
    return n;
}

static int
is_user_key(lp_span_t text)
{
    size_t i;

    if (text.len != LP_USER_KEY_LEN) {
        return 0;
    }
    for (i = 0; i < text.len; i++) {
        if (!lp_char_is((unsigned char) text.data[i], LP_CHAR_NAME)
            || text.data[i] == '.') {
            return 0;
        }
    }
    return 1;
}

/* "key,key": up to three. */
static int
read_users(lp_request_t *request, lp_span_t text)
{
    const char *comma;
    lp_span_t   user;

    while (text.len > 0) {
        comma = memchr(text.data, ',', text.len);
        user = text;
        if (comma != NULL) {
            user.len = (size_t) (comma - text.data);
        }
        if (!is_user_key(user) || request->n_users == LP_TOKEN_USERS
            || user.len + 1 == text.len) {
            return -1;
        }
        request->users[request->n_users++] = user;
        if (comma == NULL) {
            return 0;
        }
        text.data = comma + 1;
        text.len -= user.len + 1;
    }
    return 0;
}

/* "OIE_CODE:11ZZ" */
static int
read_alias(lp_request_t *request, lp_span_t text)
{
    const char *colon;

    if (text.len == 0) {
        return 0;
    }
    colon = memchr(text.data, ':', text.len);
    if (colon == NULL || colon == text.data
        || colon + 1 == text.data + text.len) {
        return -1;
    }
    request->school_type.data = text.data;
    request->school_type.len = (size_t) (colon - text.data);
    request->school_id.data = colon + 1;
    request->school_id.len = text.len - request->school_type.len - 1;
    return 0;
}

/*
 * Which entitlement of the user the edge decided on. An open right's is of no
 * use: to watch what a whole school counts in would make clicks wait for each
 * other. What is no entitlement is none: nothing rests on it.
 */
static lp_span_t
read_likely(const FCGX_Request *connection)
{
    lp_span_t text = param(connection, "LEERPOORT_ENTITLEMENT");
    lp_span_t whose = param(connection, "LEERPOORT_RIGHT");

    return is_user_key(text) && lp_span_equal(whose, lp_span("own"))
               ? text : (lp_span_t) {NULL, 0};
}

/* What the edge knows of the person and the client. */
static const char *
read_edge(lp_request_t *request, const FCGX_Request *connection)
{
    lp_span_t role = param(connection, "LEERPOORT_ROLE");

    request->route = param(connection, "LEERPOORT_ROUTE");
    request->client = param(connection, "LEERPOORT_CLIENT");
    request->scope = param(connection, "LEERPOORT_SCOPE");
    request->school = param(connection, "LEERPOORT_SCHOOL");
    request->product = param(connection, "LEERPOORT_PRODUCT");
    request->person = param(connection, "LEERPOORT_PERSON");
    request->employee = lp_span_equal(role, lp_span("employee"));
    request->likely = read_likely(connection);
    request->issued = read_number(param(connection, "LEERPOORT_TOKEN_IAT"));
    if (request->issued == NUMBER_WRONG) {
        return "LEERPOORT_TOKEN_IAT";
    }
    if (read_users(request, param(connection, "LEERPOORT_USERS")) != 0) {
        return "LEERPOORT_USERS";
    }
    if (request->school.len > 0 && !lp_school_valid(request->school)) {
        return "LEERPOORT_SCHOOL";
    }
    if (read_alias(request, param(connection, "LEERPOORT_SCHOOL_ALIAS"))
        != 0) {
        return "LEERPOORT_SCHOOL_ALIAS";
    }
    if (request->product.len > 0 && !lp_product_valid(request->product)) {
        return "LEERPOORT_PRODUCT";
    }
    return NULL;
}

const char *
lp_request_open(lp_request_t *request, FCGX_Request *connection)
{
    memset(request, 0, sizeof(*request));
    request->connection = connection;
    request->method = param(connection, "REQUEST_METHOD");
    request->path = param(connection, "DOCUMENT_URI");
    request->query = param(connection, "QUERY_STRING");
    request->uri = param(connection, "REQUEST_URI");
    request->type = param(connection, "CONTENT_TYPE");
    request->cookie = param(connection, "HTTP_COOKIE");
    request->accept = param(connection, "HTTP_ACCEPT");
    request->language = param(connection, "HTTP_ACCEPT_LANGUAGE");
    request->origin = param(connection, "HTTP_ORIGIN");
    request->https = param(connection, "HTTPS").len > 0;
    request->length = read_number(param(connection, "CONTENT_LENGTH"));
    if (request->length == NUMBER_WRONG) {
        request->length = -1;
        return "CONTENT_LENGTH";
    }
    return read_edge(request, connection);
}

/*
 * What libfcgi holds already, or what one record brings: a reader of a stream
 * must not wait for a buffer to be full.
 */
int
lp_request_read(lp_request_t *request, char *dst, size_t max)
{
    FCGX_Stream *in = ((FCGX_Request *) request->connection)->in;
    size_t       held;
    int          c, n;

    c = FCGX_GetChar(in);
    if (c == -1) {
        return FCGX_GetError(in) != 0
                       || (request->length >= 0
                           && request->taken != request->length)
                   ? -1
                   : 0;
    }
    dst[0] = (char) c;
    held = in->stop > in->rdNext ? (size_t) (in->stop - in->rdNext) : 0;
    if (held > max - 1) {
        held = max - 1;
    }
    n = held == 0 ? 0 : FCGX_GetStr(dst + 1, (int) held, in);
    request->taken += n + 1;
    if (request->length >= 0 && request->taken > request->length) {
        return -1;
    }
    return n + 1;
}

static int64_t
seconds(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec;
}

int
lp_request_body(lp_request_t *request, char *dst, size_t max, size_t *len)
{
    int64_t until = seconds() + BODY_TIME;
    char    more;
    int     n = 1;

    *len = 0;
    if (request->length > (int64_t) max) {
        return 413;
    }
    while (n > 0 && seconds() <= until) {
        n = *len < max ? lp_request_read(request, dst + *len, max - *len)
                       : lp_request_read(request, &more, 1);
        if (n > 0 && *len == max) {
            return 413;
        }
        *len += n > 0 ? (size_t) n : 0;
    }
    return n == 0 ? 0 : 400;
}

void
lp_request_patience(lp_request_t *request, int silence_s)
{
    const FCGX_Request *connection = request->connection;
    struct timeval      limit = {silence_s, 0};

    (void) setsockopt(connection->ipcFd, SOL_SOCKET, SO_RCVTIMEO, &limit,
                      sizeof(limit));
    (void) setsockopt(connection->ipcFd, SOL_SOCKET, SO_SNDTIMEO, &limit,
                      sizeof(limit));
}

/* A document that its reader may keep and change; NULL after answering. */
static json_t *
read_document(lp_request_t *request, lp_span_t text)
{
    lp_json_memory_t *memory;
    lp_json_error_t   error;
    json_t           *read, *body;

    read = lp_json_read(text, &memory, &error);
    if (read == NULL) {
        lp_answer_refuse(request, 400, LP_CODE_SCHEMA, "body: %s",
                         error == LP_JSON_TWICE
                             ? "a member is there twice"
                             : "not one JSON object in UTF-8 of at most 16 "
                               "levels");
        return NULL;
    }
    body = json_deep_copy(read);
    lp_json_release(memory);
    if (body == NULL) {
        lp_answer_unavailable(request);
    }
    return body;
}

json_t *
lp_request_json(lp_request_t *request, size_t max)
{
    json_t *body = NULL;
    char   *bytes;
    size_t  len;
    int     refusal;

    bytes = malloc(max);
    if (bytes == NULL) {
        lp_answer_unavailable(request);
        return NULL;
    }
    refusal = lp_request_body(request, bytes, max, &len);
    if (refusal == 0) {
        body = read_document(request, (lp_span_t) {bytes, len});
    } else if (refusal == 413) {
        lp_answer_refuse(request, 413, LP_CODE_SCHEMA,
                         "body: more than %zu bytes", max);
    } else {
        lp_answer_refuse(request, 400, LP_CODE_SCHEMA,
                         "body: cut off, too slow, or not as long as its "
                         "Content-Length says");
    }
    free(bytes);
    return body;
}

/* The query string. */

int
lp_request_decode(char *dst, size_t size, lp_span_t text)
{
    const unsigned char *p = (const unsigned char *) text.data;
    const unsigned char *end = p + text.len;
    size_t               n = 0;

    while (p < end) {
        unsigned char c = *p++;

        if (c == '%') {
            if (end - p < 2 || !lp_char_is(p[0], LP_CHAR_HEX)
                || !lp_char_is(p[1], LP_CHAR_HEX)) {
                return -1;
            }
            c = (unsigned char) (lp_char_hex(p[0]) << 4 | lp_char_hex(p[1]));
            p += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (c == '\0' || n + 1 >= size) {
            return -1;
        }
        dst[n++] = (char) c;
    }
    dst[n] = '\0';
    return 0;
}

int
lp_request_query(const lp_request_t *request, const char *name, char *dst,
                 size_t size)
{
    lp_span_t   rest = request->query, pair;
    const char *end;
    size_t      len = strlen(name);

    while (rest.len > 0) {
        end = memchr(rest.data, '&', rest.len);
        pair.data = rest.data;
        pair.len = end == NULL ? rest.len : (size_t) (end - rest.data);
        if (pair.len > len && pair.data[len] == '='
            && memcmp(pair.data, name, len) == 0) {
            pair.data += len + 1;
            pair.len -= len + 1;
            return lp_request_decode(dst, size, pair) == 0 ? 0
                                                           : LP_QUERY_WRONG;
        }
        if (end == NULL) {
            return -1;
        }
        rest.data = end + 1;
        rest.len -= pair.len + 1;
    }
    return -1;
}

int
lp_request_is_at(const lp_request_t *request, const char *path)
{
    lp_span_t own = request->path;
    size_t    len = strlen(path);

    if (path[len - 1] != '/') {
        return lp_span_equal(own, lp_span_of(path));
    }
    return own.len > len && memcmp(own.data, path, len) == 0
           && memchr(own.data + len, '/', own.len - len) == NULL;
}

int
lp_request_has_scope(const lp_request_t *request, const char *scope)
{
    lp_span_t   rest = request->scope, word;
    const char *blank;

    while (rest.len > 0) {
        blank = memchr(rest.data, ' ', rest.len);
        word.data = rest.data;
        word.len = blank == NULL ? rest.len : (size_t) (blank - rest.data);
        if (lp_span_equal(word, lp_span_of(scope))) {
            return 1;
        }
        if (blank == NULL) {
            return 0;
        }
        rest.data = blank + 1;
        rest.len -= word.len + 1;
    }
    return 0;
}
