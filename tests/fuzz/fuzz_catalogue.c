/*
 * A page of a publisher's catalogue: what is taken from its rows may be stored
 * as it stands, sets and all; rows are taken or refused, and each refusal can
 * be shown on a terminal.
 */

#include "../../core/keys.h"
#include "../../workers/catalogue.h"
#include "must.h"

#define SETS_SIZE (LP_SETS_MAX * 65)
#define FIELD_IN  "in"

static void check_items(lp_catalogue_t *catalogue);
static void check_sets(lp_catalogue_t *catalogue, uint32_t i);
static void check_refusals(const lp_catalogue_t *catalogue);


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lp_catalogue_t catalogue;
    const char    *reason;
    json_t        *rows;
    int            fresh;

    rows = json_loadb((const char *) bytes, len, 0, NULL);
    if (rows == NULL) {
        return 0;
    }

    memset(&catalogue, 0, sizeof(catalogue));
    fresh = lp_catalogue_read(&catalogue, rows, &reason);
    must(fresh >= 0 && (size_t) fresh <= json_array_size(rows));
    must(catalogue.listed >= (uint64_t) fresh);
    must(catalogue.listed <= json_array_size(rows));

    /* the same page again has nothing new */
    must(lp_catalogue_read(&catalogue, rows, &reason) == 0);
    json_decref(rows);

    lp_catalogue_close(&catalogue);
    check_items(&catalogue);
    check_refusals(&catalogue);
    lp_catalogue_free(&catalogue);

    return 0;
}


static void
check_items(lp_catalogue_t *catalogue)
{
    const lp_catalogue_item_t *item;
    uint32_t                   i, n;
    unsigned                   j;

    n = catalogue->ids.n;

    for (i = 0; i < n; i++) {
        item = &catalogue->items[i];
        must(lp_product_valid(lp_name(&catalogue->ids, i)));
        must(!item->accepted || item->listed);
        must(item->n_sets <= LP_SETS_MAX);

        for (j = 0; j < LP_PRODUCT_FIELDS; j++) {
            must(item->fields[j] == NULL || item->accepted);
            must(item->fields[j] == NULL
                 || lp_product_field_wrong(lp_product_fields[j],
                                           lp_span_of(item->fields[j]))
                        == NULL);
        }

        check_sets(catalogue, i);
    }
}


static void
check_sets(lp_catalogue_t *catalogue, uint32_t i)
{
    static const char old[] = "old-1,8717927130834,set";
    lp_span_t         sets;
    char             *dst;
    int               len;

    /* in memory of exactly the room that is said */
    dst = malloc(SETS_SIZE);
    must(dst != NULL);
    len = lp_catalogue_sets(catalogue, i, lp_span(old), dst, SETS_SIZE);

    if (len > 0) {
        sets = (lp_span_t) {dst, (size_t) len};
        must(sets.len <= SETS_SIZE);
        must(lp_product_field_wrong(FIELD_IN, sets) == NULL);
        must(memmem(dst, sets.len, "old-1", 5) == dst);
    } else {
        must(len == -1);
        must(catalogue->items[i].n_sets + 3 > LP_SETS_MAX);
    }

    free(dst);
}


static void
check_refusals(const lp_catalogue_t *catalogue)
{
    unsigned i;

    must(catalogue->n_refusals <= catalogue->refused);

    for (i = 0; i < catalogue->n_refusals; i++) {
        must_be_reason(catalogue->refusals[i].why, LP_CATALOGUE_WHY_MAX);
        must(strlen(catalogue->refusals[i].product) < 512);
    }
}
