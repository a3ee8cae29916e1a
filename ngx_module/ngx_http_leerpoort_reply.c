/*
 * Replies of Redis: hiredis' reader does the protocol; its object functions,
 * instead of building a tree of mallocs, append to two arrays that are kept
 * from one reply to the next. An error, a nil or a wrong type is an ordinary
 * reply here; what it means is decided by who asked.
 */

#include "ngx_http_leerpoort_reply.h"

#include <stdlib.h>

#include <hiredis/hiredis.h>

/* hiredis 1.0 made element counts size_t and added the types of RESP3. */
#if HIREDIS_MAJOR >= 1
typedef size_t lp_elements_t;
#else
typedef int lp_elements_t;
#endif

/* Bytes of the longest line that counts: see LP_REPLY_COMMAND_MAX(). */
#define LP_REPLY_COUNT_MAX 24

static char *lp_reply_count(char *dst, char kind, size_t count);
static void *lp_reply_string(const redisReadTask *task, char *text, size_t len);
static void *lp_reply_array(const redisReadTask *task, lp_elements_t elements);
static void *lp_reply_integer(const redisReadTask *task, long long value);
static void *lp_reply_nil(const redisReadTask *task);
static void lp_reply_free(void *object);
static void *lp_reply_node(const redisReadTask *task, lp_reply_type_t type,
                           int64_t integer, const char *text, size_t len);
static int lp_reply_grow(void **array, size_t *cap, size_t need, size_t size);
static size_t lp_reply_hash(lp_reply_t *reply);

static redisReplyObjectFunctions  lp_reply_functions = {
    .createString = lp_reply_string,
    .createArray = lp_reply_array,
    .createInteger = lp_reply_integer,
    .createNil = lp_reply_nil,
    .freeObject = lp_reply_free
};


int
lp_reply_create(lp_reply_t *reply)
{
    redisReader *reader;

    memset(reply, 0, sizeof(*reply));

    reader = redisReaderCreateWithFunctions(&lp_reply_functions);
    if (reader == NULL) {
        return -1;
    }

    reader->privdata = reply;
    reply->reader = reader;

    return 0;
}


void
lp_reply_destroy(lp_reply_t *reply)
{
    if (reply->reader != NULL) {
        redisReaderFree(reply->reader);
    }

    free(reply->nodes);
    free(reply->bytes);
    free(reply->fields);
    free(reply->packed);
    memset(reply, 0, sizeof(*reply));
}


int
lp_reply_feed(lp_reply_t *reply, const char *bytes, size_t len)
{
    redisReader *reader;

    reader = reply->reader;

    if (reader->len - reader->pos > LP_REPLY_MAX) {
        return -1;
    }

    return redisReaderFeed(reader, bytes, len) == REDIS_OK ? 0 : -1;
}


int
lp_reply_next(lp_reply_t *reply)
{
    void        *whole;
    redisReader *reader;

    reader = reply->reader;

    /* a new reply starts; a half one goes on where it was */
    if (reader->ridx == -1) {
        reply->n = 0;
        reply->len = 0;
    }

    whole = NULL;
    if (redisReaderGetReply(reader, &whole) != REDIS_OK) {
        return -1;
    }

    /* RESP3, which nobody asked for, has types without a node */
    if (whole != NULL && reply->n == 0) {
        return -1;
    }

    return whole != NULL;
}


lp_span_t
lp_reply_text(const lp_reply_t *reply, const lp_reply_node_t *node)
{
    if (node->type == LP_REPLY_STRING || node->type == LP_REPLY_STATUS
        || node->type == LP_REPLY_ERROR)
    {
        return (lp_span_t) {reply->bytes + node->at, node->len};
    }

    return lp_span("");
}


lp_span_t
lp_reply_error(const lp_reply_t *reply)
{
    lp_span_t text;

    text = lp_span("");

    if (reply->n > 0 && reply->nodes[0].type == LP_REPLY_ERROR) {
        text.data = reply->bytes + reply->nodes[0].at;

        while (text.len < reply->nodes[0].len && text.len < 16
               && text.data[text.len] >= 'A' && text.data[text.len] <= 'Z')
        {
            text.len++;
        }
    }

    return text;
}


lp_span_t
lp_reply_pack(lp_reply_t *reply)
{
    size_t    n, need;
    lp_span_t none = {NULL, 0};

    n = lp_reply_hash(reply);
    if (n == (size_t) -1) {
        return none;
    }

    need = lp_fields_size(reply->fields, n);
    if (lp_reply_grow((void **) &reply->packed, &reply->packed_cap, need, 1)
        != 0)
    {
        return none;
    }

    return (lp_span_t) {reply->packed,
                        lp_fields_pack(reply->packed, reply->fields, n)};
}


lp_link_message_t
lp_reply_link(const lp_reply_t *reply, size_t *first, size_t *count)
{
    size_t                 i;
    lp_span_t              kind;
    const lp_reply_node_t *node;

    node = reply->nodes;

    if (node[0].type != LP_REPLY_ARRAY || node[0].integer != 3
        || reply->n < 4 || node[1].type != LP_REPLY_STRING)
    {
        return LP_LINK_OTHER;
    }

    kind = lp_reply_text(reply, &node[1]);

    if (lp_span_equal(kind, lp_span("subscribe"))) {
        return LP_LINK_SUBSCRIBED;
    }

    if (!lp_span_equal(kind, lp_span("message"))) {
        return LP_LINK_OTHER;
    }

    if (node[3].type == LP_REPLY_NIL) {
        return LP_LINK_ALL;
    }

    if (node[3].type != LP_REPLY_ARRAY) {
        return LP_LINK_BROKEN;
    }

    *first = 4;
    *count = (size_t) node[3].integer;

    for (i = 4; i < reply->n; i++) {
        if (node[i].type != LP_REPLY_STRING) {
            return LP_LINK_BROKEN;
        }
    }

    return *count == reply->n - 4 ? LP_LINK_KEYS : LP_LINK_BROKEN;
}


size_t
lp_reply_command(char *dst, size_t cap, const lp_span_t *args, size_t n)
{
    char   *p;
    size_t  i, need;

    need = LP_REPLY_COMMAND_MAX(n, 0);
    for (i = 0; i < n; i++) {
        need += args[i].len;
    }

    if (need > cap) {
        return 0;
    }

    p = lp_reply_count(dst, '*', n);

    for (i = 0; i < n; i++) {
        p = lp_reply_count(p, '$', args[i].len);

        memcpy(p, args[i].data, args[i].len);
        p += args[i].len;

        *p++ = '\r';
        *p++ = '\n';
    }

    return (size_t) (p - dst);
}


/* A line of RESP that counts. */
static char *
lp_reply_count(char *dst, char kind, size_t count)
{
    char  digits[LP_REPLY_COUNT_MAX], *p;

    p = digits + sizeof(digits);
    *--p = '\n';
    *--p = '\r';

    do {
        *--p = (char) ('0' + count % 10);
        count /= 10;
    } while (count != 0);

    *--p = kind;
    memcpy(dst, p, (size_t) (digits + sizeof(digits) - p));

    return dst + (digits + sizeof(digits) - p);
}


static void *
lp_reply_string(const redisReadTask *task, char *text, size_t len)
{
    return lp_reply_node(task, (lp_reply_type_t) task->type, 0, text, len);
}


static void *
lp_reply_array(const redisReadTask *task, lp_elements_t elements)
{
    return lp_reply_node(task, LP_REPLY_ARRAY, (int64_t) elements, NULL, 0);
}


static void *
lp_reply_integer(const redisReadTask *task, long long value)
{
    return lp_reply_node(task, LP_REPLY_INTEGER, value, NULL, 0);
}


/* The task still has the type of what is missing: a string or an array. */
static void *
lp_reply_nil(const redisReadTask *task)
{
    return lp_reply_node(task, LP_REPLY_NIL, 0, NULL, 0);
}


static void
lp_reply_free(void *object)
{
    (void) object;
}


/* Appends a node. The reader only asks whether the result is NULL. */
static void *
lp_reply_node(const redisReadTask *task, lp_reply_type_t type,
              int64_t integer, const char *text, size_t len)
{
    lp_reply_t      *reply;
    lp_reply_node_t *node;

    reply = task->privdata;

    if (reply->n >= LP_REPLY_NODES_MAX || len > LP_REPLY_MAX - reply->len
        || lp_reply_grow((void **) &reply->nodes, &reply->nodes_cap,
                         reply->n + 1, sizeof(lp_reply_node_t)) != 0
        || lp_reply_grow((void **) &reply->bytes, &reply->bytes_cap,
                         reply->len + len + 1, 1) != 0)
    {
        return NULL;
    }

    node = &reply->nodes[reply->n++];
    node->type = type;
    node->integer = integer;
    node->at = reply->len;
    node->len = len;

    if (len > 0) {
        memcpy(reply->bytes + reply->len, text, len);
        reply->len += len;
    }

    return reply;
}


static int
lp_reply_grow(void **array, size_t *cap, size_t need, size_t size)
{
    void   *grown;
    size_t  wanted;

    if (need <= *cap) {
        return 0;
    }

    wanted = *cap == 0 ? 64 : *cap;
    while (wanted < need) {
        wanted *= 2;
    }

    grown = realloc(*array, wanted * size);
    if (grown == NULL) {
        return -1;
    }

    *array = grown;
    *cap = wanted;

    return 0;
}


/* Fills reply->fields; returns their number, (size_t) -1 for a wrong shape. */
static size_t
lp_reply_hash(lp_reply_t *reply)
{
    size_t                 i, n;
    lp_field_t            *field;
    const lp_reply_node_t *node;

    node = reply->nodes;
    n = node[0].type == LP_REPLY_ARRAY ? (size_t) node[0].integer / 2 : 1;

    if (lp_reply_grow((void **) &reply->fields, &reply->fields_cap, n + 1,
                      sizeof(lp_field_t)) != 0)
    {
        return (size_t) -1;
    }

    if (node[0].type == LP_REPLY_NIL) {
        return 0;
    }

    if (node[0].type == LP_REPLY_STRING) {
        reply->fields[0].name = lp_span("");
        reply->fields[0].value = lp_reply_text(reply, &node[0]);
        return 1;
    }

    if (node[0].type != LP_REPLY_ARRAY || node[0].integer % 2 != 0
        || reply->n != 1 + 2 * n)
    {
        return (size_t) -1;
    }

    for (i = 0; i < n; i++) {
        field = &reply->fields[i];
        if (node[1 + 2 * i].type != LP_REPLY_STRING
            || node[2 + 2 * i].type != LP_REPLY_STRING)
        {
            return (size_t) -1;
        }
        field->name = lp_reply_text(reply, &node[1 + 2 * i]);
        field->value = lp_reply_text(reply, &node[2 + 2 * i]);
    }

    return n;
}
