/*
 * A record as Redis may hold it: the input is lines, names and values in turn;
 * a first byte below 5 makes something else of a line than a string. What is
 * read is within its bounds and, written, reads as the same.
 */

#include "../../core/day.h"
#include "echo.h"
#include "must.h"

#define ENTITLEMENT "JOOUVFNgS6SBnwPlm43WeQ"
#define LINES_MAX   128

static size_t make_reply(redisReply *array, lp_span_t text);
static void make_line(redisReply *reply, lp_span_t line);
static int has_twins(const redisReply *array);
static void check(const lp_record_t *record);


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    redisReply  array;
    lp_record_t record;
    lp_right_t  right;

    array.elements = make_reply(&array, (lp_span_t) {(const char *) bytes,
                                                     len});

    if (lp_record_read(&record, ENTITLEMENT, 7, &array) != 0) {
        return 0;
    }

    must(record.exists == (array.elements > 0) && record.shard == 7);

    if (record.exists) {
        check(&record);
        if (!has_twins(&array)) {
            echo_check(&record);
        }
    }

    if (lp_record_right(&record, &right)) {
        must(record.status != LP_STATUS_CANCELLED);
        must(right.state == LP_LICENSED || right.state == LP_BLOCKED
             || record.status == LP_STATUS_ENTITLED);
        must(right.from == 0 || lp_day_valid(right.from));
        must(right.until == 0 || lp_day_valid(right.until));
    }

    return 0;
}


/* The strings are copies of exactly their size, and live until the next
   input. */
static size_t
make_reply(redisReply *array, lp_span_t text)
{
    static redisReply  lines[LINES_MAX];
    static redisReply *elements[LINES_MAX];
    lp_span_t          line;
    const char        *end;
    size_t             n;

    for (n = 0; n < LINES_MAX; n++) {
        free(lines[n].str);
        lines[n].str = NULL;
    }

    memset(array, 0, sizeof(*array));
    array->type = REDIS_REPLY_ARRAY;
    array->element = elements;

    for (n = 0; n < LINES_MAX && text.len > 0; n++) {
        end = memchr(text.data, '\n', text.len);
        line.data = text.data;
        line.len = end == NULL ? text.len : (size_t) (end - text.data);
        text.data += line.len + (end != NULL);
        text.len -= line.len + (end != NULL);
        make_line(&lines[n], line);
        elements[n] = &lines[n];
    }

    return n;
}


static void
make_line(redisReply *reply, lp_span_t line)
{
    static const int types[] = {
        REDIS_REPLY_NIL,   REDIS_REPLY_INTEGER, REDIS_REPLY_ERROR,
        REDIS_REPLY_ARRAY, REDIS_REPLY_STATUS,
    };

    memset(reply, 0, sizeof(*reply));
    reply->type = REDIS_REPLY_STRING;

    if (line.len > 0 && (unsigned char) line.data[0] < 5) {
        reply->type = types[(unsigned char) line.data[0]];
    }

    if (reply->type == REDIS_REPLY_STRING
        || reply->type == REDIS_REPLY_STATUS) {
        reply->str = malloc(line.len + 1);
        must(reply->str != NULL);
        memcpy(reply->str, line.data, line.len);
        reply->str[line.len] = '\0';
        reply->len = line.len;
    }
}


/* A name that is there twice, as in no hash: it must do no harm, but what it
   means is not said. */
static int
has_twins(const redisReply *array)
{
    size_t            i, j;
    const redisReply *a, *b;

    for (i = 0; i < array->elements; i += 2) {
        for (j = i + 2; j < array->elements; j += 2) {
            a = array->element[i];
            b = array->element[j];
            if (a->len == b->len && memcmp(a->str, b->str, a->len) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


static void
check(const lp_record_t *record)
{
    unsigned i;

    must(record->product.len > 0 && record->product.len <= LP_FIELD_MAX);
    must(record->party.len <= LP_FIELD_MAX);
    must(record->school.len <= LP_FIELD_MAX);
    must(record->type > LP_TYPE_NONE && record->type < LP_TYPES);
    must(record->status > LP_STATUS_NONE && record->status < LP_STATUSES);
    must(record->n_users <= LP_TOKEN_USERS);
    must(record->created >= 0 && record->count <= INT64_MAX);
    must(record->licensed == 0 || lp_day_valid(record->licensed));
    must(!record->has_next || is_id(record->next));
    must(!record->has_open || is_id(record->open));

    for (i = 0; i < record->n_users; i++) {
        must(is_id(record->users[i]));
    }

    for (i = 0; i < LP_RECORD_REFS; i++) {
        must(record->refs[i].at >= 0);
        must(record->refs[i].at == 0
             || lp_record_ref(record, record->refs[i].id) != NULL);
    }
}
