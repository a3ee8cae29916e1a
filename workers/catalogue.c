/*
 * From Edu-V's names to ours:
 *
 *   productId                    the product
 *   name                         name
 *   accessUrl, defaultAccessUrl  url
 *   deepLinkTemplate             deep (ours; no standard has it)
 *   licensePeriod                licence
 *   openMaterial                 free
 *   bundledProducts of a set     "in" of each part
 *
 * What a row does not name, or names as null, stays as it is in Redis. A row
 * with a mistake is refused as a whole; the checks are those of "product set".
 */

#include "catalogue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../core/json.h"
#include "../core/keys.h"
#include "say.h"

#define FIELD_URL  1 /* in lp_product_fields */
#define FIELD_IN   4
#define NUMBER_MAX 24

typedef struct {
    const char *names[2]; /* the first that is there counts */
} source_t;

/* As lp_product_fields. */
static const source_t sources[LP_PRODUCT_FIELDS] = {
    {{"name", NULL}},         {{"accessUrl", "defaultAccessUrl"}},
    {{"deepLinkTemplate", NULL}}, {{"openMaterial", NULL}},
    {{"bundledProducts", NULL}},  {{"licensePeriod", NULL}},
    {{NULL, NULL}}, /* tickets are agreed on with the operator */
};

static void
free_fields(lp_catalogue_item_t *item)
{
    unsigned i;

    for (i = 0; i < LP_PRODUCT_FIELDS; i++) {
        free(item->fields[i]);
        item->fields[i] = NULL;
    }
}

void
lp_catalogue_free(lp_catalogue_t *catalogue)
{
    uint32_t i;

    for (i = 0; i < catalogue->ids.n; i++) {
        free_fields(&catalogue->items[i]);
    }
    for (i = 0; i < catalogue->n_refusals; i++) {
        free(catalogue->refusals[i].product);
        free(catalogue->refusals[i].why);
    }
    free(catalogue->items);
    free(catalogue->pairs);
    free(catalogue->refusals);
    lp_names_free(&catalogue->ids);
    memset(catalogue, 0, sizeof(*catalogue));
}

/* The item is there before its name: no name is without one. */
uint32_t
lp_catalogue_id(lp_catalogue_t *catalogue, lp_span_t id)
{
    lp_catalogue_item_t *grown;
    uint32_t             room;

    if (catalogue->ids.n == catalogue->room) {
        room = catalogue->room == 0 ? 256 : 2 * catalogue->room;
        grown = realloc(catalogue->items, room * sizeof(*grown));
        if (grown == NULL) {
            return LP_NAMES_FULL;
        }
        memset(grown + catalogue->room, 0,
               (room - catalogue->room) * sizeof(*grown));
        catalogue->items = grown;
        catalogue->room = room;
    }
    return lp_names_add(&catalogue->ids, id);
}

void
lp_catalogue_refuse(lp_catalogue_t *catalogue, lp_span_t product,
                    const char *field, const char *why)
{
    char                    shown[LP_ESCAPED_MAX], text[LP_CATALOGUE_WHY_MAX];
    lp_catalogue_refusal_t *refusal;

    catalogue->refused++;
    if (catalogue->refusals == NULL) {
        catalogue->refusals = calloc(LP_CATALOGUE_TOLD_MAX, sizeof(*refusal));
    }
    if (catalogue->refusals == NULL
        || catalogue->n_refusals == LP_CATALOGUE_TOLD_MAX) {
        return;
    }
    snprintf(text, sizeof(text), "%s: %s", field, why);
    refusal = &catalogue->refusals[catalogue->n_refusals];
    refusal->product = strdup(lp_escape(shown, product, 64));
    refusal->why = strdup(text);
    if (refusal->product == NULL || refusal->why == NULL) {
        free(refusal->product);
        free(refusal->why);
        return;
    }
    catalogue->n_refusals++;
}

/* Reading a row. */

static const json_t *
find_value(const json_t *row, const source_t *source, const char **name)
{
    const json_t *value;
    unsigned      i;

    for (i = 0; i < 2 && source->names[i] != NULL; i++) {
        value = json_object_get(row, source->names[i]);
        if (value != NULL && !json_is_null(value)
            && !(json_is_string(value) && json_string_length(value) == 0)) {
            *name = source->names[i];
            return value;
        }
    }
    *name = source->names[0];
    return NULL;
}

/* Ids are texts; some write their EAN as a number. */
static lp_span_t
id_of(const json_t *value, char *digits)
{
    if (json_is_integer(value)) {
        snprintf(digits, NUMBER_MAX, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(value));
        return lp_span_of(digits);
    }
    return lp_json_text(value);
}

/* NULL, or why the value can't be used. */
static const char *
read_value(const char *field, const json_t *value, char **copy)
{
    lp_span_t   text;
    const char *wrong;

    if (strcmp(field, "free") == 0) {
        if (!json_is_boolean(value)) {
            return "is not true or false";
        }
        text = json_is_true(value) ? lp_span("1") : lp_span("0");
    } else if (json_is_string(value)) {
        text = lp_json_text(value);
    } else {
        return "is no text";
    }
    wrong = lp_product_field_wrong(field, text);
    if (wrong == NULL) {
        *copy = strndup(text.data, text.len);
    }
    return wrong;
}

/* NULL, or why the row is refused; *name: the field that is wrong. */
static const char *
read_fields(lp_catalogue_item_t *item, const json_t *row, const char **name)
{
    const json_t *value;
    const char   *wrong;
    unsigned      i;

    for (i = 0; i < LP_PRODUCT_FIELDS; i++) {
        value = find_value(row, &sources[i], name);
        if (value == NULL) {
            continue;
        }
        if (i == FIELD_IN) {
            if (!json_is_array(value)) {
                return "is no list";
            }
            continue;
        }
        wrong = read_value(lp_product_fields[i], value, &item->fields[i]);
        if (wrong != NULL) {
            return wrong;
        }
    }
    return NULL;
}

static int
add_pair(lp_catalogue_t *catalogue, uint32_t set, uint32_t part)
{
    uint32_t *grown;
    size_t    room = catalogue->pairs_room;

    if (catalogue->n_pairs + 2 > room) {
        room = room == 0 ? 512 : 2 * room;
        grown = realloc(catalogue->pairs, room * sizeof(*grown));
        if (grown == NULL) {
            return -1;
        }
        catalogue->pairs = grown;
        catalogue->pairs_room = room;
    }
    catalogue->pairs[catalogue->n_pairs++] = set;
    catalogue->pairs[catalogue->n_pairs++] = part;
    return 0;
}

/* The parts of a set: ids, or objects with one. */
static int
read_parts(lp_catalogue_t *catalogue, uint32_t set, const json_t *row)
{
    const json_t *parts = json_object_get(row, "bundledProducts"), *part;
    char          digits[NUMBER_MAX];
    lp_span_t     id;
    uint32_t      number;
    size_t        i;

    for (i = 0; i < json_array_size(parts); i++) {
        part = json_array_get(parts, i);
        if (json_is_object(part)) {
            part = json_object_get(part, "productId");
        }
        id = id_of(part, digits);
        if (!lp_product_valid(id)) {
            lp_catalogue_refuse(catalogue, lp_name(&catalogue->ids, set),
                                "bundledProducts", "holds what is no id");
            continue;
        }
        number = lp_catalogue_id(catalogue, id);
        if (number == LP_NAMES_FULL
            || (number != set && add_pair(catalogue, set, number) != 0)) {
            return -1;
        }
    }
    return 0;
}

/* A row without a link: on paper, or a set whose parts have theirs. */
static int
needs_no_link(const json_t *row)
{
    return json_array_size(json_object_get(row, "bundledProducts")) > 0;
}

static int
is_physical(const json_t *row)
{
    const char *type = json_string_value(json_object_get(row, "type"));

    return type != NULL && strcmp(type, "physical") == 0;
}

/* Returns 0; -1 where memory ran out. */
static int
read_item(lp_catalogue_t *catalogue, uint32_t number, const json_t *row)
{
    lp_catalogue_item_t *item = &catalogue->items[number];
    lp_span_t            id = lp_name(&catalogue->ids, number);
    const char          *name, *wrong = read_fields(item, row, &name);

    if (wrong == NULL && item->fields[FIELD_URL] == NULL
        && !needs_no_link(row)) {
        if (is_physical(row)) {
            catalogue->passed_over++;
            free_fields(item);
            return 0;
        }
        name = "accessUrl";
        wrong = "is missing";
    }
    if (wrong != NULL) {
        lp_catalogue_refuse(catalogue, id, name, wrong);
        free_fields(item);
        return 0;
    }
    item->accepted = 1;
    item->bundles =
        json_is_array(json_object_get(row, sources[FIELD_IN].names[0]));
    return read_parts(catalogue, number, row);
}

/* 1: a new id; 0: an old one, or none; -1 and *reason. */
static int
read_row(lp_catalogue_t *catalogue, const json_t *row, const char **reason)
{
    char      digits[NUMBER_MAX], place[NUMBER_MAX + 4];
    lp_span_t id = id_of(json_object_get(row, "productId"), digits);
    uint32_t  number;

    catalogue->rows++;
    if (!lp_product_valid(id)) {
        if (id.len == 0) {
            snprintf(place, sizeof(place), "row %" PRIu64, catalogue->rows);
            id = lp_span_of(place);
        }
        catalogue->listed++;
        lp_catalogue_refuse(catalogue, id, "productId",
                            "is not 1 to 64 of A-Z a-z 0-9 . _ -");
        return 0;
    }
    number = lp_catalogue_id(catalogue, id);
    *reason = "memory ran out";
    if (number == LP_NAMES_FULL) {
        return -1;
    }
    if (catalogue->items[number].listed) {
        return 0;
    }
    *reason = "it has too many products";
    if (catalogue->listed == LP_CATALOGUE_ROWS_MAX) {
        return -1;
    }
    catalogue->listed++;
    catalogue->items[number].listed = 1;
    *reason = "memory ran out";
    return read_item(catalogue, number, row) == 0 ? 1 : -1;
}

int
lp_catalogue_read(lp_catalogue_t *catalogue, const json_t *rows,
                  const char **reason)
{
    size_t i;
    int    rc, fresh = 0;

    for (i = 0; i < json_array_size(rows); i++) {
        rc = read_row(catalogue, json_array_get(rows, i), reason);
        if (rc == -1) {
            return -1;
        }
        fresh += rc;
    }
    return fresh;
}

/* Sets. */

static int
has_set(const lp_catalogue_item_t *item, uint32_t set)
{
    unsigned i;

    for (i = 0; i < item->n_sets; i++) {
        if (item->sets[i] == set) {
            return 1;
        }
    }
    return 0;
}

void
lp_catalogue_close(lp_catalogue_t *catalogue)
{
    lp_catalogue_item_t *part;
    uint32_t             set;
    size_t               i;

    for (i = 0; i < catalogue->n_pairs; i += 2) {
        set = catalogue->pairs[i];
        part = &catalogue->items[catalogue->pairs[i + 1]];
        if (has_set(part, set)) {
            continue;
        }
        if (part->n_sets == LP_SETS_MAX) {
            lp_catalogue_refuse(
                catalogue,
                lp_name(&catalogue->ids, catalogue->pairs[i + 1]),
                "bundledProducts", "it is in more than 16 sets");
            continue;
        }
        part->sets[part->n_sets++] = set;
    }
}

/* Appends a set's id; -1: no room. */
static int
append(char *dst, size_t size, size_t *len, lp_span_t set)
{
    if (*len + 1 + set.len > size) {
        return -1;
    }
    if (*len > 0) {
        dst[(*len)++] = ',';
    }
    memcpy(dst + *len, set.data, set.len);
    *len += set.len;
    return 0;
}

/* A set whose row in this pull names its parts, and this is none of them. */
static int
is_dropped(const lp_catalogue_t *catalogue, uint32_t i, uint32_t set)
{
    return catalogue->items[set].accepted && catalogue->items[set].bundles
           && !has_set(&catalogue->items[i], set);
}

/* The numbers of the sets in a text; those that are new get one. */
static int
read_sets(lp_catalogue_t *catalogue, lp_span_t text, uint32_t *sets)
{
    lp_product_t product;
    lp_span_t    ids[LP_SETS_MAX];
    unsigned     i, n;

    memset(&product, 0, sizeof(product));
    product.in = text;
    n = lp_product_sets(&product, ids);
    for (i = 0; i < n; i++) {
        sets[i] = lp_catalogue_id(catalogue, ids[i]);
        if (sets[i] == LP_NAMES_FULL) {
            return -1;
        }
    }
    return (int) n;
}

int
lp_catalogue_sets(lp_catalogue_t *catalogue, uint32_t i, lp_span_t old,
                  char *dst, size_t size)
{
    uint32_t             sets[2 * LP_SETS_MAX];
    lp_catalogue_item_t  before = {0};
    lp_catalogue_item_t *item;
    int                  n_old = read_sets(catalogue, old, before.sets);
    unsigned             at, n = 0;
    size_t               len = 0;

    if (n_old == -1) {
        return -1;
    }
    before.n_sets = (unsigned) n_old;
    item = &catalogue->items[i];
    for (at = 0; at < before.n_sets; at++) {
        if (!is_dropped(catalogue, i, before.sets[at])) {
            sets[n++] = before.sets[at];
        }
    }
    for (at = 0; at < item->n_sets; at++) {
        if (!has_set(&before, item->sets[at])) {
            sets[n++] = item->sets[at];
        }
    }
    for (at = 0; at < n; at++) {
        if (append(dst, size, &len, lp_name(&catalogue->ids, sets[at]))
            != 0) {
            return -1;
        }
    }
    return n > LP_SETS_MAX ? -1 : (int) len;
}
