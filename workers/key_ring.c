/*
 * The key ring of a running worker. The folder is looked at once a second at
 * most, when a token is to be signed, and read again where its time of change
 * moved. A time of change is as coarse as the kernel's tick, so that the second
 * of two changes in a moment could be missed: therefore it is read once more
 * when the change is a few seconds old. A ring that can't be read, or holds no
 * key any more, leaves the one before in force.
 */

#include "key_ring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "key_file.h"
#include "say.h"
#include "watched_file.h"

#define SETTLED 3 /* seconds after a change: no other has the same time */

struct lp_key_ring_s {
    char           *folder;
    lp_watched_t    watched;
    lp_key_folder_t keys;
    int64_t         looked_at;
    int64_t         read_again_at; /* 0: not until it changes */
    int             complained;
};

static char reason_text[512];

lp_key_ring_t *
lp_key_ring_open(const char *folder, const char **reason)
{
    lp_key_ring_t *ring = calloc(1, sizeof(lp_key_ring_t));

    *reason = "out of memory";
    if (ring == NULL) {
        return NULL;
    }
    ring->folder = strdup(folder);
    if (ring->folder == NULL) {
        lp_key_ring_close(ring);
        return NULL;
    }
    lp_watched_changed(&ring->watched, folder);
    ring->looked_at = lp_watched_clock();
    ring->read_again_at = ring->looked_at + SETTLED;
    if (lp_key_file_folder(&ring->keys, folder) != 0
        || ring->keys.n == 0) {
        snprintf(reason_text, sizeof(reason_text), "%s holds no key to sign "
                 "tokens with; leerpoort key rotate --keys makes the first",
                 folder);
        *reason = reason_text;
        lp_key_ring_close(ring);
        return NULL;
    }
    return ring;
}

void
lp_key_ring_close(lp_key_ring_t *ring)
{
    if (ring == NULL) {
        return;
    }
    lp_key_folder_free(&ring->keys);
    free(ring->folder);
    free(ring);
}

static void
look(lp_key_ring_t *ring, int64_t at)
{
    lp_key_folder_t fresh;

    if (lp_watched_changed(&ring->watched, ring->folder)) {
        ring->read_again_at = at + SETTLED;
    } else if (ring->read_again_at != 0 && at >= ring->read_again_at) {
        ring->read_again_at = 0;
    } else {
        return;
    }
    if (lp_key_file_folder(&fresh, ring->folder) == 0 && fresh.n > 0) {
        lp_key_folder_free(&ring->keys);
        ring->keys = fresh;
        ring->complained = 0;
        return;
    }
    lp_key_folder_free(&fresh);
    if (!ring->complained) {
        lp_say("%s holds no key any more; those that were read go on",
               ring->folder);
    }
    ring->complained = 1;
}

const lp_private_key_t *
lp_key_ring_signer(lp_key_ring_t *ring, int64_t now)
{
    int64_t at = lp_watched_clock();
    int     i;

    if (ring->looked_at != at) {
        ring->looked_at = at;
        look(ring, at);
    }
    i = lp_key_folder_signer(&ring->keys, now);
    return i == -1 ? NULL : &ring->keys.keys[i].key;
}
