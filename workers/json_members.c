/*
 * One table per object, one row per member: its type, its length, whether it
 * must be there, and who takes it. Members that no row names are passed over,
 * and so is null for one that may be absent. The path in hand grows and shrinks
 * with the objects that are gone into, so that a refusal can name it; it is cut
 * off where it is longer than there is room for.
 */

#include "json_members.h"

#include <stdio.h>

#include "../core/json.h"
#include "../core/text.h"

static int check_member(lp_reading_t *reading, const lp_member_t *member,
                        const json_t *value);
static const char *type_words(json_type type);

int
lp_members_read(lp_reading_t *reading, const lp_member_t *members,
                const json_t *object)
{
    const json_t *value;
    size_t        before;
    int           counts;

    for (; members->name != NULL; members++) {
        before = lp_reading_enter(reading, members->name);
        value = json_object_get(object, members->name);
        counts = check_member(reading, members, value);
        if (counts < 0 || (counts > 0 && members->take(reading, value) != 0)) {
            return -1;
        }
        reading->path_len = before;
    }
    return 0;
}

/* 1: it counts; 0: it is absent, and may be; -1: refused. */
static int
check_member(lp_reading_t *reading, const lp_member_t *member,
             const json_t *value)
{
    char why[64];

    if (value == NULL || json_is_null(value)) {
        return member->need == LP_NEEDED ? lp_refuse(reading, "is missing") : 0;
    }
    if (json_typeof(value) != member->type) {
        return lp_refuse(reading, type_words(member->type));
    }
    if (member->type != JSON_STRING) {
        return 1;
    }
    if (json_string_length(value) == 0) {
        return member->need == LP_NEEDED ? lp_refuse(reading, "is empty") : 0;
    }
    if (json_string_length(value) > member->max) {
        snprintf(why, sizeof(why), "is longer than %zu bytes", member->max);
        return lp_refuse(reading, why);
    }
    if (lp_has_control(lp_json_text(value))) {
        return lp_refuse(reading, "holds a control character");
    }
    return 1;
}

static const char *
type_words(json_type type)
{
    switch (type) {
    case JSON_OBJECT:
        return "is no object";
    case JSON_ARRAY:
        return "is no list";
    case JSON_INTEGER:
        return "is no whole number";
    default:
        return "is no string";
    }
}

int
lp_members_list(lp_reading_t *reading, const json_t *list,
                const lp_member_t *members,
                int (*keep)(lp_reading_t *reading))
{
    const json_t *entry;
    size_t        i, before = reading->path_len;
    int           n;

    for (i = 0; i < json_array_size(list); i++) {
        n = snprintf(reading->path + before, sizeof(reading->path) - before,
                     "[%zu]", i);
        reading->path_len = before + (n > 0 ? (size_t) n : 0);
        entry = json_array_get(list, i);
        if (!json_is_object(entry)) {
            return lp_refuse(reading, type_words(JSON_OBJECT));
        }
        if (lp_members_read(reading, members, entry) != 0
            || keep(reading) != 0) {
            return -1;
        }
    }
    reading->path_len = before;
    return 0;
}

size_t
lp_reading_enter(lp_reading_t *reading, const char *name)
{
    size_t before = reading->path_len, room = sizeof(reading->path) - before;
    int    n;

    n = snprintf(reading->path + before, room, "%s%s", before > 0 ? "." : "",
                 name);
    if (n > 0) {
        reading->path_len += (size_t) n < room ? (size_t) n : room - 1;
    }
    return before;
}

int
lp_refuse(lp_reading_t *reading, const char *why)
{
    reading->verdict->result = LP_REFUSED_FIELD;
    reading->verdict->code = LP_CODE_SCHEMA;
    snprintf(reading->verdict->reason, sizeof(reading->verdict->reason),
             "%.*s: %s", (int) reading->path_len, reading->path, why);
    return -1;
}

int
lp_refuse_at(lp_reading_t *reading, const char *name, const char *why)
{
    lp_reading_enter(reading, name);
    return lp_refuse(reading, why);
}
