/*
 * What the soak test's plugin sends, and the state it keeps. The parts that threads play are in soak.c.
 */
#ifndef SOAK_RESULTS_H
#define SOAK_RESULTS_H

#include <nylon_ring.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 3, GATES = 128, COMPLETED = 1024, CHUNK = 24, LARGEST = 1 << 16, HEAD = 16, KEPT = 2 };

/* What a request asks for; `Order` in benches/src/soak/order.rs. */
typedef struct Order {
    uint64_t id;           /* no other request has it */
    uint64_t seed;         /* of what is left to chance */
    uint64_t ticket;       /* the last result waits until `gates[gate]` is at least this; 0: it need not */
    uint32_t gate;
    uint32_t delay_us;     /* how long a worker waits before it begins */
    uint32_t len;          /* bytes of each result: 0, or at least HEAD */
    uint32_t frames;       /* of a stream, for each thread, before its end */
    uint32_t status;       /* of the result, or of a stream's end; not always one that the ABI names */
    uint32_t verdict;      /* what `handle` returns; the same */
    uint8_t stream;        /* whether it is one */
    uint8_t threads;       /* how many workers send; 0: `handle` does */
    uint8_t extras;        /* results after the one that ends the call */
    uint8_t stale;         /* results for calls that have ended */
    uint8_t forged;        /* results for sids that nobody gave out */
    uint8_t null_context;  /* results without a host */
    uint8_t flags;
    uint8_t payload;       /* of the result, or of a stream's end */
} Order;
_Static_assert(sizeof(Order) == 56, "an order is 56 bytes");

enum {
    WITH_STATE = 1,
    NEVER_ENDS = 2,      /* nothing ends the call */
    ANSWERS_REFUSED = 4, /* `handle` refuses, and the results come all the same */
    FIRST_ENDS = 8,      /* the first thread ends the stream, whether or not others have more frames; else the last one does */
};
enum { READABLE, NULL_WITH_LENGTH, TOO_LONG, PAST_LIMIT };

typedef _Atomic uint64_t Count;

/* `PluginBooks` in benches/src/soak/books.rs. */
typedef struct Books {
    Count sent;          /* calls of send_result with the host's context */
    Count null_context;  /* calls without one */
    Count foreign;       /* statuses that the ABI does not name, sent to the host or returned */
    Count bad_payload;   /* payloads that cannot be read */
    Count refused;       /* requests that `handle` refused */
    Count state_errors;  /* calls of set_state that were turned down */
    Count state_wrong;   /* values that were not what had been stored: a fault of the host */
    Count surplus;       /* of `sent`: not the first result of a call, nor a frame before the end of its stream */
    Count forged;        /* of `surplus`: for sids that nobody gave out */
    Count open;          /* orders that workers have not met yet */
    Count gates[GATES];  /* written by the host's side */
} Books;

typedef struct Job Job;

/* One worker's share of a job. */
typedef struct Turn {
    struct Turn *next;
    Job *job;
    uint32_t thread, sent; /* frames sent so far */
} Turn;

/* An order on its way. */
struct Job {
    Order order;
    uint64_t sid, due;
    atomic_uint left;   /* threads that have not sent their share */
    NrBytes kept[KEPT]; /* what get_state gave; valid until the last result is sent */
    Turn turns[WORKERS];
};

static void *host_ctx;
static const NrHostVTable *host;
static const NrHostExt *state;
static Books books;
static uint8_t pattern[LARGEST + 256];
static Count completed[COMPLETED]; /* sids of calls whose last result was sent */
static Count completed_count;

static uint64_t xorshift(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

static bool is_foreign(uint32_t status)
{
    return status > NR_STATUS_STREAM_END;
}

/* --- results --- */

static void send_with(void *ctx, uint64_t sid, uint32_t status, const void *ptr, uint64_t len)
{
    atomic_fetch_add(ctx == NULL ? &books.null_context : &books.sent, 1);
    if (ctx != NULL && is_foreign(status))
        atomic_fetch_add(&books.foreign, 1);
    host->send_result(ctx, sid, status, (NrBytes){ .ptr = ptr, .len = len });
}

/* Sends the `n`th result of a thread. The buffer is gone, or used again, when this returns. */
static void send_bytes(const Order *o, uint64_t sid, uint32_t status, uint32_t thread, uint32_t n)
{
    uint8_t small[4352], *at = o->len <= sizeof small ? small : malloc(o->len);

    if (at == NULL)
        abort();
    if (o->len < HEAD) {
        send_with(host_ctx, sid, status, NULL, 0);
        return;
    }
    memcpy(at, &o->id, 8);
    memcpy(at + 8, &thread, 4);
    memcpy(at + 12, &n, 4);
    memcpy(at + HEAD, pattern + (o->id & 255), o->len - HEAD);
    send_with(host_ctx, sid, status, at, o->len);
    if (at != small)
        free(at);
}

/* Sends the result of a unary call, or the end of a stream. */
static void send_last(const Order *o, uint64_t sid, uint32_t thread)
{
    static const uint8_t byte = 'x';

    switch (o->payload) {
    case NULL_WITH_LENGTH:
        atomic_fetch_add(&books.bad_payload, 1);
        send_with(host_ctx, sid, o->status, NULL, 1 + o->len);
        break;
    case TOO_LONG:
        atomic_fetch_add(&books.bad_payload, 1);
        send_with(host_ctx, sid, o->status, &byte, UINT64_MAX - o->len);
        break;
    case PAST_LIMIT: /* never read: no host has so large a limit */
        send_with(host_ctx, sid, o->status, &byte, INT64_MAX - o->len);
        break;
    default:
        send_bytes(o, sid, o->status, thread, o->frames);
    }
}

static void send_extras(const Order *o, uint64_t sid, uint32_t thread)
{
    for (uint32_t i = 0; i < o->extras; i++) {
        atomic_fetch_add(&books.surplus, 1);
        send_bytes(o, sid, i % 2 == 0 ? NR_STATUS_OK : NR_STATUS_ERR, thread, UINT32_MAX - i);
    }
}

/* A sid that nobody gave out: other shards and slots, or generations that are not reached. */
static uint64_t forge(uint64_t sid, uint64_t *seed)
{
    const uint64_t chance = xorshift(seed);

    switch (chance % 5) {
    case 0:
        return sid ^ (UINT64_C(1) << (48 + chance / 8 % 16));
    case 1:
        return sid ^ (chance / 8 % 31 + 1); /* slot and shard have at least five bits */
    case 2:
        return chance / 8 % 2 == 0 ? 0 : UINT64_MAX;
    default:
        return xorshift(seed);
    }
}

/* What has nothing to do with the call itself. */
static void send_astray(const Order *o, uint64_t sid)
{
    uint64_t seed = o->seed | 1;

    for (uint32_t i = 0; i < o->stale; i++) {
        const uint64_t old = atomic_load(&completed[xorshift(&seed) % COMPLETED]);
        if (old == 0)
            continue; /* so many have not ended yet */
        atomic_fetch_add(&books.surplus, 1);
        send_bytes(o, old, i % 2 == 0 ? NR_STATUS_OK : NR_STATUS_STREAM_END, 0, UINT32_MAX);
    }
    for (uint32_t i = 0; i < o->forged; i++) {
        atomic_fetch_add(&books.surplus, 1);
        atomic_fetch_add(&books.forged, 1);
        send_bytes(o, forge(sid, &seed), NR_STATUS_OK, 0, UINT32_MAX);
    }
    for (uint32_t i = 0; i < o->null_context; i++)
        send_with(NULL, sid, NR_STATUS_OK, "nobody", 6);
}

/* --- state --- */

static bool set(uint64_t sid, const char *key, const void *value, uint64_t len)
{
    const bool stored = state->set_state(host_ctx, sid, nr_str(key), nr_bytes(value, len)).len == 0;

    if (!stored)
        atomic_fetch_add(&books.state_errors, 1);
    return stored;
}

/* The `i`th value that a call stores. */
static NrBytes value_of(const Order *o, uint32_t i)
{
    return nr_bytes(pattern + (o->id + i) % 256, 1 + (o->id + i) % 100);
}

static bool is(NrBytes got, NrBytes wanted)
{
    return got.len == wanted.len && memcmp(got.ptr, wanted.ptr, got.len) == 0;
}

static void expect(bool right)
{
    if (!right)
        atomic_fetch_add(&books.state_wrong, 1);
}

/* Inside `handle`, where the call is surely open: each value is found as soon as it is stored. */
static void keep_state(Job *j)
{
    const NrBytes first = value_of(&j->order, 0), second = value_of(&j->order, 1);

    expect(state->get_state(host_ctx, j->sid, nr_str("key")).ptr == NULL);
    if (set(j->sid, "key", first.ptr, first.len))
        j->kept[0] = state->get_state(host_ctx, j->sid, nr_str("key"));
    if (set(j->sid, "key", second.ptr, second.len))
        j->kept[1] = state->get_state(host_ctx, j->sid, nr_str("key"));
    for (uint32_t i = 0; i < KEPT; i++)
        expect(j->kept[i].ptr == NULL || is(j->kept[i], value_of(&j->order, i)));
}

/* Later, when the call may have been given up: what was kept is still there. */
static void check_state(const Job *j)
{
    const NrBytes other = value_of(&j->order, 2);

    for (uint32_t i = 0; i < KEPT; i++)
        expect(j->kept[i].ptr == NULL || is(j->kept[i], value_of(&j->order, i)));
    set(j->sid, "other", other.ptr, other.len);
    const NrBytes got = state->get_state(host_ctx, j->sid, nr_str("other"));
    expect(got.ptr == NULL || is(got, other));
}

#endif
