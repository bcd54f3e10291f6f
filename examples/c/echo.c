/*
 * Answers each request with what it was, inside handle. What the paths mean stands in examples/README.md.
 *
 *     cc -std=c11 -shared -fPIC -I abi/include -o libecho.so examples/c/echo.c
 */
#include <nylon_ring.h>

#include <stdlib.h>

static void *host_ctx;
static const NrHostVTable *host;
static const NrHostExt *state;     /* NULL in a host without it */
static const NrConfigExt *config; /* the same */

static void answer(uint64_t sid, NrStatus status, const char *text)
{
    host->send_result(host_ctx, sid, status, nr_bytes(text, strlen(text)));
}

static uint8_t *put(uint8_t *end, const void *bytes, size_t len)
{
    if (len > 0) /* an empty text may have a null pointer */
        memcpy(end, bytes, len);
    return end + len;
}

static uint8_t *put_str(uint8_t *end, NrStr text)
{
    return put(end, text.ptr, text.len);
}

/* METHOD PATH?QUERY, each header on a line of its own, an empty line, and the body. */
static void echo(uint64_t sid, const NrRequest *req, NrBytes body)
{
    uint64_t len = (uint64_t)req->method.len + 1 + req->path.len + 1 + req->query.len + 1 + 1 + body.len;
    for (uint32_t i = 0; i < req->headers_len; i++)
        len += (uint64_t)req->headers[i].key.len + 2 + req->headers[i].value.len + 1;

    uint8_t *text = malloc(len);
    if (text == NULL) {
        answer(sid, NR_STATUS_ERR, "no memory");
        return;
    }
    uint8_t *end = put_str(text, req->method);
    end = put(end, " ", 1);
    end = put_str(end, req->path);
    end = put(end, "?", 1);
    end = put_str(end, req->query);
    end = put(end, "\n", 1);
    for (uint32_t i = 0; i < req->headers_len; i++) {
        end = put_str(end, req->headers[i].key);
        end = put(end, ": ", 2);
        end = put_str(end, req->headers[i].value);
        end = put(end, "\n", 1);
    }
    end = put(end, "\n", 1);
    put(end, body.ptr, body.len);
    host->send_result(host_ctx, sid, NR_STATUS_OK, nr_bytes(text, len));
    free(text);
}

/* Stores the body, and answers with what is there then. */
static void keep(uint64_t sid, NrBytes body)
{
    if (state == NULL) {
        answer(sid, NR_STATUS_ERR, "the host does not offer " NR_EXT_STATE);
        return;
    }
    const NrBytes refusal = state->set_state(host_ctx, sid, nr_str("k"), body);
    if (refusal.len > 0)
        host->send_result(host_ctx, sid, NR_STATUS_ERR, refusal);
    else /* what get_state returns is valid until this very result has been sent */
        host->send_result(host_ctx, sid, NR_STATUS_OK, state->get_state(host_ctx, sid, nr_str("k")));
}

static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable)
{
    (void)plugin_ctx;
    host_ctx = ctx;
    host = vtable;
    return NR_STATUS_OK;
}

static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes body)
{
    (void)plugin_ctx;
    if (nr_str_eq(req->path, "/invalid"))
        answer(sid, NR_STATUS_INVALID, "this path is invalid");
    else if (nr_str_eq(req->path, "/unsupported"))
        answer(sid, NR_STATUS_UNSUPPORTED, "this path is unsupported");
    else if (nr_str_eq(req->path, "/err"))
        answer(sid, NR_STATUS_ERR, "this path fails");
    else if (nr_str_eq(req->path, "/panic") || nr_str_eq(req->path, "/drop"))
        answer(sid, NR_STATUS_ERR, "C cannot throw, and nobody answers in its place");
    else if (nr_str_eq(req->path, "/state"))
        keep(sid, body);
    else if (nr_str_eq(req->path, "/config"))
        host->send_result(host_ctx, sid, NR_STATUS_OK, config != NULL ? config->get(host_ctx) : nr_bytes(NULL, 0));
    else
        echo(sid, req, body);
    return NR_STATUS_OK;
}

static const NrPluginVTable vtable = { .init = init, .handle = handle };

#define TEXT(literal) { .ptr = (const uint8_t *)(literal), .len = sizeof(literal) - 1 }

static const NrPluginInfo info = {
    .abi_version = NR_ABI_VERSION,
    .struct_size = sizeof(NrPluginInfo),
    .name = TEXT("echo"),
    .version = TEXT("0.1.0"),
    .vtable = &vtable,
};

NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void)
{
    return &info;
}

/* Before init: what the host offers beside the core. */
NR_EXPORT void nylon_ring_attach_host_v1(void *plugin_ctx, const NrHostApi *api)
{
    (void)plugin_ctx;
    /* The table of the state has no size of its own: it is older than that rule. */
    state = api->get_extension != NULL ? api->get_extension(api->host_ctx, NR_EXT_STATE) : NULL;
    config = nr_host_extension(api, NR_EXT_CONFIG, sizeof(NrConfigExt));
}
