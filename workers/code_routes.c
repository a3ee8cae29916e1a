/*
 * The routes of activation codes: two for parties (Edu-V ActivationCode 1.x),
 * one for people who type a code. A code comes in a body and goes out in none:
 * neither in an answer, nor in a sentence that says what is wrong with it.
 */

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include <jansson.h>

#include "../core/json.h"
#include "click_by.h"
#include "code_redeem.h"
#include "codes.h"

#define BODY_MAX   4096
#define DIGITS_MAX 24
#define DATE_MAX   16 /* room for YYYY-MM-DD */
#define JSON_TYPE  "application/json"

typedef struct {
    int         http;
    int         status;
    const char *message;
} refusal_t;

static const refusal_t refusals[] = {
    [LP_CODES_NO_PRODUCT] = {400, LP_CODE_PRODUCT_UNKNOWN,
                             "productId: there is no such product"},
    [LP_CODES_OTHER] = {400, LP_CODE_OTHER,
                        "requestReferenceId: was used before, for a request "
                        "with other contents"},
    [LP_CODES_UNKNOWN] = {400, LP_CODE_CODE_UNKNOWN,
                          "activationCode: there is no such code"},
    [LP_CODES_USED] = {400, LP_CODE_CODE_USED,
                       "activationCode: has been used already"},
    [LP_CODES_REVOKED] = {400, LP_CODE_CODE_REVOKED,
                          "activationCode: has been revoked"},
    [LP_CODES_BLOCKED] = {400, LP_CODE_OTHER,
                          "activationCode: the product is blocked for you; "
                          "the code is not used up"},
    [LP_CODES_NOT_YET] = {400, LP_CODE_OTHER,
                          "activationCode: can't be used yet"},
    [LP_CODES_ENDED] = {400, LP_CODE_OTHER,
                        "activationCode: can't be used any more"},
    [LP_CODES_HELD] = {400, LP_CODE_LICENSED,
                       "activationCode: you can use this product already; "
                       "the code is not used up"},
    [LP_CODES_TOKEN] = {401, LP_CODE_SCOPE,
                        "the token was revoked; sign in again"},
};

#define N_REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

static lp_span_t party_of(lp_service_t *service, lp_request_t *request);
static int read_text(lp_request_t *request, const json_t *body,
                     const char *name, int needed, lp_value_t *field);
static int read_codes_request(lp_request_t *request, const json_t *body,
                              lp_codes_request_t *codes);
static size_t read_code(lp_request_t *request, const json_t *body, char *dst);
static void answer_accepted(lp_request_t *request, lp_codes_result_t result);
static void refuse(lp_request_t *request, lp_codes_result_t result);
static int is_json(lp_span_t type);
static void answer_redeemed(lp_request_t *request, lp_codes_result_t result,
                            const lp_redeemed_t *redeemed);

void
lp_route_codes(lp_service_t *service, lp_request_t *request)
{
    lp_codes_request_t codes;
    json_t            *body;

    memset(&codes, 0, sizeof(codes));
    codes.party = party_of(service, request);
    if (codes.party.len == 0) {
        return;
    }
    body = lp_request_json(request, BODY_MAX);
    if (body == NULL) {
        return;
    }
    if (read_codes_request(request, body, &codes) == 0) {
        answer_accepted(request, lp_codes_make(service, &codes));
    }
    json_decref(body);
}

/* The OIN on whose behalf a client calls; len 0 after refusing. */
static lp_span_t
party_of(lp_service_t *service, lp_request_t *request)
{
    const lp_party_t  *party;
    const lp_client_t *client;

    party = lp_party_by_client(lp_parties(service->parties), request->client,
                               &client);
    if (party == NULL) {
        lp_answer_refuse(request, 403, LP_CODE_SCOPE,
                         "this client belongs to no party");
        return (lp_span_t) {NULL, 0};
    }
    return party->oin;
}

static int
read_codes_request(lp_request_t *request, const json_t *body,
                   lp_codes_request_t *codes)
{
    const json_t *quantity = json_object_get(body, "quantity");
    json_int_t    n = json_integer_value(quantity);

    if (read_text(request, body, "requestReferenceId", 1, &codes->reference)
            != 0
        || read_text(request, body, "productId", 1, &codes->product) != 0
        || read_text(request, body, "contractId", 0, &codes->contract) != 0) {
        return -1;
    }
    if (!lp_product_valid(lp_field(&codes->product))) {
        lp_answer_refuse(request, 400, LP_CODE_SCHEMA,
                         "productId: is not made of A-Z a-z 0-9 . _ -, a "
                         "letter or digit first");
        return -1;
    }
    if (!json_is_integer(quantity) || n < 1 || n > LP_CODES_QUANTITY_MAX) {
        lp_answer_refuse(request, 400, LP_CODE_SCHEMA,
                         "quantity: is %sa whole number from 1 to %d",
                         quantity == NULL ? "missing: " : "not ",
                         LP_CODES_QUANTITY_MAX);
        return -1;
    }
    codes->quantity = (unsigned) n;
    return 0;
}

/* A text of 1 to 64 bytes without control characters; null is none, and so is
   "" where none is needed. */
static int
read_text(lp_request_t *request, const json_t *body, const char *name,
          int needed, lp_value_t *field)
{
    const json_t *value = json_object_get(body, name);
    const char   *text = json_string_value(value);
    size_t        i, len = json_string_length(value);

    if (!needed && (value == NULL || json_is_null(value)
                    || (text != NULL && len == 0))) {
        return 0;
    }
    if (value == NULL || json_is_null(value)) {
        lp_answer_refuse(request, 400, LP_CODE_SCHEMA, "%s: is missing", name);
        return -1;
    }
    for (i = 0; i < len && (unsigned char) text[i] >= 0x20 && text[i] != 0x7f;
         i++) {
    }
    if (text == NULL || len == 0 || i < len
        || lp_field_set(field, (lp_span_t) {text, len}) != 0) {
        lp_answer_refuse(request, 400, LP_CODE_SCHEMA,
                         "%s: is not a text of 1 to %d bytes", name,
                         LP_FIELD_MAX);
        return -1;
    }
    return 0;
}

/* 202, and the confirmation follows; or why not. */
static void
answer_accepted(lp_request_t *request, lp_codes_result_t result)
{
    if (result == LP_CODES_OK) {
        lp_answer_json(request, 202,
                       json_pack("{s:i, s:s}", "status", LP_CODE_ACCEPTED,
                                 "statusMessage", "Accepted"));
    } else {
        refuse(request, result);
    }
}

static void
refuse(lp_request_t *request, lp_codes_result_t result)
{
    if ((size_t) result >= N_REFUSALS || refusals[result].message == NULL) {
        lp_answer_unavailable(request);
        return;
    }
    lp_answer_refuse(request, refusals[result].http, refusals[result].status,
                     "%s", refusals[result].message);
}

void
lp_route_codes_revoke(lp_service_t *service, lp_request_t *request)
{
    lp_value_t reference;
    lp_span_t  party = party_of(service, request);
    char       code[LP_CODE_TEXT_MAX];
    json_t    *body;
    size_t     len;

    if (party.len == 0) {
        return;
    }
    body = lp_request_json(request, BODY_MAX);
    if (body == NULL) {
        return;
    }
    if (read_text(request, body, "requestReferenceId", 1, &reference) == 0) {
        len = read_code(request, body, code);
        if (len > 0) {
            answer_accepted(request, lp_codes_revoke(
                                         service, party, lp_field(&reference),
                                         (lp_span_t) {code, len}));
        }
    }
    json_decref(body);
}

/* 0 after refusing. */
static size_t
read_code(lp_request_t *request, const json_t *body, char *dst)
{
    const json_t *value = json_object_get(body, "activationCode");
    size_t        len = 0;

    if (!json_is_string(value)) {
        lp_answer_refuse(request, 400, LP_CODE_SCHEMA,
                         "activationCode: is %s",
                         value == NULL ? "missing" : "not a text");
        return 0;
    }
    len = lp_code_canonical(dst, lp_json_text(value));
    if (len == 0) {
        lp_answer_refuse(request, 400, LP_CODE_SCHEMA,
                         "activationCode: is not %d to %d letters and digits",
                         LP_CODE_TEXT_MIN, LP_CODE_TEXT_MAX);
    }
    return len;
}

/*
 * A form of another site can't send JSON (its types are three others), so that
 * nobody redeems a code, or burns tries, for somebody who is signed in.
 */
void
lp_route_code_redeem(lp_service_t *service, lp_request_t *request)
{
    lp_redeemed_t redeemed;
    lp_click_by_t by;
    char          code[LP_CODE_TEXT_MAX], school[LP_FIELD_MAX];
    json_t       *body;
    size_t        len;

    if (request->n_users == 0) {
        lp_answer_refuse(request, 401, LP_CODE_SCOPE, "nobody is signed in");
        return;
    }
    if (!is_json(request->type)) {
        lp_answer_refuse(request, 415, LP_CODE_SCHEMA,
                         "Content-Type: is not application/json");
        return;
    }
    body = lp_request_json(request, BODY_MAX);
    if (body == NULL) {
        return;
    }
    len = read_code(request, body, code);
    json_decref(body);
    if (len == 0) {
        return;
    }
    memset(&redeemed, 0, sizeof(redeemed));
    if (lp_click_by(service, request, school, &by) != LP_STORE_OK) {
        lp_answer_unavailable(request);
        return;
    }
    answer_redeemed(request,
                    lp_code_redeem(service, &by, (lp_span_t) {code, len},
                                   &redeemed),
                    &redeemed);
}

/* Parameters such as charset may follow. */
static int
is_json(lp_span_t type)
{
    size_t len = sizeof(JSON_TYPE) - 1;

    return type.len >= len && strncasecmp(type.data, JSON_TYPE, len) == 0
           && (type.len == len || type.data[len] == ';'
               || type.data[len] == ' ');
}

static void
answer_redeemed(lp_request_t *request, lp_codes_result_t result,
                const lp_redeemed_t *redeemed)
{
    lp_span_t product = lp_field(&redeemed->product);
    char      text[DIGITS_MAX], date[DATE_MAX];
    char      url[LP_FIELD_MAX + sizeof("/go/")];

    if (result == LP_CODES_TOO_OFTEN) {
        snprintf(text, sizeof(text), "%" PRId64, redeemed->retry_after);
        lp_answer_header(request, "Retry-After", lp_span_of(text));
        lp_answer_refuse(request, 429, LP_CODE_OTHER,
                         "too many wrong codes; try again later");
        return;
    }
    if (result != LP_CODES_OK) {
        refuse(request, result);
        return;
    }
    snprintf(date, sizeof(date), "%04u-%02u-%02u",
             redeemed->until / 10000 % 10000, redeemed->until / 100 % 100,
             redeemed->until % 100);
    snprintf(url, sizeof(url), "/go/%.*s", (int) product.len, product.data);
    lp_answer_json(request, 200,
                   json_pack("{s:s%, s:s, s:s}", "productId", product.data,
                             product.len, "expirationDate", date, "url", url));
}
