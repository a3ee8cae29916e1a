/*
 * The providers as their file has them now: sso.json is looked at once a second
 * at most, when somebody asks; a new file counts only when all of it is right.
 *
 * What was read before is kept for some readings more: a visit may hold a
 * pointer for the rest of the loop's turn, in which somebody else asks. A turn
 * would have to last for as many seconds as there are readings here, with a new
 * file in each of them, for a pointer to be lost.
 */

#include "providers_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "../workers/input.h"
#include "../workers/say.h"
#include "../workers/watched_file.h"

#define READINGS 8

struct lp_providers_s {
    char               *path;   /* NULL: there are no providers */
    char               *folder; /* that path lies in */
    lp_watched_t        watched;
    int64_t             looked_at;
    lp_providers_file_t readings[READINGS];
    unsigned            now; /* index of the one in force */
};

static char reason_text[LP_CONF_REASON_MAX + 512];

static char *folder_of(const char *path);
static int load(lp_providers_t *providers);

lp_providers_t *
lp_providers_open(const char *path, const char **reason)
{
    lp_providers_t *providers = calloc(1, sizeof(lp_providers_t));

    *reason = "out of memory";
    if (providers == NULL) {
        return NULL;
    }
    lp_providers_file_none(&providers->readings[0]);
    if (path == NULL) {
        return providers;
    }
    providers->path = strdup(path);
    providers->folder = folder_of(path);
    if (providers->path == NULL || providers->folder == NULL) {
        lp_providers_close(providers);
        return NULL;
    }
    lp_watched_changed(&providers->watched, path);
    providers->looked_at = lp_watched_clock();
    if (load(providers) != 0) {
        *reason = reason_text;
        lp_providers_close(providers);
        return NULL;
    }
    return providers;
}

static char *
folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL) {
        return strdup(".");
    }
    return strndup(path, slash == path ? 1 : (size_t) (slash - path));
}

/* -1 and reason_text where the file can't be used. */
static int
load(lp_providers_t *providers)
{
    lp_providers_file_t file;
    lp_input_t          input;
    char                why[LP_CONF_REASON_MAX];
    int                 rc;

    if (lp_input_file(&input, providers->path, LP_PROVIDERS_FILE_MAX) != 0) {
        snprintf(reason_text, sizeof(reason_text), "%s can't be used",
                 providers->path);
        return -1;
    }
    rc = lp_providers_file_read(&file, lp_input_span(&input),
                                providers->folder, why);
    lp_input_free(&input);
    if (rc != 0) {
        snprintf(reason_text, sizeof(reason_text), "%s: %s", providers->path,
                 why);
        return -1;
    }
    providers->now = (providers->now + 1) % READINGS;
    lp_providers_file_free(&providers->readings[providers->now]);
    providers->readings[providers->now] = file;
    return 0;
}

void
lp_providers_close(lp_providers_t *providers)
{
    unsigned i;

    if (providers == NULL) {
        return;
    }
    for (i = 0; i < READINGS; i++) {
        lp_providers_file_free(&providers->readings[i]);
    }
    free(providers->folder);
    free(providers->path);
    free(providers);
}

const lp_sites_t *
lp_sites(lp_providers_t *providers)
{
    int64_t now = lp_watched_clock();

    if (providers->path != NULL && providers->looked_at != now) {
        providers->looked_at = now;
        if (lp_watched_changed(&providers->watched, providers->path)
            && load(providers) != 0) {
            lp_say("%s; the providers stay as they were", reason_text);
        }
    }
    return &providers->readings[providers->now].sites;
}

const lp_provider_t *
lp_provider_by_name(const lp_sites_t *sites, lp_span_t name)
{
    unsigned i;

    for (i = 0; i < sites->n; i++) {
        if (lp_span_equal(sites->list[i].name, name)) {
            return &sites->list[i];
        }
    }
    return NULL;
}

const lp_provider_t *
lp_provider_by_issuer(const lp_sites_t *sites, lp_span_t issuer)
{
    unsigned i;

    for (i = 0; i < sites->n; i++) {
        if (lp_span_equal(sites->list[i].issuer, issuer)) {
            return &sites->list[i];
        }
    }
    return NULL;
}
