/*
 * Three files become one list, which is made anew where one of them has another
 * reading.
 *
 * A name is what files are called by: two files that use one name for different
 * sources would write into each other's keys. Such a list is refused.
 */

#include "sources.h"

#include <stdio.h>
#include <stdlib.h>

#include "../workers/conf_file.h"
#include "../workers/say.h"
#include "fetch_check.h"
#include "platforms.h"
#include "providers.h"
#include "sources_file.h"

/* A reading of each. */
typedef struct {
    const lp_sites_t         *sites;
    const lp_platform_list_t *platforms;
    const lp_sources_file_t  *own; /* NULL: there is no such file */
} readings_t;

struct lp_sources_s {
    lp_providers_t  *providers;
    lp_platforms_t  *platforms;
    lp_conf_file_t  *own;
    readings_t       seen;
    lp_source_list_t list;
    int              fresh; /* nobody has seen the list */
};

static char reason_text[LP_CONF_REASON_MAX];

static void *read_file(lp_span_t text, const char *folder, char *reason);
static void free_file(void *reading);
static int open_files(lp_sources_t *sources, const char *const *paths,
                      const char **reason);
static int look(lp_sources_t *sources);
static int make_list(lp_sources_t *sources);

static const lp_conf_reader_t reader = {"the sources", LP_SOURCES_FILE_MAX,
                                        read_file, free_file};

lp_sources_t *
lp_sources_open(const char *sso, const char *lti, const char *own,
                const char **reason)
{
    const char *const paths[] = {sso, lti, own};
    lp_sources_t     *sources = calloc(1, sizeof(*sources));

    *reason = "out of memory";
    if (sources == NULL) {
        return NULL;
    }
    if (open_files(sources, paths, reason) != 0) {
        lp_sources_close(sources);
        return NULL;
    }
    return sources;
}

static int
open_files(lp_sources_t *sources, const char *const *paths,
           const char **reason)
{
    sources->providers = lp_providers_open(paths[0], reason);
    if (sources->providers == NULL) {
        return -1;
    }
    sources->platforms = lp_platforms_open(paths[1], reason);
    if (sources->platforms == NULL) {
        return -1;
    }
    sources->own = lp_conf_file_open(&reader, paths[2], reason);
    if (sources->own == NULL) {
        return -1;
    }
    *reason = reason_text;
    (void) look(sources);
    return make_list(sources);
}

static void *
read_file(lp_span_t text, const char *folder, char *reason)
{
    lp_sources_file_t *file = malloc(sizeof(lp_sources_file_t));

    (void) folder; /* it names no files */
    if (file == NULL || lp_sources_file_read(file, text, reason) != 0) {
        free(file);
        return NULL;
    }
    return file;
}

static void
free_file(void *reading)
{
    lp_sources_file_free(reading);
    free(reading);
}

static void
free_list(lp_source_list_t *list)
{
    unsigned i;

    for (i = 0; i < list->n; i++) {
        lp_source_free(&list->list[i]);
    }
    free(list->list);
    memset(list, 0, sizeof(*list));
}

void
lp_sources_close(lp_sources_t *sources)
{
    if (sources == NULL) {
        return;
    }
    free_list(&sources->list);
    lp_conf_file_close(sources->own);
    lp_platforms_close(sources->platforms);
    lp_providers_close(sources->providers);
    free(sources);
}

/* Whether one of the files has another reading than the list was made of. */
static int
look(lp_sources_t *sources)
{
    readings_t now, seen = sources->seen;

    now.sites = lp_sites(sources->providers);
    now.platforms = lp_platform_list(sources->platforms);
    now.own = lp_conf_file_now(sources->own);
    sources->seen = now;
    return now.sites != seen.sites || now.platforms != seen.platforms
           || now.own != seen.own;
}

const lp_source_list_t *
lp_source_list(lp_sources_t *sources, int *changed)
{
    if (look(sources) && make_list(sources) != 0) {
        lp_say("%s; the sources stay as they were", reason_text);
    }
    *changed = sources->fresh;
    sources->fresh = 0;
    return &sources->list;
}

/* One source. */

static int
same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

int
lp_source_same(const lp_source_t *a, const lp_source_t *b)
{
    return strcmp(a->issuer, b->issuer) == 0
           && same_text(a->discovery, b->discovery)
           && same_text(a->jwks_uri, b->jwks_uri);
}

void
lp_source_free(lp_source_t *source)
{
    unsigned i;

    for (i = 0; i < source->n_names; i++) {
        free(source->names[i]);
    }
    free(source->names);
    free(source->issuer);
    free(source->discovery);
    free(source->jwks_uri);
    memset(source, 0, sizeof(*source));
}

static int
add_name(lp_source_t *source, const char *name)
{
    char **longer = realloc(source->names,
                            (source->n_names + 1) * sizeof(char *));

    if (longer == NULL) {
        return -1;
    }
    source->names = longer;
    longer[source->n_names] = strdup(name);
    if (longer[source->n_names] == NULL) {
        return -1;
    }
    source->n_names++;
    return 0;
}

/* NULL stays NULL. */
static int
copy_text(char **copy, const char *text)
{
    *copy = text == NULL ? NULL : strdup(text);
    return *copy == NULL && text != NULL ? -1 : 0;
}

int
lp_source_copy(lp_source_t *copy, const lp_source_t *source)
{
    unsigned i;
    int      rc;

    memset(copy, 0, sizeof(*copy));
    rc = copy_text(&copy->issuer, source->issuer)
         | copy_text(&copy->discovery, source->discovery)
         | copy_text(&copy->jwks_uri, source->jwks_uri);
    for (i = 0; rc == 0 && i < source->n_names; i++) {
        rc = add_name(copy, source->names[i]);
    }
    if (rc != 0) {
        lp_source_free(copy);
    }
    return rc == 0 ? 0 : -1;
}

/* The list. */

static int
no_memory(void)
{
    snprintf(reason_text, sizeof(reason_text), "out of memory");
    return -1;
}

/* Names of one place each. 0; -1 and reason_text. */
static int
check_name(const lp_source_list_t *list, lp_span_t name)
{
    unsigned i, j;

    for (i = 0; i < list->n; i++) {
        for (j = 0; j < list->list[i].n_names; j++) {
            if (lp_span_equal(lp_span_of(list->list[i].names[j]), name)) {
                snprintf(reason_text, sizeof(reason_text), "two providers, "
                         "platforms or sources have the name %.*s: their files "
                         "would be the same", (int) name.len, name.data);
                return -1;
            }
        }
    }
    return 0;
}

/* A text of its own; NULL for an empty one. */
static int
take_text(char **text, lp_span_t span)
{
    *text = span.len == 0 ? NULL : strndup(span.data, span.len);
    return *text == NULL && span.len > 0 ? -1 : 0;
}

/* Puts a source to its like, or to the end. Takes it over. */
static int
put(lp_source_list_t *list, lp_source_t *source)
{
    lp_source_t *longer;
    unsigned     i;
    int          rc;

    for (i = 0; i < list->n; i++) {
        if (lp_source_same(&list->list[i], source)) {
            rc = add_name(&list->list[i], source->names[0]);
            lp_source_free(source);
            return rc == 0 ? 0 : no_memory();
        }
    }
    longer = realloc(list->list, (list->n + 1) * sizeof(lp_source_t));
    if (longer == NULL) {
        lp_source_free(source);
        return no_memory();
    }
    list->list = longer;
    longer[list->n++] = *source;
    return 0;
}

/* where: the address of the metadata, or NULL. */
static int
add(lp_source_list_t *list, const lp_source_row_t *row, lp_span_t where)
{
    lp_source_t source;
    char        name[LP_CONF_LABEL_MAX + 1];

    if (check_name(list, row->name) != 0) {
        return -1;
    }
    memset(&source, 0, sizeof(source));
    snprintf(name, sizeof(name), "%.*s", (int) row->name.len, row->name.data);
    if (take_text(&source.issuer, row->issuer) != 0
        || take_text(&source.discovery, where) != 0
        || take_text(&source.jwks_uri, row->jwks_uri) != 0
        || add_name(&source, name) != 0) {
        lp_source_free(&source);
        return no_memory();
    }
    return put(list, &source);
}

/* One whose metadata lie below its issuer. */
static int
add_implied(lp_source_list_t *list, const lp_source_row_t *row)
{
    char url[LP_FETCH_URL_MAX + 1];

    if (lp_discovery_url(url, row->issuer) != 0) {
        snprintf(reason_text, sizeof(reason_text), "the issuer of %.*s is too "
                 "long", (int) row->name.len, row->name.data);
        return -1;
    }
    return add(list, row, lp_span_of(url));
}

/* Metadata are of no use where sso.json says all that they could. */
static int
add_provider(lp_source_list_t *list, const lp_provider_t *provider)
{
    lp_source_row_t row = {.name = provider->name,
                           .issuer = provider->issuer,
                           .jwks_uri = provider->jwks_uri};

    if (provider->authorization_endpoint.len > 0
        && provider->token_endpoint.len > 0 && provider->jwks_uri.len > 0) {
        return add(list, &row, (lp_span_t) {NULL, 0});
    }
    return add_implied(list, &row);
}

static int
add_platform(lp_source_list_t *list, const lp_platform_t *platform)
{
    lp_source_row_t row = {.name = platform->name,
                           .issuer = platform->issuer,
                           .jwks_uri = platform->jwks_uri};

    return add(list, &row, (lp_span_t) {NULL, 0});
}

static int
add_row(lp_source_list_t *list, const lp_source_row_t *row)
{
    return row->discovery.len == 0 && row->jwks_uri.len == 0
               ? add_implied(list, row)
               : add(list, row, row->discovery);
}

static int
add_all(const readings_t *of, lp_source_list_t *list)
{
    unsigned i;
    int      rc = 0;

    for (i = 0; rc == 0 && i < of->sites->n; i++) {
        rc = add_provider(list, &of->sites->list[i]);
    }
    for (i = 0; rc == 0 && i < of->platforms->n; i++) {
        rc = add_platform(list, &of->platforms->list[i]);
    }
    for (i = 0; rc == 0 && of->own != NULL && i < of->own->n; i++) {
        rc = add_row(list, &of->own->list[i]);
    }
    return rc;
}

/* 0; -1 and reason_text, and the old list stays. */
static int
make_list(lp_sources_t *sources)
{
    lp_source_list_t list = {NULL, 0};

    if (add_all(&sources->seen, &list) != 0) {
        free_list(&list);
        return -1;
    }
    free_list(&sources->list);
    sources->list = list;
    sources->fresh = 1;
    return 0;
}
