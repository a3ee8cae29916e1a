/*
 * From click and catalogue to the Location. The input is lines: what stands
 * below the click's location, then url, deep, the sets, an allowed host; a
 * line that is missing is empty, an empty host allows any. Whatever the path,
 * the Location's scheme and host are those of the product's target, and
 * it holds no byte outside 0x21..0x7e. With a ticket, it is the same but for a
 * parameter at the end of its query.
 */

#include <stdint.h>
#include <stdlib.h>

#include "../../core/keys.h"
#include "../../core/product.h"
#include "../../core/ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static lp_span_t line_cut(lp_span_t *rest);
static void check_check(const lp_product_t *product, const lp_hosts_t *hosts);
static void check_sets(const lp_product_t *product);
static void check_location(const lp_product_t *product, lp_span_t path,
                           const lp_hosts_t *hosts);
static void check_ticket(char *location, size_t len);
static void check_path(lp_span_t path);
static size_t origin_len(lp_span_t target);
static void must(int holds);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lp_span_t    rest = {(const char *) bytes, len};
    lp_span_t    below, host;
    lp_product_t product = {0};
    lp_hosts_t   hosts;
    lp_click_t   click;

    below = line_cut(&rest);
    lp_product_field(&product, lp_span("url"), line_cut(&rest));
    lp_product_field(&product, lp_span("deep"), line_cut(&rest));
    lp_product_field(&product, lp_span("in"), line_cut(&rest));
    host = line_cut(&rest);
    hosts = (lp_hosts_t) {&host, host.len > 0};

    check_sets(&product);
    check_check(&product, &hosts);
    check_location(&product, (lp_span_t) {NULL, 0}, &hosts);
    check_location(&product, lp_span("a/b&c=d"), &hosts);

    if (lp_click_parse(&click, below) == 0) {
        must(lp_product_valid(click.product));
        check_path(click.path);
        check_location(&product, click.path, &hosts);
    }

    return 0;
}

static lp_span_t
line_cut(lp_span_t *rest)
{
    lp_span_t   line;
    const char *end;

    line = *rest;
    if (line.len == 0) {
        return line;
    }

    end = memchr(line.data, '\n', line.len);
    if (end == NULL) {
        *rest = (lp_span_t) {NULL, 0};
        return line;
    }

    line.len = (size_t) (end - line.data);
    rest->data += line.len + 1;
    rest->len -= line.len + 1;

    return line;
}

static void
check_sets(const lp_product_t *product)
{
    lp_span_t sets[LP_SETS_MAX];
    unsigned  i, n;

    n = lp_product_sets(product, sets);
    must(n <= LP_SETS_MAX);

    for (i = 0; i < n; i++) {
        must(lp_product_valid(sets[i]));
    }
}

/* What may be stored is what a click may use. */
static void
check_check(const lp_product_t *product, const lp_hosts_t *hosts)
{
    static char dst[LP_LOCATION_MAX];
    size_t      len;

    must(lp_target_check(product->url, 0, hosts)
         == lp_location(dst, &len, product, (lp_span_t) {NULL, 0}, hosts));
    must(lp_target_check(product->deep, 1, hosts)
         == lp_location(dst, &len, product, lp_span("x"), hosts));
}

static void
check_location(const lp_product_t *product, lp_span_t path,
               const lp_hosts_t *hosts)
{
    static char dst[LP_LOCATION_MAX];
    lp_span_t   target, location = {dst, 0};
    size_t      i, origin;

    target = path.len > 0 ? product->deep : product->url;

    if (lp_location(dst, &location.len, product, path, hosts)
        != LP_TARGET_OK) {
        return;
    }

    must(location.len <= sizeof(dst));

    for (i = 0; i < location.len; i++) {
        must(dst[i] > 0x20 && dst[i] < 0x7f && dst[i] != '\\');
    }

    origin = origin_len(target);
    must(location.len >= origin && origin_len(location) == origin);
    must(memcmp(dst, target.data, origin) == 0);
    must(memcmp(dst, "http", 4) == 0);
    must(memchr(dst, '@', origin) == NULL);

    if (path.len == 0) {
        must(lp_span_equal(location, target));
    }

    check_ticket(dst, location.len);
}

/* What stands before it and after it, put together, is what there was. */
static void
check_ticket(char *location, size_t len)
{
    static const char text[] = "ticket=e30.e30.AAAA";
    static char       before[LP_LOCATION_MAX];
    const char       *at;
    size_t            longer = len, head;

    memcpy(before, location, len);
    if (lp_ticket_append(location, &longer, LP_LOCATION_MAX,
                         lp_span("ticket"), lp_span("e30.e30.AAAA"))
        != 0) {
        must(longer == len && len + sizeof(text) > LP_LOCATION_MAX);
        return;
    }

    at = memchr(before, '#', len);
    head = at == NULL ? len : (size_t) (at - before);
    must(memcmp(location, before, head) == 0);
    must(memcmp(location + longer - (len - head), before + head, len - head)
         == 0);
    at = location + longer - (len - head) - (sizeof(text) - 1);
    must(at >= location + head && memcmp(at, text, sizeof(text) - 1) == 0);
    must(at[-1] == '?' || at[-1] == '&');
    must(memchr(location, '?', (size_t) (at - location)) != NULL);
    must(at <= location + head + 1);
}

/* The path again, decoded in one go and cut by every separator. */
static void
check_path(lp_span_t path)
{
    char   plain[LP_PATH_MAX + 1], hex[3] = "";
    size_t i, n, name;

    must(path.len <= LP_PATH_MAX);
    n = 0;

    for (i = 0; i < path.len; i++) {
        if (path.data[i] == '%') {
            memcpy(hex, path.data + i + 1, 2);
            plain[n++] = (char) strtol(hex, NULL, 16);
            i += 2;
        } else {
            plain[n++] = path.data[i];
        }

        must((unsigned char) plain[n - 1] >= 0x20 && plain[n - 1] != 0x7f);
    }

    plain[n] = '\0';

    for (i = 0; i <= n; i += strcspn(plain + i, "/\\") + 1) {
        name = strcspn(plain + i, "/\\;");
        must(name == 0 || name > 2 || strspn(plain + i, ".") != name);
    }
}

/* Bytes up to the slash, "?" or "#" that ends the authority. */
static size_t
origin_len(lp_span_t target)
{
    size_t i, slashes;

    slashes = 0;

    for (i = 0; i < target.len; i++) {
        slashes += target.data[i] == '/';
        if (slashes == 3 || target.data[i] == '?' || target.data[i] == '#') {
            break;
        }
    }

    return i;
}

/* Not assert(), which a build may leave out. */
static void
must(int holds)
{
    if (!holds) {
        abort();
    }
}
