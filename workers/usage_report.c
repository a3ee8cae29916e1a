/*
 * What a report may tell.
 *
 * A cell is a school's use of a product in a week. Below hide readers it is
 * hidden: neither its clicks nor its readers are told. Readers are told in
 * cells alone, never in totals. Clicks have totals, and a total minus what is
 * shown is the sum of what is hidden; so a total is told only where those that
 * hide behind it are a group of their own:
 *
 *   - cells of LP_HIDE_GROUP schools or more, and
 *   - without any one school, it still has hide readers, and
 *   - without any one school, its clicks exceed its cells by hide or more.
 *
 * "Without any one school" because a school knows its own figures and may
 * subtract them. As a hidden cell has at least one click, the last rule leaves
 * to each one, even for a school that does so, more than hide values.
 *
 * Which totals are told:
 *   a product's    where its hidden cells are such a group. Where they are not,
 *                  its next smallest cells are hidden as well until they are;
 *                  where that does not help, its total is hidden instead.
 *   a school's     where no cell of the school is hidden.
 *   the whole      where all hidden cells of products without a total are such
 *                  a group together, or there are none.
 *
 * Why nothing more follows from all of them together: a school's total says
 * nothing of hidden cells. What is left are sums over the hidden cells of one
 * product each, and one sum over those of all other products. No cell is in two
 * of these sums, so that they can't be played off against each other, and each
 * alone leaves what the rules above leave.
 *
 * tests/unit/test_usage_report.c tries to find out hidden cells by search.
 */

#include "usage_report.h"

#include <stdlib.h>

/* Cells that hide together, or one school's part of them. */
typedef struct {
    uint64_t n, readers, clicks;
} group_t;

static void add_up(lp_report_t *report);
static uint32_t *by_product(const lp_report_t *report);
static int compare_cells(const void *a, const void *b, void *cells);
static void hide_column(lp_report_t *report, const uint32_t *order,
                        uint32_t n, unsigned hide, group_t *rest);
static int column_safe(const lp_report_t *report, const uint32_t *order,
                       uint32_t n, const group_t *group, unsigned hide);
static int rest_safe(const group_t *rest, uint32_t n, unsigned hide);
static void group_add(group_t *group, const lp_report_cell_t *cell);
static int safe_without(const group_t *group, const group_t *part,
                        unsigned hide);
static json_t *figure(uint64_t n, int hidden);
static uint32_t *sorted(const lp_names_t *names);
static int compare_names(const void *a, const void *b, void *names);
static json_t *product_json(const lp_report_t *report, uint32_t product);
static json_t *cell_json(const lp_report_t *report,
                         const lp_report_cell_t *cell);

void
lp_report_free(lp_report_t *report)
{
    lp_names_free(&report->schools);
    lp_names_free(&report->products);
    free(report->cells);
    free(report->school_totals);
    free(report->product_totals);
    memset(report, 0, sizeof(*report));
}

int
lp_report_add(lp_report_t *report, lp_span_t school, lp_span_t product,
              uint64_t clicks, uint64_t readers)
{
    lp_report_cell_t *grown;
    uint32_t          room = report->room == 0 ? 1024 : report->room * 2;

    if (report->n_cells == report->room) {
        grown = realloc(report->cells, room * sizeof(*grown));
        if (grown == NULL) {
            return -1;
        }
        report->cells = grown;
        report->room = room;
    }

    grown = &report->cells[report->n_cells];
    grown->school = lp_names_add(&report->schools, school);
    grown->product = lp_names_add(&report->products, product);
    grown->clicks = clicks;
    grown->readers = readers;
    grown->hidden = 0;

    if (grown->school == LP_NAMES_FULL || grown->product == LP_NAMES_FULL) {
        return -1;
    }

    report->n_cells++;

    return 0;
}

int
lp_report_hide(lp_report_t *report, unsigned hide)
{
    uint32_t *order, from, to, product;
    group_t  *rest; /* of each school, what hides without a total */

    report->school_totals = calloc(report->schools.n + 1,
                                   sizeof(lp_report_total_t));
    report->product_totals = calloc(report->products.n + 1,
                                    sizeof(lp_report_total_t));
    rest = calloc(report->schools.n + 1, sizeof(group_t));
    order = by_product(report);

    if (report->school_totals == NULL || report->product_totals == NULL
        || rest == NULL || order == NULL) {
        free(rest);
        free(order);
        return -1;
    }

    for (from = 0; from < report->n_cells; from = to) {
        product = report->cells[order[from]].product;
        for (to = from; to < report->n_cells
                        && report->cells[order[to]].product == product; to++)
        {
        }
        hide_column(report, order + from, to - from, hide, rest);
    }

    add_up(report);
    report->total.hidden = !rest_safe(rest, report->schools.n, hide);
    free(order);
    free(rest);

    return 0;
}

void
lp_report_coarsen(lp_report_t *report, unsigned hide)
{
    lp_report_cell_t *cell;
    uint32_t          i;

    for (i = 0; i < report->n_cells; i++) {
        cell = &report->cells[i];
        cell->hidden = cell->readers < hide;
        cell->readers -= cell->readers % hide;
        cell->clicks -= cell->clicks % hide;
    }

    for (i = 0; i < report->schools.n; i++) {
        report->school_totals[i].hidden = 1;
    }
    for (i = 0; i < report->products.n; i++) {
        report->product_totals[i].hidden = 1;
    }

    report->total.hidden = 1;
}

json_t *
lp_report_totals_json(const lp_report_t *report)
{
    uint32_t *order = sorted(&report->products), i;
    json_t   *products = json_array();
    int       failed = order == NULL || products == NULL;

    for (i = 0; !failed && i < report->products.n; i++) {
        failed = json_array_append_new(products,
                                       product_json(report, order[i])) != 0;
    }

    free(order);

    if (failed) {
        json_decref(products);
        return NULL;
    }

    return json_pack("{s:o, s:o}", "clicks",
                     figure(report->total.clicks, report->total.hidden),
                     "products", products);
}

json_t *
lp_report_school_json(const lp_report_t *report, uint32_t *at)
{
    const lp_report_total_t *total;
    uint32_t                 school = report->cells[*at].school;
    lp_span_t                name = lp_name(&report->schools, school);
    json_t                  *products = json_array();

    while (*at < report->n_cells && report->cells[*at].school == school) {
        if (json_array_append_new(
                products, cell_json(report, &report->cells[*at])) != 0) {
            json_decref(products);
            return NULL;
        }
        (*at)++;
    }

    total = &report->school_totals[school];

    return json_pack("{s:s%, s:o, s:o}", "school", name.data, name.len,
                     "clicks", figure(total->clicks, total->hidden),
                     "products", products);
}

size_t
lp_csv_field(char *dst, lp_span_t text)
{
    char  *p = dst;
    size_t i;
    int    quote = 0;

    for (i = 0; i < text.len; i++) {
        quote |= text.data[i] == '"' || text.data[i] == ','
                 || text.data[i] == '\r' || text.data[i] == '\n';
    }

    if (quote) {
        *p++ = '"';
    }
    if (text.len > 0 && memchr("=+-@\t\r", text.data[0], 6) != NULL) {
        *p++ = '\'';
    }

    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '"') {
            *p++ = '"';
        }
        *p++ = text.data[i];
    }

    if (quote) {
        *p++ = '"';
    }

    return (size_t) (p - dst);
}

static void
add_up(lp_report_t *report)
{
    const lp_report_cell_t *cell;
    uint32_t                i;

    for (i = 0; i < report->n_cells; i++) {
        cell = &report->cells[i];
        report->school_totals[cell->school].clicks += cell->clicks;
        report->school_totals[cell->school].hidden |= cell->hidden;
        report->product_totals[cell->product].clicks += cell->clicks;
        report->total.clicks += cell->clicks;
    }
}

/* The cells of each product together, the smallest first. */
static uint32_t *
by_product(const lp_report_t *report)
{
    uint32_t *order = malloc((report->n_cells + 1) * sizeof(*order)), i;

    if (order == NULL) {
        return NULL;
    }

    for (i = 0; i < report->n_cells; i++) {
        order[i] = i;
    }

    qsort_r(order, report->n_cells, sizeof(*order), compare_cells,
            report->cells);

    return order;
}

static int
compare_cells(const void *a, const void *b, void *cells)
{
    const lp_report_cell_t *x = (lp_report_cell_t *) cells
                                + *(const uint32_t *) a;
    const lp_report_cell_t *y = (lp_report_cell_t *) cells
                                + *(const uint32_t *) b;

    if (x->product != y->product) {
        return x->product < y->product ? -1 : 1;
    }
    if (x->readers != y->readers) {
        return x->readers < y->readers ? -1 : 1;
    }
    if (x->clicks != y->clicks) {
        return x->clicks < y->clicks ? -1 : 1;
    }

    return x < y ? -1 : x > y;
}

/* order: the n cells of a product. Those that hide without a total go into
   rest. */
static void
hide_column(lp_report_t *report, const uint32_t *order, uint32_t n,
            unsigned hide, group_t *rest)
{
    const lp_report_cell_t *cell;
    group_t                 group = {0, 0, 0};
    uint32_t                small, hidden, i;

    for (small = 0; small < n && report->cells[order[small]].readers < hide;
         small++) {
        group_add(&group, &report->cells[order[small]]);
    }

    hidden = small;
    while (hidden < n && !column_safe(report, order, hidden, &group, hide)) {
        group_add(&group, &report->cells[order[hidden++]]);
    }

    if (!column_safe(report, order, hidden, &group, hide)) {
        report->product_totals[report->cells[order[0]].product].hidden = 1;
        hidden = small;

        for (i = 0; i < small; i++) {
            cell = &report->cells[order[i]];
            group_add(&rest[cell->school], cell);
        }
    }

    for (i = 0; i < hidden; i++) {
        report->cells[order[i]].hidden = 1;
    }
}

/* The first n cells of a product are the group; a school has one of them. */
static int
column_safe(const lp_report_t *report, const uint32_t *order, uint32_t n,
            const group_t *group, unsigned hide)
{
    group_t  part;
    uint32_t i;

    if (n == 0) {
        return 1;
    }

    for (i = 0; i < n; i++) {
        part = (group_t) {0, 0, 0};
        group_add(&part, &report->cells[order[i]]);

        if (!safe_without(group, &part, hide)) {
            return 0;
        }
    }

    return n >= LP_HIDE_GROUP;
}

/* A school may have cells of several products in it. */
static int
rest_safe(const group_t *rest, uint32_t n, unsigned hide)
{
    group_t  group = {0, 0, 0};
    uint32_t i, schools = 0;

    for (i = 0; i < n; i++) {
        group.n += rest[i].n;
        group.readers += rest[i].readers;
        group.clicks += rest[i].clicks;
        schools += rest[i].n > 0;
    }

    for (i = 0; i < n; i++) {
        if (rest[i].n > 0 && !safe_without(&group, &rest[i], hide)) {
            return 0;
        }
    }

    return schools == 0 || schools >= LP_HIDE_GROUP;
}

static void
group_add(group_t *group, const lp_report_cell_t *cell)
{
    group->n++;
    group->readers += cell->readers;
    group->clicks += cell->clicks;
}

/* part: what a school knows of the group. */
static int
safe_without(const group_t *group, const group_t *part, unsigned hide)
{
    return group->readers - part->readers >= hide
           && group->clicks - part->clicks >= group->n - part->n + hide;
}

static json_t *
figure(uint64_t n, int hidden)
{
    return hidden ? json_null() : json_integer((json_int_t) n);
}

static uint32_t *
sorted(const lp_names_t *names)
{
    uint32_t *order = malloc((names->n + 1) * sizeof(*order)), i;

    if (order == NULL) {
        return NULL;
    }

    for (i = 0; i < names->n; i++) {
        order[i] = i;
    }

    qsort_r(order, names->n, sizeof(*order), compare_names, (void *) names);

    return order;
}

static int
compare_names(const void *a, const void *b, void *names)
{
    lp_span_t x = lp_name((lp_names_t *) names, *(const uint32_t *) a);
    lp_span_t y = lp_name((lp_names_t *) names, *(const uint32_t *) b);
    int       order;

    order = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);

    return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

static json_t *
product_json(const lp_report_t *report, uint32_t product)
{
    const lp_report_total_t *total = &report->product_totals[product];
    lp_span_t                name = lp_name(&report->products, product);

    return json_pack("{s:s%, s:o}", "product", name.data, name.len, "clicks",
                     figure(total->clicks, total->hidden));
}

static json_t *
cell_json(const lp_report_t *report, const lp_report_cell_t *cell)
{
    lp_span_t name = lp_name(&report->products, cell->product);

    return json_pack("{s:s%, s:o, s:o}", "product", name.data, name.len,
                     "clicks", figure(cell->clicks, cell->hidden), "readers",
                     figure(cell->readers, cell->hidden));
}
