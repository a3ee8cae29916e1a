/*
 * GET /v1/usage/school: the entitlements of a school by delivery order, with
 * what they add up to. There may be 30,000 of them: which delivery order each
 * belongs to is gathered first, 28 bytes each, and the answer is then written
 * piece by piece. Where Redis fails in the middle of that the JSON stays
 * unfinished, so that nobody can take the part for the whole.
 */

#include <stdlib.h>

#include "names.h"
#include "number.h"
#include "usage_totals.h"
#include "usage_viewer.h"

#define CHUNK     256     /* entitlements in one round trip */
#define HELD_MAX  2000000 /* entitlements of a school */
#define LIMIT_MAX 1000    /* delivery orders, where a limit is asked for */
#define QUERY_MAX 512     /* bytes of a parameter */

/* An entitlement of a school that the caller may see. */
typedef struct {
    char     id[LP_ENTITLEMENT_LEN];
    uint32_t order; /* number of its delivery order */
} held_t;

typedef struct {
    lp_service_t *service;
    lp_request_t *request;
    lp_viewer_t   viewer;
    lp_value_t    school;
    unsigned      shard;
    uint32_t      today;
    lp_names_t    orders;
    held_t       *held; /* by delivery order, after sort_held() */
    size_t        n_held, room;
} view_t;

static int read_page(lp_request_t *request, uint64_t *start,
                     uint64_t *limit);
static int read_number(lp_request_t *request, const char *name,
                       uint64_t min, uint64_t max, uint64_t *number);
static int school_of_query(view_t *view, char *master, char *type, char *id);
static int read_text(lp_request_t *request, const char *name, char *text,
                     int *has);
static int gather(view_t *view);
static int gather_chunk(view_t *view, uint64_t from, size_t *n);
static int list_ids(view_t *view, uint64_t from,
                    char ids[CHUNK][LP_ENTITLEMENT_LEN], size_t *n);
static int hold_seen(view_t *view, const char *id, const redisReply *reply);
static int hold(view_t *view, lp_span_t id, lp_span_t order);
static int sort_held(view_t *view);
static void write_orders(view_t *view, uint64_t start, uint64_t limit);
static int write_order(view_t *view, const held_t *held, size_t n);
static int write_chunk(view_t *view, const held_t *held, size_t n,
                       lp_usage_totals_t *totals, int *first);
static int write_totals(view_t *view, const lp_usage_totals_t *totals);
static int write_json(view_t *view, json_t *json);

void
lp_route_usage_school(lp_service_t *service, lp_request_t *request)
{
    view_t   view = {.service = service, .request = request};
    char     master[QUERY_MAX], type[QUERY_MAX], id[QUERY_MAX];
    uint64_t start, limit;

    view.today = lp_service_today();

    if (lp_viewer_open(&view.viewer, service, request) != 0
        || read_page(request, &start, &limit) != 0
        || school_of_query(&view, master, type, id) != 0
        || lp_viewer_permit(&view.viewer, service, request,
                            lp_field(&view.school)) != 0) {
        return;
    }

    if (gather(&view) == 0 && sort_held(&view) == 0) {
        write_orders(&view, start, limit);
    } else if (!request->answered) {
        lp_answer_unavailable(request);
    }

    free(view.held);
    lp_names_free(&view.orders);
}

/* Of delivery orders; without limit all of them. */
static int
read_page(lp_request_t *request, uint64_t *start, uint64_t *limit)
{
    *start = 0;
    *limit = HELD_MAX;

    return read_number(request, "start", 0, HELD_MAX, start) == 0
                   && read_number(request, "limit", 1, LIMIT_MAX, limit) == 0
               ? 0 : -1;
}

/* Leaves *number where the parameter is absent. */
static int
read_number(lp_request_t *request, const char *name, uint64_t min,
            uint64_t max, uint64_t *number)
{
    char     text[QUERY_MAX], *end;
    uint64_t n;

    int      rc;

    rc = lp_request_query(request, name, text, sizeof(text));
    if (rc == -1) {
        return 0;
    }

    n = rc == 0 ? strtoull(text, &end, 10) : 0;
    if (rc != 0 || text[0] < '0' || text[0] > '9' || *end != '\0'
        || n < min || n > max) {
        lp_answer_refuse(request, 400, LP_CODE_SCHEMA,
                         "%s: is not a number from %llu to %llu", name,
                         (unsigned long long) min, (unsigned long long) max);
        return -1;
    }

    *number = n;

    return 0;
}

static int
school_of_query(view_t *view, char *master, char *type, char *id)
{
    lp_school_asked_t asked = {.names = {"orgMasterId", "orgIdType",
                                         "orgId"}};
    int               has_master, has_type, has_id;

    if (read_text(view->request, "orgMasterId", master, &has_master) != 0
        || read_text(view->request, "orgIdType", type, &has_type) != 0
        || read_text(view->request, "orgId", id, &has_id) != 0) {
        return -1;
    }

    if (has_master) {
        asked.master = lp_span_of(master);
    } else if (has_type && has_id) {
        asked.type = lp_span_of(type);
        asked.id = lp_span_of(id);
    } else {
        lp_answer_refuse(view->request, 400, LP_CODE_SCHEMA,
                         has_type ? "orgId: is missing"
                         : has_id ? "orgIdType: is missing"
                                  : "orgMasterId: is missing, and so are "
                                    "orgId and orgIdType");
        return -1;
    }

    return lp_school_find(&view->school, view->service, view->request,
                          &asked);
}

/* *has: the parameter is there. -1 after refusing one that can't be read. */
static int
read_text(lp_request_t *request, const char *name, char *text, int *has)
{
    int rc;

    rc = lp_request_query(request, name, text, QUERY_MAX);
    *has = rc == 0;

    if (rc == LP_QUERY_WRONG) {
        lp_answer_refuse(request, 400, LP_CODE_SCHEMA,
                         "%s: is too long, or badly encoded", name);
        return -1;
    }

    if (*has && text[0] == '\0') {
        lp_answer_refuse(request, 400, LP_CODE_SCHEMA, "%s: is empty", name);
        return -1;
    }

    return 0;
}

/* All entitlements of the school that the caller may see. */
static int
gather(view_t *view)
{
    uint64_t from = 0;
    size_t   n;

    view->shard = lp_shard(lp_field(&view->school));

    do {
        if (gather_chunk(view, from, &n) != 0) {
            return -1;
        }
        from += n;

        if (view->n_held > HELD_MAX) {
            lp_answer_refuse(view->request, 413, LP_CODE_OTHER,
                             "the school has too many entitlements for one "
                             "answer");
            return -1;
        }
    } while (n > 0);

    return 0;
}

/* *n becomes how many there were, to be seen or not. */
static int
gather_chunk(view_t *view, uint64_t from, size_t *n)
{
    lp_store_t *store = view->service->store;
    lp_span_t   key;
    char        name[LP_KEY_MAX], ids[CHUNK][LP_ENTITLEMENT_LEN];
    size_t      i;

    if (list_ids(view, from, ids, n) != 0) {
        return -1;
    }

    key.data = name;

    for (i = 0; i < *n; i++) {
        key.len = lp_key_entitlement(name, view->shard, ids[i]);
        lp_store_add(store, LP_WORDS(lp_span("HMGET"), key, lp_span("party"),
                                     lp_span("order"), lp_span("status")));
    }
    if (lp_store_run(store) != LP_STORE_OK) {
        return -1;
    }

    for (i = 0; i < *n; i++) {
        if (hold_seen(view, ids[i], lp_store_reply(store, (unsigned) i))
            != 0) {
            return -1;
        }
    }

    return 0;
}

/* Up to CHUNK ids of the school's list. */
static int
list_ids(view_t *view, uint64_t from, char ids[CHUNK][LP_ENTITLEMENT_LEN],
         size_t *n)
{
    const redisReply *reply;
    lp_span_t         key, none = {NULL, 0};
    lp_number_t       first, last;
    char              name[LP_KEY_MAX];
    size_t            i;

    key.data = name;
    key.len = lp_key_held(name, lp_field(&view->school), none);
    reply = lp_store_ask(view->service->store,
                         LP_WORDS(lp_span("LRANGE"), key,
                                  lp_number(&first, from),
                                  lp_number(&last, from + CHUNK - 1)));

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements > CHUNK) {
        return -1;
    }

    *n = reply->elements;

    for (i = 0; i < *n; i++) {
        if (lp_store_text(reply->element[i]).len != LP_ENTITLEMENT_LEN) {
            return -1;
        }
        memcpy(ids[i], reply->element[i]->str, LP_ENTITLEMENT_LEN);
    }

    return 0;
}

/* reply: party, order and status; without a status it was erased. */
static int
hold_seen(view_t *view, const char *id, const redisReply *reply)
{
    lp_span_t party, order;

    if (reply == NULL || reply->elements != 3
        || lp_store_text(reply->element[2]).len == 0) {
        return 0;
    }

    party = lp_store_text(reply->element[0]);
    order = lp_store_text(reply->element[1]);

    if (!view->viewer.all
        && (party.len == 0 || !lp_span_equal(party, view->viewer.party))) {
        return 0;
    }

    return hold(view, (lp_span_t) {id, LP_ENTITLEMENT_LEN},
                order.len > 0 ? order : lp_span(""));
}

static int
hold(view_t *view, lp_span_t id, lp_span_t order)
{
    held_t *grown;
    size_t  room = view->room == 0 ? 1024 : view->room * 2;

    if (view->n_held == view->room) {
        grown = realloc(view->held, room * sizeof(held_t));
        if (grown == NULL) {
            return -1;
        }
        view->held = grown;
        view->room = room;
    }

    grown = &view->held[view->n_held];
    memcpy(grown->id, id.data, LP_ENTITLEMENT_LEN);
    grown->order = lp_names_add(&view->orders, order);
    view->n_held++;

    return grown->order == LP_NAMES_FULL ? -1 : 0;
}

/* By delivery order, in which they stay as they were: oldest first. */
static int
sort_held(view_t *view)
{
    held_t *sorted = malloc((view->n_held + 1) * sizeof(held_t));
    size_t *at = calloc(view->orders.n + 2, sizeof(size_t)), i;

    if (sorted == NULL || at == NULL) {
        free(sorted);
        free(at);
        return -1;
    }

    for (i = 0; i < view->n_held; i++) {
        at[view->held[i].order + 1]++;
    }
    for (i = 1; i <= view->orders.n; i++) {
        at[i] += at[i - 1];
    }
    for (i = 0; i < view->n_held; i++) {
        sorted[at[view->held[i].order]++] = view->held[i];
    }

    free(at);
    free(view->held);
    view->held = sorted;

    return 0;
}

static void
write_orders(view_t *view, uint64_t start, uint64_t limit)
{
    size_t from, to;
    int    written = 0;

    if (lp_answer_begin(view->request, 200, "application/json") != 0
        || lp_answer_write(view->request, lp_span("[")) != 0) {
        return;
    }

    for (from = 0; from < view->n_held; from = to) {
        for (to = from; to < view->n_held
                        && view->held[to].order == view->held[from].order;
             to++)
        {
        }

        if (view->held[from].order < start
            || view->held[from].order - start >= limit) {
            continue;
        }

        if ((written
             && lp_answer_write(view->request, lp_span(",\n")) != 0)
            || write_order(view, view->held + from, to - from) != 0) {
            return;
        }
        written = 1;
    }

    (void) lp_answer_write(view->request, lp_span("]\n"));
}

static int
write_order(view_t *view, const held_t *held, size_t n)
{
    lp_usage_totals_t totals = {0, 0, 0, 0, 0};
    lp_span_t         order = lp_name(&view->orders, held->order);
    size_t            i;
    int               first = 1;

    if (lp_answer_write(view->request, lp_span("{\"deliveryOrderId\":")) != 0
        || write_json(view, json_stringn(order.data, order.len)) != 0
        || lp_answer_write(view->request, lp_span(",\"entitlements\":["))
               != 0) {
        return -1;
    }

    for (i = 0; i < n; i += CHUNK) {
        if (write_chunk(view, held + i, n - i < CHUNK ? n - i : CHUNK,
                        &totals, &first) != 0) {
            return -1;
        }
    }

    return write_totals(view, &totals);
}

/* A licence of an open right is counted; what is told is the open right, which
   has all its uses. */
static int
write_chunk(view_t *view, const held_t *held, size_t n,
            lp_usage_totals_t *totals, int *first)
{
    lp_store_t *store = view->service->store;
    lp_record_t record;
    lp_span_t   key;
    char        name[LP_KEY_MAX];
    size_t      i;

    key.data = name;

    for (i = 0; i < n; i++) {
        key.len = lp_key_entitlement(name, view->shard, held[i].id);
        lp_store_add(store, LP_WORDS(lp_span("HGETALL"), key));
    }

    if (lp_store_run(store) != LP_STORE_OK) {
        return -1;
    }

    for (i = 0; i < n; i++) {
        if (lp_record_read(&record, held[i].id, view->shard,
                           lp_store_reply(store, (unsigned) i)) != 0
            || !record.exists) {
            continue; /* erased in between, or damaged */
        }

        /* a code's entitlement is licensed itself, an open right is not */
        if (!record.has_open || record.type != LP_TYPE_SCHOOL_CODE) {
            lp_usage_total(totals, &record, view->today);
        }

        if (record.has_open) {
            continue;
        }

        if ((!*first
             && lp_answer_write(view->request, lp_span(",\n")) != 0)
            || write_json(view, lp_usage_json(&record, record.entitlement))
                   != 0) {
            return -1;
        }
        *first = 0;
    }

    return 0;
}

static int
write_totals(view_t *view, const lp_usage_totals_t *totals)
{
    json_t *json;
    char   *text;
    int     rc;

    json = json_pack("{s:I, s:I, s:I, s:I, s:I}", "totalEntitled",
                     (json_int_t) totals->entitled, "totalLicensed",
                     (json_int_t) totals->licensed, "totalCancelled",
                     (json_int_t) totals->cancelled, "totalBlocked",
                     (json_int_t) totals->blocked, "totalExpired",
                     (json_int_t) totals->expired);
    text = json_dumps(json, JSON_COMPACT);
    json_decref(json);

    if (text == NULL) {
        return -1;
    }

    /* the members go on in the object that is open */
    text[0] = ',';
    rc = lp_answer_write(view->request, lp_span("]"));
    if (rc == 0) {
        rc = lp_answer_write(view->request, lp_span_of(text));
    }
    free(text);

    return rc;
}

/* Takes json over; NULL: -1. */
static int
write_json(view_t *view, json_t *json)
{
    char *text = json == NULL ? NULL
                              : json_dumps(json, JSON_COMPACT
                                                     | JSON_ENCODE_ANY);
    int   rc;

    json_decref(json);

    if (text == NULL) {
        return -1;
    }

    rc = lp_answer_write(view->request, lp_span_of(text));
    free(text);

    return rc;
}
