/*
 * Who asks for usage, about whom, and what he may see.
 */

#ifndef LP_USAGE_VIEWER_H
#define LP_USAGE_VIEWER_H

#include "service.h"

#define LP_SCOPE_ENTITLOR  "usage.entitlor"
#define LP_SCOPE_SELLER    "usage.seller"
#define LP_SCOPE_DASHBOARD "usage.dashboard"

typedef struct {
    lp_span_t party;     /* sees what it has sent; len 0: no supplier */
    int       dashboard; /* may see all of a school that consents */
    int       all;       /* ... and this one does; after lp_viewer_permit() */
} lp_viewer_t;

/* -1 after answering: the token allows nothing of this. */
int lp_viewer_open(lp_viewer_t *viewer, lp_service_t *service,
                   lp_request_t *request);

/* 1 where the record came from the viewer's party. */
int lp_viewer_owns(const lp_viewer_t *viewer, const lp_record_t *record);

/*
 * Asks for the consent of the school (len 0: none) where that matters. -1 after
 * answering: the viewer may see nothing there, or Redis failed.
 */
int lp_viewer_permit(lp_viewer_t *viewer, lp_service_t *service,
                     lp_request_t *request, lp_span_t school);

/* 1 where the school consents to dashboards, 0; -1: Redis failed. */
int lp_school_consents(lp_service_t *service, lp_span_t school);

/*
 * Which school a SchoolReference (Edu-V) names: its master identifier in dst.
 * master: a master identifier, len 0: the alias counts. Returns 0; -1 after
 * answering: a wrong one, an unknown one, Redis failed. where: the path of the
 * fields in refusals, "school.", or "".
 */
typedef struct {
    lp_span_t   master;
    lp_span_t   type, id;
    const char *names[3]; /* of master, type and id, for refusals */
} lp_school_asked_t;

int lp_school_find(lp_value_t *dst, lp_service_t *service,
                   lp_request_t *request, const lp_school_asked_t *asked);

/*
 * Reads the body of POST /v1/usage/school/user. asked->master and asked->id
 * are both empty where the person is a private customer. *n user keys. Returns
 * 0; -1 after answering.
 */
int lp_user_asked(lp_service_t *service, lp_request_t *request,
                  const json_t *body, lp_school_asked_t *asked,
                  char users[LP_TOKEN_USERS][LP_USER_KEY_LEN], unsigned *n);

#endif
