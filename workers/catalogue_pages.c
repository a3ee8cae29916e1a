/*
 * Providers differ in how they page, and the national aggregate does not check
 * them. So nothing is believed but rows: the next page starts behind those that
 * came, whatever their number; the end is a page that is empty, shorter than
 * the first, or brings no product that was not there before (a provider who
 * does not page sends everything again and again).
 */

#include "catalogue_pages.h"

#include <stdio.h>

#include "http_client.h"

#define PAGE_ROWS  100               /* asked for: the most that Edu-V knows */
#define PAGE_BYTES (8 * 1024 * 1024)
#define PAGES_MAX  5000
#define CONNECT_MS 5000
#define TOTAL_MS   30000
#define POLL_MS    1000
#define URL_MAX    2200

typedef struct {
    int     done;
    int     status;  /* 0: no answer */
    json_t *rows;    /* NULL: no list of rows; a reference of its own */
    char   *reason;
} page_t;

static const char *const list_names[] = {"products", "items", "content",
                                         "data", "results"};

static json_t *
find_rows(json_t *answer)
{
    json_t *rows = json_is_array(answer) ? answer : NULL;
    size_t  i;

    for (i = 0; rows == NULL && i < sizeof(list_names) / sizeof(char *); i++) {
        rows = json_object_get(answer, list_names[i]);
        rows = json_is_array(rows) ? rows : NULL;
    }
    return json_incref(rows);
}

static void
on_answer(void *owner, const lp_http_reply_t *reply)
{
    page_t *page = owner;
    json_t *answer;

    page->done = 1;
    if (reply->result != LP_HTTP_ANSWERED) {
        snprintf(page->reason, LP_CATALOGUE_REASON_MAX, "it %s",
                 lp_http_text(reply->result));
        return;
    }
    page->status = reply->status;
    if (reply->status != 200) {
        snprintf(page->reason, LP_CATALOGUE_REASON_MAX,
                 "it answered with status %d", reply->status);
        return;
    }
    answer = json_loadb(reply->body.data, reply->body.len, 0, NULL);
    page->rows = find_rows(answer);
    json_decref(answer);
    if (page->rows == NULL) {
        snprintf(page->reason, LP_CATALOGUE_REASON_MAX,
                 "its answer is no JSON list of products");
    }
}

static void
fetch_page(lp_http_t *http, const char *url, size_t start, page_t *page)
{
    char              full[URL_MAX];
    lp_http_request_t request = {.method = "GET", .url = full};
    int               n;

    n = snprintf(full, sizeof(full), "%s%cstart=%zu&limit=%d", url,
                 strchr(url, '?') == NULL ? '?' : '&', start, PAGE_ROWS);
    if (n >= (int) sizeof(full)
        || lp_http_start(http, &request, on_answer, page) != 0) {
        snprintf(page->reason, LP_CATALOGUE_REASON_MAX,
                 "its address is too long, or memory ran out");
        return;
    }
    while (!page->done) {
        lp_http_run(http, POLL_MS);
    }
}

/* Some answer a page behind the last with an error. */
static int
is_behind_last(const page_t *page, size_t start, size_t first)
{
    return start > 0 && first < PAGE_ROWS
           && (page->status == 404 || page->status == 400
               || page->status == 416);
}

static int
fetch_all(lp_http_t *http, const char *url, lp_catalogue_page_t on_page,
          void *owner, char *reason)
{
    const char *wrong = "it ran out of memory";
    size_t      start = 0, first = 0, n;
    unsigned    i;
    page_t      page;
    int         fresh;

    for (i = 0; i < PAGES_MAX; i++) {
        page = (page_t) {0, 0, NULL, reason};
        fetch_page(http, url, start, &page);
        if (page.rows == NULL) {
            return is_behind_last(&page, start, first) ? 0 : -1;
        }
        n = json_array_size(page.rows);
        fresh = n == 0 ? 0 : on_page(owner, page.rows, &wrong);
        json_decref(page.rows);
        if (fresh == -1) {
            snprintf(reason, LP_CATALOGUE_REASON_MAX, "%s", wrong);
            return -1;
        }
        first = i == 0 ? n : first;
        start += n;
        if (fresh == 0 || n < first) {
            return 0;
        }
    }
    snprintf(reason, LP_CATALOGUE_REASON_MAX, "it has more than %d pages",
             PAGES_MAX);
    return -1;
}

int
lp_catalogue_fetch(const char *url, const char *ca,
                   lp_catalogue_page_t on_page, void *owner, char *reason)
{
    lp_http_options_t options = {"leerpoort-catalogue", ca, CONNECT_MS,
                                 TOTAL_MS, PAGE_BYTES};
    lp_http_t        *http = lp_http_create(&options);
    int               rc;

    if (http == NULL) {
        snprintf(reason, LP_CATALOGUE_REASON_MAX, "memory ran out");
        return -1;
    }
    rc = fetch_all(http, url, on_page, owner, reason);
    lp_http_destroy(http);
    return rc;
}
