/*
 * Single-sign-on tokens (RFC 7519): whose they are, and whether to believe
 * them. An issuer says what a token must hold and which claims name the user
 * and the school.
 */

#ifndef LP_TOKEN_H
#define LP_TOKEN_H

#include <stdint.h>

#include "jws.h"

#define LP_TOKEN_USERS     3   /* ids of one user in one token, at most */
#define LP_USER_ID_MAX     512 /* bytes */
#define LP_SCHOOL_ID_MAX   64  /* bytes */
#define LP_ID_TYPE_MAX     16  /* bytes */
#define LP_ISSUER_CLAIMS   8   /* user claims, school claims of one issuer */
#define LP_ISSUER_AUDIENCES 8
#define LP_ISSUER_EMPLOYEES 16 /* values that mark one */
#define LP_TIME_MAX        253402300799 /* 9999-12-31T23:59:59Z */

/* A claim and the type of the id that it holds: eckid is an ECK iD. */
typedef struct {
    lp_span_t claim;   /* the name of a top-level member */
    lp_span_t id_type; /* Edu-V userIdType, or ECK; for schools MASTER,
                          OIE_CODE, BP_ID, DD_ID, AS_ID, V_ID */
} lp_claim_t;

/* A claim, and a value of it that only employees of a school have. */
typedef struct {
    lp_span_t claim;
    lp_span_t value;
} lp_mark_t;

/* What tokens of one issuer must be like. Read-only once filled in. */
typedef struct {
    lp_span_t        iss;
    lp_span_t        audiences[LP_ISSUER_AUDIENCES];
    unsigned         n_audiences;
    lp_algs_t        algs;
    lp_claim_t       users[LP_ISSUER_CLAIMS];
    unsigned         n_users; /* 0: the tokens name no user (CLI, APIs) */
    lp_claim_t       schools[LP_ISSUER_CLAIMS];
    unsigned         n_schools;
    lp_mark_t        employees[LP_ISSUER_EMPLOYEES];
    unsigned         n_employees; /* 0: an ECK iD alone tells a pupil */
    int64_t          leeway;  /* seconds by which clocks may differ */
    int64_t          max_age; /* seconds after iat; 0: exp alone decides */
    int              fractions; /* times may have one: RFC 7519 section 2 */
    const lp_jwks_t *keys;
} lp_issuer_t;

typedef struct {
    lp_span_t id_type;
    lp_span_t id;
} lp_id_t;

typedef struct {
    lp_jws_t  jws;
    void     *claims; /* json_t, to be looked at only; not to be released:
                         it lives until lp_token_close() */
    void     *memory; /* what it lies in */
    lp_span_t iss;    /* unverified until lp_token_check() agrees; data NULL:
                         none, or not a string */

    /* set by lp_token_check() */
    int64_t   iat; /* 0: none */
    int64_t   exp;
    lp_id_t   users[LP_TOKEN_USERS];
    unsigned  n_users;
    lp_id_t   school; /* id.data NULL: none */
    int       employee;
} lp_token_t;

/*
 * Takes a token apart as far as its issuer's name, so that the caller can find
 * the issuer. Nothing in it may be believed yet.
 * Whatever it returns, lp_token_close() must follow; between the two the
 * token must not be moved. Not for two threads at once.
 */
lp_jose_error_t lp_token_open(lp_token_t *token, lp_span_t text);

/*
 * Checks algorithm, signature, then claims: typ (none, JWT or at+jwt), iss
 * and aud exactly, exp (now < exp + leeway), nbf, iat, max_age, ids.
 * Times are whole numbers from 0 to LP_TIME_MAX, or with issuer->fractions any
 * numbers, of which the whole part counts; others are absurd, as is an exp
 * before iat. User and school claims that are absent, null or "" do not
 * count; others must be strings without control bytes, of at most
 * LP_USER_ID_MAX and LP_SCHOOL_ID_MAX bytes; a MASTER school only of
 * [A-Za-z0-9_.-]. The first LP_TOKEN_USERS user claims that are there count;
 * of the school claims the first. Where issuer->n_users > 0, a token without
 * any is refused. now: Unix time. Of several faults the first in this order is
 * returned, but a time of a wrong type comes before one that has passed, and
 * of a key that is not there LP_JOSE_EXPIRED is returned where exp has passed.
 * The ids live until lp_token_close().
 * Who is an employee, a claim of issuer->employees says: a string, or an array
 * of which one is enough, has one of the values. Where the token has none of
 * these claims, it is whoever has no ECK iD, if the issuer gives ECK iDs.
 */
lp_jose_error_t lp_token_check(lp_token_t *token, const lp_issuer_t *issuer,
                               int64_t now);

void lp_token_close(lp_token_t *token);

#endif
