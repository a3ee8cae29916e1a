/*
 * What Redis sends, or something in its place: the first byte of the input
 * chooses the sizes of the pieces in which the rest arrives. No reply that is
 * handed out may point outside what it owns; what is packed must be found
 * again; and the pieces must not matter.
 */

#include <stdint.h>
#include <stdlib.h>

#include "../../ngx_module/ngx_http_leerpoort_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static uint64_t read_all(const uint8_t *bytes, size_t len, unsigned pieces);
static int take_all(lp_reply_t *reply, uint64_t *sum);
static void check_nodes(const lp_reply_t *reply, uint64_t *sum);
static void check_link(const lp_reply_t *reply, uint64_t *sum);
static void check_packed(lp_reply_t *reply, uint64_t *sum);
static void check_fields(lp_span_t packed);
static void mix(uint64_t *sum, const void *bytes, size_t len);
static int inside(lp_span_t text, const char *start, size_t len);
static void must(int holds);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1) {
        return 0;
    }

    must(read_all(bytes + 1, len - 1, bytes[0])
         == read_all(bytes + 1, len - 1, 0));

    return 0;
}

/* pieces 0: all at once. Returns what stands for all that was read. */
static uint64_t
read_all(const uint8_t *bytes, size_t len, unsigned pieces)
{
    size_t     piece;
    uint64_t   sum;
    lp_reply_t reply;

    must(lp_reply_create(&reply) == 0);
    sum = 0;

    while (len > 0) {
        piece = pieces == 0 ? len : 1 + pieces % 16;
        pieces = pieces * 5 % 256;
        if (piece > len) {
            piece = len;
        }

        if (lp_reply_feed(&reply, (const char *) bytes, piece) != 0
            || take_all(&reply, &sum) != 0) {
            break;
        }

        bytes += piece;
        len -= piece;
    }

    lp_reply_destroy(&reply);

    return sum;
}

/* Returns 0 when more bytes are needed, -1 where the connection has ended. */
static int
take_all(lp_reply_t *reply, uint64_t *sum)
{
    int taken;

    for (;;) {
        taken = lp_reply_next(reply);
        if (taken != 1) {
            return taken;
        }

        check_nodes(reply, sum);
        check_link(reply, sum);
        check_packed(reply, sum);
    }
}

static void
check_nodes(const lp_reply_t *reply, uint64_t *sum)
{
    size_t                 i;
    lp_span_t              text;
    const lp_reply_node_t *node;

    must(reply->n > 0 && reply->n <= LP_REPLY_NODES_MAX);
    must(reply->len <= LP_REPLY_MAX && reply->len <= reply->bytes_cap);

    for (i = 0; i < reply->n; i++) {
        node = &reply->nodes[i];
        text = lp_reply_text(reply, node);
        must(text.len == 0 || inside(text, reply->bytes, reply->len));
        must(node->type != LP_REPLY_ARRAY || node->integer >= 0);

        mix(sum, &node->type, sizeof(node->type));
        mix(sum, &node->integer, sizeof(node->integer));
        mix(sum, text.data, text.len);
    }

    text = lp_reply_error(reply);
    must(text.len <= 16);
    must(text.len == 0 || reply->nodes[0].type == LP_REPLY_ERROR);
}

static void
check_link(const lp_reply_t *reply, uint64_t *sum)
{
    size_t            i, first, count;
    lp_link_message_t message;

    message = lp_reply_link(reply, &first, &count);
    mix(sum, &message, sizeof(message));

    if (message != LP_LINK_KEYS) {
        return;
    }

    must(first <= reply->n && count <= reply->n - first);
    for (i = first; i < first + count; i++) {
        must(reply->nodes[i].type == LP_REPLY_STRING);
    }
}

static void
check_packed(lp_reply_t *reply, uint64_t *sum)
{
    lp_span_t packed;

    packed = lp_reply_pack(reply);

    if (packed.data == NULL) {
        must(reply->nodes[0].type != LP_REPLY_NIL
             && reply->nodes[0].type != LP_REPLY_STRING);
        return;
    }

    must(packed.len >= sizeof(uint32_t) && packed.len <= reply->packed_cap);
    must(lp_fields_count(packed) <= reply->n / 2 + 1);
    check_fields(packed);
    mix(sum, packed.data, sizeof(uint32_t));
}

/* A name that comes twice, which no Redis sends, gives its first value. */
static void
check_fields(lp_span_t packed)
{
    size_t     at;
    uint32_t   n;
    lp_span_t  value;
    lp_field_t field;

    n = 0;
    at = 0;

    while (lp_fields_next(packed, &at, &field)) {
        n++;
        must(inside(field.name, packed.data, packed.len));
        must(inside(field.value, packed.data, packed.len));
        must(field.name.len <= LP_FIELD_NAME_MAX);
        must(field.value.len <= LP_FIELD_VALUE_MAX);

        value = lp_fields_find(packed, field.name);
        must(value.data != NULL);
        must(inside(value, packed.data, packed.len));
        must(lp_span_equal(value, field.value)
             || value.data < field.value.data);
    }

    must(n == lp_fields_count(packed));
    must(at == packed.len);
}

/* FNV-1a, 64 bits. */
static void
mix(uint64_t *sum, const void *bytes, size_t len)
{
    size_t               i;
    const unsigned char *p = bytes;

    for (i = 0; i < len; i++) {
        *sum = (*sum ^ p[i]) * 0x100000001b3;
    }
}

static int
inside(lp_span_t text, const char *start, size_t len)
{
    return text.data >= start && text.data + text.len <= start + len;
}

/* Not assert(), which a build may leave out. */
static void
must(int holds)
{
    if (!holds) {
        abort();
    }
}
