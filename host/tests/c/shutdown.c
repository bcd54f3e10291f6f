/* A plugin that tells what it saw of its own end. For tests/shutdown.rs.
 *
 * The test owns a Witness, which outlives the host, and hands its address over in the body of a /witness call.
 *
 *   /witness   the body is the address of a Witness; answers "ok"
 *   /echo      answers with the body, before `handle` returns
 *   /block     does not return from `handle` before the witness says `release`, and then answers "late"
 *   /hold      answers "late" from a thread, once the witness says `release`
 *   /hold-stream   a frame "first" before `handle` returns; once the witness says `release`, the end of the stream
 *
 * `shutdown` blocks while the witness says `block`, and then ends the thread; but when it says `haunt`, the thread goes
 * on, and sends results for the sids that it holds until `haunt` is 0.
 */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include <nylon_ring.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

/* As in tests/shutdown.rs. */
typedef struct Witness {
    /* What the plugin saw. */
    atomic_uint shutdowns;      /* calls of `shutdown` */
    atomic_uint early;          /* of those, while a `handle` was under way */
    atomic_uint late_handles;   /* calls of `handle` during or after `shutdown` */
    atomic_uint in_shutdown;    /* 1 while `shutdown` blocks */
    atomic_uint gave_up;        /* `shutdown` has blocked for a minute, and goes on */
    atomic_uint handles;        /* calls of `handle` under way */
    atomic_uint sent_late;      /* results sent after `shutdown` */
    /* What it is to do. */
    atomic_uint block, release, haunt;
} Witness;

enum { HELD = 1024 };

static void *host_ctx;
static const NrHostVTable *host;
static Witness *_Atomic witness;
static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static struct { uint64_t sid; bool stream; } held[HELD];
static unsigned held_count;
static atomic_bool closing;

static void send(uint64_t sid, NrStatus status, const char *text)
{
    host->send_result(host_ctx, sid, status, nr_bytes(text, strlen(text)));
}

static void nap(void)
{
    const struct timespec t = { .tv_nsec = 1000000 };

    nanosleep(&t, NULL);
}

static void answer_all(bool keep, Witness *w)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < held_count; i++) {
        send(held[i].sid, held[i].stream ? NR_STATUS_STREAM_END : NR_STATUS_OK, "late");
        if (keep)
            atomic_fetch_add(&w->sent_late, 1);
    }
    if (!keep)
        held_count = 0;
    pthread_mutex_unlock(&lock);
}

static void *run(void *unused)
{
    (void)unused;
    for (;;) {
        Witness *w = atomic_load(&witness);
        if (atomic_load(&closing)) {
            if (w == NULL || atomic_load(&w->haunt) == 0)
                return NULL;
            answer_all(true, w);
        } else if (w != NULL && atomic_load(&w->release) != 0) {
            answer_all(false, w);
        }
        nap();
    }
}

static void hold(uint64_t sid, bool stream)
{
    pthread_mutex_lock(&lock);
    if (held_count < HELD) {
        held[held_count].sid = sid;
        held[held_count].stream = stream;
        held_count++;
    }
    pthread_mutex_unlock(&lock);
}

static NrStatus serve(uint64_t sid, const NrRequest *req, NrBytes body)
{
    if (nr_str_eq(req->path, "/witness")) {
        Witness *w;
        if (body.len != sizeof w)
            return NR_STATUS_INVALID;
        memcpy(&w, body.ptr, sizeof w);
        atomic_store(&witness, w);
        send(sid, NR_STATUS_OK, "ok");
    } else if (nr_str_eq(req->path, "/echo")) {
        host->send_result(host_ctx, sid, NR_STATUS_OK, body);
    } else if (nr_str_eq(req->path, "/block")) {
        const Witness *w = atomic_load(&witness);
        for (unsigned naps = 0; w != NULL && atomic_load(&w->release) == 0 && naps < 60000; naps++)
            nap();
        send(sid, NR_STATUS_OK, "late");
    } else if (nr_str_eq(req->path, "/hold")) {
        hold(sid, false);
    } else if (nr_str_eq(req->path, "/hold-stream")) {
        send(sid, NR_STATUS_OK, "first");
        hold(sid, true);
    } else {
        return NR_STATUS_UNSUPPORTED;
    }
    return NR_STATUS_OK;
}

static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes body)
{
    Witness *w = atomic_load(&witness);

    (void)plugin_ctx;
    if (w == NULL)
        return serve(sid, req, body);
    atomic_fetch_add(&w->handles, 1);
    if (atomic_load(&closing))
        atomic_fetch_add(&w->late_handles, 1);
    const NrStatus status = serve(sid, req, body);
    if (atomic_load(&closing))
        atomic_fetch_add(&w->late_handles, 1);
    atomic_fetch_sub(&w->handles, 1);
    return status;
}

static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable)
{
    (void)plugin_ctx;
    host_ctx = ctx;
    host = vtable;
    return pthread_create(&thread, NULL, run, NULL) == 0 ? NR_STATUS_OK : NR_STATUS_ERR;
}

static void shut_down(void *plugin_ctx)
{
    Witness *w = atomic_load(&witness);

    (void)plugin_ctx;
    if (w == NULL) {
        atomic_store(&closing, true);
        pthread_join(thread, NULL);
        return;
    }
    if (atomic_load(&w->handles) > 0)
        atomic_fetch_add(&w->early, 1);
    atomic_store(&closing, true);
    atomic_store(&w->in_shutdown, 1);
    unsigned naps = 0;
    while (atomic_load(&w->block) != 0 && naps++ < 60000)
        nap();
    if (naps > 60000)
        atomic_store(&w->gave_up, 1);
    atomic_store(&w->in_shutdown, 0);
    if (atomic_load(&w->haunt) != 0)
        pthread_detach(thread);
    else
        pthread_join(thread, NULL);
    atomic_fetch_add(&w->shutdowns, 1);
}

static const NrPluginVTable vtable = { .init = init, .handle = handle, .shutdown = shut_down };

#define TEXT(literal) { .ptr = (const uint8_t *)(literal), .len = sizeof(literal) - 1 }

static const NrPluginInfo info = {
    .abi_version = NR_ABI_VERSION,
    .struct_size = sizeof(NrPluginInfo),
    .name = TEXT("shutdown"),
    .version = TEXT("0.1.0"),
    .vtable = &vtable,
};

NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void)
{
    return &info;
}
