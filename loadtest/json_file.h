/*
 * Files that are one JSON object, read within a bound and written whole or not
 * at all.
 */

#ifndef LP_JSON_FILE_H
#define LP_JSON_FILE_H

#include <stddef.h>

#include <jansson.h>

/* The object of a file of at most max bytes, with no member twice. NULL after
   lp_say(). */
json_t *lp_json_file_read(const char *path, size_t max);

/* What is wrong with a text that is no JSON, for people. */
const char *lp_json_fault(const json_error_t *error);

/* Writes folder/name, indented by flags (of json_dumps()), and wipes the text:
   it may be a key. object NULL: there was no memory for it. 0; -1 after
   lp_say(), and what was there before then stays. */
int lp_json_file_write(const char *folder, const char *name, unsigned mode,
                       const json_t *object, size_t flags);

/* Prints it for machines, indented by so many blanks, and gives it back; NULL:
   there was no memory for it. 0, -1 after lp_say(). */
int lp_json_print(json_t *object, int indent);

#endif
