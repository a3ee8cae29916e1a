/*
 * Who somebody is, as ids: what a provider or a platform says of a person, in
 * Leerpoort's terms. Lives in memory, in the session cookie of the person, and
 * sealed in Redis; never in a log.
 */

#ifndef LP_WHO_H
#define LP_WHO_H

#include <jansson.h>

#include "../core/token.h"
#include "../core/user_key.h"
#include "../workers/store.h"

typedef struct {
    char type[LP_ID_TYPE_MAX + 1]; /* "": none */
    char id[LP_USER_ID_MAX + 1];
} lp_who_id_t;

typedef struct {
    lp_who_id_t users[LP_TOKEN_USERS];
    unsigned    n_users;
    lp_who_id_t school; /* type MASTER, or an alias' */
    int         employee;
} lp_who_t;

#define LP_MAPPING_MAX 16
#define LP_CLAIM_PATH_MAX 128

/* A claim, by the path of its members: "eckid", "custom.eckid"; a member whose
   name has a dot or a slash in it stands in one piece as it is where the claims
   have it so. */
typedef struct {
    lp_span_t path;
    lp_span_t id_type; /* of an id */
    lp_span_t value;   /* of a mark */
} lp_mapped_t;

/* Which claims hold whom. All of it from the configuration. */
typedef struct {
    lp_mapped_t users[LP_MAPPING_MAX];
    unsigned    n_users;
    lp_mapped_t schools[LP_MAPPING_MAX];
    unsigned    n_schools;
    lp_mapped_t employees[LP_MAPPING_MAX]; /* path, value */
    unsigned    n_employees;
    lp_span_t   school; /* all are of this one (MASTER); len 0: by claim */
} lp_mapping_t;

typedef enum {
    LP_WHO_OK = 0,
    LP_WHO_NOBODY,     /* no claim that names a person */
    LP_WHO_BAD,        /* an id that can't be one */
    LP_WHO_NO_SCHOOL   /* where one is needed: no claim, or not known */
} lp_who_result_t;

/*
 * Adds what claims say to *who, which the caller has zeroed: the claims of an
 * id_token first, then those of userinfo, say. A claim may be a string or an
 * array whose first element is one. An id "https://ketenid.nl/..." must have
 * the form of an ECK iD to be taken as ECK. Returns LP_WHO_OK,
 * also where nothing was found, or LP_WHO_BAD.
 */
lp_who_result_t lp_who_add(lp_who_t *who, const lp_mapping_t *mapping,
                           const json_t *claims);

/* Whether it is enough: somebody, and where needed a school that Redis knows.
   *status is the store's. */
lp_who_result_t lp_who_check(const lp_who_t *who, lp_store_t *store,
                             int school_needed, lp_store_status_t *status);

/* As JSON, to be sealed or signed: each id type is a member, the school's type
   too, "role" is "student" or "employee". A new reference; NULL: no memory. */
json_t *lp_who_json(const lp_who_t *who);
int     lp_who_from_json(lp_who_t *who, const json_t *json);

/* The user keys, LP_USER_KEY_LEN each. Returns 0, -1. */
int lp_who_keys(char keys[LP_TOKEN_USERS][LP_USER_KEY_LEN],
                const lp_who_t *who, lp_pepper_t *pepper);

/* 1 where ids of this type are schools': MASTER, or an alias' type. */
int lp_who_is_school_type(lp_span_t type);

void lp_who_wipe(lp_who_t *who);

#endif
