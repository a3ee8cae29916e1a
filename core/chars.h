/*
 * Which byte may stand where: one table for product ids, paths and targets,
 * so that a click is read in single passes without a branch per character.
 */

#ifndef LP_CHARS_H
#define LP_CHARS_H

#define LP_CHAR_ALNUM  0x01 /* A-Z a-z 0-9 */
#define LP_CHAR_DIGIT  0x02
#define LP_CHAR_HEX    0x04 /* both cases */
#define LP_CHAR_NAME   0x08 /* alnum "." "_" "-": ids and host names */
#define LP_CHAR_PCHAR  0x10 /* RFC 3986 section 3.3 pchar; not "%", not "/" */
#define LP_CHAR_TARGET 0x20 /* after a target's authority; not "%" */
#define LP_CHAR_PAIRS  0x40 /* "&" "+" ";" "=" "#": what parts a query */

/* The classes of a byte, as a set of the bits above. */
extern const unsigned char lp_chars[256];

static inline int
lp_char_is(unsigned char c, unsigned class)
{
    return (lp_chars[c] & class) != 0;
}

/* The value of a character of LP_CHAR_HEX. */
static inline unsigned
lp_char_hex(unsigned char c)
{
    return (c & 0x0f) + (c > '9' ? 9 : 0);
}

#endif
