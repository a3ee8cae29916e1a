/*
 * Reading what edges wrote. A line is split at single spaces and every part is
 * checked for what it may hold, because parts become names of keys. A line
 * without its newline is one that was cut off: it is unreadable, like a line
 * with a time that can't be.
 */

#include "usage_entry.h"

#include "../core/chars.h"
#include "../core/day.h"
#include "../core/keys.h"
#include "../core/licence.h"
#include "../core/right.h"
#include "../core/user_key.h"

#define PARTS        5
#define TIME_DIGITS  12 /* of a Unix time */
#define DIGITS       19 /* of a number below 2^63 */

static lp_span_t text_of(const redisReply *reply);
static int read_number(lp_span_t text, size_t digits, uint64_t *number);
static int is_producer(lp_span_t text);
static int split(lp_span_t text, lp_span_t *parts);
static int read_parts(lp_usage_line_t *line, const lp_span_t *parts);
static int optional(lp_span_t *dst, lp_span_t part);
static int is_id(lp_span_t text, size_t len);
static int read_time(lp_usage_reader_t *reader, lp_span_t text);

int
lp_usage_entry_read(lp_usage_entry_t *entry, const redisReply *fields)
{
    lp_span_t name, value;
    unsigned  found;
    size_t    i;

    if (fields == NULL || fields->type != REDIS_REPLY_ARRAY) {
        return -1;
    }

    found = 0;

    for (i = 0; i + 1 < fields->elements; i += 2) {
        name = text_of(fields->element[i]);
        value = text_of(fields->element[i + 1]);

        if (lp_span_equal(name, lp_span("p")) && is_producer(value)) {
            entry->producer = value;
            found |= 1;
        } else if (lp_span_equal(name, lp_span("n"))
                   && read_number(value, DIGITS, &entry->sequence) == 0) {
            found |= 2;
        } else if (lp_span_equal(name, lp_span("b"))
                   && value.len <= LP_USAGE_LINES_MAX) {
            entry->lines = value;
            found |= 4;
        }
    }

    return found == 7 ? 0 : -1;
}

void
lp_usage_reader_init(lp_usage_reader_t *reader, int64_t now)
{
    memset(reader, 0, sizeof(*reader));
    reader->latest = now + LP_USAGE_AHEAD;
}

void
lp_usage_reader_begin(lp_usage_reader_t *reader, const lp_usage_entry_t *entry)
{
    reader->rest = entry->lines;
}

lp_usage_read_t
lp_usage_line(lp_usage_reader_t *reader, lp_usage_line_t *line)
{
    lp_span_t   text, parts[PARTS];
    const char *end;

    if (reader->rest.len == 0) {
        return LP_USAGE_END;
    }

    end = memchr(reader->rest.data, '\n', reader->rest.len);
    if (end == NULL) {
        reader->rest.len = 0;
        return LP_USAGE_UNREADABLE;
    }

    text.data = reader->rest.data;
    text.len = (size_t) (end - text.data);
    reader->rest.data = end + 1;
    reader->rest.len -= text.len + 1;

    if (split(text, parts) != 0 || read_time(reader, parts[0]) != 0
        || read_parts(line, parts) != 0) {
        return LP_USAGE_UNREADABLE;
    }

    line->day = reader->day;
    memcpy(line->week, reader->week, sizeof(line->week));

    return LP_USAGE_LINE;
}

static lp_span_t
text_of(const redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_STRING) {
        return (lp_span_t) {NULL, 0};
    }

    return (lp_span_t) {reply->str, (size_t) reply->len};
}

/* Digits alone, one at least; leading zeros would be a second spelling. */
static int
read_number(lp_span_t text, size_t digits, uint64_t *number)
{
    uint64_t n;
    size_t   i;

    if (text.len == 0 || text.len > digits
        || (text.data[0] == '0' && text.len > 1)) {
        return -1;
    }

    n = 0;

    for (i = 0; i < text.len; i++) {
        if (!lp_char_is((unsigned char) text.data[i], LP_CHAR_DIGIT)) {
            return -1;
        }
        n = n * 10 + (uint64_t) (text.data[i] - '0');
    }

    if (n > INT64_MAX) {
        return -1;
    }

    *number = n;

    return 0;
}

static int
is_producer(lp_span_t text)
{
    size_t i;

    if (text.len != LP_PRODUCER_LEN) {
        return 0;
    }

    for (i = 0; i < text.len; i++) {
        if (!lp_char_is((unsigned char) text.data[i], LP_CHAR_HEX)) {
            return 0;
        }
    }

    return 1;
}

/* Into exactly PARTS parts, none of them empty. */
static int
split(lp_span_t text, lp_span_t *parts)
{
    const char *space;
    size_t      len;
    unsigned    i;

    for (i = 0; i < PARTS; i++) {
        space = text.len > 0 ? memchr(text.data, ' ', text.len) : NULL;

        if ((space == NULL) != (i == PARTS - 1)) {
            return -1;
        }

        len = space == NULL ? text.len : (size_t) (space - text.data);
        if (len == 0) {
            return -1;
        }

        parts[i] = (lp_span_t) {text.data, len};

        if (space != NULL) {
            text.data += len + 1;
            text.len -= len + 1;
        }
    }

    return 0;
}

static int
read_parts(lp_usage_line_t *line, const lp_span_t *parts)
{
    line->product = parts[2];

    if (optional(&line->school, parts[1]) == 0
        && !lp_school_valid(line->school)) {
        return -1;
    }

    if (!lp_product_valid(line->product)) {
        return -1;
    }

    if (optional(&line->user, parts[3]) == 0
        && !is_id(line->user, LP_USER_KEY_LEN)) {
        return -1;
    }

    if (optional(&line->entitlement, parts[4]) == 0
        && !is_id(line->entitlement, LP_ENTITLEMENT_LEN)) {
        return -1;
    }

    return 0;
}

/* Returns 0 where there is one, 1 for "-". */
static int
optional(lp_span_t *dst, lp_span_t part)
{
    if (lp_span_equal(part, lp_span("-"))) {
        *dst = (lp_span_t) {NULL, 0};
        return 1;
    }

    *dst = part;

    return 0;
}

/* So many characters of base64url. */
static int
is_id(lp_span_t text, size_t len)
{
    size_t        i;
    unsigned char c;

    if (text.len != len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        c = (unsigned char) text.data[i];
        if (!lp_char_is(c, LP_CHAR_ALNUM) && c != '-' && c != '_') {
            return 0;
        }
    }

    return 1;
}

/* Sets the reader's day and week. */
static int
read_time(lp_usage_reader_t *reader, lp_span_t text)
{
    uint64_t number;
    int64_t  at;

    if (read_number(text, TIME_DIGITS, &number) != 0) {
        return -1;
    }

    at = (int64_t) number;
    if (at < LP_USAGE_OLDEST || at > reader->latest) {
        return -1;
    }

    /* from since on the day is known, back to midnight it would be, too */
    if (at < reader->since || at >= reader->until) {
        reader->day = lp_day_amsterdam(at, &reader->until);
        reader->since = at;
        lp_day_week(reader->week, reader->day);
    }

    return 0;
}
