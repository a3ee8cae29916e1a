/*
 * Who clicks: schools, classes, pupils, teachers, products and rights, all of
 * them functions of a seed, so that a country takes no memory but its tokens'.
 * Those are minted ahead into a file that is mapped.
 *
 * DIR holds population.json (what it was made from), jwks.json (the public keys
 * of its issuer), keys/ (private, mode 0600, for test tokens alone),
 * tokens.bin and expired.bin, and issuer.conf: the block leerpoort_issuer for
 * the rehearsed edge.
 *
 * Nobody in it can be real: ECK iDs begin with https://ketenid.nl/000000/,
 * schools, products and hosts with load- or end in .example.
 *
 * A class has up to LP_CLASS_PUPILS pupils and, as its first member, a
 * teacher. It has a shelf: LP_SHELF products, the more popular ones more often
 * (Zipf), the same for all in the class. What one member may do with one
 * product of the shelf is its hold.
 */

#ifndef LP_POPULATION_H
#define LP_POPULATION_H

#include <stdint.h>

#include "../core/outcome.h"
#include "../core/span.h"
#include "random.h"

#define LP_CLASS_PUPILS 25
#define LP_SHELF        12
#define LP_NAME_MAX     64   /* room for a school's or a product's id, NUL */
#define LP_PERSON_MAX   192  /* room for an id of a person, NUL included */
#define LP_URL_MAX      256  /* room for a product's address */
#define LP_ISSUER_NAME  "https://sso.load.example/"
#define LP_AUDIENCE_NAME "https://toegang.load.example/"

typedef enum {
    LP_HOLD_LICENSED = 0,
    LP_HOLD_SET,      /* licensed, through a set that contains the product */
    LP_HOLD_FREE,     /* open material, nothing is held */
    LP_HOLD_ENTITLED, /* the first click activates it */
    LP_HOLD_OPEN,     /* so does that on an open right of the school */
    LP_HOLD_NONE,
    LP_HOLD_NOT_YET,
    LP_HOLD_ENDED,
    LP_HOLD_BLOCKED,
    LP_HOLDS
} lp_hold_t;

/* What population.json holds. Shares are of all (member, product) pairs that
   are not free; what is left is licensed. */
typedef struct {
    uint64_t seed;
    uint32_t pupils;
    uint32_t products;
    double   zipf;     /* exponent of the products' popularity (1.0) */
    uint32_t day;      /* YYYYMMDD on which it was made: dates are about it */
    double   share[LP_HOLDS];
    char     algs[64]; /* "ES256:70,RS256:20,EdDSA:10", by school */
} lp_census_t;

typedef struct lp_population_s lp_population_t;

/* A class' members are numbered from first; the first of them teaches. */
typedef struct {
    uint32_t number;
    uint32_t school;
    uint32_t first;
    uint32_t members; /* 2 to LP_CLASS_PUPILS + 1 */
} lp_class_t;

/* Opens what `leerpoort-load population` made; tokens are mapped, not read.
   NULL after lp_say(). */
lp_population_t *lp_population_open(const char *dir);

/* Only the people, no files: for tests, and for the command that makes them.
   NULL: out of memory. */
lp_population_t *lp_population_of(const lp_census_t *census);

void lp_population_close(lp_population_t *population);

const lp_census_t *lp_population_census(const lp_population_t *population);
uint32_t lp_population_schools(const lp_population_t *population);
uint32_t lp_population_classes(const lp_population_t *population);
uint32_t lp_population_members(const lp_population_t *population);
/* Expired tokens there are; 0 where the tokens were not minted. */
uint32_t lp_population_expired(const lp_population_t *population);

void lp_population_class(const lp_population_t *population, uint32_t number,
                         lp_class_t *class);
/* The class of a member; constant time. */
uint32_t lp_population_class_of(const lp_population_t *population,
                                uint32_t member);
int lp_population_teaches(const lp_population_t *population, uint32_t member);

/* The product (0 to products - 1) in a slot (0 to LP_SHELF - 1) of a class'
   shelf; each at most once on a shelf. */
uint32_t lp_population_shelf(const lp_population_t *population, uint32_t class,
                             unsigned slot);

lp_hold_t lp_population_hold(const lp_population_t *population,
                             uint32_t member, unsigned slot);

/* How a click by this member, with a good token, has to end: LP_REDIRECT for
   whatever may be used or activated. */
lp_outcome_t lp_hold_outcome(lp_hold_t hold);

/* "licensed", "not-yet": of reports and of --mix. */
const char *lp_hold_name(lp_hold_t hold);

/* Ids. Each writes a NUL-terminated text and returns its length. */
size_t lp_population_school_id(const lp_population_t *population,
                               char dst[LP_NAME_MAX], uint32_t school);
/* A school that tokens name by an alias of type OIE_CODE: the alias; else 0. */
size_t lp_population_alias(const lp_population_t *population,
                           char dst[LP_NAME_MAX], uint32_t school);
size_t lp_population_product_id(const lp_population_t *population,
                                char dst[LP_NAME_MAX], uint32_t product);
/* The set that a product is in; 0: in none. LP_HOLD_SET is a right to it. */
size_t lp_population_set_id(const lp_population_t *population,
                            char dst[LP_NAME_MAX], uint32_t product);
/* Its "url": where a click without a path leads. */
size_t lp_population_url(const lp_population_t *population,
                         char dst[LP_URL_MAX], uint32_t product);
/* Whether it takes a path; then "deep" is its url, "/" and {path}. */
int lp_population_deep(const lp_population_t *population, uint32_t product);
int lp_population_free(const lp_population_t *population, uint32_t product);
/* Whether a school has an open right to a product. */
int lp_population_open_right(const lp_population_t *population,
                             uint32_t school, uint32_t product);
/* A person's id: of a pupil an ECK iD, of a teacher (type NEPPI). */
size_t lp_population_person(const lp_population_t *population,
                            char dst[LP_PERSON_MAX], uint32_t member);
const char *lp_population_id_type(const lp_population_t *population,
                                  uint32_t member); /* "ECK", "NEPPI" */
/* The entitlement's uuid (version 8) of a member's right in a slot. */
void lp_population_entitlement(const lp_population_t *population,
                               unsigned char uuid[16], uint32_t member,
                               unsigned slot);
/* That of a school's open right to a product. */
void lp_population_open_entitlement(const lp_population_t *population,
                                    unsigned char uuid[16], uint32_t school,
                                    uint32_t product);

/* Tokens, in the mapped files; data NULL where it is not minted. */
lp_span_t lp_population_token(const lp_population_t *population,
                              uint32_t member);
lp_span_t lp_population_expired_token(const lp_population_t *population,
                                      uint32_t i);
/* When the first of the tokens expires, Unix seconds; 0: not minted. */
int64_t lp_population_tokens_until(const lp_population_t *population);

#endif
