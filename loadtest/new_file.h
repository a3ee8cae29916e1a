/*
 * A file of a folder, written whole or not at all: into a new one beside it
 * that takes its place once it is on disk.
 */

#ifndef LP_NEW_FILE_H
#define LP_NEW_FILE_H

#include <stddef.h>

#define LP_FILE_MAX 4096 /* room for a path */

/* folder/name into dst. 0, -1 after lp_say(). */
int lp_file_path(char dst[LP_FILE_MAX], const char *folder, const char *name);

/*
 * What may be read as a file is one: a pipe would be waited for. NULL; else
 * what else it is, "is a folder, and no file". NULL too where nothing is there
 * or it may not be looked at: opening it says why.
 */
const char *lp_file_odd(const char *path);

/*
 * Writes len bytes as folder/name. Returns 0; -1 after lp_say(), which of a
 * full disk names the file, what it needs and what is free; what was there
 * before then stays.
 */
int lp_new_file(const char *folder, const char *name, unsigned mode,
                const char *bytes, size_t len);

/* Says why writing did not succeed, by error (an errno). bytes: what had to be
   written, as far as it is known; else 0. */
void lp_new_file_explain(const char *folder, const char *name, size_t bytes,
                         int error);

#endif
