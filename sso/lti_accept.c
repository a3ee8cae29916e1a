/*
 * From the claims of a launch to its answer. Who it is, the platform says: by a
 * claim that is an id of Leerpoort's world, or by a subject of its own that was
 * linked to an account here. At which school, the deployment says, for that is
 * what a school agreed to; a claim is asked only where the deployment leaves it
 * open.
 */

#include "lti_accept.h"

#include "lti_answer.h"
#include "lti_claims.h"
#include "lti_link.h"
#include "lti_pick.h"

typedef struct {
    lp_visit_t          *visit;
    const lp_platform_t *platform;
    lp_launch_t          launch;
    lp_who_t             who;
    lp_span_t            school; /* the deployment's; len 0: by claim */
} accept_t;

static lp_problem_t problem_of(lp_lti_fault_t fault);
static void refuse(accept_t *accept, lp_problem_t problem, unsigned reason);
static int read_who(accept_t *accept, const json_t *claims);
static int recall(accept_t *accept);
static void ask_to_link(accept_t *accept);
static int check_who(accept_t *accept);
static void pick(accept_t *accept);
static void open_book(accept_t *accept);

void
lp_launch_accept(lp_visit_t *visit, const lp_platform_t *platform,
                 lp_span_t deployment, const json_t *claims)
{
    const lp_sites_t *sites = lp_sites(visit->sso->providers);
    lp_launch_site_t  site = {platform, sites->public_url,
                              sites->click_prefix, deployment};
    accept_t          accept;
    lp_lti_fault_t    fault;

    memset(&accept, 0, sizeof(accept));
    accept.visit = visit;
    accept.platform = platform;
    fault = lp_launch_read(&accept.launch, &site, claims);
    if (accept.launch.deployment != NULL) {
        accept.school = accept.launch.deployment->school;
    }
    lp_lti_use_locale(visit, accept.launch.locale);
    if (fault != LP_LTI_OK) {
        lp_lti_say(platform, lp_lti_fault_name(fault),
                   lp_lti_fault_text(fault));
        refuse(&accept, problem_of(fault), fault);
        return;
    }
    if (read_who(&accept, claims) != 0) {
        return;
    }
    if (accept.launch.deep_linking) {
        pick(&accept);
    } else if (accept.who.n_users > 0 || recall(&accept)) {
        open_book(&accept);
    }
    lp_who_wipe(&accept.who);
}

static lp_problem_t
problem_of(lp_lti_fault_t fault)
{
    switch (fault) {
    case LP_LTI_DEPLOYMENT_UNKNOWN:
        return LP_PROBLEM_LAUNCH_UNKNOWN;
    case LP_LTI_PRODUCT:
    case LP_LTI_CLICK:
        return LP_PROBLEM_LAUNCH_NO_BOOK;
    default:
        return LP_PROBLEM_LAUNCH_WRONG;
    }
}

static void
refuse(accept_t *accept, lp_problem_t problem, unsigned reason)
{
    lp_lti_problem(accept->visit, accept->platform, accept->school, problem,
                   reason);
}

/* -1 after answering. */
static int
read_who(accept_t *accept, const json_t *claims)
{
    lp_mapping_t    mapping = accept->platform->mapping;
    json_t         *named = lp_launch_short(claims);
    lp_who_result_t result;

    if (named == NULL) {
        lp_lti_unavailable(accept->visit, accept->platform);
        return -1;
    }
    mapping.school = accept->school;
    result = lp_who_add(&accept->who, &mapping, named);
    json_decref(named);
    if (result != LP_WHO_OK) {
        lp_lti_say(accept->platform, lp_lti_fault_name(LP_LTI_PERSON),
                   lp_lti_fault_text(LP_LTI_PERSON));
        lp_who_wipe(&accept->who);
        refuse(accept, LP_PROBLEM_LAUNCH_WRONG, LP_LTI_PERSON);
        return -1;
    }
    return 0;
}

/* The account that was linked: 1 and who; else it is answered. */
static int
recall(accept_t *accept)
{
    lp_who_t linked;
    int      found;

    if (accept->launch.subject.len == 0 || !accept->platform->link) {
        refuse(accept, LP_PROBLEM_NOBODY, 0);
        return 0;
    }
    found = lp_link_find(accept->visit->sso, accept->platform,
                         accept->launch.subject, &linked);
    if (found < 0) {
        lp_lti_unavailable(accept->visit, accept->platform);
        return 0;
    }
    if (found == 0 || !lp_link_fits(accept->visit->sso, &linked,
                                    &accept->who.school)) {
        ask_to_link(accept);
        return 0;
    }
    accept->who = linked;
    lp_who_wipe(&linked);
    return 1;
}

/* Into the window goes what it needs: no id, and the school that the session
   there must be of. */
static void
ask_to_link(accept_t *accept)
{
    const lp_launch_t *launch = &accept->launch;
    json_t            *document;

    document = json_pack(
        "{s:s%, s:s%, s:s%, s:s%, s:s%, s:s%, s:s, s:s}",
        "platform", accept->platform->name.data, accept->platform->name.len,
        "subject", launch->subject.data, launch->subject.len,
        "person", launch->person.len > 0 ? launch->person.data : "",
        launch->person.len,
        "locale", launch->locale.len > 0 ? launch->locale.data : "",
        launch->locale.len,
        "click", launch->click, launch->click_len,
        "house", accept->school.len > 0 ? accept->school.data : "",
        accept->school.len,
        "schoolType", accept->who.school.type,
        "school", accept->who.school.id);
    lp_lti_window(accept->visit, accept->platform, accept->school,
                  LP_ONCE_LINK, document);
    json_decref(document);
}

/* -1 after answering. A platform that says nothing of schools sends private
   customers. */
static int
check_who(accept_t *accept)
{
    const lp_mapping_t *mapping = &accept->platform->mapping;
    lp_store_status_t   status;
    lp_who_result_t     result;

    result = lp_who_check(&accept->who, accept->visit->sso->store,
                          accept->school.len > 0 || mapping->n_schools > 0,
                          &status);
    if (status != LP_STORE_OK) {
        lp_lti_unavailable(accept->visit, accept->platform);
        return -1;
    }
    if (result != LP_WHO_OK) {
        refuse(accept, result == LP_WHO_NO_SCHOOL ? LP_PROBLEM_UNKNOWN_SCHOOL
                                                  : LP_PROBLEM_NOBODY, 0);
        return -1;
    }
    return 0;
}

static void
open_book(accept_t *accept)
{
    const lp_launch_t *launch = &accept->launch;
    json_t            *document;

    if (check_who(accept) != 0) {
        return;
    }
    if (!accept->platform->new_window || !launch->in_frame) {
        lp_lti_click(accept->visit, accept->platform, &accept->who,
                     (lp_span_t) {launch->click, launch->click_len});
        return;
    }
    document = json_pack("{s:s%, s:s%, s:s%, s:o}", "platform",
                         accept->platform->name.data,
                         accept->platform->name.len, "click", launch->click,
                         launch->click_len, "house",
                         accept->school.len > 0 ? accept->school.data : "",
                         accept->school.len, "who",
                         lp_who_json(&accept->who));
    lp_lti_window(accept->visit, accept->platform, accept->school,
                  LP_ONCE_OPEN, document);
    json_decref(document);
}

static void
pick(accept_t *accept)
{
    const lp_launch_t *launch = &accept->launch;
    lp_pick_t          pick;
    char               secret[LP_RANDOM_LEN + 1];

    if (!accept->who.employee) {
        refuse(accept, LP_PROBLEM_TEACHERS_ONLY, 0);
        return;
    }
    memset(&pick, 0, sizeof(pick));
    pick.platform = accept->platform->name;
    pick.deployment = launch->deployment->id;
    pick.return_url = launch->return_url;
    pick.data = launch->data;
    pick.locale = launch->locale;
    pick.multiple = launch->multiple;
    if (lp_pick_store(accept->visit->sso, &pick, secret) != LP_STORE_OK) {
        lp_lti_unavailable(accept->visit, accept->platform);
    } else {
        lp_pick_page(accept->visit, accept->platform, &pick,
                     (lp_span_t) {secret, LP_RANDOM_LEN});
    }
}
