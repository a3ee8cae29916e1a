/*
 * Replies of Redis as the edge reads them. Free of nginx, so that it can be
 * fuzzed alone: bytes in, whole replies out.
 */

#ifndef NGX_HTTP_LEERPOORT_REPLY_H_INCLUDED
#define NGX_HTTP_LEERPOORT_REPLY_H_INCLUDED

#include <stdint.h>

#include "fields.h"
#include "span.h"

typedef enum {
    LP_REPLY_STRING = 1, /* the numbers of hiredis */
    LP_REPLY_ARRAY = 2,
    LP_REPLY_INTEGER = 3,
    LP_REPLY_NIL = 4,
    LP_REPLY_STATUS = 5,
    LP_REPLY_ERROR = 6
} lp_reply_type_t;

/* One element; the elements of an array follow it. */
typedef struct {
    lp_reply_type_t type;
    int64_t         integer; /* of an integer; of an array its elements */
    size_t          at;      /* of text: where it stands in bytes */
    size_t          len;
} lp_reply_node_t;

typedef struct {
    lp_reply_node_t *nodes;
    size_t           n, nodes_cap;
    char            *bytes;
    size_t           len, bytes_cap;

    void            *reader;  /* redisReader */
    lp_field_t      *fields;  /* for lp_reply_pack() */
    size_t           fields_cap;
    char            *packed;
    size_t           packed_cap;
} lp_reply_t;

/* Bytes of one reply, and of its parts, that are taken at most. A message that
   names 5,000 keys is 69 kB; a school's hash of 5,000 products 300 kB. */
#define LP_REPLY_MAX  (8 * 1024 * 1024)
#define LP_REPLY_NODES_MAX (256 * 1024)

/* Returns 0, -1 when memory ran out. */
int lp_reply_create(lp_reply_t *reply);

void lp_reply_destroy(lp_reply_t *reply);

/* Takes bytes from the wire. Returns 0, -1 when memory ran out. */
int lp_reply_feed(lp_reply_t *reply, const char *bytes, size_t len);

/*
 * Takes the next whole reply. Returns 1 and fills nodes and bytes, good until
 * the next call; 0 when more bytes are needed; -1 for what is no reply
 * or too large: the connection is of no more use.
 */
int lp_reply_next(lp_reply_t *reply);

/* The text of a node; empty for what has no text. */
lp_span_t lp_reply_text(const lp_reply_t *reply, const lp_reply_node_t *node);

/* The first word of an error ("WRONGTYPE"), at most 16 capitals; else "". */
lp_span_t lp_reply_error(const lp_reply_t *reply);

/*
 * Packs a reply to HGETALL (names and values in turn; empty: no such key) or
 * to GET (one field named "" ; nil: no such key).
 * Returns the packed fields, good until the next call; data NULL when the
 * reply is not of that shape or memory ran out.
 */
lp_span_t lp_reply_pack(lp_reply_t *reply);

/* What a message on the invalidation link may be. */
typedef enum {
    LP_LINK_OTHER,      /* not a push message */
    LP_LINK_SUBSCRIBED, /* the reply to SUBSCRIBE */
    LP_LINK_KEYS,       /* nodes first .. first + count - 1 name keys */
    LP_LINK_ALL,        /* everything may have changed */
    LP_LINK_BROKEN      /* a push message that can't be read */
} lp_link_message_t;

lp_link_message_t lp_reply_link(const lp_reply_t *reply, size_t *first,
                                size_t *count);

/* Room for a command of n arguments, which are len bytes together. */
#define LP_REPLY_COMMAND_MAX(n, len) (24 + (n) * 26 + (len))

/*
 * Writes a command in RESP: n arguments. dst has room for cap bytes.
 * Returns its length; 0 where cap is below LP_REPLY_COMMAND_MAX().
 */
size_t lp_reply_command(char *dst, size_t cap, const lp_span_t *args,
                        size_t n);

#endif
