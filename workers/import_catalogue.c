/*
 * Products and schools from a file, a transaction for each 256 lines. What a
 * line does not name stays as it is; null or "" removes. So both are safe to
 * repeat, and a file may hold one field alone.
 *
 * Schools and their aliases lie in many shards; each line stands for itself, so
 * that it does no harm that the transaction is one.
 */

#include <stdio.h>
#include <stdlib.h>

#include "../core/json.h"
#include "../core/keys.h"
#include "../core/product.h"
#include "import.h"
#include "line_batch.h"
#include "product_field.h"
#include "products.h"
#include "school_type.h"
#include "usage_keys.h"

#define ROWS_MAX      256
#define FIELD_NAME    0 /* in lp_product_fields */
#define FIELD_IN      4
#define SETS_TEXT_MAX (LP_SETS_MAX * (LP_FIELD_MAX + 1))
#define WHY_MAX       256
#define ALIASES_MAX   16 /* of one line */
#define CONSENT       "usage.dashboard" /* the only one there is */

typedef struct {
    uint64_t          line;
    json_t           *json;
    lp_json_memory_t *memory;
    lp_span_t         id;
    /* a product's: data NULL is not named, len 0 is removed */
    lp_span_t         fields[LP_PRODUCT_FIELDS];
    char              sets[SETS_TEXT_MAX];
} row_t;

typedef struct {
    /* NULL, or why the row is refused, in why (WHY_MAX) */
    const char *(*check)(row_t *row, char *why);
    void (*write)(lp_store_t *store, const row_t *row);
} kind_t;

typedef struct {
    lp_import_t  *import;
    const kind_t *kind;
    row_t        *rows;
    unsigned      n;
    int           ended;
} table_t;

static void run(lp_import_t *import, const kind_t *kind);
static void read_rows(table_t *table);
static void read_row(table_t *table, lp_ndjson_next_t next, lp_span_t line,
                     uint64_t number);
static int write_rows(table_t *table);
static const char *check_product(row_t *row, char *why);
static void write_product(lp_store_t *store, const row_t *row);
static const char *check_school(row_t *row, char *why);
static void write_school(lp_store_t *store, const row_t *row);

void
lp_import_products(lp_import_t *import)
{
    static const kind_t kind = {check_product, write_product};

    run(import, &kind);
}

void
lp_import_schools(lp_import_t *import)
{
    static const kind_t kind = {check_school, write_school};

    run(import, &kind);
}

static void
run(lp_import_t *import, const kind_t *kind)
{
    table_t  table = {import, kind, calloc(ROWS_MAX, sizeof(row_t)), 0, 0};
    unsigned i;

    if (table.rows == NULL) {
        import->stopped = "out of memory";
        import->resume = import->from;
        return;
    }
    do {
        read_rows(&table);
        if (write_rows(&table) == 0) {
            for (i = 0; i < table.n; i++) {
                lp_import_count(import->report, LP_IMPORT_APPLIED);
            }
        } else {
            import->stopped = "Redis can't be written to";
            import->resume = table.rows[0].line;
            table.ended = 1;
        }
        for (i = 0; i < table.n; i++) {
            lp_json_release(table.rows[i].memory);
        }
        lp_import_progress(import->report, lp_ndjson_taken(import->lines));
    } while (!table.ended);
    free(table.rows);
}

static void
read_rows(table_t *table)
{
    lp_import_t     *import = table->import;
    lp_ndjson_next_t next;
    lp_span_t        line;
    uint64_t         number;

    table->n = 0;
    while (table->n < ROWS_MAX) {
        next = lp_ndjson_next(import->lines, &line, &number);
        if (next == LP_NDJSON_CUT) {
            import->stopped = "the file could not be read to its end";
            import->resume = number;
        }
        if (next == LP_NDJSON_END || next == LP_NDJSON_CUT) {
            table->ended = 1;
            return;
        }
        if (number >= import->from) {
            read_row(table, next, line, number);
        }
    }
}

static void
read_row(table_t *table, lp_ndjson_next_t next, lp_span_t line,
         uint64_t number)
{
    row_t      *row = &table->rows[table->n];
    char        why[WHY_MAX];
    const char *wrong;

    memset(row, 0, sizeof(*row));
    row->line = number;
    wrong = lp_line_wrong(next, line, &row->json, &row->memory);
    if (wrong == NULL) {
        wrong = table->kind->check(row, why);
    }
    if (wrong == NULL) {
        table->n++;
        return;
    }
    lp_import_refuse(table->import->report, number, LP_CODE_SCHEMA, wrong);
    lp_json_release(row->memory);
}

static int
write_rows(table_t *table)
{
    lp_store_t       *store = table->import->service.store;
    lp_store_status_t status;
    unsigned          i, tries = LP_IMPORT_TRIES;

    if (table->n == 0) {
        return 0;
    }
    do {
        lp_store_begin(store);
        for (i = 0; i < table->n; i++) {
            table->kind->write(store, &table->rows[i]);
        }
        status = lp_store_commit(store);
    } while (status != LP_STORE_OK && lp_import_wait(&tries) == 0);
    return status == LP_STORE_OK ? 0 : -1;
}

static const char *
because(char *why, const char *field, const char *reason)
{
    snprintf(why, WHY_MAX, "%s: %s", field, reason);
    return why;
}

/* ---- products ---- */

/* ["a","b"] as "a,b"; -1: no list of texts, or too long. */
static int
join_sets(row_t *row, const json_t *list, lp_span_t *text)
{
    const json_t *entry;
    size_t        i, n = 0, len;

    for (i = 0; i < json_array_size(list); i++) {
        entry = json_array_get(list, i);
        len = json_string_length(entry);
        if (!json_is_string(entry) || n + 1 + len > sizeof(row->sets)) {
            return -1;
        }
        if (n > 0) {
            row->sets[n++] = ',';
        }
        memcpy(row->sets + n, json_string_value(entry), len);
        n += len;
    }
    *text = (lp_span_t) {row->sets, n};
    return 0;
}

/* A field's JSON as Redis has it; -1: of a type that it can't have. */
static int
read_field(row_t *row, const char *name, const json_t *value, lp_span_t *text)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        *text = lp_span("");
        return 0;
    case JSON_STRING:
        *text = lp_json_text(value);
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        *text = json_is_true(value) ? lp_span("1") : lp_span("0");
        return strcmp(name, "free") == 0 ? 0 : -1;
    case JSON_ARRAY:
        return strcmp(name, "in") == 0 ? join_sets(row, value, text) : -1;
    default:
        return -1;
    }
}

static const char *
check_product(row_t *row, char *why)
{
    const json_t *value;
    const char   *name, *wrong;
    unsigned      i;

    value = json_object_get(row->json, "productId");
    if (value == NULL) {
        return because(why, "productId", "is missing");
    }
    row->id = lp_json_text(value);
    if (!json_is_string(value) || !lp_product_valid(row->id)) {
        return because(why, "productId", "is 1 to 64 of A-Z a-z 0-9 . _ -, a "
                                         "letter or digit first");
    }
    for (i = 0; i < LP_PRODUCT_FIELDS; i++) {
        name = lp_product_fields[i];
        value = json_object_get(row->json, name);
        if (value == NULL) {
            continue;
        }
        if (read_field(row, name, value, &row->fields[i]) != 0) {
            return because(why, name, "is of another type");
        }
        wrong = row->fields[i].len == 0
                    ? NULL
                    : lp_product_field_wrong(name, row->fields[i]);
        if (wrong != NULL) {
            return because(why, name, wrong);
        }
    }
    for (i = 0; i < LP_PRODUCT_FIELDS && row->fields[i].data == NULL; i++) {
        continue;
    }
    return i == LP_PRODUCT_FIELDS ? "the line names no field of a product"
                                  : NULL;
}

static void
write_product(lp_store_t *store, const row_t *row)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, lp_key_product(name, row->id)};
    lp_span_t set[2 + 2 * LP_PRODUCT_FIELDS], del[2 + LP_PRODUCT_FIELDS];
    unsigned  i, n_set = 2, n_del = 2;

    set[0] = lp_span("HSET");
    del[0] = lp_span("HDEL");
    set[1] = del[1] = key;
    for (i = 0; i < LP_PRODUCT_FIELDS; i++) {
        if (row->fields[i].data == NULL) {
            continue;
        }
        if (row->fields[i].len == 0) {
            del[n_del++] = lp_span_of(lp_product_fields[i]);
        } else {
            set[n_set++] = lp_span_of(lp_product_fields[i]);
            set[n_set++] = row->fields[i];
        }
    }
    if (n_set > 2) {
        lp_store_add(store, (lp_words_t) {set, n_set});
    }
    if (n_del > 2) {
        lp_store_add(store, (lp_words_t) {del, n_del});
    }
    (void) lp_products_note(lp_products_to_store, store, row->id,
                            row->fields[FIELD_NAME], row->fields[FIELD_IN]);
}

/* ---- schools ---- */

static const char *
check_aliases(const json_t *list, char *why)
{
    const json_t *entry, *id;
    lp_span_t     type;
    size_t        i;

    if (list == NULL || json_is_null(list)) {
        return NULL;
    }
    if (!json_is_array(list) || json_array_size(list) > ALIASES_MAX) {
        return because(why, "organisationIds", "is no list of up to 16");
    }
    for (i = 0; i < json_array_size(list); i++) {
        entry = json_array_get(list, i);
        type = lp_json_member(entry, "organisationIdType");
        id = json_object_get(entry, "organisationId");
        if (type.data == NULL || !lp_school_type(&type)) {
            return because(why, "organisationIds.organisationIdType",
                           "is none of OIE_CODE, BP_ID, DD_ID, AS_ID, V_ID");
        }
        if (!json_is_string(id) || !lp_school_id_valid(lp_json_text(id))) {
            return because(why, "organisationIds.organisationId",
                           "is not 1 to 64 bytes without control characters");
        }
    }
    return NULL;
}

static const char *
check_consent(const json_t *list, char *why)
{
    size_t i;

    if (list == NULL || json_is_null(list)) {
        return NULL;
    }
    for (i = 0; i < json_array_size(list); i++) {
        if (!lp_span_equal(lp_json_text(json_array_get(list, i)),
                           lp_span(CONSENT))) {
            return because(why, "consent", "names something else than "
                                           CONSENT);
        }
    }
    return json_is_array(list) ? NULL : because(why, "consent", "is no list");
}

static const char *
check_school(row_t *row, char *why)
{
    const json_t *value;
    const char   *wrong;

    value = json_object_get(row->json, "organisationMasterIdentifier");
    if (value == NULL) {
        return because(why, "organisationMasterIdentifier", "is missing");
    }
    row->id = lp_json_text(value);
    if (!json_is_string(value) || !lp_school_valid(row->id)) {
        return because(why, "organisationMasterIdentifier",
                       "is 1 to 64 of A-Z a-z 0-9 _ . -");
    }
    value = json_object_get(row->json, "name");
    if (value != NULL && !json_is_null(value)
        && (!json_is_string(value)
            || !lp_one_line(lp_json_text(value), LP_PRODUCT_NAME_MAX))) {
        return because(why, "name", "is text of at most 200 bytes on one "
                                    "line");
    }
    wrong = check_aliases(json_object_get(row->json, "organisationIds"), why);
    return wrong != NULL
               ? wrong
               : check_consent(json_object_get(row->json, "consent"), why);
}

static void
write_aliases(lp_store_t *store, const row_t *row)
{
    const json_t *list = json_object_get(row->json, "organisationIds"), *entry;
    char          name[LP_KEY_MAX];
    lp_span_t     key = {name, 0}, type;
    size_t        i;

    for (i = 0; i < json_array_size(list); i++) {
        entry = json_array_get(list, i);
        type = lp_json_member(entry, "organisationIdType");
        key.len = lp_key_alias(
            name, type, lp_json_member(entry, "organisationId"));
        lp_store_add(store, LP_WORDS(lp_span("SET"), key, row->id));
    }
}

/* A school is known by having a name, if only an empty one. */
static void
write_school(lp_store_t *store, const row_t *row)
{
    char          text[LP_USAGE_KEY_MAX];
    lp_span_t     key = {text, lp_key_known_school(text, row->id)};
    const json_t *name = json_object_get(row->json, "name");
    const json_t *consent = json_object_get(row->json, "consent");

    if (json_is_string(name)) {
        lp_store_add(store, LP_WORDS(lp_span("HSET"), key, lp_span("name"),
                                     lp_json_text(name)));
    } else {
        lp_store_add(store, LP_WORDS(lp_span("HSETNX"), key, lp_span("name"),
                                     lp_span("")));
    }
    if (json_array_size(consent) > 0) {
        lp_store_add(store,
                     LP_WORDS(lp_span("HSET"), key,
                              lp_span("consent:" CONSENT), lp_span("1")));
    } else if (json_is_array(consent)) {
        lp_store_add(store, LP_WORDS(lp_span("HDEL"), key,
                                     lp_span("consent:" CONSENT)));
    }
    write_aliases(store, row);
}
