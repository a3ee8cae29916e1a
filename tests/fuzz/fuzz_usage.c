/*
 * An entry of an edge, or of whoever may write to Redis: the input is lines,
 * the producer, the sequence, then the redirects. What is read, written as an
 * edge would, is the line that was there; what it adds up to is the number of
 * lines that were read.
 */

#include <inttypes.h>
#include <stdio.h>

#include "../../core/day.h"
#include "../../core/keys.h"
#include "../../core/licence.h"
#include "../../workers/tally_batch.h"
#include "must.h"

#define NOW    1788336000 /* 2026-09-02 08:00 UTC */
#define FIELDS 6

static lp_span_t line_cut(lp_span_t *rest);
static void check_entry(const lp_usage_entry_t *entry, lp_span_t producer,
                        lp_span_t sequence);
static uint64_t check_lines(const lp_usage_entry_t *entry,
                            uint64_t *unreadable);
static void check_line(const lp_usage_line_t *line, lp_span_t text);
static void check_part(lp_span_t part, lp_span_t *rest);
static void check_batch(redisReply *fields, uint64_t lines,
                        uint64_t unreadable);


/* A bulk string, a copy of exactly its size. */
static void
make_string(redisReply *reply, lp_span_t text)
{
    memset(reply, 0, sizeof(*reply));
    reply->type = REDIS_REPLY_STRING;
    reply->len = text.len;
    reply->str = malloc(text.len + 1);
    must(reply->str != NULL);
    if (text.len > 0) {
        memcpy(reply->str, text.data, text.len);
    }
    reply->str[text.len] = '\0';
}


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lp_span_t        rest = {(const char *) bytes, len};
    lp_span_t        words[FIELDS];
    redisReply       strings[FIELDS], *elements[FIELDS], array;
    lp_usage_entry_t entry;
    uint64_t         lines, unreadable;
    unsigned         i;

    words[0] = lp_span("p");
    words[1] = line_cut(&rest);
    words[2] = lp_span("n");
    words[3] = line_cut(&rest);
    words[4] = lp_span("b");
    words[5] = rest;

    for (i = 0; i < FIELDS; i++) {
        make_string(&strings[i], words[i]);
        elements[i] = &strings[i];
    }

    memset(&array, 0, sizeof(array));
    array.type = REDIS_REPLY_ARRAY;
    array.element = elements;

    /* without the last field, or with half of it, it is none */
    array.elements = FIELDS - 1;
    must(lp_usage_entry_read(&entry, &array) != 0);
    array.elements = FIELDS;

    if (lp_usage_entry_read(&entry, &array) == 0) {
        check_entry(&entry, words[1], words[3]);
        lines = check_lines(&entry, &unreadable);
        check_batch(&array, lines, unreadable);
    }

    for (i = 0; i < FIELDS; i++) {
        free(strings[i].str);
    }

    return 0;
}


static lp_span_t
line_cut(lp_span_t *rest)
{
    lp_span_t   line = *rest;
    const char *end;

    end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
    line.len = end == NULL ? rest->len : (size_t) (end - rest->data);
    if (rest->data != NULL) {
        rest->data += line.len + (end != NULL);
    }
    rest->len -= line.len + (end != NULL);

    return line;
}


static void
check_entry(const lp_usage_entry_t *entry, lp_span_t producer,
            lp_span_t sequence)
{
    char digits[24];

    must(lp_span_equal(entry->producer, producer));
    must(producer.len == LP_PRODUCER_LEN);
    snprintf(digits, sizeof(digits), "%" PRIu64, entry->sequence);
    must(lp_span_equal(lp_span_of(digits), sequence));
}


static uint64_t
check_lines(const lp_usage_entry_t *entry, uint64_t *unreadable)
{
    lp_usage_reader_t reader;
    lp_usage_line_t   line;
    lp_usage_read_t   read;
    lp_span_t         rest = entry->lines, text;
    uint64_t          lines;

    lp_usage_reader_init(&reader, NOW);
    lp_usage_reader_begin(&reader, entry);
    lines = 0;
    *unreadable = 0;

    while ((read = lp_usage_line(&reader, &line)) != LP_USAGE_END) {
        must(rest.len > 0);
        text = line_cut(&rest);

        if (read == LP_USAGE_LINE) {
            check_line(&line, text);
            lines++;
        } else {
            ++*unreadable;
        }
    }

    must(rest.len == 0);

    return lines;
}


static void
check_line(const lp_usage_line_t *line, lp_span_t text)
{
    char      digits[24] = "", week[LP_WEEK_LEN + 1];
    long long at;
    int64_t   until;
    size_t    n;

    n = strcspn(text.data, " ");
    must(n > 0 && n < 13);
    memcpy(digits, text.data, n);
    at = strtoll(digits, NULL, 10);
    must(at >= LP_USAGE_OLDEST && at <= NOW + LP_USAGE_AHEAD);
    must(line->day == lp_day_amsterdam(at, &until));
    must(strcmp(line->week, lp_day_week(week, line->day)) == 0);

    must(line->school.len == 0 || lp_school_valid(line->school));
    must(lp_product_valid(line->product));
    must(line->user.len == 0
         || (line->user.len == 22 && is_id(line->user.data)));
    must(line->entitlement.len == 0
         || (line->entitlement.len == 22 && is_id(line->entitlement.data)));

    text.data += n;
    text.len -= n;
    check_part(line->school, &text);
    check_part(line->product, &text);
    check_part(line->user, &text);
    check_part(line->entitlement, &text);
    must(text.len == 0);
}


/* A blank, and the part as an edge writes it. */
static void
check_part(lp_span_t part, lp_span_t *rest)
{
    if (part.len == 0) {
        part = lp_span("-");
    }

    must(rest->len > part.len && rest->data[0] == ' ');
    must(memcmp(rest->data + 1, part.data, part.len) == 0);
    rest->data += part.len + 1;
    rest->len -= part.len + 1;
}


/* The same entry in a batch, once: nothing is lost and nothing made up. */
static void
check_batch(redisReply *fields, uint64_t lines, uint64_t unreadable)
{
    static lp_batch_t batch;
    lp_usage_reader_t reader;
    redisReply        id, pair, *parts[2] = {&id, fields}, *entry = &pair;
    uint64_t          clicks;
    uint32_t          i;

    make_string(&id, lp_span("1788336000000-0"));
    memset(&pair, 0, sizeof(pair));
    pair.type = REDIS_REPLY_ARRAY;
    pair.elements = 2;
    pair.element = parts;

    lp_batch_reset(&batch, 7);
    must(lp_batch_take(&batch, &entry, 1) == 1);
    must(batch.n_entries == 1 && batch.entries[0].readable);
    lp_usage_reader_init(&reader, NOW);
    must(lp_batch_add_up(&batch, &reader) == 0);
    must(batch.lines == lines && batch.unreadable == unreadable);

    clicks = 0;
    for (i = 0; i < batch.cells.n; i++) {
        must(lp_product_valid(batch.cell[i].product));
        must(batch.cell[i].week < batch.weeks.n);
        must(batch.cell[i].n_readers <= batch.cell[i].clicks);
        clicks += batch.cell[i].clicks;
    }
    must(clicks + batch.schoolless == lines);

    clicks = 0;
    for (i = 0; i < batch.entitlements.n; i++) {
        must(batch.uses[i].first <= batch.uses[i].last);
        clicks += batch.uses[i].n;
    }
    must(clicks <= lines);

    free(id.str);
}
