/*
 * For test_population.py: clicks of a population as leerpoort-load would send
 * them, with what it expects, and with all that the clicking member holds, so
 * that somebody else can give the rights and compare. Lines of JSON.
 *
 * expected_clicks DIR HOST PREFIX LOGIN cookie|bearer EACH
 * EACH: so many clicks of each kind.
 */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loadtest/expect.h"

#define KINDS (LP_HOLDS * 2 * 2 * 2 * 2)

typedef struct {
    lp_population_t *population;
    lp_plan_t        plan;
    lp_wire_t        wire;
    unsigned         each;
    unsigned         seen[KINDS];
} clicks_t;

static json_t *
slot_json(const clicks_t *clicks, const lp_class_t *class, uint32_t member,
          unsigned slot)
{
    const lp_population_t *p = clicks->population;
    char     id[LP_NAME_MAX], set[LP_NAME_MAX], url[LP_URL_MAX];
    uint32_t product = lp_population_shelf(p, class->number, slot);

    lp_population_product_id(p, id, product);
    lp_population_set_id(p, set, product);
    lp_population_url(p, url, product);
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:s}", "product", id,
                     "set", set, "url", url, "deep",
                     lp_population_deep(p, product), "free",
                     lp_population_free(p, product), "open",
                     lp_population_open_right(p, class->school, product),
                     "hold", lp_hold_name(lp_population_hold(p, member,
                                                             slot)));
}

static json_t *
member_json(const clicks_t *clicks, uint32_t member)
{
    const lp_population_t *p = clicks->population;
    char       school[LP_NAME_MAX], alias[LP_NAME_MAX], id[LP_PERSON_MAX];
    lp_class_t class;
    json_t    *slots = json_array();
    unsigned   slot;

    lp_population_class(p, lp_population_class_of(p, member), &class);
    lp_population_school_id(p, school, class.school);
    lp_population_alias(p, alias, class.school);
    lp_population_person(p, id, member);
    for (slot = 0; slot < LP_SHELF; slot++) {
        json_array_append_new(slots, slot_json(clicks, &class, member, slot));
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "school", school, "alias",
                     alias, "id", id, "type", lp_population_id_type(p, member),
                     "slots", slots);
}

static void
put_click(const clicks_t *clicks, const lp_arrival_t *arrival,
          const char *what)
{
    char          request[LP_REQUEST_MAX];
    lp_expected_t expected;
    json_t       *line;
    size_t        len;

    len = lp_request_write(request, &clicks->wire, &clicks->plan,
                           clicks->population, arrival);
    lp_expect(&expected, &clicks->wire, clicks->population, arrival);
    line = json_pack("{s:s, s:s%, s:s, s:i, s:b, s:s%, s:o}", "what", what,
                     "request", request, len, "outcome",
                     lp_outcome_name(expected.outcome), "status",
                     (int) expected.status, "activates", expected.activates,
                     "location", expected.location, expected.location_len,
                     "member", member_json(clicks, arrival->member));
    if (len == 0 || line == NULL) {
        fprintf(stderr, "a click could not be written\n");
        exit(1);
    }
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(line);
}

/* One click of each kind: by hold, who holds it, and where it goes. */
static void
put_holds(clicks_t *clicks, uint32_t member, unsigned slot)
{
    const lp_population_t *p = clicks->population;
    lp_arrival_t arrival = {.member = member, .slot = (uint8_t) slot};
    char         alias[LP_NAME_MAX];
    lp_class_t   class;
    unsigned     kind;
    uint32_t     product;
    lp_hold_t    hold = lp_population_hold(p, member, slot);

    lp_population_class(p, lp_population_class_of(p, member), &class);
    product = lp_population_shelf(p, class.number, slot);
    for (arrival.path = 0; arrival.path < 2; arrival.path++) {
        kind = (unsigned) hold * 16 + arrival.path * 8U
               + (lp_population_deep(p, product) ? 4U : 0)
               + (lp_population_teaches(p, member) ? 2U : 0)
               + (lp_population_alias(p, alias, class.school) > 0);
        if (clicks->seen[kind] < clicks->each) {
            arrival.number = clicks->seen[kind] * 1000003U + kind;
            clicks->seen[kind]++;
            put_click(clicks, &arrival, lp_hold_name(hold));
        }
    }
}

static void
put_tokens(const clicks_t *clicks)
{
    static const char *const names[] = {"good", "expired", "forged", "none"};
    lp_arrival_t arrival = {.number = 0};
    unsigned     i;

    for (i = 0; i < 40 * clicks->each; i++) {
        arrival.member = i * 7 % lp_population_members(clicks->population);
        arrival.number = i * 11;
        arrival.path = i % 2;
        arrival.token = (uint8_t) (i % 4);
        arrival.slot = i % 3 == 0 ? LP_SLOT_UNKNOWN : (uint8_t) (i % LP_SHELF);
        put_click(clicks, &arrival, names[i % 4]);
    }
}

int
main(int argc, char **argv)
{
    static clicks_t clicks;
    uint32_t        member;
    unsigned        slot;

    if (argc != 7) {
        return 2;
    }
    clicks.population = lp_population_open(argv[1]);
    if (clicks.population == NULL) {
        return 1;
    }
    snprintf(clicks.wire.host, sizeof(clicks.wire.host), "%s", argv[2]);
    snprintf(clicks.wire.prefix, sizeof(clicks.wire.prefix), "%s", argv[3]);
    snprintf(clicks.wire.login, sizeof(clicks.wire.login), "%s", argv[4]);
    clicks.plan.tokens.cookie = strcmp(argv[5], "cookie") == 0;
    clicks.each = (unsigned) strtoul(argv[6], NULL, 10);
    for (member = 0; member < lp_population_members(clicks.population);
         member++) {
        for (slot = 0; slot < LP_SHELF; slot++) {
            put_holds(&clicks, member, slot);
        }
    }
    put_tokens(&clicks);
    lp_population_close(clicks.population);
    return 0;
}
