/*
 * Names of Redis keys. All keys of a school carry the same hash tag, so that a
 * school is one slot of Redis Cluster and its writes are one transaction. The
 * tag is a shard, not the school itself: 64 tags can be listed, spread and
 * moved; ten thousand schools cannot.
 */

#include "keys.h"

#include <stdint.h>

#include "chars.h"

#define PREFIX_LEN   (sizeof("u:{00}:") - 1)
#define TAG_LEN      (sizeof(":{00}:") - 1)
#define NAME_MAX_LEN 64 /* of a school, of a product id */

/* The CRC16 that Redis Cluster uses for slots: polynomial 0x1021, from 0,
   nothing reflected (XMODEM; "123456789" gives 0x31C3). */
/* clang-format off */
static const uint16_t crc16[256] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
    0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
    0x1231, 0x0210, 0x3273, 0x2252, 0x52b5, 0x4294, 0x72f7, 0x62d6,
    0x9339, 0x8318, 0xb37b, 0xa35a, 0xd3bd, 0xc39c, 0xf3ff, 0xe3de,
    0x2462, 0x3443, 0x0420, 0x1401, 0x64e6, 0x74c7, 0x44a4, 0x5485,
    0xa56a, 0xb54b, 0x8528, 0x9509, 0xe5ee, 0xf5cf, 0xc5ac, 0xd58d,
    0x3653, 0x2672, 0x1611, 0x0630, 0x76d7, 0x66f6, 0x5695, 0x46b4,
    0xb75b, 0xa77a, 0x9719, 0x8738, 0xf7df, 0xe7fe, 0xd79d, 0xc7bc,
    0x48c4, 0x58e5, 0x6886, 0x78a7, 0x0840, 0x1861, 0x2802, 0x3823,
    0xc9cc, 0xd9ed, 0xe98e, 0xf9af, 0x8948, 0x9969, 0xa90a, 0xb92b,
    0x5af5, 0x4ad4, 0x7ab7, 0x6a96, 0x1a71, 0x0a50, 0x3a33, 0x2a12,
    0xdbfd, 0xcbdc, 0xfbbf, 0xeb9e, 0x9b79, 0x8b58, 0xbb3b, 0xab1a,
    0x6ca6, 0x7c87, 0x4ce4, 0x5cc5, 0x2c22, 0x3c03, 0x0c60, 0x1c41,
    0xedae, 0xfd8f, 0xcdec, 0xddcd, 0xad2a, 0xbd0b, 0x8d68, 0x9d49,
    0x7e97, 0x6eb6, 0x5ed5, 0x4ef4, 0x3e13, 0x2e32, 0x1e51, 0x0e70,
    0xff9f, 0xefbe, 0xdfdd, 0xcffc, 0xbf1b, 0xaf3a, 0x9f59, 0x8f78,
    0x9188, 0x81a9, 0xb1ca, 0xa1eb, 0xd10c, 0xc12d, 0xf14e, 0xe16f,
    0x1080, 0x00a1, 0x30c2, 0x20e3, 0x5004, 0x4025, 0x7046, 0x6067,
    0x83b9, 0x9398, 0xa3fb, 0xb3da, 0xc33d, 0xd31c, 0xe37f, 0xf35e,
    0x02b1, 0x1290, 0x22f3, 0x32d2, 0x4235, 0x5214, 0x6277, 0x7256,
    0xb5ea, 0xa5cb, 0x95a8, 0x8589, 0xf56e, 0xe54f, 0xd52c, 0xc50d,
    0x34e2, 0x24c3, 0x14a0, 0x0481, 0x7466, 0x6447, 0x5424, 0x4405,
    0xa7db, 0xb7fa, 0x8799, 0x97b8, 0xe75f, 0xf77e, 0xc71d, 0xd73c,
    0x26d3, 0x36f2, 0x0691, 0x16b0, 0x6657, 0x7676, 0x4615, 0x5634,
    0xd94c, 0xc96d, 0xf90e, 0xe92f, 0x99c8, 0x89e9, 0xb98a, 0xa9ab,
    0x5844, 0x4865, 0x7806, 0x6827, 0x18c0, 0x08e1, 0x3882, 0x28a3,
    0xcb7d, 0xdb5c, 0xeb3f, 0xfb1e, 0x8bf9, 0x9bd8, 0xabbb, 0xbb9a,
    0x4a75, 0x5a54, 0x6a37, 0x7a16, 0x0af1, 0x1ad0, 0x2ab3, 0x3a92,
    0xfd2e, 0xed0f, 0xdd6c, 0xcd4d, 0xbdaa, 0xad8b, 0x9de8, 0x8dc9,
    0x7c26, 0x6c07, 0x5c64, 0x4c45, 0x3ca2, 0x2c83, 0x1ce0, 0x0cc1,
    0xef1f, 0xff3e, 0xcf5d, 0xdf7c, 0xaf9b, 0xbfba, 0x8fd9, 0x9ff8,
    0x6e17, 0x7e36, 0x4e55, 0x5e74, 0x2e93, 0x3eb2, 0x0ed1, 0x1ef0
};
/* clang-format on */

static const lp_span_t none = {NULL, 0};

static size_t key_write(char *dst, char type, unsigned shard, lp_span_t first,
                        char joint, lp_span_t second);
static void tag_write(char *dst, unsigned shard);
static int name_valid(lp_span_t name);

unsigned
lp_shard(lp_span_t text)
{
    size_t   i;
    uint16_t crc;

    crc = 0;

    for (i = 0; i < text.len; i++) {
        crc = (uint16_t) (crc << 8)
              ^ crc16[(crc >> 8) ^ (unsigned char) text.data[i]];
    }

    return crc % LP_SHARDS;
}

size_t
lp_key_user(char *dst, lp_span_t school, lp_span_t user)
{
    return lp_key_user_in(dst, lp_shard(school.len > 0 ? school : user),
                          school, user);
}

size_t
lp_key_user_in(char *dst, unsigned shard, lp_span_t school, lp_span_t user)
{
    return key_write(dst, 'u', shard, school, '/', user);
}

size_t
lp_key_school(char *dst, lp_span_t school)
{
    return lp_key_school_in(dst, lp_shard(school), school);
}

size_t
lp_key_school_in(char *dst, unsigned shard, lp_span_t school)
{
    return key_write(dst, 's', shard, school, '\0', none);
}

size_t
lp_key_alias(char *dst, lp_span_t id_type, lp_span_t id)
{
    size_t len;

    len = key_write(dst, 'a', 0, id_type, ':', id);

    if (len > 0) {
        /* the tag is that of the text as it now stands in the key */
        tag_write(dst + 1, lp_shard((lp_span_t) {dst + PREFIX_LEN,
                                                 len - PREFIX_LEN}));
    }

    return len;
}

size_t
lp_key_product(char *dst, lp_span_t product)
{
    return key_write(dst, 'p', lp_shard(product), product, '\0', none);
}

size_t
lp_key_of(char *dst, const char *kind, lp_span_t name)
{
    size_t len = strlen(kind);

    if (name.len > LP_KEY_MAX || len + TAG_LEN + name.len > LP_KEY_MAX) {
        return 0;
    }

    memcpy(dst, kind, len);
    memcpy(dst + len, ":{00}:", TAG_LEN);
    tag_write(dst + len, lp_shard(name));
    memcpy(dst + len + TAG_LEN, name.data, name.len);

    return len + TAG_LEN + name.len;
}

size_t
lp_field_follows(char *dst, lp_span_t product)
{
    if (product.len >= LP_FOLLOWS_MAX) {
        return 0;
    }

    memcpy(dst, product.data, product.len);
    dst[product.len] = '+';

    return product.len + 1;
}

int
lp_school_valid(lp_span_t school)
{
    return name_valid(school);
}

int
lp_product_valid(lp_span_t product)
{
    return name_valid(product)
           && lp_char_is((unsigned char) product.data[0], LP_CHAR_ALNUM);
}

/*
 * Writes "<type>:{NN}:<first><joint><second>"; a joint of NUL is left out.
 */
static size_t
key_write(char *dst, char type, unsigned shard, lp_span_t first, char joint,
          lp_span_t second)
{
    char *p;

    /* each compared alone, so that no sum can overflow */
    if (first.len > LP_KEY_MAX || second.len > LP_KEY_MAX
        || PREFIX_LEN + first.len + (joint != '\0') + second.len > LP_KEY_MAX) {
        return 0;
    }

    memcpy(dst, "?:{00}:", PREFIX_LEN);
    dst[0] = type;
    tag_write(dst + 1, shard);
    p = dst + PREFIX_LEN;

    if (first.len > 0) {
        memcpy(p, first.data, first.len);
        p += first.len;
    }

    if (joint != '\0') {
        *p++ = joint;
    }

    if (second.len > 0) {
        memcpy(p, second.data, second.len);
        p += second.len;
    }

    return (size_t) (p - dst);
}

/* dst: ":{00}". */
static void
tag_write(char *dst, unsigned shard)
{
    dst[2] = (char) ('0' + shard / 10);
    dst[3] = (char) ('0' + shard % 10);
}

static int
name_valid(lp_span_t name)
{
    size_t i;

    if (name.len == 0 || name.len > NAME_MAX_LEN) {
        return 0;
    }

    for (i = 0; i < name.len; i++) {
        if (!lp_char_is((unsigned char) name.data[i], LP_CHAR_NAME)) {
            return 0;
        }
    }

    return 1;
}
