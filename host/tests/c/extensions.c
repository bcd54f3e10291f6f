/* A plugin that reaches every extension of the host from C. For tests/extensions.rs.
 *
 *   /ids       which extensions there are, with the sizes of their tables: one a line
 *   /config    the configuration
 *   /log       logs the body on every level; answers with the levels that are enabled
 *   /log-odd   logs what cannot be read, or is not UTF-8
 *   /deadline  the nanoseconds that are left, or "none"
 *   /hold      has itself told of cancellation, and never answers
 *   /slow      answers before `handle` returns, which takes 50 ms
 *   /over      has itself told of cancellation, and answers at once
 *   /told      what callbacks were told so far: "cancelled over writable"
 *   /end-held  ends what /hold holds
 *   /wanted    what is_cancelled says of this call, and of one that never was
 *   /flow      as many frames as the body says, by try_send, going on in on_writable's callback; then the end
 *   /null-callback   what the registrations say to a NULL callback, and to a sid that never was
 *   /buffer    answers with as many bytes as the body says, written in place
 *   /twice     gives one buffer back twice, and one that never was; answers through a third
 *   /past      commits more than there is
 *   /huge      reserves what no host has
 *   /null      calls everything with a NULL host_ctx
 */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include <nylon_ring.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *host_ctx;
static const NrHostVTable *host;
static const NrHostApi *api;
static const NrLogExt *log_ext;
static const NrStreamExt *stream_ext;
static const NrCancelExt *cancel_ext;
static const NrDeadlineExt *deadline_ext;
static const NrConfigExt *config_ext;
static const NrBufferExt *buffer_ext;

static atomic_uint cancelled, over, writable;
static _Atomic uint64_t held;

enum { NOT_A_SID = 12345 };

static void send(uint64_t sid, NrStatus status, const char *text)
{
    host->send_result(host_ctx, sid, status, nr_bytes(text, strlen(text)));
}

static void send_numbers(uint64_t sid, const char *format, unsigned long long a, unsigned long long b, unsigned long long c)
{
    char text[96];

    snprintf(text, sizeof text, format, a, b, c);
    send(sid, NR_STATUS_OK, text);
}

static unsigned long number(NrBytes body)
{
    char text[24] = "";

    memcpy(text, body.ptr, body.len < sizeof text - 1 ? body.len : sizeof text - 1);
    return strtoul(text, NULL, 10);
}

static void count(void *user, uint64_t sid, uint32_t event)
{
    (void)sid;
    atomic_fetch_add(event == NR_EVENT_CANCELLED ? &cancelled : event == NR_EVENT_WRITABLE ? &writable : &over, 1u);
    free(user);
}

/* A stream on its way; freed by who ends it. */
typedef struct Flow {
    unsigned long next, end;
} Flow;

static void flow(void *user, uint64_t sid, uint32_t event)
{
    Flow *f = user;
    char text[24];

    atomic_fetch_add(event == NR_EVENT_CANCELLED ? &cancelled : event == NR_EVENT_WRITABLE ? &writable : &over, 1u);
    while (event == NR_EVENT_WRITABLE && f->next < f->end) {
        uint32_t sent;

        snprintf(text, sizeof text, "%lu", f->next);
        sent = stream_ext->try_send(host_ctx, sid, nr_bytes(text, strlen(text)));
        if (sent == NR_SEND_SENT) {
            f->next++;
            continue;
        }
        switch (sent == NR_SEND_FULL ? stream_ext->on_writable(host_ctx, sid, flow, f) : NR_WATCH_CLOSED) {
        case NR_WATCH_REGISTERED: return;
        case NR_WATCH_ALREADY: break;
        default: event = NR_EVENT_CANCELLED;
        }
    }
    send(sid, NR_STATUS_STREAM_END, "");
    free(f);
}

static void list(uint64_t sid)
{
    static const char *const ids[] = {NR_EXT_LOG,    NR_EXT_STREAM, NR_EXT_CANCEL,
                                      NR_EXT_DEADLINE, NR_EXT_CONFIG, NR_EXT_BUFFER};
    char text[512] = "";
    size_t i;

    for (i = 0; i < sizeof ids / sizeof *ids; i++) {
        const uint32_t *table = api->get_extension(api->host_ctx, ids[i]);
        char line[64];

        snprintf(line, sizeof line, "%s %u\n", ids[i], table != NULL ? *table : 0);
        strcat(text, line);
    }
    send(sid, NR_STATUS_OK, text);
}

static void log_all(uint64_t sid, NrBytes body)
{
    NrStr message = {body.ptr, (uint32_t)body.len};
    unsigned enabled = 0;
    uint32_t level;

    for (level = NR_LOG_ERROR; level <= NR_LOG_TRACE + 1; level++) {
        enabled += log_ext->enabled(host_ctx, level);
        log_ext->log(host_ctx, sid, level, nr_str("part"), message);
    }
    send_numbers(sid, "%llu", enabled, 0, 0);
}

static void log_odd(uint64_t sid)
{
    static const char broken[] = "caf\xe9";
    NrStr null_text = {NULL, 7};

    log_ext->log(host_ctx, sid, NR_LOG_INFO, nr_str(""), nr_str(broken));
    log_ext->log(host_ctx, sid, NR_LOG_INFO, nr_str("null"), null_text);
    log_ext->log(host_ctx, sid, NR_LOG_INFO, null_text, nr_str("null"));
    send(sid, NR_STATUS_OK, "ok");
}

static void write_in_place(uint64_t sid, unsigned long len, uint64_t extra)
{
    NrBuffer buffer = buffer_ext->reserve(host_ctx, sid, len);

    if (buffer.ptr == NULL || buffer.capacity < len) {
        send(sid, NR_STATUS_ERR, "no buffer");
        return;
    }
    memset(buffer.ptr, 'x', len);
    buffer_ext->commit(host_ctx, sid, NR_STATUS_OK, buffer, len + extra);
}

static void give_back_twice(uint64_t sid)
{
    NrBuffer buffer = buffer_ext->reserve(host_ctx, sid, 100), forged = {buffer.ptr, 100, 0x5eedu};

    buffer_ext->release(host_ctx, buffer);
    buffer_ext->release(host_ctx, buffer);
    buffer_ext->commit(host_ctx, sid, NR_STATUS_OK, buffer, 100);
    buffer_ext->commit(host_ctx, sid, NR_STATUS_OK, forged, 100);
    write_in_place(sid, 3, 0);
}

static void null_everywhere(uint64_t sid)
{
    NrBuffer buffer = buffer_ext->reserve(NULL, sid, 1);

    buffer_ext->commit(NULL, sid, NR_STATUS_OK, buffer, 1);
    buffer_ext->release(NULL, buffer);
    log_ext->log(NULL, sid, NR_LOG_ERROR, nr_str("a"), nr_str("b"));
    if (buffer.ptr == NULL && log_ext->enabled(NULL, 1) == 0 && cancel_ext->is_cancelled(NULL, sid) == 1 &&
        cancel_ext->on_cancel(NULL, sid, count, NULL) == NR_WATCH_REFUSED &&
        stream_ext->on_writable(NULL, sid, count, NULL) == NR_WATCH_REFUSED && stream_ext->credits(NULL, sid) == 0 &&
        stream_ext->try_send(NULL, sid, nr_bytes("", 0)) == NR_SEND_CLOSED && config_ext->get(NULL).len == 0 &&
        deadline_ext->remaining(NULL, sid) == 0) {
        send(sid, NR_STATUS_OK, "ok");
    } else {
        send(sid, NR_STATUS_ERR, "a NULL host_ctx was taken for one");
    }
}

static void start_flow(uint64_t sid, unsigned long frames)
{
    Flow *f = malloc(sizeof *f);

    if (f != NULL) {
        f->next = 0;
        f->end = frames;
        flow(f, sid, NR_EVENT_WRITABLE);
    }
}

static NrStatus handle(void *ctx, uint64_t sid, const NrRequest *req, NrBytes body)
{
    const NrStr path = req->path;
    uint64_t left;

    (void)ctx;
    if (nr_str_eq(path, "/ids")) {
        list(sid);
    } else if (nr_str_eq(path, "/config")) {
        host->send_result(host_ctx, sid, NR_STATUS_OK, config_ext->get(host_ctx));
    } else if (nr_str_eq(path, "/log")) {
        log_all(sid, body);
    } else if (nr_str_eq(path, "/log-odd")) {
        log_odd(sid);
    } else if (nr_str_eq(path, "/deadline")) {
        left = deadline_ext->remaining(host_ctx, sid);
        if (left == NR_NO_DEADLINE) {
            send(sid, NR_STATUS_OK, "none");
        } else {
            send_numbers(sid, "%llu", left, 0, 0);
        }
    } else if (nr_str_eq(path, "/hold") || nr_str_eq(path, "/over")) {
        if (cancel_ext->on_cancel(host_ctx, sid, count, malloc(8)) != NR_WATCH_REGISTERED) {
            return NR_STATUS_ERR;
        }
        if (nr_str_eq(path, "/over")) {
            send(sid, NR_STATUS_OK, "ok");
        } else {
            atomic_store(&held, sid);
        }
    } else if (nr_str_eq(path, "/slow")) {
        const struct timespec t = {.tv_nsec = 50000000};

        nanosleep(&t, NULL);
        send(sid, NR_STATUS_OK, "slow");
    } else if (nr_str_eq(path, "/told")) {
        send_numbers(sid, "%llu %llu %llu", atomic_load(&cancelled), atomic_load(&over), atomic_load(&writable));
    } else if (nr_str_eq(path, "/end-held")) {
        send(atomic_load(&held), NR_STATUS_OK, "late");
        send(sid, NR_STATUS_OK, "ok");
    } else if (nr_str_eq(path, "/wanted")) {
        send_numbers(sid, "%llu %llu", cancel_ext->is_cancelled(host_ctx, sid),
                     cancel_ext->is_cancelled(host_ctx, NOT_A_SID), 0);
    } else if (nr_str_eq(path, "/flow")) {
        start_flow(sid, number(body));
    } else if (nr_str_eq(path, "/null-callback")) {
        send_numbers(sid, "%llu %llu %llu", cancel_ext->on_cancel(host_ctx, sid, NULL, NULL),
                     stream_ext->on_writable(host_ctx, sid, NULL, NULL),
                     cancel_ext->on_cancel(host_ctx, NOT_A_SID, count, NULL));
    } else if (nr_str_eq(path, "/buffer")) {
        write_in_place(sid, number(body), 0);
    } else if (nr_str_eq(path, "/twice")) {
        give_back_twice(sid);
    } else if (nr_str_eq(path, "/past")) {
        write_in_place(sid, 10, 1);
    } else if (nr_str_eq(path, "/huge")) {
        NrBuffer none = buffer_ext->reserve(host_ctx, sid, UINT64_MAX);
        NrBuffer empty = buffer_ext->reserve(host_ctx, sid, 0), stray = buffer_ext->reserve(host_ctx, NOT_A_SID, 8);

        send(sid, NR_STATUS_OK, none.ptr == NULL && empty.ptr == NULL && stray.ptr == NULL ? "none" : "some");
    } else if (nr_str_eq(path, "/null")) {
        null_everywhere(sid);
    } else {
        return NR_STATUS_UNSUPPORTED;
    }
    return NR_STATUS_OK;
}

static NrStatus init(void *ctx, void *given, const NrHostVTable *vtable)
{
    (void)ctx;
    host_ctx = given;
    host = vtable;
    return log_ext && stream_ext && cancel_ext && deadline_ext && config_ext && buffer_ext ? NR_STATUS_OK
                                                                                           : NR_STATUS_UNSUPPORTED;
}

NR_EXPORT void nylon_ring_attach_host_v1(void *ctx, const NrHostApi *given)
{
    (void)ctx;
    api = given;
    log_ext = nr_host_extension(given, NR_EXT_LOG, sizeof(NrLogExt));
    stream_ext = nr_host_extension(given, NR_EXT_STREAM, sizeof(NrStreamExt));
    cancel_ext = nr_host_extension(given, NR_EXT_CANCEL, sizeof(NrCancelExt));
    deadline_ext = nr_host_extension(given, NR_EXT_DEADLINE, sizeof(NrDeadlineExt));
    config_ext = nr_host_extension(given, NR_EXT_CONFIG, sizeof(NrConfigExt));
    buffer_ext = nr_host_extension(given, NR_EXT_BUFFER, sizeof(NrBufferExt));
}

static const NrPluginVTable vtable = {init, handle, NULL};
static NrPluginInfo info;

NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void)
{
    info.abi_version = NR_ABI_VERSION;
    info.struct_size = sizeof(NrPluginInfo);
    info.name = nr_str("extensions");
    info.version = nr_str("1.0.0");
    info.vtable = &vtable;
    return &info;
}
