/*
 * The smallest useful nylon-ring plugin: it answers every request with "OK: <method> <path>".
 *
 *     cc -std=c11 -shared -fPIC -I abi/include -o libminimal.so examples/c/minimal.c
 */
#include <nylon_ring.h>

#include <stdlib.h>
#include <string.h>

/* What the host hands over in `init`. It stays valid for as long as any code of this plugin can run. */
static void *host_ctx;
static const NrHostVTable *host;

/* Once, before the first request. Anything but NR_STATUS_OK makes the host refuse the plugin. */
static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable)
{
    (void)plugin_ctx;
    host_ctx = ctx;
    host = vtable;
    return NR_STATUS_OK;
}

/*
 * For every request, from any of the host's threads, several at a time. It returns at once and never blocks.
 *
 * What it returns is not the answer: NR_STATUS_OK says "the answer comes through send_result", which may be called here
 * or later, from any thread. Any other value refuses the request, and then no answer may follow.
 *
 * `req` and `payload` are borrowed: they are gone when `handle` returns, so a plugin that answers later copies them.
 */
static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes payload)
{
    static const char ok[] = "OK: ";
    const size_t prefix = sizeof ok - 1;

    (void)plugin_ctx;
    (void)payload;
    const size_t len = prefix + req->method.len + 1 + req->path.len;
    uint8_t *text = malloc(len);
    if (text == NULL)
        return NR_STATUS_ERR;

    /* An NrStr is a pointer and a length, not NUL-terminated; empty text may have a null pointer. */
    uint8_t *end = text;
    memcpy(end, ok, prefix);
    end += prefix;
    if (req->method.len > 0)
        memcpy(end, req->method.ptr, req->method.len);
    end += req->method.len;
    *end++ = ' ';
    if (req->path.len > 0)
        memcpy(end, req->path.ptr, req->path.len);

    /* Exactly one result for each sid. The host copies the bytes before send_result returns. */
    host->send_result(host_ctx, sid, NR_STATUS_OK, nr_bytes(text, len));
    free(text);
    return NR_STATUS_OK;
}

static const NrPluginVTable vtable = { .init = init, .handle = handle };

#define TEXT(literal) { .ptr = (const uint8_t *)(literal), .len = sizeof(literal) - 1 }

static const NrPluginInfo info = {
    .abi_version = NR_ABI_VERSION,
    .struct_size = sizeof(NrPluginInfo),
    .name = TEXT("minimal"),
    .version = TEXT("0.1.0"),
    .vtable = &vtable,
};

/* The one symbol that a plugin must export. */
NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void)
{
    return &info;
}
