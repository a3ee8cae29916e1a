/*
 * Lines from whatever can be read, against a model that has all of it at once.
 * The first byte chooses the sizes of the pieces. 1 stands for many bytes, so
 * that a short input makes long lines; at 2 reading fails.
 */

#include "../../workers/ndjson.h"
#include "must.h"

#define MANY  (LP_NDJSON_LINE_MAX / 2 - 1)
#define TEXT_MAX (8 * LP_NDJSON_LINE_MAX)

typedef struct {
    char     text[TEXT_MAX];
    size_t   len;
    size_t   read;
    unsigned pieces;
    int      fails; /* behind the text */
} source_t;

static source_t source;

static void expand(const uint8_t *bytes, size_t len);
static int read_piece(void *from, char *dst, size_t max);
static void compare(lp_ndjson_t *lines);
static lp_ndjson_next_t next_of_model(size_t *at, lp_span_t *line,
                                      uint64_t *number);


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lp_ndjson_t *lines;

    if (len == 0) {
        return 0;
    }

    expand(bytes + 1, len - 1);
    source.pieces = bytes[0];
    lines = lp_ndjson_create(read_piece, &source);
    must(lines != NULL);
    compare(lines);
    lp_ndjson_destroy(lines);

    return 0;
}


static void
expand(const uint8_t *bytes, size_t len)
{
    size_t i, n;

    source.len = source.read = 0;
    source.fails = 0;

    for (i = 0; i < len && !source.fails; i++) {
        n = bytes[i] == 1 ? MANY : 1;
        source.fails = bytes[i] == 2;
        if (source.fails || source.len + n > TEXT_MAX) {
            break;
        }
        memset(source.text + source.len, bytes[i] == 1 ? 'x' : bytes[i], n);
        source.len += n;
    }
}


static int
read_piece(void *from, char *dst, size_t max)
{
    size_t n, left = source.len - source.read;

    must(from == &source && max > 0);
    n = source.pieces == 0 ? max : source.pieces * source.pieces;
    source.pieces = source.pieces * 5 % 256;
    n = n < max ? n : max;

    if (left == 0) {
        return source.fails ? -1 : 0;
    }

    n = n < left ? n : left;
    memcpy(dst, source.text + source.read, n);
    source.read += n;

    return (int) n;
}


static void
compare(lp_ndjson_t *lines)
{
    size_t           at;
    uint64_t         number, expected, count;
    lp_span_t        line, model;
    lp_ndjson_next_t next;

    at = 0;
    count = 0;

    do {
        next = lp_ndjson_next(lines, &line, &number);
        expected = count;
        must(next == next_of_model(&at, &model, &expected));
        must(number == expected);
        must(next != LP_NDJSON_LINE || lp_span_equal(line, model));
        must(line.len <= LP_NDJSON_LINE_MAX || next != LP_NDJSON_LINE);
        count = number;
    } while (next == LP_NDJSON_LINE || next == LP_NDJSON_LONG);

    must(source.read == source.len);
    must(source.fails || lp_ndjson_taken(lines) == source.len);
    must(!lp_ndjson_waits(lines));
}


static lp_ndjson_next_t
next_of_model(size_t *at, lp_span_t *line, uint64_t *number)
{
    const char *end;
    size_t      i;

    while (*at < source.len) {
        *line = (lp_span_t) {source.text + *at, source.len - *at};
        end = memchr(line->data, '\n', line->len);

        if (end == NULL && source.fails) {
            break;
        }
        if (end != NULL) {
            line->len = (size_t) (end - line->data);
        }

        *at += line->len + (end != NULL);
        ++*number;

        if (end != NULL && line->len > 0
            && line->data[line->len - 1] == '\r') {
            line->len--;
        }
        if (line->len > LP_NDJSON_LINE_MAX) {
            return LP_NDJSON_LONG;
        }

        for (i = 0; i < line->len; i++) {
            if (line->data[i] != ' ' && line->data[i] != '\t') {
                return LP_NDJSON_LINE;
            }
        }
    }

    ++*number;

    return source.fails ? LP_NDJSON_CUT : LP_NDJSON_END;
}
