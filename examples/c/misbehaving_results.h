/*
 * Misbehaviours of `send_result` and of what `handle` returns. Each is a Step; the table in misbehaving.c says which
 * path runs it and with which parameters.
 */
#ifndef MISBEHAVING_RESULTS_H
#define MISBEHAVING_RESULTS_H

#include "misbehaving_core.h"

/* --- answers that are right --- */

static int64_t echo(Call *c)
{
    send_body(c, NR_STATUS_OK);
    return DONE;
}

/* Sends a buffer and overwrites it the moment that send_result has returned. */
static int64_t scribble(Call *c)
{
    uint8_t *copy = malloc(c->body_len + 1);

    if (copy == NULL)
        abort();
    if (c->body_len > 0)
        memcpy(copy, c->body, c->body_len);
    send_to(c->sid, NR_STATUS_OK, copy, c->body_len);
    memset(copy, 0xee, c->body_len + 1);
    free(copy);
    return DONE;
}

static int64_t block(Call *c)
{
    sleep_us(param(c, "ms", 50) * 1000);
    return echo(c);
}

/* `len` bytes, the i-th of them (i * 31 + seed) mod 256. */
static int64_t big(Call *c)
{
    const uint64_t len = param(c, "len", 64 << 20), seed = param(c, "seed", 0);
    uint8_t *bytes = malloc(len);

    if (bytes == NULL)
        abort();
    for (uint64_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 31 + seed);
    send_to(c->sid, NR_STATUS_OK, bytes, len);
    memset(bytes, 0xee, len);
    free(bytes);
    return DONE;
}

static void send_frame(const Call *c, uint32_t index)
{
    uint8_t frame[4 + 256];
    const size_t len = c->body_len < 256 ? c->body_len : 256;

    for (unsigned i = 0; i < 4; i++)
        frame[i] = (uint8_t)(index >> (8 * i));
    if (len > 0)
        memcpy(frame + 4, c->body, len);
    send_to(c->sid, NR_STATUS_OK, frame, 4 + len);
}

/* `n` frames of a little-endian index and the body, then the status `end`. */
static int64_t frames(Call *c)
{
    const uint64_t n = param(c, "n", 5);

    for (uint64_t i = 0; i < n; i++)
        send_frame(c, (uint32_t)i);
    send_body(c, (uint32_t)param(c, "end", NR_STATUS_STREAM_END));
    return DONE;
}

/* Frames until /stop (or `max` of them), `batch` at a time with `pace` microseconds between. */
static int64_t endless(Call *c)
{
    const uint64_t batch = param(c, "batch", 64), max = param(c, "max", 2000000);

    for (uint64_t i = 0; i < batch && c->progress < max; i++)
        send_frame(c, (uint32_t)c->progress++);
    if (c->progress < max && atomic_load(&stops) == c->stops)
        return (int64_t)param(c, "pace", 0);
    send_body(c, NR_STATUS_STREAM_END);
    return DONE;
}

/* Nothing until /release; with tell=1 a first frame, the sid as text. */
static int64_t hold(Call *c)
{
    if (c->progress++ == 0 && param(c, "tell", 0) != 0)
        answer_text(c, "%" PRIu64, c->sid);
    if (atomic_load(&releases) == c->releases)
        return 1000;
    send_body(c, (uint32_t)param(c, "end", NR_STATUS_OK));
    return DONE;
}

static int64_t never(Call *c)
{
    (void)c;
    return DONE;
}

/* --- answers that are wrong --- */

static int64_t raw_status(Call *c)
{
    send_body(c, (uint32_t)param(c, "v", 5));
    return DONE;
}

/* A payload of length `len` at a null pointer (null=1), at the address 1 (wild=1), or at one readable byte. */
static int64_t payload(Call *c)
{
    static const uint8_t byte = 0x42;
    const void *ptr = &byte;

    if (param(c, "null", 0) != 0)
        ptr = NULL;
    if (param(c, "wild", 0) != 0)
        ptr = (const void *)(uintptr_t)1;
    send_to(c->sid, (uint32_t)param(c, "status", NR_STATUS_OK), ptr, param(c, "len", 0));
    return DONE;
}

static int64_t wrongs(Call *c)
{
    const uint64_t n = param(c, "n", 1);

    for (uint64_t i = 0; i < n; i++)
        send_wrong(c->sid, (uint32_t)(i % 5));
    return DONE;
}

/* The answer, then `n` more of other content; thread=1: those from another thread. */
static int64_t duplicates(Call *c)
{
    send_body(c, NR_STATUS_OK);
    if (param(c, "thread", 0) == 0)
        return wrongs(c);
    defer(c, wrongs, 0);
    return DONE;
}

/* A frame, the terminal status `end`, then `n` more. */
static int64_t after_end(Call *c)
{
    send_body(c, NR_STATUS_OK);
    send_body(c, (uint32_t)param(c, "end", NR_STATUS_STREAM_END));
    return wrongs(c);
}

/* `n` results for sids that came before this one, all of them answered or given up; then the answer. */
static int64_t stale(Call *c)
{
    const uint64_t n = param(c, "n", 100);
    uint64_t sent_now = 0;

    for (uint64_t i = 0; i < n + SEEN && sent_now < n; i++) {
        const uint64_t sid = recall(i, c->sid);
        if (sid != c->sid) {
            send_wrong(sid, (uint32_t)(i % 5));
            sent_now++;
        }
    }
    return echo(c);
}

/* `n` results for sids that nobody gave out: 0, all ones, every bit flipped alone, then pairs, noise and more noise. */
static uint64_t forged_sid(const Call *c, uint64_t i, uint64_t *seed)
{
    uint64_t sid;

    do {
        const uint64_t r = random64(seed);
        if (i < 2)
            sid = i == 0 ? 0 : UINT64_MAX;
        else if (i < 66)
            sid = c->sid ^ UINT64_C(1) << (i - 2);
        else if (i % 3 == 0)
            sid = c->sid ^ UINT64_C(1) << (r & 63) ^ UINT64_C(1) << (r >> 6 & 63);
        else
            sid = i % 3 == 1 ? r : c->sid ^ (r & random64(seed) & random64(seed));
        i = 68; /* once more, should it be the real one: then noise */
    } while (sid == c->sid);
    return sid;
}

static int64_t forge(Call *c)
{
    const uint64_t n = param(c, "n", 1000);
    uint64_t seed = param(c, "seed", 1);

    for (uint64_t i = 0; i < n; i++)
        send_wrong(forged_sid(c, i, &seed), (uint32_t)(i % 5));
    return echo(c);
}

static int64_t send_to_sid(Call *c)
{
    const uint64_t sid = param(c, "sid", 0), n = param(c, "n", 1);

    for (uint64_t i = 0; i < n && sid != c->sid; i++)
        send_wrong(sid, (uint32_t)(i % 5));
    return echo(c);
}

static int64_t null_context(Call *c)
{
    const uint64_t n = param(c, "n", 1);

    for (uint64_t i = 0; i < n; i++)
        send_with(NULL, c->sid, (uint32_t)(i % 6), c->body, c->body_len);
    return echo(c);
}

/* --- several threads, one sid --- */

typedef struct Race {
    atomic_uint arrived, left;
    unsigned runners;
} Race;

static int64_t run_race(Call *c)
{
    Race *race = c->shared;
    const unsigned me = atomic_fetch_add(&race->arrived, 1);
    uint8_t text[257];
    const size_t len = c->body_len < 256 ? c->body_len : 256;

    /* Bounded: the others may be queued behind this very thread. */
    for (unsigned i = 0; i < 100000 && atomic_load(&race->arrived) < race->runners; i++)
        continue;
    if (len > 0)
        memcpy(text, c->body, len);
    text[len] = (uint8_t)('A' + me);
    send_to(c->sid, NR_STATUS_OK, text, len + 1);
    if (atomic_fetch_sub(&race->left, 1) == 1)
        free(race);
    return DONE;
}

/* `n` threads (2 to 8) answer at once with the body and a letter of their own. */
static int64_t race(Call *c)
{
    uint64_t n = param(c, "n", 2);
    Race *shared = malloc(sizeof *shared);

    if (shared == NULL)
        abort();
    if (n < 2 || n > POOL)
        n = 2;
    atomic_init(&shared->arrived, 0);
    atomic_init(&shared->left, (unsigned)n);
    shared->runners = (unsigned)n;
    c->shared = shared;
    for (uint64_t i = 0; i < n; i++)
        defer(c, run_race, 0);
    return DONE;
}

/* --- threads that are special --- */

static void *on_tiny_stack(void *arg)
{
    echo(arg);
    end_spawned(arg);
    return NULL;
}

/* The answer from a thread with 128 KiB of stack (what musl gives to every thread). */
static int64_t tiny_stack(Call *c)
{
    spawn(c, on_tiny_stack, 128 << 10, echo);
    return DONE;
}

static pthread_key_t last_words;
static pthread_once_t last_words_once = PTHREAD_ONCE_INIT;

static void say_last_words(void *arg)
{
    echo(arg);
    end_spawned(arg);
}

static void make_last_words(void)
{
    if (pthread_key_create(&last_words, say_last_words) != 0)
        abort();
}

static void *until_exit(void *arg)
{
    Call *c = arg;

    send_wrong(~c->sid, NR_STATUS_OK); /* so that the host has used its thread-local data, if it has any */
    pthread_setspecific(last_words, c);
    return NULL;
}

/* The answer from a destructor of thread-local data, when the host's own thread-local data is gone already. */
static int64_t thread_exit(Call *c)
{
    pthread_once(&last_words_once, make_last_words);
    spawn(c, until_exit, 0, echo);
    return DONE;
}

/* --- what `handle` returns --- */

static int64_t refuse(Call *c)
{
    c->verdict = (uint32_t)param(c, "v", NR_STATUS_INVALID);
    return DONE;
}

/* Refuses, and answers all the same: before `handle` returns, or after `delay` microseconds from a thread. */
static int64_t refuse_and_answer(Call *c)
{
    c->verdict = (uint32_t)param(c, "v", NR_STATUS_INVALID);
    if (param(c, "thread", 0) == 0)
        return echo(c);
    defer(c, echo, param(c, "delay", 0));
    return DONE;
}

/* --- after `shutdown` --- */

static atomic_uint_fast64_t linger_us;

static int64_t linger(Call *c)
{
    atomic_store(&linger_us, param(c, "ms", 200) * 1000);
    return echo(c);
}

/* Answers every sid that it knows, over and over, until the pool ends. */
static int64_t haunt(Call *c)
{
    for (uint64_t i = 0; i < 64; i++) {
        send_wrong(recall(c->progress, c->sid), (uint32_t)(c->progress % 6));
        c->progress++;
    }
    return 0;
}

#endif
