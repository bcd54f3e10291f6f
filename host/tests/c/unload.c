/* A plugin that may be unmapped: its instances have a thread each, and say when it has stopped. For tests/unload.rs and tests/instances.rs.
 *
 *   /witness   the body is the address of a Witness, one for all instances; answers "ok"
 *   /later     answers with the number of the call at this instance, from the thread
 *   /hold      the same, once the witness says `release`
 *   /stream    a frame "first" before `handle` returns; once the witness says `release`, the end of the stream
 *   /block     does not return from `handle` before the witness says `release`, and then answers "late"
 *
 * `shutdown` does not wait for the thread. While the witness says `linger`, the thread goes on, and answers what it holds again and
 * again. `is_quiescent` joins it once it has ended, and only then says 1; and never, when the witness says `never`.
 */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include <nylon_ring.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* As in tests/common/witness.rs. */
typedef struct Witness {
    /* What the plugin saw. */
    atomic_uint asked;     /* calls of `is_quiescent` */
    atomic_uint early;     /* of those and of `destroy`, while `shutdown` had not returned */
    atomic_uint sent_late; /* results sent after `shutdown` */
    atomic_uint destroyed; /* instances */
    atomic_uint unmapped;  /* the library's destructors have run */
    atomic_uint blocked;   /* calls of /block that have begun */
    /* What it is to do. */
    atomic_uint linger, never, release, sick;
    /* Where its code is. */
    atomic_uintptr_t code;
} Witness;

enum { HELD = 256 };

typedef struct Instance {
    void *host_ctx;
    const NrHostVTable *host;
    pthread_t thread;
    bool joined;
    atomic_bool closing, down, done;
    pthread_mutex_t lock; /* guards all below */
    struct { uint64_t sid; unsigned number; bool stream, waits; } held[HELD];
    unsigned held_count, calls;
} Instance;

static Instance first = { .lock = PTHREAD_MUTEX_INITIALIZER };
static Witness *_Atomic witness;

static void nap(void)
{
    const struct timespec t = { .tv_nsec = 1000000 };

    nanosleep(&t, NULL);
}

static void send(const Instance *i, uint64_t sid, NrStatus status, const char *text)
{
    i->host->send_result(i->host_ctx, sid, status, nr_bytes(text, strlen(text)));
}

static void *run(void *arg)
{
    Instance *i = arg;

    for (;;) {
        Witness *w = atomic_load(&witness);
        const bool closing = atomic_load(&i->closing);
        const bool lingers = closing && w != NULL && atomic_load(&w->linger) != 0;
        const bool releases = lingers || (w != NULL && atomic_load(&w->release) != 0);
        unsigned kept = 0;

        if (closing && !lingers)
            break;
        pthread_mutex_lock(&i->lock);
        for (unsigned n = 0; n < i->held_count; n++) {
            char text[16];
            if (!i->held[n].waits || releases) {
                snprintf(text, sizeof text, "%u", i->held[n].number);
                send(i, i->held[n].sid, i->held[n].stream ? NR_STATUS_STREAM_END : NR_STATUS_OK, text);
                if (lingers)
                    atomic_fetch_add(&w->sent_late, 1);
            }
            if (lingers || (i->held[n].waits && !releases))
                i->held[kept++] = i->held[n];
        }
        i->held_count = kept;
        pthread_mutex_unlock(&i->lock);
        nap();
    }
    atomic_store(&i->done, true);
    return NULL;
}

static NrStatus hold(Instance *i, uint64_t sid, bool stream, bool waits)
{
    NrStatus status = NR_STATUS_ERR;

    pthread_mutex_lock(&i->lock);
    i->calls++;
    if (i->held_count < HELD) {
        i->held[i->held_count].sid = sid;
        i->held[i->held_count].number = i->calls;
        i->held[i->held_count].stream = stream;
        i->held[i->held_count].waits = waits;
        i->held_count++;
        status = NR_STATUS_OK;
    }
    pthread_mutex_unlock(&i->lock);
    return status;
}

static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes body)
{
    Instance *i = plugin_ctx;

    if (nr_str_eq(req->path, "/later"))
        return hold(i, sid, false, false);
    if (nr_str_eq(req->path, "/hold"))
        return hold(i, sid, false, true);
    if (nr_str_eq(req->path, "/stream")) {
        send(i, sid, NR_STATUS_OK, "first");
        return hold(i, sid, true, true);
    }
    if (nr_str_eq(req->path, "/block")) {
        Witness *w = atomic_load(&witness);
        if (w != NULL)
            atomic_fetch_add(&w->blocked, 1);
        for (unsigned naps = 0; w != NULL && atomic_load(&w->release) == 0 && naps < 60000; naps++)
            nap();
        send(i, sid, NR_STATUS_OK, "late");
        return NR_STATUS_OK;
    }
    if (nr_str_eq(req->path, "/witness")) {
        Witness *w;
        if (body.len != sizeof w)
            return NR_STATUS_INVALID;
        memcpy(&w, body.ptr, sizeof w);
        atomic_store(&w->code, (uintptr_t)&run);
        atomic_store(&witness, w);
        send(i, sid, NR_STATUS_OK, "ok");
        return NR_STATUS_OK;
    }
    return NR_STATUS_UNSUPPORTED;
}

static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable)
{
    Instance *i = plugin_ctx;

    i->host_ctx = ctx;
    i->host = vtable;
    return pthread_create(&i->thread, NULL, run, i) == 0 ? NR_STATUS_OK : NR_STATUS_ERR;
}

static void shut_down(void *plugin_ctx)
{
    Instance *i = plugin_ctx;

    atomic_store(&i->closing, true);
    nap();
    atomic_store(&i->down, true);
}

#if !defined(MINIMAL)
static uint32_t is_quiescent(void *plugin_ctx)
{
    Instance *i = plugin_ctx;
    Witness *w = atomic_load(&witness);

    if (w != NULL) {
        atomic_fetch_add(&w->asked, 1);
        if (!atomic_load(&i->down))
            atomic_fetch_add(&w->early, 1);
        if (atomic_load(&w->never) != 0)
            return 0;
    }
    if (!atomic_load(&i->done))
        return 0;
    if (!i->joined)
        pthread_join(i->thread, NULL);
    i->joined = true;
    return 1;
}

static NrStatus create(void *plugin_ctx, void **instance_ctx)
{
    Instance *i;

    if (plugin_ctx != &first)
        return NR_STATUS_INVALID;
    i = calloc(1, sizeof *i);
    if (i == NULL || pthread_mutex_init(&i->lock, NULL) != 0)
        return NR_STATUS_ERR;
    *instance_ctx = i;
    return NR_STATUS_OK;
}

static void destroy(void *plugin_ctx, void *instance_ctx)
{
    Instance *i = instance_ctx;
    Witness *w = atomic_load(&witness);

    if (w != NULL && (plugin_ctx != &first || !i->joined))
        atomic_fetch_add(&w->early, 1);
    pthread_mutex_destroy(&i->lock);
    free(i);
    if (w != NULL)
        atomic_fetch_add(&w->destroyed, 1);
}

static NrStatus check(void *plugin_ctx, NrStr *detail)
{
    Instance *i = plugin_ctx;
    Witness *w = atomic_load(&witness);

    if (w != NULL && atomic_load(&i->down))
        atomic_fetch_add(&w->early, 1);
    if (w == NULL || atomic_load(&w->sick) == 0)
        return NR_STATUS_OK;
    *detail = nr_str(atomic_load(&w->sick) == 1 ? "the database is gone" : "\xff is no text");
    return NR_STATUS_ERR;
}

static const NrQuiesceExt quiesce = { .struct_size = sizeof quiesce, .is_quiescent = is_quiescent };
static const NrInstanceExt instance = { .struct_size = sizeof instance, .create = create, .destroy = destroy };
#if defined(BROKEN)
/* Smaller than it should be: not used. */
static const NrHealthExt health = { .struct_size = 8, .check = check };
#else
static const NrHealthExt health = { .struct_size = sizeof health, .check = check };
#endif

NR_EXPORT const void *nylon_ring_get_extension_v1(void *plugin_ctx, const char *id)
{
    (void)plugin_ctx;
    if (strcmp(id, NR_EXT_QUIESCE) == 0)
        return &quiesce;
    if (strcmp(id, NR_EXT_INSTANCE) == 0)
        return &instance;
    return strcmp(id, NR_EXT_HEALTH) == 0 ? &health : NULL;
}
#endif

__attribute__((destructor)) static void unmapped(void)
{
    Witness *w = atomic_load(&witness);

    if (w != NULL)
        atomic_fetch_add(&w->unmapped, 1);
}

static const NrPluginVTable vtable = { .init = init, .handle = handle, .shutdown = shut_down };

#define TEXT(literal) { .ptr = (const uint8_t *)(literal), .len = sizeof(literal) - 1 }

static const NrPluginInfo info = {
    .abi_version = NR_ABI_VERSION,
    .struct_size = sizeof(NrPluginInfo),
    .name = TEXT("unload"),
    .version = TEXT("0.1.0"),
    .plugin_ctx = &first,
    .vtable = &vtable,
};

NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void)
{
    return &info;
}
