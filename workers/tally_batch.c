/*
 * Adding up. Each line costs some look-ups in memory and no question to Redis;
 * what goes to Redis are the distinct entitlements and cells, however often
 * they were clicked.
 */

#include "tally_batch.h"

#include <stdlib.h>

#include "../core/keys.h"

static void reset_sums(lp_batch_t *batch);
static int take_one(lp_batch_t *batch, const redisReply *reply);
static size_t count_lines(lp_span_t text);
static int add_line(lp_batch_t *batch, const lp_usage_line_t *line,
                    uint32_t clicks);
static uint32_t find_cell(lp_batch_t *batch, const lp_usage_line_t *line);
static uint32_t find_week(lp_batch_t *batch, const lp_usage_line_t *line);
static int add_reader(lp_batch_t *batch, uint32_t cell, lp_span_t user);
static int grow(void **list, uint32_t *room, uint32_t n, size_t size);

void
lp_batch_free(lp_batch_t *batch)
{
    lp_names_free(&batch->seen);
    lp_names_free(&batch->entitlements);
    lp_names_free(&batch->weeks);
    lp_names_free(&batch->cells);
    lp_names_free(&batch->readers);
    free(batch->uses);
    free(batch->week);
    free(batch->cell);
    free(batch->reader);
    memset(batch, 0, sizeof(*batch));
}

void
lp_batch_reset(lp_batch_t *batch, unsigned shard)
{
    batch->shard = shard;
    batch->n_entries = 0;
    lp_names_reset(&batch->seen);
    reset_sums(batch);
}

unsigned
lp_batch_take(lp_batch_t *batch, redisReply *const *entries, size_t n)
{
    const lp_batch_entry_t *taken;
    size_t                  i, lines;

    lines = 0;

    for (i = 0; i < n && i < LP_BATCH_ENTRIES && lines < LP_BATCH_LINES;
         i++) {
        if (take_one(batch, entries[i]) != 0) {
            return 0;
        }

        taken = &batch->entries[batch->n_entries - 1];
        if (taken->readable) {
            lines += count_lines(taken->entry.lines);
        }
    }

    return (unsigned) i;
}

int
lp_batch_add_up(lp_batch_t *batch, lp_usage_reader_t *reader)
{
    lp_batch_entry_t *entry;
    lp_usage_line_t   line;
    lp_usage_read_t   read;
    unsigned          i;

    reset_sums(batch);

    for (i = 0; i < batch->n_entries; i++) {
        entry = &batch->entries[i];
        if (!entry->readable) {
            continue;
        }

        lp_usage_reader_begin(reader, &entry->entry);

        while ((read = lp_usage_line(reader, &line)) != LP_USAGE_END) {
            if (read == LP_USAGE_UNREADABLE) {
                batch->unreadable += !entry->repeated;
            } else if (add_line(batch, &line, !entry->repeated) != 0) {
                return -1;
            }
        }
    }

    return 0;
}

uint32_t
lp_batch_use(lp_batch_t *batch, lp_span_t entitlement, uint64_t n,
             uint32_t first, uint32_t last)
{
    lp_batch_use_t *use;
    uint32_t        before, i;

    before = batch->entitlements.n;
    if (grow((void **) &batch->uses, &batch->uses_room, before,
             sizeof(lp_batch_use_t)) != 0) {
        return LP_NAMES_FULL;
    }

    i = lp_names_add(&batch->entitlements, entitlement);
    if (i == LP_NAMES_FULL) {
        return i;
    }

    use = &batch->uses[i];
    if (i == before) {
        memset(use, 0, sizeof(*use));
        use->shard = batch->shard;
        use->first = first;
        use->last = last;
    }

    use->n += n;
    use->first = first < use->first ? first : use->first;
    use->last = last > use->last ? last : use->last;

    return i;
}

static void
reset_sums(lp_batch_t *batch)
{
    lp_names_reset(&batch->entitlements);
    lp_names_reset(&batch->weeks);
    lp_names_reset(&batch->cells);
    lp_names_reset(&batch->readers);
    batch->lines = 0;
    batch->unreadable = 0;
    batch->schoolless = 0;
}

/* [id, fields]; the fields of an entry that was deleted are nil. */
static int
take_one(lp_batch_t *batch, const redisReply *reply)
{
    lp_batch_entry_t *entry = &batch->entries[batch->n_entries];
    char              key[LP_USAGE_KEY_MAX];
    size_t            len;

    memset(entry, 0, sizeof(*entry));

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING) {
        return -1;
    }

    entry->id = (lp_span_t) {reply->element[0]->str,
                             (size_t) reply->element[0]->len};
    entry->deleted = reply->element[1]->type == REDIS_REPLY_NIL;
    entry->readable = lp_usage_entry_read(&entry->entry, reply->element[1])
                      == 0;

    if (entry->readable) {
        len = lp_key_seen(key, batch->shard, entry->entry.producer,
                          entry->entry.sequence / LP_SEEN_BITS);
        entry->seen = lp_names_add(&batch->seen, (lp_span_t) {key, len});

        if (entry->seen == LP_NAMES_FULL) {
            return -1;
        }
    }

    batch->n_entries++;

    return 0;
}

static size_t
count_lines(lp_span_t text)
{
    const char *p = text.data, *end = text.data + text.len;
    size_t      n = 0;

    while (p < end && (p = memchr(p, '\n', (size_t) (end - p))) != NULL) {
        n++;
        p++;
    }

    return n;
}

/* clicks: 1; 0 for a line of a repeated entry, which only names its cell. */
static int
add_line(lp_batch_t *batch, const lp_usage_line_t *line, uint32_t clicks)
{
    uint32_t cell;

    batch->lines += clicks;

    if (clicks > 0 && line->entitlement.len > 0
        && lp_batch_use(batch, line->entitlement, 1, line->day, line->day)
               == LP_NAMES_FULL) {
        return -1;
    }

    if (line->school.len == 0) {
        batch->schoolless += clicks;
        return 0;
    }

    cell = find_cell(batch, line);
    if (cell == LP_NAMES_FULL) {
        return -1;
    }

    batch->cell[cell].clicks += clicks;

    return clicks > 0 && line->user.len > 0
               ? add_reader(batch, cell, line->user) : 0;
}

static uint32_t
find_cell(lp_batch_t *batch, const lp_usage_line_t *line)
{
    lp_batch_cell_t *cell;
    char             key[LP_USAGE_KEY_MAX];
    size_t           len;
    uint32_t         i, before = batch->cells.n;

    if (grow((void **) &batch->cell, &batch->cell_room, before,
             sizeof(lp_batch_cell_t)) != 0) {
        return LP_NAMES_FULL;
    }

    len = lp_key_readers(key, lp_shard(line->school), line->school,
                         line->week, line->product);
    i = lp_names_add(&batch->cells, (lp_span_t) {key, len});

    if (i == before) {
        cell = &batch->cell[i];
        memset(cell, 0, sizeof(*cell));
        cell->product = line->product;
        cell->week = find_week(batch, line);

        if (cell->week == LP_NAMES_FULL) {
            return LP_NAMES_FULL;
        }
    }

    return i;
}

static uint32_t
find_week(lp_batch_t *batch, const lp_usage_line_t *line)
{
    char     key[LP_USAGE_KEY_MAX];
    size_t   len;
    uint32_t i, before = batch->weeks.n;

    if (grow((void **) &batch->week, &batch->week_room, before,
             sizeof(lp_batch_week_t)) != 0) {
        return LP_NAMES_FULL;
    }

    len = lp_key_week(key, lp_shard(line->school), line->school, line->week);
    i = lp_names_add(&batch->weeks, (lp_span_t) {key, len});

    if (i == before) {
        batch->week[i].school = line->school;
        batch->week[i].changed = 0;
        memcpy(batch->week[i].week, line->week, LP_WEEK_LEN);
    }

    return i;
}

static int
add_reader(lp_batch_t *batch, uint32_t cell, lp_span_t user)
{
    char     name[sizeof(cell) + LP_USER_KEY_LEN];
    uint32_t i, before = batch->readers.n;

    if (grow((void **) &batch->reader, &batch->reader_room, before,
             sizeof(lp_batch_reader_t)) != 0) {
        return -1;
    }

    memcpy(name, &cell, sizeof(cell));
    memcpy(name + sizeof(cell), user.data, LP_USER_KEY_LEN);
    i = lp_names_add(&batch->readers, (lp_span_t) {name, sizeof(name)});

    if (i == LP_NAMES_FULL) {
        return -1;
    }

    if (i == before) {
        batch->reader[i].before = batch->cell[cell].readers;
        batch->cell[cell].readers = i + 1;
        batch->cell[cell].n_readers++;
    }

    return 0;
}

/* Room for one element after the first n. */
static int
grow(void **list, uint32_t *room, uint32_t n, size_t size)
{
    uint32_t more = *room == 0 ? 1024 : *room * 2;
    void    *grown;

    if (n < *room) {
        return 0;
    }

    grown = realloc(*list, more * size);
    if (grown == NULL) {
        return -1;
    }

    *list = grown;
    *room = more;

    return 0;
}
