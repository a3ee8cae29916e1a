/*
 * Configuration files in JSON: objects read by tables. A member that is not
 * known is refused like one that is wrong: in a file that decides who may come
 * in, a misspelt name must not be a setting that is silently absent. Texts stay
 * where the JSON reader put them.
 */

#ifndef LP_CONF_MEMBERS_H
#define LP_CONF_MEMBERS_H

#include <jansson.h>
#include <stddef.h>

#include "../core/json.h"

#define LP_CONF_REASON_MAX 256
#define LP_CONF_TEXT_MAX   256 /* bytes of a text, unless its row says other */
#define LP_CONF_LABEL_MAX  64

typedef struct {
    const char *folder; /* of the file: relative names begin there */
    char       *reason; /* room for LP_CONF_REASON_MAX */
    char        where[96]; /* "providers[2].users[0]." */
} lp_conf_t;

typedef enum {
    LP_CONF_TEXT = 0, /* lp_span_t; max: of its bytes, 0: LP_CONF_TEXT_MAX */
    LP_CONF_SECONDS,  /* int64_t, min to max; expected: other than seconds,
                         "sign-ins are" */
    LP_CONF_FLAG,     /* int */
    LP_CONF_FILE,     /* char *, allocated: its name, absolute */
    LP_CONF_ELSE      /* read by the caller */
} lp_conf_kind_t;

typedef struct {
    const char    *name;
    lp_conf_kind_t kind;
    int          (*valid)(lp_span_t text); /* NULL: no control characters */
    const char    *expected;               /* what valid asks for, in words */
    size_t         offset;
    int            needed;
    int64_t        min, max;
} lp_conf_member_t;

/* All of a file: one object; it lives as long as *memory. NULL after refusing,
   and *memory is NULL. */
const json_t *lp_conf_root(lp_conf_t *conf, lp_span_t text,
                           lp_json_memory_t **memory);

/* Reads one object into *target by its table, whose last row has no name. 0;
   -1, and reason says what and where. */
int lp_conf_read(lp_conf_t *conf, const json_t *object,
                 const lp_conf_member_t *members, void *target);

/* An array of at most max; *n 0 where it is absent. */
int lp_conf_array(lp_conf_t *conf, const json_t *object, const char *name,
                  unsigned max, const json_t **array, unsigned *n);

/* A value that is a text of 1 to max bytes; name: what a refusal calls it. */
int lp_conf_text(lp_conf_t *conf, const char *name, const json_t *value,
                 size_t max, lp_span_t *text);

/* Goes into "name" (i -1) or "name[i]"; returns the length to come back to. */
size_t lp_conf_enter(lp_conf_t *conf, const char *name, int i);
void lp_conf_leave(lp_conf_t *conf, size_t len);

/* Sets the reason: where, name ("": the whole of it), what. Returns -1. */
int lp_conf_refuse(lp_conf_t *conf, const char *name, const char *what);
int lp_conf_no_memory(lp_conf_t *conf);

/* Predicates of several files. */
int lp_conf_is_url(lp_span_t text);   /* https; http only to loopback */
int lp_conf_is_endpoint(lp_span_t text); /* likewise; may have a query */
int lp_conf_is_name(lp_span_t text);  /* visible ASCII without quotes */
int lp_conf_is_label(lp_span_t text); /* [a-z0-9-]{1,64} */

#endif
