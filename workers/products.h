/*
 * What is found of the catalogue without knowing a product's id, kept by
 * whoever writes p: (the product itself):
 *
 *   products              hash: product -> name, "" where it has none
 *   parts:{NN}:<set>      set: products that said "in" it; NN of the set
 *   chapters:{NN}:<product>  list: "<path> <title>" each; NN of the product
 *
 * The first two are hints, written beside the product in its transaction, and
 * never the truth: a reader looks the product up, and passes over one that is
 * gone or is not in the set any more. So nothing has to be read before it is
 * written, and `leerpoort product index` may make them anew at any time.
 */

#ifndef LP_PRODUCTS_H
#define LP_PRODUCTS_H

#include "../core/keys.h"
#include "store.h"

#define LP_PRODUCTS_KEY      "products"
#define LP_CHAPTERS_MAX      200 /* of one product */
#define LP_CHAPTER_TITLE_MAX 200 /* bytes */

/* Keys, each at most LP_KEY_MAX bytes, no NUL; they return the length. */
size_t lp_key_parts(char *dst, lp_span_t set);
size_t lp_key_chapters(char *dst, lp_span_t product);

/* Takes a command for the caller's transaction: 0, or -1, which ends it. */
typedef int (*lp_products_send_t)(void *to, lp_words_t words);

/* The same for a store, which to is. */
int lp_products_to_store(void *to, lp_words_t words);

/*
 * Notes a product that is written. name: data NULL where it stays as it is; len
 * 0 where it is removed. in: the sets that contain it now, with commas between
 * them; len 0: none, or they stay as they are. Returns 0, or what send said.
 */
int lp_products_note(lp_products_send_t send, void *to, lp_span_t product,
                     lp_span_t name, lp_span_t in);

/* Forgets a product that is removed, and its chapters. */
int lp_products_forget(lp_products_send_t send, void *to, lp_span_t product);

/* A line of chapters: its path, and its title, which is the path where there
   is none. 0; -1: it is no path of a click on this product, or the title is
   none for people. */
int lp_chapter_read(lp_span_t product, lp_span_t line, lp_span_t *path,
                    lp_span_t *title);

#endif
