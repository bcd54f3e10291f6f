/*
 * A plugin that is wrong before the first call. -DMISLOAD=<n> says how; 0 and those marked so are right, and answer
 * every request with its body.
 */
#include <nylon_ring.h>

#ifndef MISLOAD
#define MISLOAD 0
#endif

enum {
    RIGHT = 0,
    NULL_INFO = 1,
    OLD_ABI = 2,
    NEW_ABI = 3,
    SMALL_INFO = 4,
    NULL_NAME = 5, /* with a length */
    NAME_NOT_UTF8 = 6,
    VERSION_NOT_UTF8 = 7,
    NULL_VTABLE = 8,
    NO_HANDLE = 9,
    INIT_REFUSES = 10,
    INIT_RAW = 11,   /* init returns a value that the ABI does not name */
    NO_SYMBOL = 12,  /* the entry function has another name */
    UNRESOLVED = 13, /* it calls a function that is nowhere, were it ever called */
    BARE = 14,       /* right: no name, no init, no shutdown; handle refuses, since it has no way to answer */
    INIT_SENDS = 15, /* right: init sends 1000 results for sids that nobody gave out */
    LARGE_INFO = 16, /* right: an info of a later revision, with more fields */
};

static void *host_ctx;
static const NrHostVTable *host;

#if MISLOAD == 13
extern void misloading_function_that_is_nowhere(void);
#endif

static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable)
{
    (void)plugin_ctx;
    host_ctx = ctx;
    host = vtable;
    for (uint64_t i = 0; i < 1000 && MISLOAD == INIT_SENDS; i++)
        host->send_result(host_ctx, i * UINT64_C(0x9e3779b97f4a7c15), NR_STATUS_OK, nr_bytes("WRONG", 5));
    return MISLOAD == INIT_REFUSES ? NR_STATUS_UNSUPPORTED : MISLOAD == INIT_RAW ? UINT32_MAX : NR_STATUS_OK;
}

static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes body)
{
    (void)plugin_ctx;
    (void)req;
#if MISLOAD == 13
    misloading_function_that_is_nowhere();
#endif
    if (host == NULL)
        return NR_STATUS_UNSUPPORTED;
    host->send_result(host_ctx, sid, NR_STATUS_OK, body);
    return NR_STATUS_OK;
}

static const NrPluginVTable vtable = {
    .init = MISLOAD == BARE ? NULL : init,
    .handle = MISLOAD == NO_HANDLE ? NULL : handle,
};

#define TEXT(literal) { .ptr = (const uint8_t *)(literal), .len = sizeof(literal) - 1 }

static const struct {
    NrPluginInfo info;
    uint64_t later_fields[4];
} large = {
    .info = {
        .abi_version = MISLOAD == OLD_ABI ? 0 : MISLOAD == NEW_ABI ? 2 : NR_ABI_VERSION,
        .struct_size = MISLOAD == SMALL_INFO   ? sizeof(NrPluginInfo) - 1
                       : MISLOAD == LARGE_INFO ? sizeof large
                                               : sizeof(NrPluginInfo),
#if MISLOAD == 5
        .name = { .ptr = NULL, .len = 7 },
#elif MISLOAD == 6
        .name = TEXT("mis\xff" "loading"),
#elif MISLOAD != 14
        .name = TEXT("misloading"),
#endif
#if MISLOAD == 7
        .version = TEXT("\xc3"),
#else
        .version = TEXT("0.1.0"),
#endif
        .vtable = MISLOAD == NULL_VTABLE ? NULL : &vtable,
    },
};

#if MISLOAD == 12
#define nylon_ring_get_plugin_v1 nylon_ring_get_plugin_v0
NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void);
#endif

NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void)
{
    return MISLOAD == NULL_INFO ? NULL : &large.info;
}
