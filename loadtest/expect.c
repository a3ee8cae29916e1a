/*
 * Requests and expectations. A request is put together by copying; nothing here
 * formats, allocates or remembers, for it runs for each click.
 *
 * Which paths clicks have is decided here, once, for both: the request sends
 * it, the expectation puts it behind the product's address as the edge does
 * (core/target.c: {path} of an address without a query stands for the path as
 * it was sent).
 */

#include "expect.h"

#include <string.h>

#define ROOM_NUMBER  10 /* digits of a uint32_t */
#define PATH_ROOM    64
#define ITEMS_IN_ONE 40 /* of a chapter */

/* Bytes that are put one behind the other, as far as there is room. */
typedef struct {
    char *p;
    char *end;
    int   full; /* something did not fit */
} pen_t;

/* Forms of paths: segments, escapes, UTF-8, what else may stand in one. */
typedef struct {
    const char *before;
    const char *between;
    const char *after;
} path_form_t;

static const path_form_t path_forms[] = {
    {"h", "/opdracht-", ""},
    {"hoofdstuk-", "/les", ".html"},
    {"blok%20", "/les%20", "/"},
    {"thema/%C3%A9%C3%A9n-", "/", "%2Fa"},
    {"p;v=", "/x,y=", "@a:b!$&'()*+~_"},
};

#define N_PATH_FORMS (sizeof(path_forms) / sizeof(path_forms[0]))

static void
put(pen_t *pen, const char *text, size_t len)
{
    if ((size_t) (pen->end - pen->p) < len) {
        pen->full = 1;
        return;
    }
    memcpy(pen->p, text, len);
    pen->p += len;
}

#define PUT(pen, literal) put((pen), (literal), sizeof(literal) - 1)

static void
put_number(pen_t *pen, uint32_t number)
{
    char     digits[ROOM_NUMBER];
    unsigned i = sizeof(digits);

    do {
        digits[--i] = (char) ('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(pen, digits + i, sizeof(digits) - i);
}

/* The product that is clicked; not for LP_SLOT_UNKNOWN. */
static uint32_t
product_of(const lp_population_t *population, const lp_arrival_t *arrival)
{
    return lp_population_shelf(
        population, lp_population_class_of(population, arrival->member),
        arrival->slot);
}

static int
is_known(const lp_arrival_t *arrival)
{
    return arrival->slot < LP_SHELF;
}

/* Only a product that takes a path gets one: without "deep" the edge answers
   such a click with unknown-material. */
static int
has_path(const lp_population_t *population, const lp_arrival_t *arrival,
         uint32_t product)
{
    return arrival->path && lp_population_deep(population, product);
}

static void
put_path(pen_t *pen, uint32_t number)
{
    const path_form_t *form = &path_forms[number % N_PATH_FORMS];

    number /= N_PATH_FORMS;
    PUT(pen, "/");
    put(pen, form->before, strlen(form->before));
    put_number(pen, number / ITEMS_IN_ONE % 100 + 1);
    put(pen, form->between, strlen(form->between));
    put_number(pen, number % ITEMS_IN_ONE + 1);
    put(pen, form->after, strlen(form->after));
}

/* The request. */

static void
put_product(pen_t *pen, const lp_population_t *population,
            const lp_arrival_t *arrival)
{
    char     id[LP_NAME_MAX];
    uint32_t product;

    if (!is_known(arrival)) {
        PUT(pen, "load-x-");
        put_number(pen, arrival->number);
        return;
    }
    product = product_of(population, arrival);
    put(pen, id, lp_population_product_id(population, id, product));
    if (has_path(population, arrival, product)) {
        put_path(pen, arrival->number);
    }
}

static lp_span_t
token_of(const lp_population_t *population, const lp_arrival_t *arrival)
{
    uint32_t n;

    if (arrival->token != LP_TOKEN_EXPIRED) {
        return lp_population_token(population, arrival->member);
    }
    n = lp_population_expired(population);
    return n == 0 ? (lp_span_t) {NULL, 0}
                  : lp_population_expired_token(population,
                                                arrival->number % n);
}

/*
 * Another character of base64url in the place of one of the signature's. Not
 * the last one, some of whose bits say nothing: then the token would be
 * malformed, or the same.
 */
static void
forge(char *token, size_t len, uint32_t number)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *dot = memrchr(token, '.', len), *old;
    size_t      signature, place;

    if (dot == NULL) {
        return;
    }
    signature = (size_t) (dot + 1 - token);
    if (len - signature < 2) {
        return;
    }
    place = signature + number % (len - signature - 1);
    old = memchr(alphabet, token[place], sizeof(alphabet) - 1);
    if (old != NULL) {
        token[place] = alphabet[(old - alphabet + 1 + number / 1024 % 63) % 64];
    }
}

/* Returns -1 where there is none. */
static int
put_token(pen_t *pen, const lp_plan_t *plan, const lp_population_t *population,
          const lp_arrival_t *arrival)
{
    lp_span_t token;
    char     *start;

    if (arrival->token == LP_TOKEN_NONE) {
        return 0;
    }
    token = token_of(population, arrival);
    if (token.len == 0) {
        return -1;
    }
    if (plan->tokens.cookie) {
        PUT(pen, "Cookie: leerpoort=");
    } else {
        PUT(pen, "Authorization: Bearer ");
    }
    start = pen->p;
    put(pen, token.data, token.len);
    if (arrival->token == LP_TOKEN_FORGED && !pen->full) {
        forge(start, token.len, arrival->number);
    }
    PUT(pen, "\r\n");
    return 0;
}

size_t
lp_request_write(char *dst, const lp_wire_t *wire, const lp_plan_t *plan,
                 const lp_population_t *population,
                 const lp_arrival_t *arrival)
{
    pen_t pen = {dst, dst + LP_REQUEST_MAX, 0};

    PUT(&pen, "GET ");
    put(&pen, wire->prefix, strlen(wire->prefix));
    put_product(&pen, population, arrival);
    PUT(&pen, " HTTP/1.1\r\nHost: ");
    put(&pen, wire->host, strlen(wire->host));
    PUT(&pen, "\r\nUser-Agent: leerpoort-load\r\nAccept: */*\r\n");
    if (put_token(&pen, plan, population, arrival) != 0) {
        return 0;
    }
    PUT(&pen, "\r\n");
    return pen.full ? 0 : (size_t) (pen.p - dst);
}

/* The expectation. */

static void
expect_redirect(lp_expected_t *expected, const lp_population_t *population,
                const lp_arrival_t *arrival, uint32_t product)
{
    pen_t pen = {expected->location, expected->location + LP_LOCATION_KEPT, 0};

    pen.p += lp_population_url(population, pen.p, product);
    if (has_path(population, arrival, product)) {
        put_path(&pen, arrival->number);
    }
    expected->location_len = (size_t) (pen.p - expected->location);
}

static void
expect_login(lp_expected_t *expected, const lp_wire_t *wire)
{
    size_t len = strlen(wire->login);

    expected->outcome = LP_LOGIN;
    if (len > 0) {
        expected->status = 302;
        expected->location_len = len;
        memcpy(expected->location, wire->login, len);
    }
}

/* The edge looks at the token first, then at the product. */
static lp_outcome_t
outcome_of(const lp_population_t *population, const lp_arrival_t *arrival,
           lp_hold_t *hold)
{
    if (arrival->token == LP_TOKEN_EXPIRED || arrival->token == LP_TOKEN_NONE) {
        return LP_LOGIN;
    }
    if (arrival->token == LP_TOKEN_FORGED) {
        return LP_BAD_TOKEN;
    }
    if (!is_known(arrival)) {
        return LP_UNKNOWN_PRODUCT;
    }
    *hold = lp_population_hold(population, arrival->member, arrival->slot);
    return lp_hold_outcome(*hold);
}

void
lp_expect(lp_expected_t *expected, const lp_wire_t *wire,
          const lp_population_t *population, const lp_arrival_t *arrival)
{
    lp_hold_t hold = LP_HOLD_NONE;

    expected->outcome = outcome_of(population, arrival, &hold);
    expected->status = lp_outcome_status(expected->outcome);
    expected->activates = hold == LP_HOLD_ENTITLED || hold == LP_HOLD_OPEN;
    expected->location_len = 0;
    if (expected->outcome == LP_LOGIN) {
        expect_login(expected, wire);
    } else if (expected->outcome == LP_REDIRECT) {
        expect_redirect(expected, population, arrival,
                        product_of(population, arrival));
    }
}
