/*
 * leerpoort-load verify: after a run, what clients were told = the journal =
 * Redis. docs/verify.md says what this proves, and how.
 */

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "../workers/say.h"
#include "../workers/store_args.h"
#include "figure.h"
#include "json_file.h"
#include "load_commands.h"
#include "new_file.h"
#include "result.h"
#include "verify.h"

#define TIMEOUT_MS 30000

static int check(const lp_args_t *args);
static int open_all(lp_verify_t *verify, const lp_args_t *args);
static int remember(lp_verify_t *verify);
static int open_earlier(lp_verify_t *verify);
static int compare(lp_verify_t *verify);
static int read_api(lp_verify_t *verify, const char *folder);
static uint64_t count_of(const json_t *object, const char *name);
static int conclude(const lp_verify_t *verify);
static void sentence(char *dst, size_t size, const lp_verify_t *verify);
static const char *people_of(const lp_verify_t *verify);
static int print_json(const lp_verify_t *verify, const char *text);
static void close_all(lp_verify_t *verify);

int
lp_load_verify(const lp_args_t *args)
{
    static lp_verify_t verify; /* big */
    int                rc;

    rc = check(args);
    if (rc != LP_YES) {
        return rc;
    }

    memset(&verify, 0, sizeof(verify));
    verify.args = args;
    rc = open_all(&verify, args);
    if (rc == LP_YES) {
        rc = lp_rehearsed_check(&verify.rehearsed, verify.store,
                                verify.holdings.population);
    }
    if (rc == LP_YES) {
        verify.holdings.sold = verify.rehearsed.sold;
        verify.holdings.party = lp_span_of(verify.rehearsed.party);
        rc = args->value[LP_LOAD_BEFORE] != NULL ? remember(&verify)
                                                 : compare(&verify);
    } else if (rc == LP_NO && args->value[LP_LOAD_RUN] != NULL) {
        rc = LP_INVALID; /* nobody has looked: that is no difference */
    }
    close_all(&verify);

    return rc;
}

static int
check(const lp_args_t *args)
{
    int before = args->value[LP_LOAD_BEFORE] != NULL;
    int run = args->value[LP_LOAD_RUN] != NULL;

    if (before == run) {
        return lp_args_refuse(args, "--run names the run to look at; --before "
                                    "remembers the totals of usage instead");
    }

    return LP_YES;
}

static int
open_all(lp_verify_t *verify, const lp_args_t *args)
{
    int rc = lp_holdings_load(&verify->holdings, args->operand,
                              args->value[LP_OPT_PEPPER]);

    if (rc == LP_YES) {
        rc = lp_store_of_args(&verify->store, args, TIMEOUT_MS);
    }
    if (rc == LP_YES) {
        rc = lp_store_of_args(&verify->aside, args, TIMEOUT_MS);
    }

    return rc;
}

/* The totals, and which rights were activated already; it judges nothing.
   Broken off, there are no totals: those from before do not go with what is
   noted now. */
static int
remember(lp_verify_t *verify)
{
    const lp_population_t *population = verify->holdings.population;
    const char            *dir = verify->args->operand;
    char                   path[LP_FILE_MAX];

    if (lp_file_path(path, dir, LP_USAGE_FILE) != 0) {
        return LP_NO;
    }
    (void) unlink(path);
    verify->told = verify->note = lp_told_create(dir, population);

    return verify->note != NULL && lp_verify_people(verify) == 0
                   && lp_usage_now(&verify->now, verify->store, verify->aside,
                                   population, 0) == 0
                   && lp_usage_before_write(&verify->now, dir, population) == 0
               ? LP_YES : LP_NO;
}

/* What --before has noted since the population was loaded, if anything. */
static int
open_earlier(lp_verify_t *verify)
{
    const char *dir = verify->args->operand;
    char        path[LP_FILE_MAX];

    if (lp_file_path(path, dir, LP_TOLD_FILE) != 0) {
        return -1;
    }
    if (access(path, F_OK) != 0) {
        return 0;
    }

    verify->earlier = lp_told_open(dir, verify->holdings.population);

    return verify->earlier == NULL ? -1 : 0;
}

static int
compare(lp_verify_t *verify)
{
    const char            *run = verify->args->value[LP_LOAD_RUN];
    const lp_population_t *population = verify->holdings.population;

    verify->told = lp_told_open(run, population);
    if (verify->told == NULL || open_earlier(verify) != 0
        || read_api(verify, run) != 0
        || lp_usage_before_read(&verify->before, verify->args->operand,
                                population) != 0
        || lp_verify_wait(verify) != 0 || lp_verify_people(verify) != 0
        || lp_verify_journal(verify) != 0 || lp_verify_usage(verify) != 0) {
        return LP_INVALID;
    }

    return conclude(verify);
}

/* A run that only left told.bin had no sellers. */
static int
read_api(lp_verify_t *verify, const char *folder)
{
    json_t *json;
    char    path[LP_FILE_MAX];

    if (lp_file_path(path, folder, "run.json") != 0) {
        return -1;
    }
    if (access(path, F_OK) != 0) {
        return 0;
    }

    json = lp_json_file_read(path, LP_RUN_JSON_MAX);
    if (json == NULL) {
        return -1;
    }
    verify->api.requests = count_of(json, "requests");
    verify->api.errors = count_of(json, "errors");
    verify->api.lines = count_of(json, "lines");
    json_decref(json);

    return 0;
}

static uint64_t
count_of(const json_t *object, const char *name)
{
    json_int_t n = json_integer_value(
        json_object_get(json_object_get(object, "api"), name));

    return n > 0 ? (uint64_t) n : 0;
}

static int
conclude(const lp_verify_t *verify)
{
    char text[512];

    sentence(text, sizeof(text), verify);
    if (verify->args->value[LP_OPT_JSON] != NULL) {
        if (print_json(verify, text) != 0) {
            return LP_INVALID;
        }
    } else {
        lp_findings_say(&verify->findings);
        printf("%s\n", text);
    }

    return verify->findings.all == 0 ? LP_YES : LP_NO;
}

static void
sentence(char *dst, size_t size, const lp_verify_t *verify)
{
    if (verify->findings.all > 0) {
        snprintf(dst, size,
                 "DIFFERENT: %" PRIu64 " %s between what clients were told "
                 "and what Redis holds of %" PRIu64 " %s.",
                 verify->findings.all,
                 lp_figure_noun(verify->findings.all, "difference",
                                "differences"),
                 verify->people, people_of(verify));
        return;
    }

    snprintf(dst, size,
             "THE SAME: %" PRIu64 " %s told (%" PRIu64 " %s unheard), %" PRIu64
             " counted; %" PRIu64 " %s of %" PRIu64 " %s, %" PRIu64
             " of them new, each asked for, with %" PRIu64 " journal %s.",
             verify->redirects,
             lp_figure_noun(verify->redirects, "redirect", "redirects"),
             verify->unheard,
             lp_figure_noun(verify->unheard, "click", "clicks"),
             verify->counted, verify->licences,
             lp_figure_noun(verify->licences, "licence", "licences"),
             verify->people, people_of(verify), verify->activations,
             verify->journal,
             lp_figure_noun(verify->journal, "record", "records"));
}

static const char *
people_of(const lp_verify_t *verify)
{
    return lp_figure_noun(verify->people, "person", "people");
}

static int
print_json(const lp_verify_t *verify, const char *text)
{
    return lp_json_print(json_pack(
        "{s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
        "same", verify->findings.all == 0, "sentence", text,
        "people", (json_int_t) verify->people,
        "licences", (json_int_t) verify->licences,
        "activations", (json_int_t) verify->activations,
        "fromOpenRights", (json_int_t) verify->from_open,
        "journal", (json_int_t) verify->journal,
        "undelivered", (json_int_t) verify->waiting,
        "redirects", (json_int_t) verify->redirects,
        "unheard", (json_int_t) verify->unheard,
        "counted", (json_int_t) verify->counted,
        "untallied", (json_int_t) verify->untallied,
        "differences", lp_findings_json(&verify->findings)), 2);
}

static void
close_all(lp_verify_t *verify)
{
    lp_told_close(verify->told);
    lp_told_close(verify->earlier);
    lp_usage_before_free(&verify->before);
    lp_usage_before_free(&verify->now);
    lp_store_destroy(verify->store);
    lp_store_destroy(verify->aside);
    lp_holdings_free(&verify->holdings);
}
