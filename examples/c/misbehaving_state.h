/*
 * Misuse of the state extension, "nylon.state/1". Each case returns NULL when the host did right, or what it did wrong.
 */
#ifndef MISBEHAVING_STATE_H
#define MISBEHAVING_STATE_H

#include "misbehaving_core.h"

#define STRING(x) #x
#define LINE(x) STRING(x)
#define CHECK(condition)                                                     \
    do {                                                                     \
        if (!(condition))                                                    \
            return "misbehaving_state.h:" LINE(__LINE__) ": " #condition;    \
    } while (0)

typedef const char *(*StateCase)(const Call *c);

static bool is_empty(NrBytes b)
{
    return b.len == 0;
}

static bool is_none(NrBytes b)
{
    return b.ptr == NULL && b.len == 0;
}

/* A text of reasonable length; every byte of it is read. */
static bool is_error(NrBytes b)
{
    if (b.ptr == NULL || b.len == 0 || b.len > 4096)
        return false;
    for (uint64_t i = 0; i < b.len; i++)
        if (b.ptr[i] < 0x20)
            return false;
    return true;
}

static bool is(NrBytes b, const void *ptr, size_t len)
{
    return b.len == len && (len == 0 || (b.ptr != NULL && memcmp(b.ptr, ptr, len) == 0));
}

static NrBytes set(uint64_t sid, NrStr key, const void *ptr, uint64_t len)
{
    return state->set_state(host_ctx, sid, key, (NrBytes){ .ptr = ptr, .len = len });
}

static NrBytes get(uint64_t sid, NrStr key)
{
    return state->get_state(host_ctx, sid, key);
}

/* Set, get, set again; the old address keeps the old bytes. */
static const char *state_basic(const Call *c)
{
    static const uint8_t binary[] = { 0, 0xff, 0xc0, 0, 'x' };
    const NrStr key = nr_str("key"), other = nr_str("schl\xc3\xbcssel");

    CHECK(is_none(get(c->sid, key)));
    CHECK(is_empty(set(c->sid, key, c->body, c->body_len)));
    const NrBytes first = get(c->sid, key);
    CHECK(is(first, c->body, c->body_len));
    CHECK(is_none(get(c->sid, other)));
    CHECK(is_empty(set(c->sid, other, binary, sizeof binary)));
    CHECK(is_empty(set(c->sid, key, "second", 6)));
    CHECK(is(get(c->sid, key), "second", 6));
    CHECK(is(get(c->sid, other), binary, sizeof binary));
    CHECK(is(first, c->body, c->body_len));
    CHECK(is_empty(set(c->sid, key, NULL, 0)));
    CHECK(is_empty(get(c->sid, key)));
    return NULL;
}

/* Keys that are no text, or not there. */
static const char *state_keys(const Call *c)
{
    static const char text[] = "some bytes to point at";
    const NrStr null_key = { .ptr = NULL, .len = 5 }, null_huge = { .ptr = NULL, .len = UINT32_MAX };

    CHECK(is_error(set(c->sid, null_key, text, 4)));
    CHECK(is_none(get(c->sid, null_key)));
    CHECK(is_error(set(c->sid, null_huge, text, 4)));
    CHECK(is_none(get(c->sid, null_huge)));
    CHECK(is_error(set(c->sid, nr_str("\xff\xfe"), text, 4)));
    CHECK(is_none(get(c->sid, nr_str("\xff\xfe"))));
    CHECK(is_error(set(c->sid, nr_str("cut short \xc3"), text, 4)));
    CHECK(is_error(set(c->sid, nr_str("\xed\xa0\x80"), text, 4)));
    /* An empty key is text: it is refused, or it works. */
    if (is_empty(set(c->sid, nr_str(""), text, 4)))
        CHECK(is(get(c->sid, nr_str("")), text, 4));
    else
        CHECK(is_none(get(c->sid, (NrStr){ .ptr = NULL, .len = 0 })));
    /* So is a zero byte within a key, and it does not end the key. */
    const NrStr zero = { .ptr = (const uint8_t *)"a\0b", .len = 3 };
    if (is_empty(set(c->sid, zero, text, 4)))
        CHECK(is_none(get(c->sid, nr_str("a"))));
    return NULL;
}

/* Values of lengths that cannot be; each comes with a valid address of one byte, or none. */
static const char *state_lengths(const Call *c)
{
    static const uint8_t byte = 1;
    static const uint64_t lengths[] = {
        UINT64_MAX, UINT64_MAX - 1, (uint64_t)INT64_MAX + 1, INT64_MAX, (uint64_t)1 << 62, (uint64_t)1 << 40,
    };
    const NrStr key = nr_str("length");

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        CHECK(is_error(set(c->sid, key, &byte, lengths[i])));
        CHECK(is_error(set(c->sid, key, NULL, lengths[i])));
        CHECK(is_none(get(c->sid, key)));
    }
    CHECK(is_error(set(c->sid, key, NULL, 1)));
    CHECK(is_empty(set(c->sid, key, &byte, 1)));
    CHECK(is(get(c->sid, key), &byte, 1));
    return NULL;
}

/* `n` keys; the addresses of the first ones stay good while the others come. */
static const char *state_many(const Call *c)
{
    enum { HELD = 16 };
    const uint64_t n = param(c, "n", 1000);
    NrBytes held[HELD] = { { 0 } };
    char key[32];

    for (uint64_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, "key-%" PRIu64, i);
        CHECK(is_empty(set(c->sid, nr_str(key), &i, sizeof i)));
        if (i < HELD)
            held[i] = get(c->sid, nr_str(key));
    }
    for (uint64_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, "key-%" PRIu64, i);
        CHECK(is(get(c->sid, nr_str(key)), &i, sizeof i));
        if (i < HELD)
            CHECK(is(held[i], &i, sizeof i));
    }
    return NULL;
}

/* `n` sids that nobody gave out, and 1 KiB for each: nothing is kept. */
static const char *state_forged(const Call *c)
{
    static const uint8_t kib[1024];
    const uint64_t n = param(c, "n", 1000);
    uint64_t seed = param(c, "seed", 1);

    for (uint64_t i = 0; i < n; i++) {
        uint64_t sid = i < 2 ? 0 - i : i < 66 ? c->sid ^ UINT64_C(1) << (i - 2) : random64(&seed);
        if (sid == c->sid)
            continue;
        CHECK(is_error(set(sid, nr_str("key"), kib, sizeof kib)));
        CHECK(is_none(get(sid, nr_str("key"))));
    }
    CHECK(is_none(get(c->sid, nr_str("key"))));
    return NULL;
}

/* The same with sids of calls that have ended. */
static const char *state_stale(const Call *c)
{
    static const uint8_t kib[1024];
    const uint64_t n = param(c, "n", 1000);

    for (uint64_t i = 0; i < n; i++) {
        const uint64_t sid = recall(i, c->sid);
        if (sid == c->sid)
            continue;
        CHECK(is_error(set(sid, nr_str("key"), kib, sizeof kib)));
        CHECK(is_none(get(sid, nr_str("key"))));
    }
    CHECK(is_none(get(c->sid, nr_str("key"))));
    return NULL;
}

static const char *state_null_context(const Call *c)
{
    CHECK(is_error(state->set_state(NULL, c->sid, nr_str("key"), nr_bytes("x", 1))));
    CHECK(is_none(state->get_state(NULL, c->sid, nr_str("key"))));
    CHECK(is_none(get(c->sid, nr_str("key"))));
    return NULL;
}

static const struct {
    const char *name;
    StateCase run;
} state_cases[] = {
    { "basic", state_basic }, { "keys", state_keys },   { "lengths", state_lengths },         { "many", state_many },
    { "forged", state_forged }, { "stale", state_stale }, { "null-context", state_null_context },
};

/* The body when the host did right, otherwise an Err that says what it did wrong. */
static int64_t misuse_state(Call *c)
{
    const char *wrong = "no such case";

    for (size_t i = 0; i < sizeof state_cases / sizeof *state_cases; i++)
        if (param_is(c, "case", state_cases[i].name))
            wrong = state == NULL ? "the host does not offer nylon.state/1" : state_cases[i].run(c);
    if (wrong == NULL)
        send_body(c, NR_STATUS_OK);
    else
        send_to(c->sid, NR_STATUS_ERR, wrong, strlen(wrong));
    return DONE;
}

/* The answer first, then `n` times set_state and get_state for the same sid. */
static int64_t state_after_end(Call *c)
{
    static const uint8_t kib[1024];
    const uint64_t n = param(c, "n", 1000);
    char key[32];

    if (state != NULL)
        set(c->sid, nr_str("before"), kib, sizeof kib);
    send_body(c, NR_STATUS_STREAM_END);
    for (uint64_t i = 0; i < n && state != NULL; i++) {
        snprintf(key, sizeof key, "key-%" PRIu64, i);
        set(c->sid, nr_str(key), kib, sizeof kib);
        get(c->sid, nr_str(key));
    }
    return DONE;
}

/*
 * Keeps an address that get_state gave until /release, whatever the caller does meanwhile; reads it then, and goes on
 * using the state, before it answers. /verdict says how often the bytes were still right.
 */
static int64_t state_hold(Call *c)
{
    const NrStr key = nr_str("held"), late = nr_str("late");

    if (c->progress++ == 0) {
        set(c->sid, key, c->body, c->body_len);
        c->kept = get(c->sid, key).ptr;
        set(c->sid, key, "newer", 5);
    }
    if (atomic_load(&releases) == c->releases)
        return 1000;
    const bool right = c->kept != NULL && memcmp(c->kept, c->body, c->body_len) == 0;
    atomic_fetch_add(right ? &good : &bad, 1);
    set(c->sid, late, c->body, c->body_len);
    get(c->sid, key);
    send_body(c, (uint32_t)param(c, "end", NR_STATUS_OK));
    return DONE;
}

/* --- several threads, one sid --- */

typedef struct Writers {
    atomic_uint next, left, wrong;
} Writers;

static int64_t write_state(Call *c)
{
    Writers *writers = c->shared;
    const unsigned me = atomic_fetch_add(&writers->next, 1);
    char key[32];

    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "%u-%u", me, i);
        if (!is_empty(set(c->sid, nr_str(key), key, sizeof key)) || !is(get(c->sid, nr_str(key)), key, sizeof key))
            atomic_fetch_add(&writers->wrong, 1);
        if (!is_empty(set(c->sid, nr_str("all"), key, sizeof key)) || get(c->sid, nr_str("all")).len != sizeof key)
            atomic_fetch_add(&writers->wrong, 1);
    }
    if (atomic_fetch_sub(&writers->left, 1) == 1) {
        send_body(c, atomic_load(&writers->wrong) == 0 ? NR_STATUS_OK : NR_STATUS_ERR);
        free(writers);
    }
    return DONE;
}

static int64_t state_threads(Call *c)
{
    Writers *writers = malloc(sizeof *writers);

    if (writers == NULL || state == NULL)
        abort();
    atomic_init(&writers->next, 0);
    atomic_init(&writers->left, 4);
    atomic_init(&writers->wrong, 0);
    c->shared = writers;
    for (int i = 0; i < 4; i++)
        defer(c, write_state, 0);
    return DONE;
}

#endif
