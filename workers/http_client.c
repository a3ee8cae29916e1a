/*
 * libcurl's multi interface with a belt: the address is checked before curl
 * sees it, by the rule that also holds for the links of products, so that both
 * parts of the system agree on what "this machine" is. Bodies may hold ids of
 * persons and are wiped when they are let go.
 */

#include "http_client.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "../core/target.h"

#define HEADER_MAX  (16 * 1024) /* bytes of an Authorization header */
#define TOKEN_PLACE "Authorization: "

typedef struct exchange_s exchange_t;

struct exchange_s {
    lp_http_t         *http;
    exchange_t        *next, **link;
    CURL              *easy;
    struct curl_slist *headers;
    char              *sent; /* the request's body */
    size_t             sent_len;
    char              *body;
    size_t             len, cap, max;
    int                too_long;
    int                forbidden;
    lp_http_done_t     done;
    void              *owner;
};

struct lp_http_s {
    lp_http_options_t options;
    CURLM            *multi;
    exchange_t       *first;
    unsigned          n;
};

static const char *const texts[] = {
    [LP_HTTP_ANSWERED] = "",
    [LP_HTTP_UNREACHED] = "could not be reached",
    [LP_HTTP_LATE] = "did not answer in time",
    [LP_HTTP_UNTRUSTED] = "could not be trusted (TLS)",
    [LP_HTTP_GARBAGE] = "answered with garbage",
    [LP_HTTP_FORBIDDEN] = "has an address that is not https",
};

const char *
lp_http_text(lp_http_result_t result)
{
    return texts[result];
}

lp_http_t *
lp_http_create(const lp_http_options_t *options)
{
    lp_http_t *http = calloc(1, sizeof(*http));

    if (http == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(http);
        return NULL;
    }
    http->options = *options;
    if (http->options.body_max == 0) {
        http->options.body_max = LP_HTTP_BODY_MAX;
    }
    http->multi = curl_multi_init();
    if (http->multi == NULL) {
        curl_global_cleanup();
        free(http);
        return NULL;
    }
    return http;
}

static void
wipe(char *bytes, size_t len)
{
    if (bytes != NULL) {
        OPENSSL_cleanse(bytes, len);
        free(bytes);
    }
}

static void
drop_headers(struct curl_slist *headers)
{
    struct curl_slist *header;

    for (header = headers; header != NULL; header = header->next) {
        OPENSSL_cleanse(header->data, strlen(header->data));
    }
    curl_slist_free_all(headers);
}

/* Gives back all that an exchange holds; it is in no list any more. */
static void
drop_exchange(exchange_t *exchange)
{
    if (exchange->easy != NULL) {
        curl_multi_remove_handle(exchange->http->multi, exchange->easy);
        curl_easy_cleanup(exchange->easy);
    }
    drop_headers(exchange->headers);
    wipe(exchange->sent, exchange->sent_len);
    wipe(exchange->body, exchange->len);
    free(exchange);
}

static void
leave_list(exchange_t *exchange)
{
    *exchange->link = exchange->next;
    if (exchange->next != NULL) {
        exchange->next->link = exchange->link;
    }
    exchange->http->n--;
}

void
lp_http_abort(lp_http_t *http)
{
    exchange_t *exchange, *next;

    for (exchange = http->first; exchange != NULL; exchange = next) {
        next = exchange->next;
        drop_exchange(exchange);
    }
    http->first = NULL;
    http->n = 0;
}

void
lp_http_destroy(lp_http_t *http)
{
    if (http == NULL) {
        return;
    }
    lp_http_abort(http);
    curl_multi_cleanup(http->multi);
    curl_global_cleanup();
    free(http);
}

void
lp_http_forget(lp_http_t *http, const void *owner)
{
    exchange_t *exchange, *next;

    for (exchange = http->first; exchange != NULL; exchange = next) {
        next = exchange->next;
        if (exchange->owner == owner) {
            leave_list(exchange);
            drop_exchange(exchange);
        }
    }
}

unsigned
lp_http_running(const lp_http_t *http)
{
    return http->n;
}

/* curl's callback: keeps what came, and ends the exchange where it is more
   than anybody would have to say. */
static size_t
keep_body(char *bytes, size_t one, size_t n, void *data)
{
    exchange_t *exchange = data;
    size_t      cap, max = exchange->max;
    char       *grown;

    (void) one; /* is 1 */
    if (n > max - exchange->len) {
        exchange->too_long = 1;
        return 0;
    }
    if (n > exchange->cap - exchange->len) {
        cap = exchange->len + n > max / 2 ? max : 2 * (exchange->len + n);
        grown = realloc(exchange->body, cap);
        if (grown == NULL) {
            return 0;
        }
        exchange->body = grown;
        exchange->cap = cap;
    }
    memcpy(exchange->body + exchange->len, bytes, n);
    exchange->len += n;
    return n;
}

static int
add_header(exchange_t *exchange, const char *line)
{
    struct curl_slist *longer = curl_slist_append(exchange->headers, line);

    if (longer == NULL) {
        return -1;
    }
    exchange->headers = longer;
    return 0;
}

static int
add_headers(exchange_t *exchange, const lp_http_request_t *request)
{
    char line[HEADER_MAX];
    int  n, rc = 0;

    if (add_header(exchange, "Accept: application/json") != 0
        || add_header(exchange, "Expect:") != 0) {
        return -1;
    }
    if (request->type != NULL) {
        n = snprintf(line, sizeof(line), "Content-Type: %s", request->type);
        rc = n < (int) sizeof(line) ? add_header(exchange, line) : -1;
    }
    if (rc == 0 && (request->token != NULL || request->authorization != NULL)) {
        n = request->authorization != NULL
                ? snprintf(line, sizeof(line), TOKEN_PLACE "%s",
                           request->authorization)
                : snprintf(line, sizeof(line), TOKEN_PLACE "Bearer %s",
                           request->token);
        rc = n < (int) sizeof(line) ? add_header(exchange, line) : -1;
        OPENSSL_cleanse(line, sizeof(line));
    }
    return rc;
}

static int
set_body(exchange_t *exchange, const lp_http_request_t *request)
{
    if (request->type == NULL) {
        return 0;
    }
    exchange->sent = malloc(request->body.len + 1);
    if (exchange->sent == NULL) {
        return -1;
    }
    memcpy(exchange->sent, request->body.data, request->body.len);
    exchange->sent_len = request->body.len;
    curl_easy_setopt(exchange->easy, CURLOPT_POSTFIELDS, exchange->sent);
    curl_easy_setopt(exchange->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t) request->body.len);
    return 0;
}

/* What holds for every request, whatever it asks. */
static int
set_limits(exchange_t *exchange)
{
    const lp_http_options_t *options = &exchange->http->options;
    CURL                    *easy = exchange->easy;

    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* who is late in finding an address holds up nobody else */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, options->agent);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, options->connect_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, options->total_ms);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                     (long) CURL_SSLVERSION_TLSv1_2);
    if (options->ca != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https")
                   == CURLE_OK
               ? 0
               : -1;
}

static int
set_request(exchange_t *exchange, const lp_http_request_t *request)
{
    CURL *easy = exchange->easy;

    if (set_limits(exchange) != 0 || add_headers(exchange, request) != 0
        || set_body(exchange, request) != 0
        || (request->total_ms > 0
            && curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, request->total_ms)
                   != CURLE_OK)
        || curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK
        || curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method)
               != CURLE_OK) {
        return -1;
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
    return 0;
}

static int
may_speak_to(const char *url)
{
    lp_hosts_t any = {NULL, 0};

    return lp_target_check(lp_span_of(url), 0, &any) == LP_TARGET_OK;
}

int
lp_http_start(lp_http_t *http, const lp_http_request_t *request,
              lp_http_done_t done, void *owner)
{
    exchange_t *exchange = calloc(1, sizeof(*exchange));

    if (exchange == NULL) {
        return -1;
    }
    exchange->http = http;
    exchange->done = done;
    exchange->owner = owner;
    exchange->max = request->body_max != 0 ? request->body_max
                                           : http->options.body_max;
    exchange->forbidden = !may_speak_to(request->url);
    exchange->easy = exchange->forbidden ? NULL : curl_easy_init();
    if (!exchange->forbidden
        && (exchange->easy == NULL || set_request(exchange, request) != 0
            || curl_multi_add_handle(http->multi, exchange->easy)
                   != CURLM_OK)) {
        drop_exchange(exchange);
        return -1;
    }
    exchange->next = http->first;
    exchange->link = &http->first;
    if (http->first != NULL) {
        http->first->link = &exchange->next;
    }
    http->first = exchange;
    http->n++;
    return 0;
}

static lp_http_result_t
result_of(const exchange_t *exchange, CURLcode code)
{
    if (exchange->too_long) {
        return LP_HTTP_GARBAGE;
    }
    switch (code) {
    case CURLE_OK:
        return LP_HTTP_ANSWERED;
    case CURLE_OPERATION_TIMEDOUT:
        return LP_HTTP_LATE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_URL_MALFORMAT:
    case CURLE_SEND_ERROR:
        return LP_HTTP_UNREACHED;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return LP_HTTP_UNTRUSTED;
    default:
        return LP_HTTP_GARBAGE;
    }
}

/* "public, max-age=600": 600; -1 where it is not said, or as no-store says. */
static int64_t
max_age_of(const exchange_t *exchange)
{
    static const char   name[] = "max-age=";
    struct curl_header *header;
    const char         *p;
    int64_t             age = 0;

    if (curl_easy_header(exchange->easy, "Cache-Control", 0, CURLH_HEADER, -1,
                         &header) != CURLHE_OK) {
        return -1;
    }
    for (p = header->value; *p != '\0'; p++) {
        p += strspn(p, " \t,");
        if (strncasecmp(p, name, sizeof(name) - 1) == 0) {
            break;
        }
        p += strcspn(p, ",");
        if (*p == '\0') {
            return -1;
        }
    }
    if (*p == '\0' || p[sizeof(name) - 1] < '0' || p[sizeof(name) - 1] > '9') {
        return -1;
    }
    for (p += sizeof(name) - 1; *p >= '0' && *p <= '9' && age < INT32_MAX;
         p++) {
        age = age * 10 + (*p - '0');
    }
    return age;
}

/* Tells the owner, who may start the next request meanwhile. */
static void
finish(exchange_t *exchange, CURLcode code)
{
    lp_http_reply_t reply = {LP_HTTP_FORBIDDEN, 0, 0, -1, NULL, {NULL, 0}};
    curl_off_t      after = 0;
    long            status = 0;
    char           *type = NULL;

    if (!exchange->forbidden) {
        curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &after);
        curl_easy_getinfo(exchange->easy, CURLINFO_CONTENT_TYPE, &type);
        reply.result = result_of(exchange, code);
        reply.status = (int) status;
        reply.retry_after = after;
        reply.type = type;
        reply.max_age = max_age_of(exchange);
        reply.body = (lp_span_t) {exchange->body, exchange->len};
    }
    leave_list(exchange);
    exchange->done(exchange->owner, &reply);
    drop_exchange(exchange);
}

/* Whoever is told may forget others: from the beginning each time. */
static void
finish_forbidden(lp_http_t *http)
{
    exchange_t *exchange = http->first;

    while (exchange != NULL) {
        if (exchange->forbidden) { /* NOLINT: what was freed left the list */
            finish(exchange, CURLE_OK);
            exchange = http->first;
        } else {
            exchange = exchange->next;
        }
    }
}

static void
finish_ended(lp_http_t *http)
{
    CURLMsg    *message;
    exchange_t *exchange;
    CURLcode    code;
    int         left;

    while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        code = message->data.result; /* the message dies with its handle */
        exchange = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
        if (exchange != NULL) {
            finish(exchange, code);
        }
    }
}

void
lp_http_run(lp_http_t *http, int wait_ms)
{
    if (http->n > 0) {
        lp_http_run_beside(http, NULL, 0, wait_ms);
    }
}

void
lp_http_run_beside(lp_http_t *http, const int *fds, unsigned n, int wait_ms)
{
    struct curl_waitfd beside[LP_HTTP_FDS_MAX];
    unsigned           i;
    int                running = 0;

    for (i = 0; i < n && i < LP_HTTP_FDS_MAX; i++) {
        beside[i] = (struct curl_waitfd) {fds[i], CURL_WAIT_POLLIN, 0};
    }
    finish_forbidden(http);
    curl_multi_perform(http->multi, &running);
    if ((unsigned) running == http->n) {
        curl_multi_poll(http->multi, beside, i, wait_ms, NULL);
        curl_multi_perform(http->multi, &running);
    }
    finish_ended(http);
}
