/*
 * Reads objects of configuration files by tables. What is wrong is said with
 * the way to it, "providers[2].users[0].claim: it is missing"; a name that
 * nobody knows is repeated where it is harmless, a value never is.
 */

#include "conf_members.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../core/chars.h"
#include "../core/target.h"
#include "../core/text.h"

#define NAME_SHOWN 64 /* bytes of an unknown member's name */

int
lp_conf_refuse(lp_conf_t *conf, const char *name, const char *what)
{
    size_t len = strlen(conf->where);

    if (name[0] == '\0' && len > 0) {
        len--; /* the dot behind which a member would stand */
    }
    snprintf(conf->reason, LP_CONF_REASON_MAX, "%.*s%s%s%s", (int) len,
             conf->where, name, len > 0 || name[0] != '\0' ? ": " : "", what);
    return -1;
}

int
lp_conf_no_memory(lp_conf_t *conf)
{
    return lp_conf_refuse(conf, "", "out of memory");
}

const json_t *
lp_conf_root(lp_conf_t *conf, lp_span_t text, lp_json_memory_t **memory)
{
    lp_json_error_t error;
    const json_t   *root = lp_json_read(text, memory, &error);

    if (root == NULL) {
        *memory = NULL;
        lp_conf_refuse(conf, "", lp_json_complaint());
    }
    return root;
}

size_t
lp_conf_enter(lp_conf_t *conf, const char *name, int i)
{
    size_t len = strlen(conf->where), room = sizeof(conf->where) - len;

    if (i < 0) {
        snprintf(conf->where + len, room, "%s.", name);
    } else {
        snprintf(conf->where + len, room, "%s[%d].", name, i);
    }
    return len;
}

void
lp_conf_leave(lp_conf_t *conf, size_t len)
{
    conf->where[len] = '\0';
}

/* Texts. */

/* Anything to show on a line of its own: no control characters. */
static int
is_plain(lp_span_t text)
{
    return text.len > 0 && !lp_has_control(text);
}

int
lp_conf_is_name(lp_span_t text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] <= 0x20 || text.data[i] > 0x7e || text.data[i] == '"'
            || text.data[i] == '\\') {
            return 0;
        }
    }
    return 1;
}

int
lp_conf_is_label(lp_span_t text)
{
    size_t i;
    char   c;

    for (i = 0; i < text.len; i++) {
        c = text.data[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-') {
            return 0;
        }
    }
    return text.len > 0 && text.len <= LP_CONF_LABEL_MAX;
}

static int
begins(lp_span_t text, const char *with)
{
    size_t len = strlen(with);

    return text.len > len && memcmp(text.data, with, len) == 0;
}

static int
is_loopback(lp_span_t host)
{
    return lp_span_equal(host, lp_span("127.0.0.1"))
           || lp_span_equal(host, lp_span("localhost"))
           || lp_span_equal(host, lp_span("[::1]"));
}

/* A host name, an address, [::1]. */
static const char *
pass_host(const char *p, const char *end)
{
    if (p < end && *p == '[') {
        while (p < end && *p != ']') {
            p++;
        }
        return p + (p < end);
    }
    while (p < end && lp_char_is((unsigned char) *p, LP_CHAR_NAME)) {
        p++;
    }
    return p;
}

/* A host, a port. No user, no query, no fragment. */
int
lp_conf_is_url(lp_span_t text)
{
    const char *end = text.data + text.len, *p, *host;
    int         plain = begins(text, "http://");

    if (!lp_conf_is_name(text) || (!plain && !begins(text, "https://"))) {
        return 0;
    }
    host = text.data + (plain ? 7 : 8);
    p = pass_host(host, end);
    if (p == host
        || (plain && !is_loopback((lp_span_t) {host, (size_t) (p - host)}))) {
        return 0;
    }
    if (p < end && *p == ':') {
        for (p++; p < end && lp_char_is((unsigned char) *p, LP_CHAR_DIGIT);
             p++) { }
    }
    return (p == end || *p == '/')
           && memchr(p, '?', (size_t) (end - p)) == NULL
           && memchr(p, '#', (size_t) (end - p)) == NULL;
}

/* An address that we fetch, or that browsers are sent to, unlike a base. */
int
lp_conf_is_endpoint(lp_span_t text)
{
    lp_hosts_t any = {NULL, 0};

    return lp_conf_is_name(text)
           && lp_target_check(text, 0, &any) == LP_TARGET_OK
           && memchr(text.data, '#', text.len) == NULL;
}

int
lp_conf_text(lp_conf_t *conf, const char *name, const json_t *value,
             size_t max, lp_span_t *text)
{
    char what[96];

    *text = lp_json_text(value);
    if (json_is_string(value) && is_plain(*text) && text->len <= max) {
        return 0;
    }
    snprintf(what, sizeof(what), "a text without control characters is "
             "expected, of at most %zu bytes", max);
    return lp_conf_refuse(conf, name, what);
}

/* Members. */

static size_t
text_max(const lp_conf_member_t *member)
{
    return member->max > 0 ? (size_t) member->max : LP_CONF_TEXT_MAX;
}

static int
read_text(lp_conf_t *conf, const json_t *value, const lp_conf_member_t *member,
          lp_span_t *span)
{
    size_t max = text_max(member);
    char   what[128];

    *span = lp_json_text(value);
    if (json_is_string(value) && is_plain(*span) && span->len <= max
        && (member->valid == NULL || member->valid(*span))) {
        return 0;
    }
    snprintf(what, sizeof(what), "%s is expected, of at most %zu bytes",
             member->expected != NULL ? member->expected
                                      : "a text without control characters",
             max);
    return lp_conf_refuse(conf, member->name, what);
}

static int
read_seconds(lp_conf_t *conf, const json_t *value,
             const lp_conf_member_t *member, int64_t *n)
{
    char what[96];

    *n = json_integer_value(value);
    if (json_is_integer(value) && *n >= member->min && *n <= member->max) {
        return 0;
    }
    snprintf(what, sizeof(what), "%" PRId64 " to %" PRId64 " %s expected",
             member->min, member->max,
             member->expected != NULL ? member->expected : "seconds are");
    return lp_conf_refuse(conf, member->name, what);
}

static int
read_flag(lp_conf_t *conf, const json_t *value, const lp_conf_member_t *member,
          int *flag)
{
    *flag = json_is_true(value);
    return json_is_boolean(value)
               ? 0
               : lp_conf_refuse(conf, member->name,
                                "true or false is expected");
}

/* The name of a file, made relative to the folder. */
static int
read_file_name(lp_conf_t *conf, const json_t *value,
               const lp_conf_member_t *member, char **path)
{
    lp_span_t name = lp_json_text(value);
    size_t    size;

    if (!json_is_string(value) || !is_plain(name)
        || name.len > LP_CONF_TEXT_MAX) {
        return lp_conf_refuse(conf, member->name,
                              "the name of a file is expected");
    }
    size = strlen(conf->folder) + name.len + 2;
    *path = malloc(size);
    if (*path == NULL) {
        return lp_conf_refuse(conf, member->name, "out of memory");
    }
    if (name.data[0] == '/') {
        snprintf(*path, size, "%s", name.data);
    } else {
        snprintf(*path, size, "%s/%s", conf->folder, name.data);
    }
    return 0;
}

static int
read_member(lp_conf_t *conf, const json_t *object,
            const lp_conf_member_t *member, void *target)
{
    const json_t *value = json_object_get(object, member->name);
    void         *at = (char *) target + member->offset;

    if (value == NULL) {
        return member->needed
                   ? lp_conf_refuse(conf, member->name, "it is missing")
                   : 0;
    }
    switch (member->kind) {
    case LP_CONF_TEXT:
        return read_text(conf, value, member, at);
    case LP_CONF_SECONDS:
        return read_seconds(conf, value, member, at);
    case LP_CONF_FLAG:
        return read_flag(conf, value, member, at);
    case LP_CONF_FILE:
        return read_file_name(conf, value, member, at);
    case LP_CONF_ELSE:
        break;
    }
    return 0;
}

static int
is_known(const lp_conf_member_t *members, const char *name)
{
    while (members->name != NULL && strcmp(members->name, name) != 0) {
        members++;
    }
    return members->name != NULL;
}

static int
check_names(lp_conf_t *conf, const json_t *object,
            const lp_conf_member_t *members)
{
    const char *name;
    json_t     *value;
    int         shown;

    json_object_foreach((json_t *) object, name, value) {
        if (!is_known(members, name)) {
            shown = strlen(name) < NAME_SHOWN
                    && lp_conf_is_name(lp_span_of(name));
            return lp_conf_refuse(conf, shown ? name : "?",
                                  "there is no such member");
        }
    }
    return 0;
}

int
lp_conf_read(lp_conf_t *conf, const json_t *object,
             const lp_conf_member_t *members, void *target)
{
    const lp_conf_member_t *member;

    if (!json_is_object(object)) {
        return lp_conf_refuse(conf, "", "an object is expected");
    }
    if (check_names(conf, object, members) != 0) {
        return -1;
    }
    for (member = members; member->name != NULL; member++) {
        if (read_member(conf, object, member, target) != 0) {
            return -1;
        }
    }
    return 0;
}

int
lp_conf_array(lp_conf_t *conf, const json_t *object, const char *name,
              unsigned max, const json_t **array, unsigned *n)
{
    char what[64];

    *n = 0;
    *array = json_object_get(object, name);
    if (*array == NULL) {
        return 0;
    }
    if (!json_is_array(*array) || json_array_size(*array) > max) {
        snprintf(what, sizeof(what), "an array of at most %u is expected",
                 max);
        return lp_conf_refuse(conf, name, what);
    }
    *n = (unsigned) json_array_size(*array);
    return 0;
}
