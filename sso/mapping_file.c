/*
 * The types of ids become members of the session token, beside iss, exp and
 * role: they are upper-case, so that none of them can be one of those.
 */

#include "mapping_file.h"

#include "../core/chars.h"

#define ROWS_MAX LP_MAPPING_MAX

static int is_claim(lp_span_t text);
static int is_user_type(lp_span_t text);

static const lp_conf_member_t user_members[] = {
    {"claim", LP_CONF_TEXT, is_claim, "the name of a claim",
     offsetof(lp_mapped_t, path), 1, 0, LP_CLAIM_PATH_MAX},
    {"idType", LP_CONF_TEXT, is_user_type,
     "ECK or a userIdType (A-Z 0-9 _, not a school's)",
     offsetof(lp_mapped_t, id_type), 1, 0, LP_ID_TYPE_MAX},
    {NULL, LP_CONF_ELSE, NULL, NULL, 0, 0, 0, 0},
};

static const lp_conf_member_t school_members[] = {
    {"claim", LP_CONF_TEXT, is_claim, "the name of a claim",
     offsetof(lp_mapped_t, path), 1, 0, LP_CLAIM_PATH_MAX},
    {"idType", LP_CONF_TEXT, lp_who_is_school_type,
     "MASTER, OIE_CODE, BP_ID, DD_ID, AS_ID or V_ID",
     offsetof(lp_mapped_t, id_type), 1, 0, LP_ID_TYPE_MAX},
    {NULL, LP_CONF_ELSE, NULL, NULL, 0, 0, 0, 0},
};

static const lp_conf_member_t employee_members[] = {
    {"claim", LP_CONF_TEXT, is_claim, "the name of a claim",
     offsetof(lp_mapped_t, path), 1, 0, LP_CLAIM_PATH_MAX},
    {"value", LP_CONF_TEXT, NULL, NULL, offsetof(lp_mapped_t, value), 1, 0,
     0},
    {NULL, LP_CONF_ELSE, NULL, NULL, 0, 0, 0, 0},
};

static int
is_claim(lp_span_t text)
{
    return text.len > 0 && lp_conf_is_name(text);
}

/* Of people: none of a school's. */
static int
is_user_type(lp_span_t text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (!((text.data[i] >= 'A' && text.data[i] <= 'Z')
              || lp_char_is((unsigned char) text.data[i], LP_CHAR_DIGIT)
              || text.data[i] == '_')) {
            return 0;
        }
    }
    return text.len > 0 && text.len <= LP_ID_TYPE_MAX
           && !lp_who_is_school_type(text);
}

static int
read_rows(lp_conf_t *conf, const json_t *object, const char *name,
          const lp_conf_member_t *members, lp_mapped_t *rows, unsigned *n)
{
    const json_t *array;
    size_t        here;
    unsigned      i, count;

    if (lp_conf_array(conf, object, name, ROWS_MAX, &array, &count) != 0) {
        return -1;
    }
    for (i = 0; i < count; i++) {
        here = lp_conf_enter(conf, name, (int) i);
        if (lp_conf_read(conf, json_array_get(array, i), members, &rows[i])
            != 0) {
            return -1;
        }
        lp_conf_leave(conf, here);
    }
    *n = count;
    return 0;
}

int
lp_conf_mapping(lp_conf_t *conf, const json_t *object, lp_mapping_t *mapping)
{
    if (read_rows(conf, object, "users", user_members, mapping->users,
                  &mapping->n_users) != 0
        || read_rows(conf, object, "schools", school_members,
                     mapping->schools, &mapping->n_schools) != 0) {
        return -1;
    }
    return read_rows(conf, object, "employees", employee_members,
                     mapping->employees, &mapping->n_employees);
}

int
lp_conf_title(lp_conf_t *conf, const json_t *object,
              lp_span_t title[LP_LANGUAGES], lp_span_t otherwise)
{
    static const lp_conf_member_t members[] = {
        {"nl", LP_CONF_TEXT, NULL, NULL, LP_DUTCH * sizeof(lp_span_t), 1, 0,
         0},
        {"en", LP_CONF_TEXT, NULL, NULL, LP_ENGLISH * sizeof(lp_span_t), 1, 0,
         0},
        {NULL, LP_CONF_ELSE, NULL, NULL, 0, 0, 0, 0},
    };
    const json_t *value = json_object_get(object, "title");
    size_t        here;
    int           i;

    if (json_is_object(value)) {
        here = lp_conf_enter(conf, "title", -1);
        if (lp_conf_read(conf, value, members, title) != 0) {
            return -1;
        }
        lp_conf_leave(conf, here);
        return 0;
    }
    if (value != NULL
        && lp_conf_text(conf, "title", value, LP_CONF_TEXT_MAX, &otherwise)
               != 0) {
        return -1;
    }
    for (i = 0; i < LP_LANGUAGES; i++) {
        title[i] = otherwise;
    }
    return 0;
}

int
lp_conf_algorithms(lp_conf_t *conf, const json_t *object, lp_algs_t *algs,
                   lp_alg_t otherwise)
{
    const json_t *array;
    lp_span_t     name;
    lp_alg_t      alg;
    unsigned      i, n;

    if (lp_conf_array(conf, object, "algorithms", LP_ALGS, &array, &n) != 0) {
        return -1;
    }
    algs->n = 0;
    for (i = 0; i < n; i++) {
        if (lp_conf_text(conf, "algorithms", json_array_get(array, i),
                         LP_CONF_TEXT_MAX, &name) != 0) {
            return -1;
        }
        alg = lp_alg_find(name);
        if (!lp_algs_has(&lp_algs_token, alg) || lp_algs_add(algs, alg) != 0) {
            return lp_conf_refuse(conf, "algorithms", "names such as RS256, "
                                  "PS256 or ES256 are expected, each once");
        }
    }
    if (array != NULL && n == 0) {
        return lp_conf_refuse(conf, "algorithms", "one is expected at least");
    }
    return array != NULL ? 0 : lp_algs_add(algs, otherwise);
}
