/*
 * Journal entries. They hold what a message to another party needs and no
 * more; persons only sealed. An entry is as true as the transaction that it
 * is part of.
 */

#include "journal.h"

#include <inttypes.h>
#include <stdio.h>

#define WORDS_MAX 32
#define DIGITS    24

typedef struct {
    lp_span_t list[WORDS_MAX];
    unsigned  n;
    char      key[LP_KEY_MAX];
} entry_t;

static void begin(entry_t *entry, const lp_record_t *record,
                  const char *kind);
static void field(entry_t *entry, const char *name, lp_span_t value);

void
lp_journal_activation(lp_store_t *store, const lp_record_t *record,
                      uint32_t day, uint32_t until, lp_span_t person, int over)
{
    entry_t entry;
    char    days[2][DIGITS];

    if (record->party.len == 0) {
        return;
    }

    snprintf(days[0], DIGITS, "%08" PRIu32, day);
    snprintf(days[1], DIGITS, "%08" PRIu32, until);

    begin(&entry, record, "activation");
    field(&entry, "type", lp_span_of(lp_type_name(record->type)));
    field(&entry, "school", lp_field(&record->school));
    field(&entry, "day", lp_span_of(days[0]));
    field(&entry, "until", lp_span_of(days[1]));
    field(&entry, "person", person);
    field(&entry, "over", over ? lp_span("1") : lp_span(""));

    lp_store_add(store, (lp_words_t) {entry.list, entry.n});
}

void
lp_journal_confirmation(lp_store_t *store, const lp_record_t *record,
                        lp_span_t reference, int64_t at, lp_status_t status)
{
    entry_t entry;
    char    time[DIGITS];

    if (record->party.len == 0) {
        return;
    }

    snprintf(time, DIGITS, "%" PRId64, at);

    begin(&entry, record, "confirmation");
    field(&entry, "ref", reference);
    field(&entry, "at", lp_span_of(time));
    field(&entry, "status", lp_span_of(lp_status_name(status)));

    lp_store_add(store, (lp_words_t) {entry.list, entry.n});
}

static void
begin(entry_t *entry, const lp_record_t *record, const char *kind)
{
    entry->list[0] = lp_span("XADD");
    entry->list[1] = (lp_span_t) {entry->key,
                                  lp_key_journal(entry->key, record->shard)};
    entry->list[2] = lp_span("*");
    entry->n = 3;

    field(entry, "kind", lp_span_of(kind));
    field(entry, "party", lp_field(&record->party));
    field(entry, "entitlement", (lp_span_t) {record->entitlement,
                                             LP_ENTITLEMENT_LEN});
    field(entry, "product", lp_field(&record->product));
}

/* What is empty is left out. */
static void
field(entry_t *entry, const char *name, lp_span_t value)
{
    if (value.len > 0) {
        entry->list[entry->n++] = lp_span_of(name);
        entry->list[entry->n++] = value;
    }
}
