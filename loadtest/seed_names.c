/*
 * The catalogue and the schools, as `leerpoort import` would leave them; and
 * what has to go before a population is loaded again.
 */

#include "seed.h"

#include <stdio.h>

#include "../workers/product_field.h"
#include "../workers/say.h"
#include "../workers/store_args.h"
#include "../workers/usage_keys.h"
#include "seller_session.h"

#define TOGETHER 256  /* products or schools in one batch */
#define PAGE     1000 /* entitlements of a list */
#define LICENCE  "schoolyear"
#define PATH     "/{path}"
#define API_NAME "Sellers' own"
#define API_URL  "https://api.load.example/"

typedef struct {
    lp_span_t list[2 + 2 * LP_PRODUCT_FIELDS];
    unsigned  n;
    char      key[LP_KEY_MAX];
} product_t;

static int seed_products(lp_seed_t *seed);
static void begin_product(product_t *product, lp_span_t id);
static void product_field(product_t *product, const char *name,
                          lp_span_t value);
static void add_product(lp_seed_t *seed, uint32_t i);
static void add_set(lp_seed_t *seed, uint32_t i);
static void add_own_product(lp_seed_t *seed);
static int seed_schools(lp_seed_t *seed);
static void add_school(lp_seed_t *seed, uint32_t school);
static int clear_page(lp_seed_t *seed, lp_span_t held, unsigned shard);

static int
finish(lp_store_t *store)
{
    if (lp_store_run(store) != LP_STORE_OK) {
        lp_store_say(store);
        return -1;
    }

    return 0;
}

int
lp_seed_names(lp_seed_t *seed)
{
    return seed_products(seed) == 0 && seed_schools(seed) == 0 ? 0 : -1;
}

static int
seed_products(lp_seed_t *seed)
{
    uint32_t i, n = lp_population_census(seed->holdings.population)->products;

    add_own_product(seed);
    for (i = 0; i < n; i++) {
        add_product(seed, i);
        add_set(seed, i);
        if (i % TOGETHER == 0 && finish(seed->store) != 0) {
            return -1;
        }
    }

    return finish(seed->store);
}

static void
begin_product(product_t *product, lp_span_t id)
{
    product->list[0] = lp_span("HSET");
    product->list[1] = (lp_span_t) {product->key,
                                    lp_key_product(product->key, id)};
    product->n = 2;
}

static void
product_field(product_t *product, const char *name, lp_span_t value)
{
    if (value.len > 0) {
        product->list[product->n++] = lp_span_of(name);
        product->list[product->n++] = value;
    }
}

static void
add_product(lp_seed_t *seed, uint32_t i)
{
    const lp_population_t *population = seed->holdings.population;
    product_t product;
    char      id[LP_NAME_MAX], set[LP_NAME_MAX];
    char      url[LP_URL_MAX], deep[LP_URL_MAX + sizeof(PATH)];
    lp_span_t name;
    size_t    len;

    name.data = id;
    name.len = lp_population_product_id(population, id, i);
    len = lp_population_url(population, url, i);
    snprintf(deep, sizeof(deep), "%.*s" PATH, (int) len, url);

    begin_product(&product, name);
    product_field(&product, "name", name);
    product_field(&product, "url", (lp_span_t) {url, len});
    product_field(&product, "deep",
                  lp_population_deep(population, i) ? lp_span_of(deep)
                                                    : lp_span(""));
    product_field(&product, "free", lp_population_free(population, i)
                                        ? lp_span("1") : lp_span(""));
    len = lp_population_set_id(population, set, i);
    product_field(&product, "in", (lp_span_t) {set, len});
    product_field(&product, "licence", lp_span(LICENCE));
    lp_store_add(seed->store, (lp_words_t) {product.list, product.n});
}

/* A set is a product that nobody clicks on. */
static void
add_set(lp_seed_t *seed, uint32_t i)
{
    product_t product;
    char      id[LP_NAME_MAX];
    lp_span_t name = {id, 0};

    name.len = lp_population_set_id(seed->holdings.population, id, i);
    if (name.len > 0) {
        begin_product(&product, name);
        product_field(&product, "name", name);
        product_field(&product, "licence", lp_span(LICENCE));
        lp_store_add(seed->store, (lp_words_t) {product.list, product.n});
    }
}

/* Of the sellers' traffic during a run. */
static void
add_own_product(lp_seed_t *seed)
{
    product_t product;

    begin_product(&product, lp_span(LP_SELLER_PRODUCT));
    product_field(&product, "name", lp_span(API_NAME));
    product_field(&product, "url", lp_span(API_URL));
    product_field(&product, "licence", lp_span(LICENCE));
    lp_store_add(seed->store, (lp_words_t) {product.list, product.n});
}

static int
seed_schools(lp_seed_t *seed)
{
    uint32_t i, n = lp_population_schools(seed->holdings.population);

    for (i = 0; i < n; i++) {
        add_school(seed, i);
        if (i % TOGETHER == 0 && finish(seed->store) != 0) {
            return -1;
        }
    }

    return finish(seed->store);
}

static void
add_school(lp_seed_t *seed, uint32_t school)
{
    const lp_population_t *population = seed->holdings.population;
    char      id[LP_NAME_MAX], alias[LP_NAME_MAX], name[LP_USAGE_KEY_MAX];
    lp_span_t text = {id, 0}, key = {name, 0}, other = {alias, 0};

    text.len = lp_population_school_id(population, id, school);
    key.len = lp_key_known_school(name, text);
    lp_store_add(seed->store, LP_WORDS(lp_span("HSET"), key, lp_span("name"),
                                       text));

    other.len = lp_population_alias(population, alias, school);
    if (other.len > 0) {
        key.len = lp_key_alias(name, lp_span("OIE_CODE"), other);
        lp_store_add(seed->store, LP_WORDS(lp_span("SET"), key, text));
    }
}

/* The school's list names every record, also those of licences that a run
   made. The list goes piece by piece: broken off, the next time does the
   rest. */
int
lp_seed_clear(lp_seed_t *seed, uint32_t school)
{
    char      id[LP_NAME_MAX], name[LP_KEY_MAX];
    lp_span_t text = {id, 0}, key = {name, 0};
    int       left;

    text.len = lp_population_school_id(seed->holdings.population, id, school);
    key.len = lp_key_held(name, text, lp_span(""));
    do {
        left = clear_page(seed, key, lp_shard(text));
    } while (left > 0);

    key.len = lp_key_school(name, text);
    lp_store_add(seed->store, LP_WORDS(lp_span("DEL"), key));

    return left == 0 ? finish(seed->store) : -1;
}

/* How many there were; -1 after lp_say(). */
static int
clear_page(lp_seed_t *seed, lp_span_t held, unsigned shard)
{
    const redisReply *reply;
    char              names[PAGE][LP_KEY_MAX], place[LP_KEY_MAX];
    lp_span_t         words[1 + PAGE], key = {place, 0}, id;
    size_t            i, n = 0;
    char              fields[PAGE][LP_ENTITLEMENT_LEN];

    reply = lp_store_ask(seed->store,
                         LP_WORDS(lp_span("LRANGE"), held, lp_span("0"),
                                  lp_span("999")));
    if (reply == NULL) {
        lp_store_say(seed->store);
        return -1;
    }

    words[0] = lp_span("DEL");
    for (i = 0; i < reply->elements && n < PAGE; i++) {
        id = lp_store_text(reply->element[i]);
        if (id.len != LP_ENTITLEMENT_LEN) {
            continue;
        }
        memcpy(fields[n], id.data, LP_ENTITLEMENT_LEN);
        words[1 + n].data = names[n];
        words[1 + n].len = lp_key_entitlement(names[n], shard, fields[n]);
        n++;
    }
    if (reply->elements == 0) {
        return 0;
    }

    lp_store_add(seed->store, (lp_words_t) {words, 1 + (unsigned) n});
    for (i = 0; i < n; i++) {
        key.len = lp_key_place(place, fields[i]);
        lp_store_add(seed->store,
                     LP_WORDS(lp_span("HDEL"), key,
                              ((lp_span_t) {fields[i] + 3,
                                            LP_ENTITLEMENT_LEN - 3})));
    }
    lp_store_add(seed->store, LP_WORDS(lp_span("LTRIM"), held,
                                       lp_span("1000"), lp_span("-1")));

    return finish(seed->store) == 0 ? 1 : -1;
}
