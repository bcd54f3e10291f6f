/* A plugin of which there are several versions. For tests/reload.rs and tests/registry.rs; -DVERSION=<n> says which one this is,
 * and with -DREFUSE its `init` fails.
 *
 *   /version   answers with the version, before `handle` returns
 *   /later     the same, from a thread
 *   /witness   the body is the address of a Witness; answers "ok"
 *   /hold      answers with the version from a thread, once the witness says `release`
 *   /stream    a frame with the version before `handle` returns; once the witness says `release`, the end of the stream, with it too
 *
 * A call before `init` has returned is answered "half". `shutdown` clears all that `init` has set. When the witness says `haunt`, the
 * thread goes on, and answers what it holds again and again, until `haunt` is 0.
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

#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)
#define TEXT(literal) { .ptr = (const uint8_t *)(literal), .len = sizeof(literal) - 1 }

/* As in tests/reload.rs. */
typedef struct Witness {
    atomic_uint shutdowns; /* calls of `shutdown` that are about to return */
    atomic_uint haunted;   /* results sent after that */
    atomic_uint release, haunt;
} Witness;

enum { HELD = 1 << 15 };

static void *host_ctx;
static const NrHostVTable *host;
static Witness *_Atomic witness;
static pthread_t thread;
static atomic_bool ready, closing;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct { uint64_t sid; bool stream, waits; } held[HELD];
static unsigned held_count;

static void nap(void)
{
    const struct timespec t = { .tv_nsec = 1000000 };

    nanosleep(&t, NULL);
}

static void *run(void *unused)
{
    void *const ctx = host_ctx;
    const NrHostVTable *const vtable = host;

    (void)unused;
    for (;;) {
        Witness *w = atomic_load(&witness);
        const bool over = atomic_load(&closing);
        const bool haunts = over && w != NULL && atomic_load(&w->haunt) != 0;
        const bool releases = haunts || (w != NULL && atomic_load(&w->release) != 0);
        unsigned kept = 0;

        if (over && !haunts)
            return NULL;
        pthread_mutex_lock(&lock);
        for (unsigned i = 0; i < held_count; i++) {
            if (!held[i].waits || releases) {
                vtable->send_result(ctx, held[i].sid, held[i].stream ? NR_STATUS_STREAM_END : NR_STATUS_OK,
                                    nr_bytes(STRING(VERSION), strlen(STRING(VERSION))));
                if (haunts)
                    atomic_fetch_add(&w->haunted, 1);
            }
            if (haunts || (held[i].waits && !releases))
                held[kept++] = held[i];
        }
        held_count = kept;
        if (held_count == 0 && !over) {
            struct timespec until;
            clock_gettime(CLOCK_REALTIME, &until);
            until.tv_nsec += 1000000;
            if (until.tv_nsec >= 1000000000) {
                until.tv_nsec -= 1000000000;
                until.tv_sec++;
            }
            pthread_cond_timedwait(&more, &lock, &until);
            pthread_mutex_unlock(&lock);
        } else {
            pthread_mutex_unlock(&lock);
            nap();
        }
    }
}

static NrStatus hold(uint64_t sid, bool stream, bool waits)
{
    NrStatus status = NR_STATUS_ERR;

    pthread_mutex_lock(&lock);
    if (held_count < HELD) {
        held[held_count].sid = sid;
        held[held_count].stream = stream;
        held[held_count].waits = waits;
        held_count++;
        status = NR_STATUS_OK;
        pthread_cond_signal(&more);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

static NrStatus answer(uint64_t sid, const char *text)
{
    host->send_result(host_ctx, sid, NR_STATUS_OK, nr_bytes(text, strlen(text)));
    return NR_STATUS_OK;
}

static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes body)
{
    (void)plugin_ctx;
    if (host == NULL || atomic_load(&closing))
        return NR_STATUS_INVALID;
    if (!atomic_load(&ready))
        return answer(sid, "half");
    if (nr_str_eq(req->path, "/version"))
        return answer(sid, STRING(VERSION));
    if (nr_str_eq(req->path, "/later"))
        return hold(sid, false, false);
    if (nr_str_eq(req->path, "/hold"))
        return hold(sid, false, true);
    if (nr_str_eq(req->path, "/stream")) {
        answer(sid, STRING(VERSION));
        return hold(sid, true, true);
    }
    if (nr_str_eq(req->path, "/witness")) {
        Witness *w;
        if (body.len != sizeof w)
            return NR_STATUS_INVALID;
        memcpy(&w, body.ptr, sizeof w);
        atomic_store(&witness, w);
        return answer(sid, "ok");
    }
    return NR_STATUS_UNSUPPORTED;
}

#if defined(REFUSE)
enum { REFUSES = 1 };
#else
enum { REFUSES = 0 };
#endif

static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable)
{
    (void)plugin_ctx;
    if (REFUSES)
        return NR_STATUS_ERR;
    host_ctx = ctx;
    host = vtable;
    if (pthread_create(&thread, NULL, run, NULL) != 0)
        return NR_STATUS_ERR;
    nap();
    atomic_store(&ready, true);
    return NR_STATUS_OK;
}

static void shut_down(void *plugin_ctx)
{
    Witness *w = atomic_load(&witness);

    (void)plugin_ctx;
    atomic_store(&closing, true);
    if (w != NULL && atomic_load(&w->haunt) != 0)
        pthread_detach(thread);
    else
        pthread_join(thread, NULL);
    host = NULL;
    host_ctx = NULL;
    atomic_store(&ready, false);
    if (w != NULL)
        atomic_fetch_add(&w->shutdowns, 1);
}

static const NrPluginVTable vtable = { .init = init, .handle = handle, .shutdown = shut_down };

static const NrPluginInfo info = {
    .abi_version = NR_ABI_VERSION,
    .struct_size = sizeof(NrPluginInfo),
    .name = TEXT("reload"),
    .version = TEXT(STRING(VERSION) ".0.0"),
    .vtable = &vtable,
};

NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void)
{
    return &info;
}
