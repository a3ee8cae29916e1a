/*
 * leerpoort catalogue pull: brings the products of an Edu-V Catalogue into
 * Redis, and says what was refused and why. The whole catalogue is read before
 * anything is written.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "../core/target.h"
#include "catalogue_pages.h"
#include "catalogue_store.h"
#include "commands.h"
#include "say.h"
#include "store_args.h"

#define TIMEOUT_MS 5000 /* for a batch of products */

static int
on_page(void *owner, const json_t *rows, const char **reason)
{
    return lp_catalogue_read(owner, rows, reason);
}

static int
fetch(lp_catalogue_t *catalogue, const lp_args_t *args)
{
    char reason[LP_CATALOGUE_REASON_MAX];

    if (lp_catalogue_fetch(args->operand, args->value[LP_OPT_CA], on_page,
                           catalogue, reason) != 0) {
        lp_say("the catalogue was not pulled, nothing is written: %s", reason);
        return LP_NO;
    }
    lp_catalogue_close(catalogue);
    return LP_YES;
}

static int
store_products(lp_catalogue_t *catalogue, lp_store_t *store,
               const lp_args_t *args, lp_catalogue_count_t *count)
{
    int dry = args->value[LP_OPT_DRY_RUN] != NULL;

    if (lp_catalogue_recall(catalogue, store, args->operand) != LP_STORE_OK
        || lp_catalogue_store(catalogue, store, dry, count) != LP_STORE_OK
        || (!dry
            && lp_catalogue_remember(catalogue, store, args->operand)
                   != LP_STORE_OK)) {
        return lp_store_say(store);
    }
    return LP_YES;
}

static void
print_report(const lp_catalogue_t *catalogue,
             const lp_catalogue_count_t *count)
{
    const lp_catalogue_refusal_t *refusal;
    unsigned                      i;

    printf("listed       %" PRIu64 "\n", catalogue->listed);
    printf("new          %" PRIu64 "\n", count->made);
    printf("changed      %" PRIu64 "\n", count->changed);
    printf("unchanged    %" PRIu64 "\n", count->unchanged);
    printf("passed over  %" PRIu64 "  on paper, without a link\n",
           catalogue->passed_over);
    printf("gone         %" PRIu64 "  left as they are\n", count->gone);
    printf("refused      %" PRIu64 "\n", catalogue->refused);
    for (i = 0; i < catalogue->n_refusals; i++) {
        refusal = &catalogue->refusals[i];
        printf("  %s  %s\n", refusal->product, refusal->why);
    }
}

static void
print_json(const lp_catalogue_t *catalogue, const lp_catalogue_count_t *count,
           int dry)
{
    json_t  *refused = json_array(), *json;
    char    *text;
    unsigned i;

    for (i = 0; i < catalogue->n_refusals; i++) {
        json_array_append_new(
            refused, json_pack("{s:s, s:s}", "product",
                               catalogue->refusals[i].product, "reason",
                               catalogue->refusals[i].why));
    }
    json = json_pack(
        "{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "dryRun", dry,
        "listed", (json_int_t) catalogue->listed, "new",
        (json_int_t) count->made, "changed", (json_int_t) count->changed,
        "unchanged", (json_int_t) count->unchanged, "passedOver",
        (json_int_t) catalogue->passed_over, "gone", (json_int_t) count->gone,
        "refused", (json_int_t) catalogue->refused, "refusals", refused);
    text = json_dumps(json, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    puts(text == NULL ? "{}" : text);
    free(text);
    json_decref(json);
}

static int
report(const lp_catalogue_t *catalogue, const lp_catalogue_count_t *count,
       const lp_args_t *args)
{
    if (args->value[LP_OPT_JSON] != NULL) {
        print_json(catalogue, count, args->value[LP_OPT_DRY_RUN] != NULL);
    } else {
        print_report(catalogue, count);
    }
    if (catalogue->refused > 0) {
        lp_say("%" PRIu64 " rows were refused", catalogue->refused);
        return LP_NO;
    }
    return LP_YES;
}

int
lp_command_catalogue_pull(const lp_args_t *args)
{
    lp_hosts_t           any = {NULL, 0};
    lp_catalogue_t       catalogue;
    lp_catalogue_count_t count;
    lp_store_t          *store;
    int                  rc;

    if (lp_target_check(lp_span_of(args->operand), 0, &any) != LP_TARGET_OK
        || strchr(args->operand, '#') != NULL) {
        return lp_args_refuse(args, "URL is https://..., or http:// to this "
                                    "machine");
    }
    rc = lp_store_of_args(&store, args, TIMEOUT_MS);
    if (rc != LP_YES) {
        return rc;
    }
    memset(&catalogue, 0, sizeof(catalogue));
    rc = fetch(&catalogue, args);
    if (rc == LP_YES) {
        rc = store_products(&catalogue, store, args, &count);
    }
    if (rc == LP_YES) {
        rc = report(&catalogue, &count, args);
    }
    lp_catalogue_free(&catalogue);
    lp_store_destroy(store);
    return rc;
}
