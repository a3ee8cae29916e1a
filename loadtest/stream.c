/*
 * Unit gaps, exponential or all 1, added up and seen through the inverse of
 * the curve's integral. The i-th gap is a function of the seed and i alone:
 * that is why shards agree without talking, and why what belongs to another
 * shard is passed over without looking at the curve.
 */

#include "stream.h"

#include <math.h>

#include "random.h"

static double
gap(const lp_stream_t *stream, uint64_t i)
{
    if (stream->even) {
        return 1;
    }
    return -log1p(-lp_random_unit_of(lp_random_of(stream->seed, i)));
}

/* When the event in hand is, on the curve as it is now. */
static void
place(lp_stream_t *stream)
{
    double clicks = stream->base_clicks
                    + (stream->count - stream->base_count) / stream->factor;

    stream->moment = lp_segments_moment(&stream->segments, clicks,
                                        &stream->place);
}

void
lp_stream_begin(lp_stream_t *stream, uint64_t seed, int even, unsigned shard,
                unsigned shards)
{
    stream->place = (lp_segments_place_t) {0, stream->segments.list[0].from};
    stream->seed = seed;
    stream->even = even;
    stream->shard = shard;
    stream->shards = shards;
    stream->next = 0;
    stream->count = even ? -0.5 : 0; /* half a gap at both ends */
    stream->factor = 1;
    stream->base_count = 0;
    stream->base_clicks = 0;
    lp_stream_next(stream);
}

void
lp_stream_next(lp_stream_t *stream)
{
    do {
        stream->number = stream->next++;
        stream->count += gap(stream, stream->number);
    } while (stream->number % stream->shards != stream->shard);
    place(stream);
}

double
lp_stream_expected(const lp_stream_t *stream, double t)
{
    return stream->base_count
           + stream->factor
                 * (lp_segments_clicks(&stream->segments, t)
                    - stream->base_clicks);
}

/*
 * The event in hand moves, unless it is before t: then it was drawn by the
 * old rate, and stays.
 */
void
lp_stream_factor(lp_stream_t *stream, double factor, double t)
{
    double count = lp_stream_expected(stream, t);

    stream->base_clicks = lp_segments_clicks(&stream->segments, t);
    stream->base_count = count;
    stream->factor = factor;
    if (stream->count > count) {
        stream->place = (lp_segments_place_t) {
            0, stream->segments.list[0].from};
        place(stream);
    }
}
