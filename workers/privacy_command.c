/*
 * leerpoort privacy show|erase: what a person may ask of whoever holds their
 * data (GDPR articles 15 and 17). The id comes on standard input and goes no
 * further than its hash; neither it nor the user key is printed.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "../core/entitlement.h"
#include "../core/right.h"
#include "commands.h"
#include "erasure.h"
#include "holder.h"
#include "input.h"
#include "pairs.h"
#include "privacy.h"
#include "say.h"

#define DEFAULT_TYPE "ECK"
#define SEAL_MAX     4096
#define DATE_MAX     16 /* room for YYYY-MM-DD */
#define KEY_SCHOOL   7  /* "u:{NN}:" */

/* A field of a record, code, session or link, and what people are told it is.
   */
typedef struct {
    const char *name;
    const char *shown;
    int         day; /* YYYYMMDD */
} shown_t;

static const shown_t record_fields[] = {
    {"product", "productId", 0},
    {"type", "entitlementType", 0},
    {"status", "entitlementStatus", 0},
    {"school", "school", 0},
    {"party", "party", 0},
    {"order", "deliveryOrderId", 0},
    {"contract", "contractId", 0},
    {"from", "startDate", 1},
    {"until", "activationUntilDate", 1},
    {"licensed", "activated", 1},
    {"expires", "expirationDate", 1},
    {"first", "firstUsed", 1},
    {"last", "lastUsed", 1},
    {"count", "frequencyOfUsage", 0},
    {NULL, NULL, 0},
};

static const shown_t code_fields[] = {
    {"product", "productId", 0},
    {"school", "school", 0},
    {"party", "party", 0},
    {"used", "usedAt", 0},
    {"until", "expirationDate", 1},
    {NULL, NULL, 0},
};

static const shown_t session_fields[] = {
    {"provider", "provider", 0},
    {"school", "school", 0},
    {"at", "signedInAt", 0},
    {"used", "lastUsedAt", 0},
    {"until", "endsAt", 0},
    {NULL, NULL, 0},
};

static const shown_t link_fields[] = {
    {"platform", "platform", 0},
    {"school", "school", 0},
    {"at", "linkedAt", 0},
    {NULL, NULL, 0},
};

static int open_person(lp_person_t *person, const lp_args_t *args);
static int read_seal(lp_person_t *person, const lp_args_t *args);
static void close_person(lp_person_t *person);
static json_t *describe(lp_person_t *person);
static int add_rights(lp_person_t *person, json_t *list);
static json_t *right_of(lp_span_t school, lp_span_t product, lp_span_t text);
static int add_hashes(lp_person_t *person, const lp_names_t *keys,
                      const shown_t *fields, json_t *list);
static void add_fields(json_t *object, const redisReply *hash,
                       const shown_t *fields);
static json_t *text_of(lp_span_t text);
static json_t *day_of(uint32_t day);
static json_t *day_text(lp_span_t text);
static void print_person(const json_t *answer);
static void print_list(const char *title, const json_t *list);
static void print_value(const json_t *value);
static int say_sealed(const lp_person_t *person);
static int erase(lp_person_t *person, const lp_args_t *args);
static int record(lp_store_t *store, const char *receipt,
                  const lp_person_counts_t *n);

static int
open_person(lp_person_t *person, const lp_args_t *args)
{
    const char *type = args->value[LP_OPT_ID_TYPE];
    const char *pepper = args->value[LP_OPT_HOLDER_PEPPER];
    char        user[LP_USER_KEY_LEN];
    int         rc;

    memset(person, 0, sizeof(*person));
    person->pepper = lp_holder_pepper(pepper);
    if (person->pepper == NULL || read_seal(person, args) != 0) {
        return LP_NO;
    }
    rc = lp_holder_hash(user, args, person->pepper,
                        type != NULL ? type : DEFAULT_TYPE);
    if (rc != LP_YES) {
        return rc;
    }
    if (lp_names_add(&person->users, (lp_span_t) {user, LP_USER_KEY_LEN})
        == LP_NAMES_FULL) {
        lp_say("out of memory");
        return LP_NO;
    }
    return lp_erasure_open(&person->store, args);
}

static int
read_seal(lp_person_t *person, const lp_args_t *args)
{
    const char *path = args->value[LP_OPT_SEAL];
    lp_input_t  file;

    if (path == NULL) {
        return 0;
    }
    if (lp_input_file(&file, path, SEAL_MAX) != 0) {
        return -1;
    }
    lp_input_warn_open(path, "seal");
    person->seal = lp_seal_create(lp_input_span(&file));
    lp_input_free(&file);
    if (person->seal == NULL) {
        lp_say("the seal %s has less than 32 bytes", path);
        return -1;
    }
    return 0;
}

static void
close_person(lp_person_t *person)
{
    lp_store_destroy(person->store);
    lp_seal_destroy(person->seal);
    lp_pepper_destroy(person->pepper);
    lp_person_free(person);
}

/* show */

int
lp_command_privacy_show(const lp_args_t *args)
{
    lp_person_t person;
    json_t     *answer = NULL;
    int         rc;

    rc = open_person(&person, args);
    if (rc == LP_YES) {
        answer = lp_person_find(&person) == 0 ? describe(&person) : NULL;
        rc = answer == NULL ? lp_erasure_failed(person.store) : LP_YES;
    }
    if (rc == LP_YES) {
        if (args->value[LP_OPT_JSON] != NULL) {
            json_dumpf(answer, stdout, JSON_INDENT(2));
            fputc('\n', stdout);
        } else {
            print_person(answer);
        }
        (void) say_sealed(&person);
        if (lp_person_is_unknown(&person)) {
            lp_say("nothing is held of this person");
            rc = LP_NO;
        }
    }
    json_decref(answer);
    close_person(&person);
    return rc;
}

static json_t *
describe(lp_person_t *person)
{
    json_t *rights = json_array(), *records = json_array();
    json_t *codes = json_array(), *sessions = json_array();
    json_t *links = json_array();

    if (add_rights(person, rights) != 0
        || add_hashes(person, &person->records, record_fields, records) != 0
        || add_hashes(person, &person->codes, code_fields, codes) != 0
        || add_hashes(person, &person->sessions, session_fields, sessions)
               != 0
        || add_hashes(person, &person->links, link_fields, links) != 0) {
        json_decref(rights);
        json_decref(records);
        json_decref(codes);
        json_decref(sessions);
        json_decref(links);
        return NULL;
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I, s:I, s:I}}",
                     "rights", rights, "entitlements", records, "codes",
                     codes, "sessions", sessions, "links", links,
                     "waiting", "messages",
                     (json_int_t) person->letters, "unreadable",
                     (json_int_t) person->sealed, "clicks",
                     (json_int_t) person->clicks, "triesOfCodes",
                     (json_int_t) person->tries.n);
}

static int
add_rights(lp_person_t *person, json_t *list)
{
    const redisReply *hash;
    const char       *slash;
    lp_span_t         key, school;
    uint32_t          i;
    size_t            j;

    for (i = 0; i < person->rights.n; i++) {
        key = lp_name(&person->rights, i);
        hash = lp_store_ask(person->store, LP_WORDS(lp_span("HGETALL"), key));
        if (hash == NULL || hash->type != REDIS_REPLY_ARRAY) {
            return -1;
        }
        school.data = key.data + KEY_SCHOOL;
        slash = memchr(school.data, '/', key.len - KEY_SCHOOL);
        school.len = (size_t) (slash - school.data);
        for (j = 0; j + 1 < hash->elements; j += 2) {
            json_array_append_new(
                list, right_of(school, lp_store_text(hash->element[j]),
                               lp_store_text(hash->element[j + 1])));
        }
    }
    return 0;
}

static json_t *
right_of(lp_span_t school, lp_span_t product, lp_span_t text)
{
    json_t    *object = json_object();
    lp_right_t right;
    char       uuid[LP_UUID_LEN + 1], state[2] = "";

    json_object_set_new(object, "school",
                        school.len > 0 ? text_of(school) : json_null());
    if (lp_span_equal(product, lp_span("!"))) {
        json_object_set_new(object, "tokensRefusedBefore", text_of(text));
        return object;
    }
    if (product.len > 1 && product.data[product.len - 1] == '+') {
        product.len--;
        json_object_set_new(object, "follows", json_true());
    }
    json_object_set_new(object, "productId", text_of(product));
    if (lp_right_parse(&right, text) != 0) {
        json_object_set_new(object, "unreadable", json_true());
        return object;
    }
    state[0] = (char) right.state;
    json_object_set_new(object, "state", json_string(state));
    json_object_set_new(object, "from", day_of(right.from));
    json_object_set_new(object, "until", day_of(right.until));
    json_object_set_new(object, "entitlementId", json_string(
        lp_entitlement_uuid(uuid, right.entitlement)));
    return object;
}

static int
add_hashes(lp_person_t *person, const lp_names_t *keys, const shown_t *fields,
           json_t *list)
{
    const redisReply *hash;
    lp_span_t         key;
    json_t           *object;
    uint32_t          i;
    char              uuid[LP_UUID_LEN + 1];

    for (i = 0; i < keys->n; i++) {
        key = lp_name(keys, i);
        hash = lp_store_ask(person->store, LP_WORDS(lp_span("HGETALL"), key));
        if (hash == NULL || hash->type != REDIS_REPLY_ARRAY) {
            return -1;
        }
        object = json_object();
        if (fields == record_fields
            && key.len == KEY_SCHOOL + LP_ENTITLEMENT_LEN) {
            json_object_set_new(object, "entitlementId", json_string(
                lp_entitlement_uuid(uuid, key.data + KEY_SCHOOL)));
        }
        add_fields(object, hash, fields);
        json_array_append_new(list, object);
    }
    return 0;
}

static void
add_fields(json_t *object, const redisReply *hash, const shown_t *fields)
{
    lp_span_t value;

    for (; fields->name != NULL; fields++) {
        value = lp_pairs_find(hash, fields->name);
        if (value.len > 0) {
            json_object_set_new(object, fields->shown,
                                fields->day ? day_text(value)
                                            : text_of(value));
        }
    }
}

/* What is stored may be anything: escaped, and so valid JSON. */
static json_t *
text_of(lp_span_t text)
{
    char shown[LP_ESCAPED_MAX];

    return json_string(lp_escape(shown, text, 64));
}

static json_t *
day_of(uint32_t day)
{
    char date[DATE_MAX];

    if (day == 0) {
        return json_null();
    }
    snprintf(date, sizeof(date), "%04u-%02u-%02u", day / 10000 % 10000,
             day / 100 % 100, day % 100);
    return json_string(date);
}

static json_t *
day_text(lp_span_t text)
{
    char date[DATE_MAX];

    if (text.len != 8) {
        return text_of(text);
    }
    snprintf(date, sizeof(date), "%.4s-%.2s-%.2s", text.data, text.data + 4,
             text.data + 6);
    return text_of(lp_span_of(date));
}

static void
print_person(const json_t *answer)
{
    const json_t *waiting = json_object_get(answer, "waiting");

    print_list("rights", json_object_get(answer, "rights"));
    print_list("entitlements and licences",
               json_object_get(answer, "entitlements"));
    print_list("activation codes used", json_object_get(answer, "codes"));
    print_list("sessions", json_object_get(answer, "sessions"));
    print_list("linked accounts of an LMS", json_object_get(answer, "links"));
    printf("waiting: %" JSON_INTEGER_FORMAT " messages to sellers, %"
           JSON_INTEGER_FORMAT " clicks to be counted\n",
           json_integer_value(json_object_get(waiting, "messages")),
           json_integer_value(json_object_get(waiting, "clicks")));
    puts("Which products of a school were read in a week, and by how many, is "
         "kept for\n60 days in a form that nobody can read a person from.");
}

static void
print_list(const char *title, const json_t *list)
{
    const json_t *object, *value;
    const char   *name;
    void         *at;
    size_t        i;

    printf("%s: %zu\n", title, json_array_size(list));
    for (i = 0; i < json_array_size(list); i++) {
        object = json_array_get(list, i);
        fputs("  -", stdout);
        for (at = json_object_iter((json_t *) object); at != NULL;
             at = json_object_iter_next((json_t *) object, at)) {
            name = json_object_iter_key(at);
            value = json_object_iter_value(at);
            printf(" %s=", name);
            print_value(value);
        }
        fputc('\n', stdout);
    }
}

static void
print_value(const json_t *value)
{
    fputs(json_is_string(value) ? json_string_value(value)
          : json_is_true(value) ? "yes"
                                : "-",
          stdout);
}

/* 1 where something that may be this person's could not be read. */
static int
say_sealed(const lp_person_t *person)
{
    if (person->sealed == 0) {
        return 0;
    }
    if (person->seal == NULL) {
        lp_say("%" PRIu64 " messages wait that name somebody, sealed; --seal "
               "FILE looks into them", person->sealed);
    } else {
        lp_say("%" PRIu64 " messages wait that were sealed with another key; "
               "they may name this person", person->sealed);
    }
    return 1;
}

/* erase */

int
lp_command_privacy_erase(const lp_args_t *args)
{
    lp_person_t person;
    int         rc;

    rc = open_person(&person, args);
    if (rc == LP_YES) {
        rc = lp_erasure_confirm(args, "Erase all that is held of this person, "
                                      "so that it can't be brought back?");
    }
    if (rc == LP_YES) {
        rc = lp_person_find(&person) == 0 ? erase(&person, args)
                                          : lp_erasure_failed(person.store);
    }
    close_person(&person);
    return rc;
}

static int
erase(lp_person_t *person, const lp_args_t *args)
{
    lp_person_counts_t n;
    char               receipt[LP_RECEIPT_LEN + 1];

    if (lp_erasure_receipt(receipt) != 0) {
        return LP_NO;
    }
    if (lp_person_erase(person, &n) != 0
        || record(person->store, receipt, &n) != 0) {
        return lp_erasure_failed(person->store);
    }
    printf("erased: %" PRIu64 " sets of rights; the person in %" PRIu64
           " entitlements, %" PRIu64 " codes, %" PRIu64 " messages and %" PRIu64
           " clicks that wait; %" PRIu64 " sessions, %" PRIu64 " linked "
           "accounts, %" PRIu64 " other keys\nreceipt: %s\n",
           n.rights, n.records, n.codes, n.letters, n.clicks, n.sessions,
           n.links, n.others, receipt);
    if (say_sealed(person)) {
        return LP_NO;
    }
    return lp_erasure_rewrite(person->store, args);
}

/* That it was done, and how much, but not whom it was about. */
static int
record(lp_store_t *store, const char *receipt, const lp_person_counts_t *n)
{
    const lp_erased_count_t counts[] = {
        {"rights", n->rights},     {"records", n->records},
        {"codes", n->codes},       {"messages", n->letters},
        {"clicks", n->clicks},     {"sessions", n->sessions},
        {"links", n->links},       {"others", n->others},
    };

    lp_erasure_add(store, "person", receipt, counts,
                   sizeof(counts) / sizeof(counts[0]));
    return lp_store_run(store) == LP_STORE_OK ? 0 : -1;
}
