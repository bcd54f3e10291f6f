/*
 * A plugin with two bugs on purpose, for host/tests/seeded.rs: a sanitizer must find them. Both break the rule that what
 * `handle` is given is borrowed, and nothing is valid after it has returned.
 *
 *   /race             a thread answers, and reads the request's body once more: its owner may write to it by then
 *   /use-after-free   keeps the address of the body, and answers; `shutdown` reads there, when the owner has freed it
 *
 * Anything else is answered by a thread too, and nothing is wrong with it.
 */
#include <nylon_ring.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

static void *host_ctx;
static const NrHostVTable *host;

/* One call at a time, from one thread: written by `handle`, read by the thread that it starts, and by `shutdown`. */
static pthread_t thread;
static uint64_t call;
static NrBytes kept;
static bool races, started;
static volatile uint8_t seen;

static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable)
{
    (void)plugin_ctx;
    host_ctx = ctx;
    host = vtable;
    return NR_STATUS_OK;
}

static void *answer(void *unused)
{
    (void)unused;
    host->send_result(host_ctx, call, NR_STATUS_OK, nr_bytes("answer", 6));
    if (races)
        seen = kept.ptr[0];
    return NULL;
}

static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes body)
{
    (void)plugin_ctx;
    if (started || body.len == 0)
        return NR_STATUS_INVALID;
    call = sid;
    races = nr_str_eq(req->path, "/race");
    if (races || nr_str_eq(req->path, "/use-after-free"))
        kept = body;
    started = pthread_create(&thread, NULL, answer, NULL) == 0;
    return started ? NR_STATUS_OK : NR_STATUS_ERR;
}

static void shut_down(void *plugin_ctx)
{
    (void)plugin_ctx;
    if (started)
        pthread_join(thread, NULL);
    if (!races && kept.ptr != NULL)
        seen = kept.ptr[0];
}

static const NrPluginVTable vtable = { .init = init, .handle = handle, .shutdown = shut_down };

#define TEXT(literal) { .ptr = (const uint8_t *)(literal), .len = sizeof(literal) - 1 }

static const NrPluginInfo info = {
    .abi_version = NR_ABI_VERSION,
    .struct_size = sizeof(NrPluginInfo),
    .name = TEXT("seeded"),
    .version = TEXT("0.1.0"),
    .vtable = &vtable,
};

NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void)
{
    return &info;
}
