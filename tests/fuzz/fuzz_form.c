/*
 * What clients send to the token endpoint: the first byte chooses the pieces in
 * which the form arrives. Nobody is a client here, so that every answer is a
 * refusal; which one, a plain reading of the same form says. The form is also
 * read as a query string, parameter by parameter.
 */

#include <ctype.h>

#include "connection.h"
#include "must.h"

#define VALUE_MAX 512

enum { GRANT, TYPE, ASSERTION, SCOPE, CLIENT, SECRET, NAMES };

static const char *const names[NAMES] = {
    "grant_type", "client_assertion_type", "client_assertion",
    "scope",      "client_id",             "client_secret",
};

/* A parameter of the form; len -1: badly encoded. */
typedef struct {
    char bytes[VALUE_MAX];
    int  len;
} text_t;

typedef struct {
    text_t value[NAMES];
    int    n[NAMES]; /* how often it is there */
    int    broken;
} form_t;

static void check_token(lp_span_t body, unsigned pieces, const form_t *form);
static int expected_status(const form_t *form, const char **error);
static void check_query(lp_span_t query);
static int read_form(form_t *form, lp_span_t text);
static lp_span_t cut(lp_span_t *rest, char at);
static int decode(text_t *text, lp_span_t coded);


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static form_t form;
    lp_span_t     body;

    if (len == 0) {
        return 0;
    }

    body = (lp_span_t) {(const char *) bytes + 1, len - 1};
    check_query(body);

    if (read_form(&form, body) == 0) {
        check_token(body, bytes[0], &form);
    }

    return 0;
}


static void
check_token(lp_span_t body, unsigned pieces, const form_t *form)
{
    static connection_t connection;
    static lp_service_t service;
    static char         ring; /* never looked at: nobody gets a token */
    lp_request_t        request;
    const char         *answer, *error;

    if (service.parties == NULL) {
        service.parties = lp_parties_open(NULL, &error);
        service.keys = (lp_key_ring_t *) (void *) &ring;
        must(service.parties != NULL);
    }

    connection_open(&connection, &request, body, pieces, 0);
    request.type = lp_span("application/x-www-form-urlencoded");
    lp_route_token(&service, &request);

    must(connection_answer(&connection, &answer)
         == expected_status(form, &error));
    must_be_reason(answer, CONNECTION_ANSWER);
    must(strncmp(answer, "{\"error\":\"", 10) == 0);
    must(strncmp(answer + 10, error, strlen(error)) == 0);
    must(strstr(answer, "\",\"error_description\":\"") != NULL);
}


static int
expected_status(const form_t *form, const char **error)
{
    int i;

    *error = "invalid_request\"";

    for (i = 0; i < NAMES; i++) {
        if (form->n[i] > 1) {
            return 400;
        }
    }
    if (form->broken || form->n[GRANT] == 0 || form->n[TYPE] == 0
        || form->n[ASSERTION] == 0 || form->n[SECRET] > 0) {
        return 400;
    }

    *error = "unsupported_grant_type\"";
    if (strcmp(form->value[GRANT].bytes, "client_credentials") != 0) {
        return 400;
    }

    *error = "invalid_client\"";

    return 401;
}


/* The first parameter of a name counts. */
static void
check_query(lp_span_t query)
{
    static text_t model;
    lp_request_t  request;
    lp_span_t     rest, pair, name;
    char          value[VALUE_MAX];
    unsigned      i;
    int           expected;

    memset(&request, 0, sizeof(request));
    request.query = query;

    for (i = 0; i < NAMES; i++) {
        expected = -1;

        for (rest = query; rest.len > 0 && expected == -1; ) {
            pair = cut(&rest, '&');
            name = cut(&pair, '=');
            if (pair.data != NULL && lp_span_equal(name,
                                                   lp_span_of(names[i]))) {
                expected = decode(&model, pair) == 0 ? 0 : LP_QUERY_WRONG;
            }
        }

        must(lp_request_query(&request, names[i], value, sizeof(value))
             == expected);
        must(expected != 0 || strcmp(value, model.bytes) == 0);
    }
}


/* -1: longer than the model has room for. */
static int
read_form(form_t *form, lp_span_t text)
{
    static text_t name;
    lp_span_t     pair, value;
    int           i;

    memset(form->n, 0, sizeof(form->n));
    form->broken = 0;

    while (text.len > 0) {
        pair = cut(&text, '&');
        if (pair.len >= 127) {
            return -1;
        }
        if (pair.len == 0) {
            continue;
        }

        value = pair;
        pair = cut(&value, '=');
        form->broken |= decode(&name, pair) != 0;

        for (i = 0; i < NAMES; i++) {
            if (name.len >= 0 && strcmp(name.bytes, names[i]) == 0) {
                form->n[i]++;
                form->broken |= value.data == NULL
                                || decode(&form->value[i], value) != 0;
            }
        }
    }

    return 0;
}


/* What stands before at; *rest is what follows it, data NULL: no at. */
static lp_span_t
cut(lp_span_t *rest, char at)
{
    size_t    i;
    lp_span_t before = *rest;

    for (i = 0; i < rest->len && rest->data[i] != at; i++) { }

    before.len = i;
    *rest = i == rest->len ? (lp_span_t) {NULL, 0}
                           : (lp_span_t) {rest->data + i + 1,
                                          rest->len - i - 1};

    return before;
}


static int
decode(text_t *text, lp_span_t coded)
{
    char   hex[3] = "", c;
    size_t i;

    text->len = 0;

    for (i = 0; i < coded.len; i++) {
        c = coded.data[i] == '+' ? ' ' : coded.data[i];

        if (c == '%') {
            if (coded.len - i < 3
                || !isxdigit((unsigned char) coded.data[i + 1])
                || !isxdigit((unsigned char) coded.data[i + 2])) {
                c = '\0';
            } else {
                memcpy(hex, coded.data + i + 1, 2);
                c = (char) strtol(hex, NULL, 16);
                i += 2;
            }
        }

        if (c == '\0' || text->len == VALUE_MAX - 1) {
            text->len = -1;
            return -1;
        }
        text->bytes[text->len++] = c;
    }

    text->bytes[text->len] = '\0';

    return 0;
}
