/*
 * Answers, as CGI: headers, an empty line, the body. nginx makes HTTP of it.
 * libfcgi holds 8 kB back, and sends the rest when the request ends.
 */

#include "../core/text.h"
#include "routes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define API_VERSION "1.0.0"
#define JSON_TYPE   "application/json"
#define RETRY_AFTER "5" /* seconds: about what a restart of Redis takes */
#define MESSAGE_MAX 400

static FCGX_Stream *
out(const lp_request_t *request)
{
    return ((FCGX_Request *) request->connection)->out;
}

int
lp_answer_write(lp_request_t *request, lp_span_t bytes)
{
    size_t n;

    while (bytes.len > 0) {
        n = bytes.len > 1 << 20 ? 1 << 20 : bytes.len;
        if (FCGX_PutStr(bytes.data, (int) n, out(request)) != (int) n) {
            return -1;
        }
        bytes.data += n;
        bytes.len -= n;
    }
    return 0;
}

int
lp_answer_header(lp_request_t *request, const char *name, lp_span_t value)
{
    if (lp_has_control(value) || request->answered
        || lp_answer_write(request, lp_span_of(name)) != 0
        || lp_answer_write(request, lp_span(": ")) != 0
        || lp_answer_write(request, value) != 0) {
        return -1;
    }
    return lp_answer_write(request, lp_span("\r\n"));
}

int
lp_answer_begin(lp_request_t *request, int http, const char *type)
{
    char head[256];
    int  n;

    if (request->answered) {
        return -1;
    }
    request->answered = 1;
    n = snprintf(head, sizeof(head),
                 "Status: %d\r\nContent-Type: %s\r\n"
                 "API-Version: " API_VERSION "\r\n"
                 "Cache-Control: no-store\r\n\r\n",
                 http, type);
    if (n < 0 || (size_t) n >= sizeof(head)) {
        return -1;
    }
    return lp_answer_write(request, (lp_span_t) {head, (size_t) n});
}

void
lp_answer_json(lp_request_t *request, int http, json_t *body)
{
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);

    json_decref(body);
    if (text == NULL) {
        /* memory, or a text that is not UTF-8 */
        if (lp_answer_begin(request, 500, JSON_TYPE) == 0) {
            lp_answer_write(request,
                            lp_span("{\"status\":99,\"statusMessage\":"
                                    "\"the answer could not be written\"}"));
        }
        return;
    }
    if (lp_answer_begin(request, http, JSON_TYPE) == 0) {
        lp_answer_write(request, lp_span_of(text));
    }
    free(text);
}

void
lp_answer_refuse(lp_request_t *request, int http, int status,
                 const char *format, ...)
{
    va_list list;
    char    message[MESSAGE_MAX];

    va_start(list, format);
    vsnprintf(message, sizeof(message), format, list);
    va_end(list);
    lp_answer_json(request, http,
                   json_pack("{s:i, s:s}", "status", status, "statusMessage",
                             message));
}

void
lp_answer_unavailable(lp_request_t *request)
{
    if (!request->answered) {
        lp_answer_header(request, "Retry-After", lp_span(RETRY_AFTER));
    }
    lp_answer_refuse(request, 503, LP_CODE_OTHER,
                     "not available for a moment; send it again");
}
