/* A plugin that answers when it is told to. For tests of what stands before a host: adapters and the gateway.
 *
 *   /echo       answers with the body
 *   /request    answers with the whole request as text: "<method> <path>?<query>\n", "<key>: <value>\n" each, "\n", body
 *   /status     answers with the status of the body's first digit and the text "a text"; 7 makes `handle` refuse
 *   /third      answers the third call, the sixth, … with Ok "third", all others with Err
 *   /hold       holds the call
 *   /stream     a frame "first", then holds the stream
 *   /broken     a frame "first", then Err with the text "broken"
 *   /release    answers all that is held: Ok "held", or a frame "last" and the end. Then answers with their number
 *   /cancelled  answers with the number of held calls that nobody wants any more, "-" where the host cannot tell
 */
#include <nylon_ring.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELD = 4096 };

static void *host_ctx;
static const NrHostVTable *host;
static const NrCancelExt *cancel;
static void *api_ctx;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static struct { uint64_t sid; bool stream; } held[HELD];
static unsigned held_count, thirds;

static void answer(uint64_t sid, NrStatus status, const char *text)
{
    host->send_result(host_ctx, sid, status, nr_bytes(text, strlen(text)));
}

static void answer_number(uint64_t sid, unsigned number)
{
    char text[16];

    snprintf(text, sizeof text, "%u", number);
    answer(sid, NR_STATUS_OK, text);
}

static NrStatus hold(uint64_t sid, bool stream)
{
    pthread_mutex_lock(&lock);
    const bool room = held_count < HELD;
    if (room) {
        held[held_count].sid = sid;
        held[held_count++].stream = stream;
    }
    pthread_mutex_unlock(&lock);
    if (room && stream)
        answer(sid, NR_STATUS_OK, "first");
    return room ? NR_STATUS_OK : NR_STATUS_ERR;
}

static unsigned release_all(void)
{
    pthread_mutex_lock(&lock);
    const unsigned count = held_count;
    for (unsigned i = 0; i < count; i++) {
        answer(held[i].sid, NR_STATUS_OK, held[i].stream ? "last" : "held");
        if (held[i].stream)
            answer(held[i].sid, NR_STATUS_STREAM_END, "");
    }
    held_count = 0;
    pthread_mutex_unlock(&lock);
    return count;
}

static void count_cancelled(uint64_t sid)
{
    unsigned count = 0;

    if (cancel == NULL) {
        answer(sid, NR_STATUS_OK, "-");
        return;
    }
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < held_count; i++)
        count += cancel->is_cancelled(api_ctx, held[i].sid);
    pthread_mutex_unlock(&lock);
    answer_number(sid, count);
}

static uint8_t *put(uint8_t *to, const void *from, size_t len)
{
    if (len > 0)
        memcpy(to, from, len);
    return to + len;
}

static void show(uint64_t sid, const NrRequest *req, NrBytes body)
{
    size_t len = (size_t)req->method.len + req->path.len + req->query.len + body.len + 4;
    for (uint32_t i = 0; i < req->headers_len; i++)
        len += (size_t)req->headers[i].key.len + req->headers[i].value.len + 3;
    uint8_t *text = malloc(len);
    if (text == NULL) {
        answer(sid, NR_STATUS_ERR, "no memory");
        return;
    }
    uint8_t *end = put(text, req->method.ptr, req->method.len);
    end = put(put(end, " ", 1), req->path.ptr, req->path.len);
    end = put(put(end, "?", 1), req->query.ptr, req->query.len);
    end = put(end, "\n", 1);
    for (uint32_t i = 0; i < req->headers_len; i++) {
        end = put(end, req->headers[i].key.ptr, req->headers[i].key.len);
        end = put(put(end, ": ", 2), req->headers[i].value.ptr, req->headers[i].value.len);
        end = put(end, "\n", 1);
    }
    put(put(end, "\n", 1), body.ptr, (size_t)body.len);
    host->send_result(host_ctx, sid, NR_STATUS_OK, nr_bytes(text, len));
    free(text);
}

static NrStatus with_status(uint64_t sid, NrBytes body)
{
    const unsigned digit = body.len > 0 ? body.ptr[0] - (unsigned)'0' : 0;

    if (digit == 7)
        return NR_STATUS_INVALID;
    answer(sid, (NrStatus)digit, "a text");
    return NR_STATUS_OK;
}

static void broken(uint64_t sid)
{
    answer(sid, NR_STATUS_OK, "first");
    answer(sid, NR_STATUS_ERR, "broken");
}

static void third(uint64_t sid)
{
    pthread_mutex_lock(&lock);
    const bool good = ++thirds % 3 == 0;
    pthread_mutex_unlock(&lock);
    answer(sid, good ? NR_STATUS_OK : NR_STATUS_ERR, good ? "third" : "not yet");
}

static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes body)
{
    (void)plugin_ctx;
    if (nr_str_eq(req->path, "/hold"))
        return hold(sid, false);
    if (nr_str_eq(req->path, "/stream"))
        return hold(sid, true);
    if (nr_str_eq(req->path, "/status"))
        return with_status(sid, body);
    if (nr_str_eq(req->path, "/release"))
        answer_number(sid, release_all());
    else if (nr_str_eq(req->path, "/cancelled"))
        count_cancelled(sid);
    else if (nr_str_eq(req->path, "/third"))
        third(sid);
    else if (nr_str_eq(req->path, "/broken"))
        broken(sid);
    else if (nr_str_eq(req->path, "/request"))
        show(sid, req, body);
    else if (nr_str_eq(req->path, "/echo"))
        host->send_result(host_ctx, sid, NR_STATUS_OK, body);
    else
        answer(sid, NR_STATUS_UNSUPPORTED, "no such path");
    return NR_STATUS_OK;
}

static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable)
{
    (void)plugin_ctx;
    host_ctx = ctx;
    host = vtable;
    return NR_STATUS_OK;
}

NR_EXPORT void nylon_ring_attach_host_v1(void *plugin_ctx, const NrHostApi *api)
{
    (void)plugin_ctx;
    cancel = (const NrCancelExt *)nr_host_extension(api, NR_EXT_CANCEL, sizeof(NrCancelExt));
    api_ctx = cancel != NULL ? api->host_ctx : NULL;
}

static const NrPluginVTable vtable = { .init = init, .handle = handle };

#define TEXT(literal) { .ptr = (const uint8_t *)(literal), .len = sizeof(literal) - 1 }

static const NrPluginInfo info = {
    .abi_version = NR_ABI_VERSION,
    .struct_size = sizeof(NrPluginInfo),
    .name = TEXT("held"),
    .version = TEXT("0.1.0"),
    .vtable = &vtable,
};

NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void)
{
    return &info;
}
