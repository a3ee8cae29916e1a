/*
 * What the routes of leerpoort-worker share, and the request in hand. One
 * process answers one request at a time; nothing outlives its request but the
 * connection to Redis and what is read from files.
 */

#ifndef LP_SERVICE_H
#define LP_SERVICE_H

#include <jansson.h>
#include <stdint.h>

#include "../core/keys.h"
#include "../core/user_key.h"
#include "key_ring.h"
#include "pages_file.h"
#include "parties.h"
#include "record.h"
#include "seal.h"
#include "store.h"

#define LP_BODY_MAX 65536 /* bytes of a JSON body, unless a route says other */

typedef struct {
    lp_store_t   *store;
    lp_pepper_t  *pepper;
    lp_seal_t    *seal;
    lp_parties_t *parties;       /* never NULL; may be empty */
    lp_key_ring_t *keys;         /* NULL: no token endpoint */
    lp_pages_file_t *pages;      /* never NULL */
    lp_span_t     site;          /* "https://toegang.example.nl", of which the
                                    pages are; len 0: not known */
    int           refuse_over;   /* over-quantity: refuse; else allow, report */
    int           until_excluded; /* activationUntilDate is the first day on
                                     which nothing can be activated */
} lp_service_t;

/* The request, as nginx gave it. Spans live as long as the request. */
typedef struct lp_request_s {
    lp_span_t   method;
    lp_span_t   path;   /* DOCUMENT_URI: decoded, normalised by nginx */
    lp_span_t   query;  /* QUERY_STRING, raw */
    lp_span_t   uri;    /* REQUEST_URI, as the client sent it */
    lp_span_t   type;   /* CONTENT_TYPE */
    lp_span_t   cookie;   /* HTTP_COOKIE; only pages get it */
    lp_span_t   accept;   /* HTTP_ACCEPT; likewise */
    lp_span_t   language; /* HTTP_ACCEPT_LANGUAGE; likewise */
    lp_span_t   origin;   /* HTTP_ORIGIN; likewise */
    int         https;    /* HTTPS is there; likewise */
    int64_t     length; /* CONTENT_LENGTH; -1: not known */
    int64_t     taken;  /* bytes of the body that were read so far */

    /* from the edge alone, never from the client */
    lp_span_t   route;  /* "activate" for a click, "page", "api" else */
    lp_span_t   client; /* who calls an API: azp or client_id of the token */
    lp_span_t   scope;  /* its scopes, space-separated */
    lp_span_t   users[LP_TOKEN_USERS]; /* user keys of a person */
    unsigned    n_users;
    lp_span_t   school; /* master identifier; len 0: none */
    lp_span_t   school_type, school_id; /* where only an alias is known */
    lp_span_t   product;
    lp_span_t   person; /* UserReference, JSON */
    int         employee;
    int64_t     issued; /* Unix time of the person's token; <= 0: not known */
    lp_span_t   likely; /* the user's entitlement that the edge went by, 22
                           characters: nothing rests on it; len 0: none */

    void       *connection; /* FCGX_Request */
    int         answered;
} lp_request_t;

/* Unix time; LEERPOORT_NOW in the environment is for tests alone. */
int64_t lp_service_now(void);

/* Today, YYYYMMDD in Amsterdam. */
uint32_t lp_service_today(void);

/*
 * Reads up to max bytes of the body into dst, as soon as some are there.
 * Returns how many; 0 at the end; -1 where the client left, was silent for too
 * long, or sent more or less than its Content-Length said.
 */
int lp_request_read(lp_request_t *request, char *dst, size_t max);

/* From now on the peer may be silent for so many seconds, or not read. */
void lp_request_patience(lp_request_t *request, int silence_s);

/*
 * Reads the whole body, at most max bytes, into dst. Returns 0, or without
 * having answered the HTTP status of the refusal: 413 where it is longer, 400
 * where it was cut off, slow, or not as long as was said.
 */
int lp_request_body(lp_request_t *request, char *dst, size_t max, size_t *len);

/*
 * Reads the whole body, at most max bytes, as one JSON object (UTF-8, no member
 * twice, at most 16 levels). NULL after answering 400 or 413 in Edu-V's form.
 * json_decref() it.
 */
json_t *lp_request_json(lp_request_t *request, size_t max);

/*
 * Percent-decodes text into dst (NUL-terminated; "+" is a blank). -1: badly
 * encoded, a NUL, or too long for size.
 */
int lp_request_decode(char *dst, size_t size, lp_span_t text);

/* A parameter of the query string, percent-decoded, into dst (NUL-terminated).
   -1: absent; LP_QUERY_WRONG: too long or badly encoded. */
#define LP_QUERY_WRONG (-2)
int lp_request_query(const lp_request_t *request, const char *name, char *dst,
                     size_t size);

/* 1 where its path is this one; one with "/" at its end: and one segment more.
   */
int lp_request_is_at(const lp_request_t *request, const char *path);

/* 1 where the token's scopes hold this one. */
int lp_request_has_scope(const lp_request_t *request, const char *scope);

/* Answers with a JSON document, which it takes over. */
void lp_answer_json(lp_request_t *request, int http, json_t *body);

/*
 * Answers {"status": status, "statusMessage": ...}: Edu-V's form of every
 * refusal. The message never repeats an id of a person, a token or a code.
 */
void lp_answer_refuse(lp_request_t *request, int http, int status,
                      const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* 503 with Retry-After, after a store failed. */
void lp_answer_unavailable(lp_request_t *request);

/* Headers of an answer that is written piece by piece; then its pieces. -1:
   the client is gone. */
int lp_answer_begin(lp_request_t *request, int http, const char *type);
int lp_answer_write(lp_request_t *request, lp_span_t bytes);

/* A header before the answer is begun: "X-Accel-Redirect", value. Values with
   control bytes are refused (-1). */
int lp_answer_header(lp_request_t *request, const char *name, lp_span_t value);

/* Edu-V status codes and those of SEM for entitlements (docs/api.md). */
#define LP_CODE_ACCEPTED        2  /* 202 */
#define LP_CODE_SCHEMA          11 /* 400: a field is missing or wrong */
#define LP_CODE_SCOPE           21 /* 401, 403 */
#define LP_CODE_CONSENT         22 /* 403 */
#define LP_CODE_SCHOOL_UNKNOWN  9
#define LP_CODE_PRODUCT_UNKNOWN 99 /* SEM's 11 is Edu-V's "schema" */
#define LP_CODE_ENTITLEMENT_UNKNOWN 40
#define LP_CODE_LICENSED        42 /* a licence is registered on it */
#define LP_CODE_CODE_UNKNOWN    50
#define LP_CODE_CODE_USED       51
#define LP_CODE_CODE_REVOKED    52
#define LP_CODE_OTHER           99

/* ---- the routes; each answers exactly once ---- */

typedef void (*lp_route_run_t)(lp_service_t *service, lp_request_t *request);

void lp_route_activate(lp_service_t *service, lp_request_t *request);
void lp_route_entitlement(lp_service_t *service, lp_request_t *request);
void lp_route_entitlements_bulk(lp_service_t *service, lp_request_t *request);
void lp_route_token(lp_service_t *service, lp_request_t *request);
void lp_route_usage_entitlement(lp_service_t *service, lp_request_t *request);
void lp_route_usage_school(lp_service_t *service, lp_request_t *request);
void lp_route_usage_user(lp_service_t *service, lp_request_t *request);
void lp_route_codes(lp_service_t *service, lp_request_t *request);
void lp_route_codes_revoke(lp_service_t *service, lp_request_t *request);
void lp_route_code_redeem(lp_service_t *service, lp_request_t *request);
void lp_route_books(lp_service_t *service, lp_request_t *request);
void lp_route_code_page(lp_service_t *service, lp_request_t *request);

#endif
