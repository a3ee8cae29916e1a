/*
 * Signing keys out of files, for programs that tell people on standard error
 * what is wrong with them.
 */

#ifndef LP_KEY_FILE_H
#define LP_KEY_FILE_H

#include "../core/key_folder.h"

/*
 * lp_private_key_read() of a whole file. Returns 0; -1 after lp_say().
 * lp_private_key_free() must follow either way.
 */
int lp_key_file_load(lp_private_key_t *key, const char *path, lp_alg_t alg,
                     const char *kid);

/* lp_key_folder_read(), with an lp_say() for each file that has a fault. */
int lp_key_file_folder(lp_key_folder_t *folder, const char *path);

#endif
