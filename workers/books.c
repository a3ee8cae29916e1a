/*
 * Three questions to Redis: the person's hashes; then, 64 at a time, the
 * products that rights are to, and for each the parts of it, should it be a
 * set; then those parts. A list of parts is a hint (products.h): whether a
 * product is in a set, its own field "in" says.
 *
 * The hashes are packed as the edge's mirror packs them, so that a right is
 * found in the same way. A set that nobody can click on is no book where a
 * part of it is one.
 */

#include "books.h"

#include <stdlib.h>

#include "../core/decide.h"
#include "../core/fields.h"
#include "../core/fold.h"
#include "names.h"
#include "number.h"
#include "products.h"
#include "rights_held.h"

#define BATCH      64
#define REVOKED    lp_span("!")
#define TEXT(n)    TEXT_OF(n)
#define TEXT_OF(n) #n

typedef struct {
    const lp_click_by_t *by;
    lp_store_t          *store;
    lp_books_t          *books;
    lp_rights_held_t     held; /* only its keys */
    lp_span_t            views[LP_HELD_KEYS]; /* packed hashes */
    lp_names_t           ids;    /* what may be a book */
    uint32_t             n_held; /* the first of them: a right is to it */
    lp_names_t           whole;  /* sets of which a part is a book */
} shelf_t;

/* The rights to one product, as the edge gathers them. */
typedef struct {
    lp_span_t   wanted[1 + LP_SETS_MAX];
    unsigned    n_wanted;
    lp_rights_t rights;
    int         overdue; /* what follows has ended too: a click asks further */
} found_t;

static lp_store_status_t read_hashes(shelf_t *shelf);
static int pack(lp_span_t *view, const redisReply *reply);
static int is_revoked(const shelf_t *shelf);
static int name_held(shelf_t *shelf);
static lp_store_status_t read_batch(shelf_t *shelf, uint32_t from, uint32_t n);
static int take_parts(shelf_t *shelf, const redisReply *reply);
static int take_book(shelf_t *shelf, lp_span_t id, const redisReply *reply);
static void gather(const shelf_t *shelf, found_t *found);
static int add_right(found_t *found, lp_span_t text);
static int add_book(shelf_t *shelf, lp_span_t id, const lp_product_t *product,
                    const found_t *found);
static void set_days(lp_book_t *book, const found_t *found, uint32_t today,
                     const lp_right_t *right);
static int note_sets(shelf_t *shelf, const found_t *found);
static int hide_sets(shelf_t *shelf);
static int by_name(const void *a, const void *b);

/* One more than is looked at may be there, as a sign of more. */
static uint32_t
n_ids(const shelf_t *shelf)
{
    return shelf->ids.n < LP_BOOKS_MAX ? shelf->ids.n : LP_BOOKS_MAX;
}

lp_store_status_t
lp_books_read(lp_books_t *books, lp_store_t *store, const lp_click_by_t *by)
{
    static shelf_t    shelf;
    lp_store_status_t status;
    uint32_t          from, n;
    unsigned          i;

    memset(books, 0, sizeof(*books));
    memset(&shelf, 0, sizeof(shelf));
    shelf.by = by;
    shelf.store = store;
    shelf.books = books;
    books->list = calloc(LP_BOOKS_MAX, sizeof(books->list[0]));
    lp_rights_held_name(&shelf.held, by);
    status = books->list == NULL ? LP_STORE_DOWN : read_hashes(&shelf);
    books->revoked = status == LP_STORE_OK && is_revoked(&shelf);
    if (status == LP_STORE_OK && !books->revoked && name_held(&shelf) != 0) {
        status = LP_STORE_DOWN;
    }
    for (from = 0; status == LP_STORE_OK && from < n_ids(&shelf); from += n) {
        n = n_ids(&shelf) - from < BATCH ? n_ids(&shelf) - from : BATCH;
        status = read_batch(&shelf, from, n);
    }
    if (status == LP_STORE_OK && hide_sets(&shelf) != 0) {
        status = LP_STORE_DOWN;
    }
    if (status == LP_STORE_OK && books->n > 0) {
        qsort(books->list, books->n, sizeof(books->list[0]), by_name);
    }
    for (i = 0; i < LP_HELD_KEYS; i++) {
        free((char *) shelf.views[i].data);
    }
    lp_names_free(&shelf.ids);
    lp_names_free(&shelf.whole);
    return status;
}

void
lp_books_free(lp_books_t *books)
{
    unsigned i;

    for (i = 0; i < books->n; i++) {
        free((char *) books->list[i].name.data);
    }
    free(books->list);
    memset(books, 0, sizeof(*books));
}

/* A key of another type counts as none, here as at the edge. */
static lp_store_status_t
read_hashes(shelf_t *shelf)
{
    const redisReply *reply;
    unsigned          i;
    int               is_hash;

    for (i = 0; i < shelf->held.n_keys; i++) {
        lp_store_add(shelf->store,
                     LP_WORDS(lp_span("HGETALL"),
                              lp_held_key(&shelf->held.keys[i])));
    }
    if (lp_store_run(shelf->store) == LP_STORE_DOWN) {
        return LP_STORE_DOWN;
    }
    for (i = 0; i < shelf->held.n_keys; i++) {
        reply = lp_store_reply(shelf->store, i);
        is_hash = lp_rights_held_is_hash(reply);
        if (is_hash == -1) {
            return LP_STORE_REFUSED;
        }
        if (is_hash == 1 && pack(&shelf->views[i], reply) != 0) {
            return LP_STORE_DOWN;
        }
    }
    return LP_STORE_OK;
}

static int
pack(lp_span_t *view, const redisReply *reply)
{
    size_t      n = reply->elements / 2, i;
    lp_field_t *fields = calloc(n + 1, sizeof(lp_field_t));
    char       *bytes = NULL;

    for (i = 0; fields != NULL && i < n; i++) {
        fields[i].name = lp_store_text(reply->element[2 * i]);
        fields[i].value = lp_store_text(reply->element[2 * i + 1]);
    }
    if (fields != NULL) {
        bytes = malloc(lp_fields_size(fields, n) + 1);
    }
    if (bytes != NULL) {
        view->data = bytes;
        view->len = lp_fields_pack(bytes, fields, n);
    }
    free(fields);
    return bytes != NULL ? 0 : -1;
}

/* As the edge has it: one time that can't be read refuses all. */
static int
is_revoked(const shelf_t *shelf)
{
    lp_span_t text;
    int64_t   since;
    unsigned  i;

    for (i = 0; i < shelf->held.n_keys; i++) {
        if (shelf->held.keys[i].user.len == 0
            || lp_fields_count(shelf->views[i]) == 0) {
            continue;
        }
        text = lp_fields_find(shelf->views[i], REVOKED);
        if (text.data == NULL) {
            continue;
        }
        since = lp_number_read(text);
        if (since < 0 || shelf->by->issued < since) {
            return 1;
        }
    }
    return 0;
}

/* "<product>+" counts behind a right alone, and "!" is no product. */
static int
name_held(shelf_t *shelf)
{
    lp_field_t field;
    size_t     at;
    unsigned   i;

    for (i = 0; i < shelf->held.n_keys; i++) {
        at = 0;
        while (lp_fields_count(shelf->views[i]) > 0
               && lp_fields_next(shelf->views[i], &at, &field)) {
            if (!lp_product_valid(field.name)
                || shelf->ids.n > LP_BOOKS_MAX) {
                continue;
            }
            if (lp_names_add(&shelf->ids, field.name) == LP_NAMES_FULL) {
                return -1;
            }
        }
    }
    shelf->n_held = shelf->ids.n;
    return 0;
}

/* Each product, and for those that a right is to, what may be part of it. */
static lp_store_status_t
read_batch(shelf_t *shelf, uint32_t from, uint32_t n)
{
    char      name[LP_KEY_MAX], id[LP_KEY_MAX];
    lp_span_t key = {name, 0}, product = {id, 0}, held;
    uint32_t  i, at = 0;

    for (i = from; i < from + n; i++) {
        held = lp_name(&shelf->ids, i);
        key.len = lp_key_product(name, held);
        lp_store_add(shelf->store, LP_WORDS(lp_span("HGETALL"), key));
        if (i < shelf->n_held) {
            key.len = lp_key_parts(name, held);
            lp_store_add(shelf->store, LP_WORDS(lp_span("SRANDMEMBER"), key,
                                                lp_span(TEXT(LP_BOOKS_MAX))));
        }
    }
    if (lp_store_run(shelf->store) == LP_STORE_DOWN) {
        return LP_STORE_DOWN;
    }
    for (i = from; i < from + n; i++) {
        held = lp_name(&shelf->ids, i); /* until a part is added */
        memcpy(id, held.data, held.len);
        product.len = held.len;
        if (lp_rights_held_is_hash(lp_store_reply(shelf->store, at)) == -1) {
            return LP_STORE_REFUSED;
        }
        if (take_book(shelf, product, lp_store_reply(shelf->store, at)) != 0
            || (i < shelf->n_held
                && take_parts(shelf, lp_store_reply(shelf->store, at + 1))
                       != 0)) {
            return LP_STORE_DOWN;
        }
        at += i < shelf->n_held ? 2 : 1;
    }
    return LP_STORE_OK;
}

/* A refusal is no list: without one, a set shows itself. */
static int
take_parts(shelf_t *shelf, const redisReply *reply)
{
    lp_span_t text;
    size_t    i;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        return 0;
    }
    for (i = 0; i < reply->elements; i++) {
        text = lp_store_text(reply->element[i]);
        if (text.data != NULL && lp_product_valid(text)
            && shelf->ids.n <= LP_BOOKS_MAX
            && lp_names_add(&shelf->ids, text) == LP_NAMES_FULL) {
            return -1;
        }
    }
    return 0;
}

/* Nothing where the catalogue lacks it, or no right is to it. */
static int
take_book(shelf_t *shelf, lp_span_t id, const redisReply *reply)
{
    lp_product_t product;
    found_t      found;
    size_t       i;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        return 0;
    }
    memset(&product, 0, sizeof(product));
    for (i = 0; i < reply->elements; i += 2) {
        lp_product_field(&product, lp_store_text(reply->element[i]),
                         lp_store_text(reply->element[i + 1]));
    }
    if (product.in.len > LP_HELD_IN_MAX) {
        product.in.len = LP_HELD_IN_MAX;
    }
    found.rights.n = 0;
    found.overdue = 0;
    found.wanted[0] = id;
    found.n_wanted = 1 + lp_product_sets(&product, found.wanted + 1);
    gather(shelf, &found);
    if (found.rights.n == 0) {
        return 0;
    }
    return add_book(shelf, id, &product, &found) == 0
               ? note_sets(shelf, &found) : -1;
}

/* As ngx_http_leerpoort_read_rights() does, and rights_held.c. */
static void
gather(const shelf_t *shelf, found_t *found)
{
    const lp_right_t *right;
    lp_span_t         text, follows, view;
    char              name[LP_FOLLOWS_MAX];
    unsigned          k, i;

    for (k = 0; k < shelf->held.n_keys; k++) {
        view = shelf->views[k];
        for (i = 0; lp_fields_count(view) > 0 && i < found->n_wanted; i++) {
            text = lp_fields_find(view, found->wanted[i]);
            if (text.data == NULL) {
                continue;
            }
            if (add_right(found, text)) {
                right = &found->rights.list[found->rights.n - 1];
                if (!lp_right_ended(right, shelf->by->today)
                    && !lp_right_to_come(right, shelf->by->today)) {
                    continue;
                }
            }
            follows.data = name;
            follows.len = lp_field_follows(name, found->wanted[i]);
            follows = lp_fields_find(view, follows);
            if (follows.data != NULL && add_right(found, follows)) {
                right = &found->rights.list[found->rights.n - 1];
                found->overdue |= lp_right_ended(right, shelf->by->today);
            }
        }
    }
}

/* 0: it can't be read, and counts as none. */
static int
add_right(found_t *found, lp_span_t text)
{
    lp_rights_t *rights = &found->rights;

    if (rights->n == LP_RIGHTS_MAX
        || lp_right_parse(&rights->list[rights->n], text) != 0) {
        return 0;
    }
    rights->n++;
    return 1;
}

/* A name that nobody can see, or click on, is none. */
static int
is_blank(lp_span_t name)
{
    size_t i;

    for (i = 0; i < name.len; i++) {
        if ((unsigned char) name.data[i] > ' ') {
            return 0;
        }
    }
    return 1;
}

static int
add_book(shelf_t *shelf, lp_span_t id, const lp_product_t *product,
         const found_t *found)
{
    static const lp_hosts_t any = {NULL, 0};
    lp_books_t             *books = shelf->books;
    const lp_right_t       *right;
    lp_book_t              *book = &books->list[books->n];
    char                    location[LP_LOCATION_MAX];
    char                   *name;
    size_t                  len;

    if (books->n == LP_BOOKS_MAX) {
        books->more = 1;
        return 0;
    }
    name = malloc(product->name.len + 1);
    if (name == NULL) {
        return -1;
    }
    if (product->name.len > 0) {
        memcpy(name, product->name.data, product->name.len);
    }
    book->name.data = name;
    book->name.len = is_blank(product->name) ? 0 : product->name.len;
    memcpy(book->product, id.data, id.len);
    book->product_len = id.len;
    book->outcome = lp_decide(product, &found->rights, shelf->by->today,
                              &right);
    book->linked = lp_location(location, &len, product, lp_span(""), &any)
                   == LP_TARGET_OK;
    book->opens = book->linked
                  && (book->outcome == LP_REDIRECT
                      || book->outcome == LP_ACTIVATE
                      || (book->outcome == LP_ENDED && found->overdue));
    set_days(book, found, shelf->by->today, right);
    books->n++;
    return 0;
}

static void
set_days(lp_book_t *book, const found_t *found, uint32_t today,
         const lp_right_t *right)
{
    const lp_right_t *one;
    unsigned          i;

    book->from = 0;
    book->until = right == NULL ? 0 : right->until;
    for (i = 0; i < found->rights.n; i++) {
        one = &found->rights.list[i];
        if (book->outcome == LP_NOT_YET && lp_right_to_come(one, today)
            && (book->from == 0 || one->from < book->from)) {
            book->from = one->from;
        }
        if (book->outcome == LP_ENDED && lp_right_ended(one, today)
            && one->until > book->until) {
            book->until = one->until;
        }
    }
}

static int
note_sets(shelf_t *shelf, const found_t *found)
{
    unsigned i;

    for (i = 1; i < found->n_wanted; i++) {
        if (lp_names_add(&shelf->whole, found->wanted[i]) == LP_NAMES_FULL) {
            return -1;
        }
    }
    return 0;
}

static int
hide_sets(shelf_t *shelf)
{
    lp_books_t *books = shelf->books;
    uint32_t    known = shelf->whole.n, number;
    unsigned    i, kept = 0;

    books->more |= shelf->ids.n > LP_BOOKS_MAX;
    for (i = 0; i < books->n; i++) {
        number = lp_names_add(&shelf->whole,
                              lp_book_product(&books->list[i]));
        if (number == LP_NAMES_FULL) {
            return -1;
        }
        if (!books->list[i].linked && number < known) {
            free((char *) books->list[i].name.data);
        } else {
            books->list[kept++] = books->list[i];
        }
    }
    books->n = kept;
    return 0;
}

/* As people look for it; the id where two have one name. */
static int
by_name(const void *a, const void *b)
{
    const lp_book_t *one = a, *two = b;
    char             left[LP_FOLDED_MAX], right[LP_FOLDED_MAX];
    int              order;

    lp_fold(left, one->name.len > 0 ? one->name : lp_book_product(one));
    lp_fold(right, two->name.len > 0 ? two->name : lp_book_product(two));
    order = strcmp(left, right);
    return order != 0 ? order : strcmp(one->product, two->product);
}
