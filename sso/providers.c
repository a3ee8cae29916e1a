/*
 * The providers as their file has them now.
 */

#include "providers_file.h"

#include <stdlib.h>

#include "../workers/conf_file.h"

struct lp_providers_s {
    lp_conf_file_t     *file;
    lp_providers_file_t none; /* where there is no file */
};

static void *read_file(lp_span_t text, const char *folder, char *reason);
static void free_file(void *reading);

static const lp_conf_reader_t reader = {"the providers", LP_PROVIDERS_FILE_MAX,
                                        read_file, free_file};

lp_providers_t *
lp_providers_open(const char *path, const char **reason)
{
    lp_providers_t *providers = malloc(sizeof(lp_providers_t));

    *reason = "out of memory";
    if (providers == NULL) {
        return NULL;
    }
    lp_providers_file_none(&providers->none);
    providers->file = lp_conf_file_open(&reader, path, reason);
    if (providers->file == NULL) {
        free(providers);
        return NULL;
    }
    return providers;
}

static void *
read_file(lp_span_t text, const char *folder, char *reason)
{
    lp_providers_file_t *file = malloc(sizeof(lp_providers_file_t));

    if (file == NULL || lp_providers_file_read(file, text, folder, reason)
                            != 0) {
        free(file);
        return NULL;
    }
    return file;
}

static void
free_file(void *reading)
{
    lp_providers_file_free(reading);
    free(reading);
}

void
lp_providers_close(lp_providers_t *providers)
{
    if (providers != NULL) {
        lp_conf_file_close(providers->file);
        free(providers);
    }
}

const lp_sites_t *
lp_sites(lp_providers_t *providers)
{
    const lp_providers_file_t *file = lp_conf_file_now(providers->file);

    return file == NULL ? &providers->none.sites : &file->sites;
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
