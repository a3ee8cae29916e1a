/*
 * Ids: every one says that it can't be real. Written without printf, because
 * some stand in the path of a click.
 */

#include "population.h"

#include <string.h>

#include "population_inside.h"

#define ALIASED       4 /* one school in so many: tokens name its alias */
#define SCHOOL_DIGITS 5
#define ITEM_DIGITS   6
#define MEMBER_DIGITS 8
#define ECK_WORDS     8 /* of 64 bits: 128 hexadecimal digits, as real ones */

static const char hex[] = "0123456789abcdef";

/* Each puts something at p and returns where it ends. */

static char *
put(char *p, const char *text, size_t len)
{
    memcpy(p, text, len);
    return p + len;
}

#define PUT(p, literal) put((p), (literal), sizeof(literal) - 1)

/* With zeros before it; more digits where it needs them. */
static char *
put_number(char *p, uint32_t number, unsigned digits)
{
    char     text[10];
    unsigned n = 0;

    do {
        text[n++] = (char) ('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (n < digits) {
        text[n++] = '0';
    }
    while (n > 0) {
        *p++ = text[--n];
    }
    return p;
}

static char *
put_hex(char *p, uint64_t number)
{
    unsigned i;

    for (i = 0; i < 16; i++) {
        *p++ = hex[number >> 60];
        number <<= 4;
    }
    return p;
}

static size_t
end(const char *start, char *p)
{
    *p = '\0';
    return (size_t) (p - start);
}

size_t
lp_population_school_id(const lp_population_t *population,
                        char dst[LP_NAME_MAX], uint32_t school)
{
    (void) population;
    return end(dst, put_number(PUT(dst, "load-s-"), school, SCHOOL_DIGITS));
}

size_t
lp_population_alias(const lp_population_t *population, char dst[LP_NAME_MAX],
                    uint32_t school)
{
    (void) population;
    if (school % ALIASED != ALIASED - 1) {
        dst[0] = '\0';
        return 0;
    }
    return end(dst, put_number(PUT(dst, "load-b-"), school, SCHOOL_DIGITS));
}

size_t
lp_population_product_id(const lp_population_t *population,
                         char dst[LP_NAME_MAX], uint32_t product)
{
    (void) population;
    return end(dst, put_number(PUT(dst, "load-"), product, ITEM_DIGITS));
}

size_t
lp_population_set_id(const lp_population_t *population, char dst[LP_NAME_MAX],
                     uint32_t product)
{
    uint32_t set = population->items[product].set;

    if (set == 0) {
        dst[0] = '\0';
        return 0;
    }
    return end(dst, put_number(PUT(dst, "load-set-"), set, ITEM_DIGITS));
}

/* A deep one ends so that a path can follow it; another has a query. */
size_t
lp_population_url(const lp_population_t *population, char dst[LP_URL_MAX],
                  uint32_t product)
{
    const lp_item_t *item = &population->items[product];
    char            *p;

    p = PUT(dst, "https://u");
    p = put_number(p, item->host, 2);
    p = item->deep ? PUT(p, ".load.example/boek/")
                   : PUT(p, ".load.example/open?boek=");
    return end(dst, put_number(p, product, ITEM_DIGITS));
}

size_t
lp_population_person(const lp_population_t *population,
                     char dst[LP_PERSON_MAX], uint32_t member)
{
    char    *p;
    unsigned i;
    uint64_t first = (uint64_t) member * ECK_WORDS;

    if (lp_population_teaches(population, member)) {
        p = put_number(PUT(dst, "load-t-"), member, MEMBER_DIGITS);
        *p++ = '-';
        p = put_hex(p, lp_property(population, LP_OF_PERSONS, first));
        return end(dst, PUT(p, "@load.example"));
    }
    p = PUT(dst, "https://ketenid.nl/000000/");
    for (i = 0; i < ECK_WORDS; i++) {
        p = put_hex(p, lp_property(population, LP_OF_PERSONS, first + i));
    }
    return end(dst, p);
}

const char *
lp_population_id_type(const lp_population_t *population, uint32_t member)
{
    return lp_population_teaches(population, member) ? "NEPPI" : "ECK";
}

/* A uuid of version 8, whose content is anybody's own (RFC 9562). */
static void
write_uuid(unsigned char uuid[16], const lp_population_t *population,
           lp_property_t property, uint64_t of)
{
    uint64_t own = lp_property(population, property, of), word;
    unsigned i;

    for (i = 0; i < 16; i++) {
        word = lp_random_of(own, i / 8);
        uuid[i] = (unsigned char) (word >> (56 - i % 8 * 8));
    }
    uuid[6] = (unsigned char) (0x80 | (uuid[6] & 0x0f));
    uuid[8] = (unsigned char) (0x80 | (uuid[8] & 0x3f));
}

/* A right to a set is one right, in whichever slot its products are. */
void
lp_population_entitlement(const lp_population_t *population,
                          unsigned char uuid[16], uint32_t member,
                          unsigned slot)
{
    uint32_t product, of = slot;

    if (lp_population_hold(population, member, slot) == LP_HOLD_SET) {
        product = lp_population_shelf(
            population, lp_population_class_of(population, member), slot);
        of = LP_SHELF + population->items[product].set;
    }
    write_uuid(uuid, population, LP_OF_RIGHTS, lp_pair(member, of));
}

void
lp_population_open_entitlement(const lp_population_t *population,
                               unsigned char uuid[16], uint32_t school,
                               uint32_t product)
{
    write_uuid(uuid, population, LP_OF_OPEN_RIGHTS, lp_pair(school, product));
}
