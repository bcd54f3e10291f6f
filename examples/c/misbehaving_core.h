/*
 * What the misbehaviours of misbehaving.c share: the host's addresses, one request as a `Call`, the way to send a
 * result, and a small pool of threads.
 *
 * Threads: the pool has POOL threads, started by `init` and ended by `shutdown`; `spawn` starts at most SPECIAL more at
 * a time. `busy` counts the calls that are still being worked on in the background, `threads` the threads that run.
 */
#ifndef MISBEHAVING_CORE_H
#define MISBEHAVING_CORE_H

#include <nylon_ring.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POOL = 8, SPECIAL = 32, SEEN = 1 << 16, DONE = -1 };

/* One request. `handle` makes it on its stack with borrowed text; `defer` makes a copy that owns its text. */
typedef struct Call Call;

/* One step of a misbehaviour: DONE, or after how many microseconds the next step is due, on a thread of the pool. */
typedef int64_t (*Step)(Call *c);

struct Call {
    uint64_t sid;
    Step step;
    uint32_t verdict;        /* what `handle` returns */
    bool watcher;            /* whether `busy` leaves it out: it waits for `busy` itself */
    uint64_t due;            /* when the next step is due, in microseconds */
    uint64_t progress;       /* the step's own */
    const uint8_t *kept;     /* the step's own: an address that the host handed out */
    void *shared;            /* the step's own: what several copies of one call share */
    unsigned stops, releases; /* how often /stop and /release had been called when this call came */
    const char *query;
    size_t query_len;
    const uint8_t *body;
    size_t body_len;
    Call *next;
};

static void *host_ctx;
static const NrHostVTable *host;
static const NrHostExt *state;
static atomic_uint_fast64_t sent; /* results sent with a context */
static atomic_uint busy, threads, special, stops, releases, good, bad;

/* --- results --- */

static void send_with(void *ctx, uint64_t sid, uint32_t status, const void *ptr, uint64_t len)
{
    if (ctx != NULL)
        atomic_fetch_add(&sent, 1);
    host->send_result(ctx, sid, status, (NrBytes){ .ptr = ptr, .len = len });
}

static void send_to(uint64_t sid, uint32_t status, const void *ptr, uint64_t len)
{
    send_with(host_ctx, sid, status, ptr, len);
}

/* The right answer to most calls: the body that they came with. */
static void send_body(const Call *c, uint32_t status)
{
    send_to(c->sid, status, c->body, c->body_len);
}

/* What no caller may ever see. */
static void send_wrong(uint64_t sid, uint32_t status)
{
    static const char wrong[] = "WRONG: sent by a plugin that misbehaves, never to be delivered";

    send_to(sid, status, wrong, sizeof wrong - 1);
}

__attribute__((format(printf, 2, 3))) static int64_t answer_text(const Call *c, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0)
        len = 0;
    if ((size_t)len >= sizeof text)
        len = sizeof text - 1;
    send_to(c->sid, NR_STATUS_OK, text, (uint64_t)len);
    return DONE;
}

/* --- parameters: name=number in the query --- */

static const char *param_text(const Call *c, const char *name, size_t *len)
{
    const size_t n = strlen(name);
    const char *at = c->query, *end = c->query + c->query_len;

    while (at < end) {
        const char *next = memchr(at, '&', (size_t)(end - at));
        if (next == NULL)
            next = end;
        if ((size_t)(next - at) > n && memcmp(at, name, n) == 0 && at[n] == '=') {
            *len = (size_t)(next - at) - n - 1;
            return at + n + 1;
        }
        at = next == end ? end : next + 1;
    }
    *len = 0;
    return NULL;
}

static uint64_t param(const Call *c, const char *name, uint64_t otherwise)
{
    size_t len;
    const char *text = param_text(c, name, &len);
    uint64_t value = 0;

    if (text == NULL)
        return otherwise;
    for (size_t i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    return value;
}

static bool param_is(const Call *c, const char *name, const char *value)
{
    size_t len;
    const char *text = param_text(c, name, &len);

    return text != NULL && len == strlen(value) && memcmp(text, value, len) == 0;
}

/* --- numbers --- */

static uint64_t random64(uint64_t *seed) /* splitmix64 */
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void sleep_us(uint64_t us)
{
    struct timespec t = { .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000 };

    nanosleep(&t, NULL);
}

/* --- the sids that `handle` has seen, the newest SEEN of them --- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static uint64_t seen[SEEN];
static uint64_t seen_count;

static void remember(uint64_t sid)
{
    pthread_mutex_lock(&lock);
    seen[seen_count++ % SEEN] = sid;
    pthread_mutex_unlock(&lock);
}

/* The `i`th sid before the newest one, round and round; `self` when there is none but that one. */
static uint64_t recall(uint64_t i, uint64_t self)
{
    pthread_mutex_lock(&lock);
    const uint64_t held = seen_count < SEEN ? seen_count : SEEN;
    const uint64_t sid = held == 0 ? self : seen[(seen_count - 1 - i % held) % SEEN];
    pthread_mutex_unlock(&lock);
    return sid;
}

/* --- the pool --- */

static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static pthread_t pool[POOL];
static unsigned pool_size;
static Call *ready, **ready_end = &ready; /* first in, first out */
static Call *delayed;                     /* in no order */
static bool closing;
static uint64_t linger_until; /* after `shutdown`: how long the threads go on */

static void discard(Call *c)
{
    if (!c->watcher)
        atomic_fetch_sub(&busy, 1);
    free(c);
}

static void enqueue(Call *c, uint64_t delay)
{
    pthread_mutex_lock(&lock);
    if (delay > 0) {
        c->due = now_us() + delay;
        c->next = delayed;
        delayed = c;
    } else {
        c->next = NULL;
        *ready_end = c;
        ready_end = &c->next;
    }
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
}

/* A copy that owns its text, counted in `busy`. */
static Call *copy_call(const Call *c, Step step)
{
    Call *copy = malloc(sizeof *copy + c->query_len + c->body_len);

    if (copy == NULL)
        abort();
    char *query = (char *)(copy + 1);
    uint8_t *body = (uint8_t *)query + c->query_len;
    if (c->query_len > 0)
        memcpy(query, c->query, c->query_len);
    if (c->body_len > 0)
        memcpy(body, c->body, c->body_len);
    *copy = *c;
    copy->step = step;
    copy->query = query;
    copy->body = body;
    if (!copy->watcher)
        atomic_fetch_add(&busy, 1);
    return copy;
}

static void defer(const Call *c, Step step, uint64_t delay)
{
    enqueue(copy_call(c, step), delay);
}

/* With `lock` held: a call whose step is due, or NULL and when the next one is (0: none waits). */
static Call *take(uint64_t *next_due)
{
    Call *c = ready;

    *next_due = 0;
    if (c != NULL) {
        ready = c->next;
        if (ready == NULL)
            ready_end = &ready;
        return c;
    }
    const uint64_t now = delayed == NULL ? 0 : now_us();
    for (Call **at = &delayed; *at != NULL; at = &(*at)->next) {
        c = *at;
        if (c->due <= now) {
            *at = c->next;
            return c;
        }
        if (*next_due == 0 || c->due < *next_due)
            *next_due = c->due;
    }
    return NULL;
}

static void *work(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        uint64_t due;
        Call *c = take(&due);
        if (closing && now_us() >= linger_until) {
            if (c == NULL && delayed == NULL)
                break;
            if (c == NULL) {
                c = delayed;
                delayed = c->next;
            }
            discard(c);
        } else if (c != NULL) {
            pthread_mutex_unlock(&lock);
            const int64_t again = c->step(c);
            if (again == DONE)
                discard(c);
            else
                enqueue(c, (uint64_t)again);
            pthread_mutex_lock(&lock);
        } else {
            if (closing && (due == 0 || due > linger_until))
                due = linger_until;
            const struct timespec until = { .tv_sec = (time_t)(due / 1000000), .tv_nsec = (long)(due % 1000000) * 1000 };
            if (due == 0)
                pthread_cond_wait(&wake, &lock);
            else
                pthread_cond_timedwait(&wake, &lock, &until);
        }
    }
    pthread_mutex_unlock(&lock);
    atomic_fetch_sub(&threads, 1);
    return NULL;
}

static bool start_pool(void)
{
    for (pool_size = 0; pool_size < POOL; pool_size++) {
        atomic_fetch_add(&threads, 1);
        if (pthread_create(&pool[pool_size], NULL, work, NULL) != 0) {
            atomic_fetch_sub(&threads, 1);
            break;
        }
    }
    return pool_size == POOL;
}

/* Ends the pool at once, or lets it go on by itself for `linger` microseconds. */
static void stop_pool(uint64_t linger)
{
    pthread_mutex_lock(&lock);
    linger_until = now_us() + linger;
    closing = true;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < pool_size; i++) {
        if (linger > 0)
            pthread_detach(pool[i]);
        else
            pthread_join(pool[i], NULL);
    }
    pool_size = 0;
}

/* A thread of its own, for those that are special; a thread of the pool when there are too many of them. */
static void spawn(const Call *c, void *(*body)(void *), size_t stack, Step otherwise)
{
    pthread_attr_t attr;
    pthread_t thread;
    Call *copy = copy_call(c, otherwise);

    atomic_fetch_add(&threads, 1);
    const bool room = atomic_fetch_add(&special, 1) < SPECIAL;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (stack > 0)
        pthread_attr_setstacksize(&attr, stack);
    if (!room || pthread_create(&thread, &attr, body, copy) != 0) {
        atomic_fetch_sub(&special, 1);
        atomic_fetch_sub(&threads, 1);
        enqueue(copy, 0);
    }
    pthread_attr_destroy(&attr);
}

static void end_spawned(Call *c)
{
    discard(c);
    atomic_fetch_sub(&special, 1);
    atomic_fetch_sub(&threads, 1);
}

#endif
