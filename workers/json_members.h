/*
 * From a JSON object to what a message holds, by tables of its members. What is
 * wrong is refused by the path of the member and why ("entitlement.school: is
 * missing"), never by what it held, which may be the id of a person.
 */

#ifndef LP_JSON_MEMBERS_H
#define LP_JSON_MEMBERS_H

#include <jansson.h>

#include "entitlements.h"

#define LP_PATH_MAX 128 /* bytes of the path of a member */

/* How far the reading of a message is, and where. */
typedef struct {
    lp_service_t *service;
    lp_message_t *message;
    lp_verdict_t *verdict;
    char          path[LP_PATH_MAX];
    size_t        path_len;
    /* of the list entry in hand */
    lp_span_t     id;
    lp_span_t     type;
} lp_reading_t;

typedef enum { LP_OPTIONAL = 0, LP_NEEDED } lp_demand_t;

/* A row of a table; one without a name ends it. */
typedef struct {
    const char *name;
    json_type   type;
    size_t      max; /* bytes of a string */
    lp_demand_t need;
    int (*take)(lp_reading_t *reading, const json_t *value);
} lp_member_t;

/* Gives each member that is there to its taker, in the table's order. Returns
   0; -1: one was refused, and the path stays at it. */
int lp_members_read(lp_reading_t *reading, const lp_member_t *members,
                    const json_t *object);

/* Reads each entry of a list of {id, type} and gives it to keep. 0, -1. */
int lp_members_list(lp_reading_t *reading, const json_t *list,
                    const lp_member_t *members,
                    int (*keep)(lp_reading_t *reading));

/* Goes down to a member; returns the length to come back to. */
size_t lp_reading_enter(lp_reading_t *reading, const char *name);

/* Sets the verdict: the path in hand, then why. Returns -1. */
int lp_refuse(lp_reading_t *reading, const char *why);

/* The same for a member of what is in hand. */
int lp_refuse_at(lp_reading_t *reading, const char *name, const char *why);

#endif
