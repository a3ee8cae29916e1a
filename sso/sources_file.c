/*
 * The schema of sources.json. Its addresses may have a query, as those of some
 * providers do ("?appid=..."); that two sources have one name is found where
 * all files come together.
 */

#include "sources_file.h"

#include <stdlib.h>

#include "../core/target.h"
#include "fetch_check.h"

static int is_address(lp_span_t text);

#define AN_URL LP_CONF_TEXT, is_address,                                       \
               "an https:// URL (http:// only to loopback)"
#define OTHER  LP_CONF_ELSE, NULL, NULL, 0, 0, 0, 0
#define IN(field) offsetof(lp_source_row_t, field)

static const lp_conf_member_t list_members[] = {
    {"sources", OTHER},
    {NULL, OTHER},
};

static const lp_conf_member_t source_members[] = {
    {"name", LP_CONF_TEXT, lp_conf_is_label, "a-z 0-9 and -", IN(name), 1, 0,
     LP_CONF_LABEL_MAX},
    {"issuer", LP_CONF_TEXT, lp_conf_is_name, "visible ASCII without quotes",
     IN(issuer), 1, 0, 512},
    {"discovery", AN_URL, IN(discovery), 0, 0, LP_FETCH_URL_MAX},
    {"jwksUri", AN_URL, IN(jwks_uri), 0, 0, LP_FETCH_URL_MAX},
    {NULL, OTHER},
};

static int read_sources(lp_conf_t *conf, const json_t *root,
                        lp_sources_file_t *file);

int
lp_sources_file_read(lp_sources_file_t *file, lp_span_t text, char *reason)
{
    lp_conf_t     conf = {.folder = "."};
    const json_t *root;

    conf.reason = reason;
    memset(file, 0, sizeof(*file));
    root = lp_conf_root(&conf, text, &file->memory);
    if (root == NULL || read_sources(&conf, root, file) != 0) {
        lp_sources_file_free(file);
        return -1;
    }
    return 0;
}

void
lp_sources_file_free(lp_sources_file_t *file)
{
    free(file->list);
    lp_json_release(file->memory);
    memset(file, 0, sizeof(*file));
}

static int
is_address(lp_span_t text)
{
    static const lp_hosts_t any;

    return lp_target_check(text, 0, &any) == LP_TARGET_OK;
}

/* Without an address of either kind: the place that the issuer implies. */
static int
check_issuer(lp_conf_t *conf, const lp_source_row_t *row)
{
    if (row->discovery.len == 0 && row->jwks_uri.len == 0
        && !is_address(row->issuer)) {
        return lp_conf_refuse(conf, "jwksUri", "it is missing, and the issuer "
                                               "is no https:// URL below "
                                               "which metadata might be");
    }
    return 0;
}

static int
read_sources(lp_conf_t *conf, const json_t *root, lp_sources_file_t *file)
{
    const json_t *array;
    size_t        here;
    unsigned      i, n;

    if (lp_conf_read(conf, root, list_members, file) != 0
        || lp_conf_array(conf, root, "sources", LP_SOURCES_MAX, &array, &n)
               != 0) {
        return -1;
    }
    file->list = calloc(n + 1, sizeof(lp_source_row_t));
    if (file->list == NULL) {
        return lp_conf_no_memory(conf);
    }
    for (i = 0; i < n; i++) {
        here = lp_conf_enter(conf, "sources", (int) i);
        if (lp_conf_read(conf, json_array_get(array, i), source_members,
                         &file->list[i]) != 0
            || check_issuer(conf, &file->list[i]) != 0) {
            return -1;
        }
        lp_conf_leave(conf, here);
    }
    file->n = n;
    return 0;
}
