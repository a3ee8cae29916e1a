/*
 * Outgoing HTTP: requests that run side by side, each bounded in time and in
 * what it may receive. https to verified peers; http to this machine alone. No
 * redirect is followed, no proxy of the environment used, no cookie kept.
 */

#ifndef LP_HTTP_CLIENT_H
#define LP_HTTP_CLIENT_H

#include <stdint.h>

#include "../core/span.h"

#define LP_HTTP_BODY_MAX 65536 /* bytes of an answer, where options say none */
#define LP_HTTP_FDS_MAX  8     /* of lp_http_run_beside() */

typedef enum {
    LP_HTTP_ANSWERED = 0, /* status, body and retry_after are set */
    LP_HTTP_UNREACHED,    /* no address, no connection, refused */
    LP_HTTP_LATE,         /* a time limit */
    LP_HTTP_UNTRUSTED,    /* TLS: no agreement, or not who it should be */
    LP_HTTP_GARBAGE,      /* no HTTP, cut short, too long */
    LP_HTTP_FORBIDDEN     /* an address that we do not speak to */
} lp_http_result_t;

typedef struct {
    lp_http_result_t result;
    int              status;      /* 100 to 999 */
    int64_t          retry_after; /* seconds; 0: not said */
    int64_t          max_age;     /* seconds, of Cache-Control; -1: not said */
    const char      *type;        /* Content-Type; NULL: not said */
    lp_span_t        body;
} lp_http_reply_t;

/* Called once for each request that was started, from lp_http_run(). The reply
   is gone afterwards. It may start another request. */
typedef void (*lp_http_done_t)(void *owner, const lp_http_reply_t *reply);

typedef struct {
    const char *agent;      /* User-Agent */
    const char *ca;         /* a PEM file; NULL: the system's */
    long        connect_ms;
    long        total_ms;   /* of a whole exchange */
    size_t      body_max;   /* 0: LP_HTTP_BODY_MAX */
} lp_http_options_t;

typedef struct {
    const char *method; /* "PUT" */
    const char *url;
    const char *type;   /* Content-Type; NULL: there is no body */
    const char *token;  /* Bearer; NULL: none */
    const char *authorization; /* instead of it: "Basic ..."; NULL: none */
    long        total_ms; /* of this exchange; 0: as the options have it */
    lp_span_t   body;   /* copied */
    size_t      body_max; /* of the answer; 0: as the options have it */
} lp_http_request_t;

typedef struct lp_http_s lp_http_t;

/* Copies nothing: the options' texts must live on. NULL: no memory. */
lp_http_t *lp_http_create(const lp_http_options_t *options);

/* Breaks off what still runs; nobody is called. NULL is no client. */
void lp_http_destroy(lp_http_t *http);

/* Breaks off what still runs; nobody is called. */
void lp_http_abort(lp_http_t *http);

/*
 * Starts a request; it goes on in lp_http_run(). Returns 0; -1 where memory ran
 * out, and done is not called then.
 */
int lp_http_start(lp_http_t *http, const lp_http_request_t *request,
                  lp_http_done_t done, void *owner);

/* Breaks off what was started for this owner; nobody is called. */
void lp_http_forget(lp_http_t *http, const void *owner);

/* Works on all requests; waits up to wait_ms where there is nothing to do. */
void lp_http_run(lp_http_t *http, int wait_ms);

/* The same, and ends its wait as soon as one of n file descriptors can be
   read; it waits for them also where no request runs. */
void lp_http_run_beside(lp_http_t *http, const int *fds, unsigned n,
                        int wait_ms);

/* How many requests have not ended. */
unsigned lp_http_running(const lp_http_t *http);

/* "could not be reached"; "" for LP_HTTP_ANSWERED. */
const char *lp_http_text(lp_http_result_t result);

#endif
