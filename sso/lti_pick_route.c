/*
 * Deep Linking: a teacher picks products and parts of them, and the platform
 * gets a signed list. The page stands in the platform's frame, where no cookie
 * of ours can be relied on: whose page it is, a secret in the form says, under
 * which Redis keeps what the platform asked for (lti_pick.h).
 *
 * What comes back from the page is looked up before it is shown or signed, all
 * of it each time: an item that the page can't have offered ends the matter.
 * The response is made before the request is taken out, so that a failure
 * leaves the teacher with a page that can be sent again; of two that are sent
 * at once, one is answered.
 */

#include <stdlib.h>

#include "../core/json.h"
#include "lti_answer.h"
#include "lti_response.h"
#include "parameters.h"
#include "pick_page.h"
#include "pick_ready.h"

typedef struct {
    lp_visit_t          *visit;
    const lp_platform_t *platform;
    lp_pick_t            pick;
    lp_pick_form_t       form;
    lp_offers_t          offers;
    int                  more;
    lp_pick_says_t       says;
} picking_t;

static void refuse_old(lp_visit_t *visit, lp_problem_t problem);
static void take_form(lp_visit_t *visit, lp_span_t body);
static void answer_form(picking_t *picking);
static int look_up(picking_t *picking, int search);
static int check_items(picking_t *picking);
static void show(picking_t *picking, lp_span_t secret);
static void put(picking_t *picking);
static int add_item(json_t *items, json_t *titles, const lp_sites_t *sites,
                    const lp_offer_t *offer, lp_span_t path);
static void respond(picking_t *picking, json_t *items, const json_t *titles);
static void refuse(picking_t *picking, lp_problem_t problem);
static void drop_item(picking_t *picking, unsigned i);

void
lp_pick_page(lp_visit_t *visit, const lp_platform_t *platform,
             const lp_pick_t *pick, lp_span_t secret)
{
    static picking_t picking;

    memset(&picking, 0, sizeof(picking));
    picking.visit = visit;
    picking.platform = platform;
    picking.pick = *pick;
    picking.form.query = lp_span("");
    lp_lti_use_locale(visit, pick->locale);
    if (look_up(&picking, 1) != 0) {
        lp_lti_unavailable(visit, platform);
    } else {
        show(&picking, secret);
    }
}

void
lp_visit_lti_pick(lp_visit_t *visit)
{
    lp_span_t none = {NULL, 0};
    size_t    len;
    char     *body;

    body = malloc(LP_PICK_FORM_MAX);
    if (body == NULL || !lp_request_is_form(&visit->request)
        || lp_request_body(&visit->request, body, LP_PICK_FORM_MAX, &len)
               != 0) {
        lp_visit_problem(visit, LP_PROBLEM_BAD_FORM, 0, none);
    } else {
        take_form(visit, (lp_span_t) {body, len});
    }
    free(body);
}

/* GET /lti/pick/<secret>: the last page once more, in the other language. */
void
lp_visit_lti_ready(lp_visit_t *visit)
{
    lp_span_t            secret = lp_lti_secret(visit);
    const lp_platform_t *platform;
    json_t              *document;
    int                  found;

    found = lp_once_get(visit->sso, LP_ONCE_READY, secret, 0, &document);
    platform = lp_platform_by_name(lp_platform_list(visit->sso->platforms),
                                   lp_json_member(document, "platform"));
    if (found == -1) {
        refuse_old(visit, lp_problem_of(LP_UNAVAILABLE));
    } else if (found == 0 || platform == NULL) {
        refuse_old(visit, LP_PROBLEM_LAUNCH_OLD);
    } else {
        lp_pick_ready_show(visit, platform, document, secret);
    }
    json_decref(document);
}

/* Of a request that is gone, the form's address says whose frame it is: who
   sends it twice, or an hour later, is to read so. */
static void
refuse_old(lp_visit_t *visit, lp_problem_t problem)
{
    char      name[LP_PROVIDER_NAME_MAX + 1];
    lp_span_t said = {NULL, 0}, nowhere = {NULL, 0};

    if (lp_request_query(&visit->request, "in", name, sizeof(name)) == 0) {
        said = lp_span_of(name);
    }
    lp_lti_problem(visit,
                   lp_platform_by_name(lp_platform_list(visit->sso->platforms),
                                       said), nowhere, problem, 0);
}

static void
take_form(lp_visit_t *visit, lp_span_t body)
{
    static picking_t picking;
    lp_span_t        none = {NULL, 0};
    int              bad, found;

    memset(&picking, 0, sizeof(picking));
    picking.visit = visit;
    bad = lp_pick_form_read(&picking.form, body);
    found = picking.form.secret.len != LP_RANDOM_LEN
                ? 0
                : lp_pick_load(visit->sso, picking.form.secret, 0,
                               &picking.pick);
    if (picking.form.secret.len == 0) {
        lp_visit_problem(visit, LP_PROBLEM_BAD_FORM, 0, none);
    } else if (found == -1) {
        refuse_old(visit, lp_problem_of(LP_UNAVAILABLE));
    } else if (found == 0) {
        refuse_old(visit, LP_PROBLEM_LAUNCH_OLD);
    } else {
        lp_lti_use_locale(visit, picking.pick.locale);
        picking.platform = lp_platform_by_name(
            lp_platform_list(visit->sso->platforms), picking.pick.platform);
        if (picking.platform == NULL) {
            lp_visit_problem(visit, LP_PROBLEM_LAUNCH_UNKNOWN, 0, none);
        } else if (bad != 0) {
            refuse(&picking, LP_PROBLEM_BAD_FORM);
        } else {
            answer_form(&picking);
        }
        lp_pick_close(&picking.pick);
    }
    lp_pick_form_free(&picking.form);
}

static void
answer_form(picking_t *picking)
{
    lp_pick_form_t *form = &picking->form;
    int             rc;

    if (form->act == LP_PICK_CANCEL) {
        form->n = 0;
        put(picking);
        return;
    }
    rc = look_up(picking, 0);
    if (rc == 0 && check_items(picking) != 0) {
        refuse(picking, LP_PROBLEM_BAD_FORM);
        return;
    }
    if (rc == 0 && form->act == LP_PICK_PUT
        && picking->says == LP_PICK_SAYS_NOTHING && form->n > 0) {
        put(picking);
        return;
    }
    if (form->act == LP_PICK_PUT && form->n == 0
        && picking->says == LP_PICK_SAYS_NOTHING) {
        picking->says = LP_PICK_SAYS_NONE;
    }
    rc = rc == 0 ? look_up(picking, 1) : rc;
    if (rc != 0) {
        lp_lti_unavailable(picking->visit, picking->platform);
    } else {
        show(picking, form->secret);
    }
}

/* The products of the chosen items, and, search, what the query finds. 0; -1:
   Redis failed. */
static int
look_up(picking_t *picking, int search)
{
    lp_sso_t *sso = picking->visit->sso;
    lp_span_t products[LP_OFFERS_MAX];
    unsigned  i;
    int       n = 0;

    if (search && sso->shelf == NULL) {
        sso->shelf = lp_shelf_open();
    }
    for (i = 0; i < picking->form.n; i++) {
        products[i] = picking->form.items[i].product;
    }
    if (search) {
        n = sso->shelf == NULL
                ? -1
                : lp_shelf_search(sso->shelf, sso->store, picking->form.query,
                                  products + i, &picking->more);
    }
    return n == -1 ? -1
                   : lp_offers_read(&picking->offers, sso->store, products,
                                    i + (unsigned) n);
}

/* -1: an item that the page can't have offered. One that lacks a path, and
   can't do without, is left out. */
static int
check_items(picking_t *picking)
{
    lp_pick_form_t   *form = &picking->form;
    const lp_offer_t *offer;
    lp_span_t         title;
    unsigned          i = 0;

    if (form->too_many) {
        picking->says = LP_PICK_SAYS_TOO_MANY;
    } else if (form->bad_path.len > 0) {
        picking->says = LP_PICK_SAYS_BAD_PATH;
    }
    if (!picking->pick.multiple && form->n > 1) {
        return -1;
    }
    while (i < form->n) {
        offer = &picking->offers.list[i];
        if (form->items[i].path.len == 0 && !offer->linked && offer->deep
            && offer->chapters == NULL) {
            picking->says = LP_PICK_SAYS_NO_PATH;
            drop_item(picking, i);
        } else if (!lp_offer_has(offer, form->items[i].path, &title)) {
            return -1;
        } else {
            i++;
        }
    }
    return 0;
}

static void
drop_item(picking_t *picking, unsigned i)
{
    lp_pick_form_t *form = &picking->form;
    unsigned        rest = form->n - i - 1;

    memmove(&form->items[i], &form->items[i + 1],
            rest * sizeof(form->items[0]));
    memmove(&picking->offers.list[i], &picking->offers.list[i + 1],
            rest * sizeof(picking->offers.list[0]));
    form->n--;
    picking->offers.n--;
}

static void
show(picking_t *picking, lp_span_t secret)
{
    lp_pick_view_t view = {picking->platform, &picking->pick, secret,
                           &picking->form, &picking->offers, picking->more,
                           picking->says};

    lp_pick_show(picking->visit, &view);
}

static void
put(picking_t *picking)
{
    const lp_sites_t *sites = lp_sites(picking->visit->sso->providers);
    json_t           *items = json_array(), *titles = json_array();
    unsigned          i;
    int               rc = 0;

    for (i = 0; i < picking->form.n && rc == 0; i++) {
        rc = add_item(items, titles, sites, &picking->offers.list[i],
                      picking->form.items[i].path);
    }
    if (rc != 0) {
        json_decref(items);
        lp_lti_unavailable(picking->visit, picking->platform);
    } else {
        respond(picking, items, titles);
    }
    json_decref(titles);
}

static int
add_item(json_t *items, json_t *titles, const lp_sites_t *sites,
         const lp_offer_t *offer, lp_span_t path)
{
    lp_text_t title;
    lp_span_t part;
    char      text[2048];

    (void) lp_offer_has(offer, path, &part);
    title = lp_text_in(text, sizeof(text));
    lp_text_add(&title, offer->name);
    if (path.len > 0) {
        lp_text_add(&title, lp_span(": "));
        lp_text_add(&title, part.len > 0 ? part : path);
    }
    if (json_array_append_new(titles, json_stringn(title.data, title.len))
        != 0) {
        return -1;
    }
    return json_array_append_new(items,
                                 lp_lti_item(sites, lp_text_span(&title),
                                             offer->product, path));
}

/* Takes items over. titles: of these; empty: nothing was chosen. The answer is
   made before the request is taken out: see above. */
static void
respond(picking_t *picking, json_t *items, const json_t *titles)
{
    lp_visit_t *visit = picking->visit;
    lp_sso_t   *sso = visit->sso;
    const char *message = NULL;
    lp_pick_t   taken;
    char       *jwt;
    int         found = -1;

    if (json_array_size(titles) == 0) {
        message = lp_pick_ready_none(visit);
    }
    jwt = lp_lti_response(sso->ring, picking->platform, &picking->pick, items,
                          message, lp_service_now());
    if (jwt != NULL) {
        found = lp_pick_load(sso, picking->form.secret, 1, &taken);
    }
    if (found == 1) {
        lp_pick_close(&taken);
        lp_pick_ready(visit, picking->platform, picking->pick.return_url,
                      titles, jwt);
    } else if (found == 0) {
        refuse(picking, LP_PROBLEM_LAUNCH_OLD);
    } else {
        lp_lti_unavailable(visit, picking->platform);
    }
    free(jwt);
}

static void
refuse(picking_t *picking, lp_problem_t problem)
{
    lp_lti_problem(picking->visit, picking->platform, (lp_span_t) {NULL, 0},
                   problem, 0);
}
