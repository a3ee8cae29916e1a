/*
 * The reader of answers. A rehearsed edge may be sick: so everything is
 * bounded, and what is not HTTP/1.1 is said to be malformed rather than
 * guessed at (RFC 9112). What is decided where the RFC leaves room:
 *
 * - a line may end with a bare LF (section 2.2 allows it); a CR elsewhere, a
 *   NUL, a folded line, a name that is no token are malformed;
 * - Content-Length twice is malformed even where both say the same, and so is
 *   one beside Transfer-Encoding; the only coding that is known is chunked;
 * - two Locations are malformed: browsers do not agree on which one they take;
 * - interim answers (1xx) are skipped, 101 is malformed: nobody asked for it;
 * - a body is counted and forgotten; one beyond the bound is malformed.
 *
 * Usually the whole answer lies in one read: then each line is looked at where
 * it lies. Only a line that comes in pieces is put together, in `line`. Of a
 * line longer than that only the beginning is looked at, in both cases, so
 * that pieces make no difference; no header that counts is as long.
 */

#include "answer.h"

#include <string.h>
#include <strings.h>

typedef enum {
    STAGE_STATUS = 0,
    STAGE_HEADER,
    STAGE_BODY,
    STAGE_CHUNK_SIZE,
    STAGE_CHUNK,
    STAGE_CHUNK_END, /* the line end behind its bytes */
    STAGE_TRAILER,
    STAGE_UNTIL_CLOSE,
    STAGE_WHOLE,
    STAGE_MALFORMED
} stage_t;

#define SEEN_LOCATION 0x01
#define SEEN_OUTCOME  0x02
#define SEEN_LENGTH   0x04
#define SEEN_CODING   0x08

/* A line without its end. */
typedef struct {
    const char *data;
    size_t      len;
    int         cut; /* it was longer */
} line_t;

typedef struct {
    const char *name; /* in lower case */
    size_t      len;
    int       (*take)(lp_answer_t *answer, const line_t *value);
} header_t;

static size_t take_lines(lp_answer_t *answer, const char *data, size_t len);
static int count_line(lp_answer_t *answer, size_t len);
static void keep_piece(lp_answer_t *answer, const char *data, size_t len);
static int take_line(lp_answer_t *answer, const char *data, size_t len);
static int take_status(lp_answer_t *answer, const line_t *line);
static int take_header(lp_answer_t *answer, const line_t *line);
static size_t name_length(const line_t *line);
static int take_location(lp_answer_t *answer, const line_t *value);
static int take_outcome(lp_answer_t *answer, const line_t *value);
static int take_length(lp_answer_t *answer, const line_t *value);
static int take_coding(lp_answer_t *answer, const line_t *value);
static int take_connection(lp_answer_t *answer, const line_t *value);
static int end_head(lp_answer_t *answer);
static int next_answer(lp_answer_t *answer);
static int take_chunk_size(lp_answer_t *answer, const line_t *line);
static size_t take_body(lp_answer_t *answer, size_t len);
static int is_text(const char *a, const char *lower, size_t len);
static int same(const line_t *value, const char *text);

static const header_t headers[] = {
    {"location", 8, take_location},
    {"connection", 10, take_connection},
    {"content-length", 14, take_length},
    {"leerpoort-outcome", 17, take_outcome},
    {"transfer-encoding", 17, take_coding},
};

/* RFC 9110, section 5.6.2: what a name is made of. */
static const unsigned char token[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1,
    ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1, ['^'] = 1, ['_'] = 1,
    ['`'] = 1, ['|'] = 1, ['~'] = 1,
    ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1,
    ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1,
    ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1,
    ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1,
    ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1,
    ['S'] = 1, ['T'] = 1, ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1,
    ['Y'] = 1, ['Z'] = 1,
    ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1,
    ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1,
    ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1,
    ['s'] = 1, ['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1,
    ['y'] = 1, ['z'] = 1,
};


void
lp_answer_start(lp_answer_t *answer)
{
    /* Not the two arrays at the end: they are read only as far as written. */
    memset(answer, 0, offsetof(lp_answer_t, location));
    answer->outcome = LP_OUTCOME_NONE;
}


lp_answer_state_t
lp_answer_feed(lp_answer_t *answer, const char *data, size_t len,
               size_t *used)
{
    size_t at = 0;

    while (at < len && answer->stage < STAGE_WHOLE) {
        switch (answer->stage) {
        case STAGE_BODY:
        case STAGE_CHUNK:
        case STAGE_UNTIL_CLOSE:
            at += take_body(answer, len - at);
            break;
        default:
            at += take_lines(answer, data + at, len - at);
        }
    }

    *used = at;
    if (answer->stage == STAGE_WHOLE) {
        return LP_ANSWER_WHOLE;
    }
    return answer->stage == STAGE_MALFORMED ? LP_ANSWER_MALFORMED
                                            : LP_ANSWER_MORE;
}


lp_answer_state_t
lp_answer_close(lp_answer_t *answer)
{
    if (answer->stage == STAGE_UNTIL_CLOSE) {
        answer->stage = STAGE_WHOLE;
        answer->keep = 0;
        return LP_ANSWER_WHOLE;
    }
    return LP_ANSWER_MORE;
}


/* As many lines as there are, until a body begins; returns the bytes. */
static size_t
take_lines(lp_answer_t *answer, const char *data, size_t len)
{
    const char *at = data, *end = data + len, *newline;
    size_t      piece;
    int         failed;

    do {
        newline = memchr(at, '\n', (size_t) (end - at));
        piece = (size_t) ((newline == NULL ? end : newline + 1) - at);
        failed = count_line(answer, piece);

        if (newline == NULL) {
            keep_piece(answer, at, piece);
        } else if (answer->line_len > 0) {
            keep_piece(answer, at, piece - 1);
            failed |= take_line(answer, answer->line, answer->line_len);
            answer->line_len = 0;
        } else {
            failed |= take_line(answer, at, piece - 1);
        }

        if (failed) {
            answer->stage = STAGE_MALFORMED;
        }
        at += piece;
    } while (at < end
             && (answer->stage == STAGE_HEADER
                 || answer->stage == STAGE_STATUS));

    return (size_t) (at - data);
}


/* A chunk's own lines are counted with the body: a body of single bytes, each
   a chunk, is long and no head. */
static int
count_line(lp_answer_t *answer, size_t len)
{
    int chunk = answer->stage == STAGE_CHUNK_SIZE
                || answer->stage == STAGE_CHUNK_END;

    if (chunk) {
        if (len > LP_ANSWER_BODY_MAX - answer->body) {
            return -1;
        }
        answer->body += (uint32_t) len;
        return 0;
    }

    if (len > LP_ANSWER_HEAD_MAX - answer->head) {
        return -1;
    }
    answer->head += (uint32_t) len;
    return 0;
}


static void
keep_piece(lp_answer_t *answer, const char *data, size_t len)
{
    size_t room = 0;

    if (answer->line_len < LP_ANSWER_LINE_MAX) {
        room = LP_ANSWER_LINE_MAX - answer->line_len;
        memcpy(answer->line + answer->line_len, data, len < room ? len : room);
    }
    answer->line_len += (uint32_t) len;
}


/* A whole line, without its LF, of which at most LP_ANSWER_LINE_MAX bytes are
   there. Returns -1 where it is malformed. */
static int
take_line(lp_answer_t *answer, const char *data, size_t len)
{
    line_t line = {data, len, 0};

    if (line.len > LP_ANSWER_LINE_MAX) {
        line.len = LP_ANSWER_LINE_MAX;
        line.cut = 1;

    } else if (line.len > 0 && data[line.len - 1] == '\r') {
        line.len--;
    }

    if (memchr(data, '\r', line.len) != NULL
        || memchr(data, '\0', line.len) != NULL)
    {
        return -1;
    }

    switch (answer->stage) {
    case STAGE_STATUS:
        return take_status(answer, &line);

    case STAGE_HEADER:
        return line.len == 0 ? end_head(answer) : take_header(answer, &line);

    case STAGE_CHUNK_SIZE:
        return take_chunk_size(answer, &line);

    case STAGE_CHUNK_END:
        answer->stage = STAGE_CHUNK_SIZE;
        return line.len == 0 ? 0 : -1;

    default: /* a trailer: read as a header's line, and forgotten */
        if (line.len == 0) {
            answer->stage = STAGE_WHOLE;
            return 0;
        }
        return name_length(&line) > 0 ? 0 : -1;
    }
}


/* HTTP/1.1 302 Moved Temporarily */
static int
take_status(lp_answer_t *answer, const line_t *line)
{
    const char *p = line->data;
    unsigned    i, status = 0;

    if (line->len < 12 || memcmp(p, "HTTP/1.", 7) != 0
        || (p[7] != '0' && p[7] != '1') || p[8] != ' ')
    {
        return -1;
    }

    for (i = 9; i < 12; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return -1;
        }
        status = status * 10 + (unsigned) (p[i] - '0');
    }

    if ((line->len > 12 && p[12] != ' ') || status < 100 || status > 599
        || status == 101)
    {
        return -1;
    }

    answer->status = status;
    answer->http10 = p[7] == '0';
    answer->stage = STAGE_HEADER;
    return 0;
}


static int
take_header(lp_answer_t *answer, const line_t *line)
{
    size_t   name = name_length(line), i;
    line_t   value;

    if (name == 0) {
        return -1;
    }

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (headers[i].len == name
            && is_text(line->data, headers[i].name, name))
        {
            break;
        }
    }
    if (i == sizeof(headers) / sizeof(headers[0]) || answer->status < 200) {
        return 0;
    }

    value = (line_t) {line->data + name + 1, line->len - name - 1, line->cut};
    while (value.len > 0 && (*value.data == ' ' || *value.data == '\t')) {
        value.data++;
        value.len--;
    }
    while (value.len > 0
           && (value.data[value.len - 1] == ' '
               || value.data[value.len - 1] == '\t'))
    {
        value.len--;
    }

    return headers[i].take(answer, &value);
}


/* Of the name before the colon; 0: it is none. */
static size_t
name_length(const line_t *line)
{
    size_t i = 0;

    while (i < line->len && token[(unsigned char) line->data[i]]) {
        i++;
    }

    /* what is cut has so long a name that it is none of ours */
    if (i == line->len) {
        return line->cut ? i : 0;
    }
    return line->data[i] == ':' ? i : 0;
}


static int
take_location(lp_answer_t *answer, const line_t *value)
{
    size_t kept = value->len < LP_LOCATION_KEPT ? value->len : LP_LOCATION_KEPT;

    if (answer->seen & SEEN_LOCATION) {
        return -1;
    }

    answer->seen |= SEEN_LOCATION;
    answer->redirects = 1;
    memcpy(answer->location, value->data, kept);
    answer->location_len = value->len;
    if (value->cut || value->len > LP_LOCATION_KEPT) {
        answer->location_len = LP_LOCATION_KEPT + 1;
        memset(answer->location + kept, 0, LP_LOCATION_KEPT - kept);
    }
    return 0;
}


static int
take_outcome(lp_answer_t *answer, const line_t *value)
{
    unsigned i;

    if (answer->seen & SEEN_OUTCOME) {
        answer->outcome = LP_OUTCOME_NONE; /* which of them? */
        return 0;
    }

    answer->seen |= SEEN_OUTCOME;
    for (i = 0; i < LP_OUTCOMES; i++) {
        if (same(value, lp_outcome_name((lp_outcome_t) i))) {
            answer->outcome = (lp_outcome_t) i;
            break;
        }
    }
    return 0;
}


static int
take_length(lp_answer_t *answer, const line_t *value)
{
    uint32_t n = 0;
    size_t   i;

    if ((answer->seen & SEEN_LENGTH) || value->len == 0 || value->cut) {
        return -1;
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < '0' || value->data[i] > '9') {
            return -1;
        }
        n = n * 10 + (uint32_t) (value->data[i] - '0');
        if (n > LP_ANSWER_BODY_MAX) {
            return -1;
        }
    }

    answer->seen |= SEEN_LENGTH;
    answer->left = n;
    return 0;
}


static int
take_coding(lp_answer_t *answer, const line_t *value)
{
    if ((answer->seen & SEEN_CODING) || value->cut || value->len != 7
        || !is_text(value->data, "chunked", 7))
    {
        return -1;
    }

    answer->seen |= SEEN_CODING;
    answer->chunked = 1;
    return 0;
}


/* A list of words, of which two matter. */
static int
take_connection(lp_answer_t *answer, const line_t *value)
{
    const char *at = value->data, *end = at + value->len;
    size_t      len;

    while (at < end) {
        for (len = 0; at + len < end && token[(unsigned char) at[len]]; len++)
        {
            continue;
        }
        if (len == 5 && is_text(at, "close", 5)) {
            answer->close = 1;
        } else if (len == 10 && is_text(at, "keep-alive", 10)) {
            answer->keep_alive = 1;
        }
        at += len == 0 ? 1 : len;
    }
    return 0;
}


/* The empty line: what follows is a body, nothing, or the real answer. */
static int
end_head(lp_answer_t *answer)
{
    if (answer->status < 200) {
        return next_answer(answer);
    }

    if (answer->chunked && ((answer->seen & SEEN_LENGTH) || answer->http10)) {
        return -1;
    }

    answer->headed = 1;
    answer->keep = !answer->close && (!answer->http10 || answer->keep_alive);

    if (answer->status == 204 || answer->status == 304) {
        answer->stage = STAGE_WHOLE;
    } else if (answer->chunked) {
        answer->stage = STAGE_CHUNK_SIZE;
    } else if (answer->seen & SEEN_LENGTH) {
        answer->stage = answer->left > 0 ? STAGE_BODY : STAGE_WHOLE;
    } else {
        answer->stage = STAGE_UNTIL_CLOSE;
        answer->keep = 0;
    }
    return 0;
}


static int
next_answer(lp_answer_t *answer)
{
    if (++answer->interim > LP_ANSWER_INTERIM_MAX) {
        return -1;
    }
    answer->stage = STAGE_STATUS;
    return 0;
}


/* "1a", perhaps with extensions behind a semicolon. */
static int
take_chunk_size(lp_answer_t *answer, const line_t *line)
{
    uint32_t n = 0;
    size_t   i;
    int      c;

    for (i = 0; i < line->len; i++) {
        c = (unsigned char) line->data[i];
        if (c >= '0' && c <= '9') {
            c -= '0';
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            c = (c | 0x20) - 'a' + 10;
        } else {
            break;
        }
        n = n * 16 + (uint32_t) c;
        if (n > LP_ANSWER_BODY_MAX) {
            return -1;
        }
    }

    if (i == 0
        || (i < line->len && line->data[i] != ';' && line->data[i] != ' '
            && line->data[i] != '\t'))
    {
        return -1;
    }

    answer->left = n;
    answer->stage = n > 0 ? STAGE_CHUNK : STAGE_TRAILER;
    return 0;
}


/* Bytes of a body, which nobody wants. */
static size_t
take_body(lp_answer_t *answer, size_t len)
{
    size_t taken = len;

    if (answer->stage != STAGE_UNTIL_CLOSE && taken > answer->left) {
        taken = answer->left;
    }

    if (taken > LP_ANSWER_BODY_MAX - answer->body) {
        answer->stage = STAGE_MALFORMED;
        return taken;
    }
    answer->body += (uint32_t) taken;
    if (answer->stage == STAGE_UNTIL_CLOSE) {
        return taken;
    }

    answer->left -= (uint32_t) taken;
    if (answer->left == 0) {
        answer->stage = answer->stage == STAGE_CHUNK ? STAGE_CHUNK_END
                                                     : STAGE_WHOLE;
    }
    return taken;
}


/* Of a text in letters and hyphens, without regard to case. */
static int
is_text(const char *a, const char *lower, size_t len)
{
    return strncasecmp(a, lower, len) == 0;
}


static int
same(const line_t *value, const char *text)
{
    return !value->cut && strlen(text) == value->len
           && memcmp(text, value->data, value->len) == 0;
}
