/*
 * Read in pages (HSCAN), so that Redis, which answers clicks meanwhile, is
 * never held up by one long answer. A search goes through all of it: 50,000
 * names are some megabytes, a few milliseconds, for a teacher now and then.
 *
 * Where Redis fails while it is read anew, the former one serves on.
 */

#include "shelf.h"

#include <stdio.h>
#include <stdlib.h>

#include "../core/fold.h"
#include "../workers/products.h"
#include "../workers/watched_file.h"

#define PAGE       "1000" /* fields of a page */
#define CURSOR_MAX 24
#define ISBN_MIN   13     /* characters: ten digits, three hyphens */

typedef struct {
    char  *folded; /* "<name> <id>", what is searched and sorted by */
    char  *id;     /* as it is, behind folded in the same memory */
    size_t id_len;
} entry_t;

typedef struct {
    entry_t *list;
    unsigned n;
    unsigned room;
} entries_t;

struct lp_shelf_s {
    entries_t entries;
    int64_t   read_at; /* 0: never */
};

static int refresh(lp_shelf_t *shelf, lp_store_t *store);
static int read_pages(entries_t *entries, lp_store_t *store);
static int take_page(entries_t *entries, const redisReply *list);
static int take(entries_t *entries, lp_span_t id, lp_span_t name);
static void finish(entries_t *entries);
static void free_entries(entries_t *entries);
static void drop_hyphens(char *word);
static int by_text(const void *a, const void *b);
static unsigned split(char *folded, char **words);
static int matches(const entry_t *entry, char *const *words, unsigned n);

lp_shelf_t *
lp_shelf_open(void)
{
    return calloc(1, sizeof(lp_shelf_t));
}

void
lp_shelf_close(lp_shelf_t *shelf)
{
    if (shelf != NULL) {
        free_entries(&shelf->entries);
        free(shelf);
    }
}

int
lp_shelf_search(lp_shelf_t *shelf, lp_store_t *store, lp_span_t query,
                lp_span_t *hits, int *more)
{
    const entry_t *entry;
    char          *words[LP_SHELF_WORDS];
    char           folded[LP_FOLDED_MAX];
    unsigned       i, n_words;
    int            n = 0;

    *more = 0;
    if (refresh(shelf, store) != 0) {
        return -1;
    }
    (void) lp_fold(folded, query);
    n_words = split(folded, words);
    for (i = 0; i < shelf->entries.n && !*more; i++) {
        entry = &shelf->entries.list[i];
        if (!matches(entry, words, n_words)) {
            continue;
        }
        if (n == LP_SHELF_HITS) {
            *more = 1;
        } else {
            hits[n++] = (lp_span_t) {entry->id, entry->id_len};
        }
    }
    return n;
}

static int
refresh(lp_shelf_t *shelf, lp_store_t *store)
{
    entries_t new = {NULL, 0, 0};
    int64_t   now = lp_watched_clock();

    if (shelf->read_at != 0 && now - shelf->read_at < LP_SHELF_AGE) {
        return 0;
    }
    if (read_pages(&new, store) != 0) {
        free_entries(&new);
        return shelf->read_at != 0 ? 0 : -1;
    }
    finish(&new);
    free_entries(&shelf->entries);
    shelf->entries = new;
    shelf->read_at = now == 0 ? 1 : now;
    return 0;
}

static int
read_pages(entries_t *entries, lp_store_t *store)
{
    const redisReply *reply;
    char              cursor[CURSOR_MAX] = "0";

    do {
        reply = lp_store_ask(store, LP_WORDS(lp_span("HSCAN"),
                                             lp_span(LP_PRODUCTS_KEY),
                                             lp_span_of(cursor),
                                             lp_span("COUNT"),
                                             lp_span(PAGE)));
        if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
            || reply->elements != 2
            || lp_store_text(reply->element[0]).len == 0
            || lp_store_text(reply->element[0]).len >= sizeof(cursor)) {
            return -1;
        }
        snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
        if (take_page(entries, reply->element[1]) != 0) {
            return -1;
        }
    } while (strcmp(cursor, "0") != 0 && entries->n < LP_SHELF_MAX);
    return 0;
}

static int
take_page(entries_t *entries, const redisReply *list)
{
    lp_span_t id;
    size_t    i;

    for (i = 0; list->type == REDIS_REPLY_ARRAY && i + 1 < list->elements;
         i += 2) {
        id = lp_store_text(list->element[i]);
        if (id.data != NULL && lp_product_valid(id)
            && entries->n < LP_SHELF_MAX
            && take(entries, id, lp_store_text(list->element[i + 1])) != 0) {
            return -1;
        }
    }
    return 0;
}

static int
take(entries_t *entries, lp_span_t id, lp_span_t name)
{
    entry_t *list, *entry;
    char     folded[LP_FOLDED_MAX], folded_id[LP_FOLDED_MAX];
    size_t   len, id_len;

    if (entries->n == entries->room) {
        list = realloc(entries->list,
                       (entries->room + 1024) * sizeof(entry_t));
        if (list == NULL) {
            return -1;
        }
        entries->list = list;
        entries->room += 1024;
    }
    len = lp_fold(folded, name);
    (void) lp_fold(folded_id, id);
    drop_hyphens(folded_id);
    id_len = strlen(folded_id);
    entry = &entries->list[entries->n];
    entry->folded = malloc(len + 1 + id_len + 1 + id.len);
    if (entry->folded == NULL) {
        return -1;
    }
    memcpy(entry->folded, folded, len);
    entry->folded[len] = ' ';
    memcpy(entry->folded + len + 1, folded_id, id_len + 1);
    entry->id = entry->folded + len + 1 + id_len + 1;
    memcpy(entry->id, id.data, id.len);
    entry->id_len = id.len;
    entries->n++;
    return 0;
}

/* By name; what HSCAN told twice, once. */
static void
finish(entries_t *entries)
{
    unsigned i, kept = 0;

    if (entries->n == 0) {
        return;
    }
    qsort(entries->list, entries->n, sizeof(entries->list[0]), by_text);
    for (i = 0; i < entries->n; i++) {
        if (kept > 0
            && by_text(&entries->list[i], &entries->list[kept - 1]) == 0) {
            free(entries->list[i].folded);
        } else {
            entries->list[kept++] = entries->list[i];
        }
    }
    entries->n = kept;
}

/* A name that changed between two pages leaves two entries of one id: the page
   shows the product once for each. */
static int
by_text(const void *a, const void *b)
{
    const entry_t *one = a, *two = b;
    int            order = strcmp(one->folded, two->folded);

    if (order == 0) {
        order = (one->id_len > two->id_len) - (one->id_len < two->id_len);
    }
    return order != 0 ? order : memcmp(one->id, two->id, one->id_len);
}

static void
free_entries(entries_t *entries)
{
    unsigned i;

    for (i = 0; i < entries->n; i++) {
        free(entries->list[i].folded);
    }
    free(entries->list);
}

/* Of a number as it stands on a book's back, "978-90-...": most ids have none
   there, and who types one need not know. */
static void
drop_hyphens(char *word)
{
    size_t len = strlen(word), i, n = 0;

    if (len < ISBN_MIN || strspn(word, "0123456789-") < len) {
        return;
    }
    for (i = 0; i <= len; i++) {
        if (word[i] != '-') {
            word[n++] = word[i];
        }
    }
}

/* Words between blanks; puts NULs into folded. */
static unsigned
split(char *folded, char **words)
{
    unsigned n = 0, i;
    char    *p = folded;

    while (n < LP_SHELF_WORDS) {
        p += strspn(p, " ");
        if (*p == '\0') {
            break;
        }
        words[n++] = p;
        p += strcspn(p, " ");
        if (*p == '\0') {
            break;
        }
        *p++ = '\0';
    }
    for (i = 0; i < n; i++) {
        drop_hyphens(words[i]);
    }
    return n;
}

static int
matches(const entry_t *entry, char *const *words, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        if (strstr(entry->folded, words[i]) == NULL) {
            return 0;
        }
    }
    return 1;
}
