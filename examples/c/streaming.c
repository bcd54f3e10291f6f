/*
 * Answers with streams, sent from a thread of its own. What the paths mean stands in examples/README.md.
 *
 *     cc -std=c11 -shared -fPIC -pthread -I abi/include -o libstreaming.so examples/c/streaming.c
 *
 * A stream belongs to one at a time: the list of those that can go on, the thread that serves it, or, while its window is
 * full, the callback that the host calls when it is not any more.
 */
#define _POSIX_C_SOURCE 200809L

#include <nylon_ring.h>

#include "query.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* So many frames are sent before it is another stream's turn. */
#define FRAMES_A_TURN 64

typedef struct Stream {
    struct Stream *behind; /* in the list */
    uint64_t sid;
    uint64_t next; /* the number of the next frame */
    uint64_t last; /* how many frames there are to be */
    bool flow;     /* by try_send */
    bool fails;    /* in the end */
} Stream;

typedef enum Turn { ENDED, WAITS, GOES_ON } Turn;

static void *host_ctx;
static const NrHostVTable *host;
static const NrStreamExt *stream_ext; /* NULL in a host without it */

static pthread_t thread;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* for what follows; nothing of the host is called under it */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static Stream *first, *last; /* the list of those that can go on */
static bool stopped;

static void answer(uint64_t sid, NrStatus status, const char *text)
{
    host->send_result(host_ctx, sid, status, nr_bytes(text, strlen(text)));
}

static void end(Stream *stream, NrStatus status, const char *text)
{
    answer(stream->sid, status, text);
    free(stream);
}

/* Has a stream served, unless the plugin has stopped. */
static void queue(Stream *stream)
{
    pthread_mutex_lock(&mutex);
    const bool late = stopped;
    if (!late) {
        stream->behind = NULL;
        if (first == NULL)
            first = stream;
        else
            last->behind = stream;
        last = stream;
        pthread_cond_signal(&changed);
    }
    pthread_mutex_unlock(&mutex);
    if (late)
        end(stream, NR_STATUS_ERR, "the plugin has been stopped");
}

/* By the host, exactly once if it was registered, on any thread: the stream can go on, or is over, which it will see. */
static void on_writable(void *user, uint64_t sid, uint32_t event)
{
    (void)sid;
    (void)event;
    queue(user);
}

/* Has a stream queued again when it can go on. Once registered it is not this thread's any more. */
static Turn wait_for_room(Stream *stream)
{
    switch (stream_ext->on_writable(host_ctx, stream->sid, on_writable, stream)) {
    case NR_WATCH_REGISTERED:
        return WAITS;
    case NR_WATCH_ALREADY:
        return GOES_ON;
    default:
        end(stream, NR_STATUS_STREAM_END, "");
        return ENDED;
    }
}

static Turn serve(Stream *stream)
{
    for (int i = 0; i < FRAMES_A_TURN; i++) {
        char text[24];
        if (stream->next > stream->last) {
            if (stream->fails)
                end(stream, NR_STATUS_ERR, "as it was told to");
            else
                end(stream, NR_STATUS_STREAM_END, "");
            return ENDED;
        }
        const int len = snprintf(text, sizeof text, "%" PRIu64, stream->next);
        const NrBytes frame = nr_bytes(text, (size_t)len);
        if (stream->flow) {
            const uint32_t sent = stream_ext->try_send(host_ctx, stream->sid, frame);
            if (sent == NR_SEND_FULL)
                return wait_for_room(stream);
            if (sent != NR_SEND_SENT) { /* the caller has given it up: it is ended all the same */
                end(stream, NR_STATUS_STREAM_END, "");
                return ENDED;
            }
        } else {
            host->send_result(host_ctx, stream->sid, NR_STATUS_OK, frame);
        }
        stream->next++;
    }
    return GOES_ON;
}

/* The next stream that can go on; NULL once the plugin has stopped. */
static Stream *take(void)
{
    pthread_mutex_lock(&mutex);
    while (first == NULL && !stopped)
        pthread_cond_wait(&changed, &mutex);
    Stream *stream = stopped ? NULL : first;
    if (stream != NULL)
        first = stream->behind;
    pthread_mutex_unlock(&mutex);
    return stream;
}

static void *work(void *nothing)
{
    Stream *stream;
    (void)nothing;
    while ((stream = take()) != NULL) {
        if (serve(stream) == GOES_ON)
            queue(stream);
    }
    return NULL;
}

static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable)
{
    (void)plugin_ctx;
    host_ctx = ctx;
    host = vtable;
    return pthread_create(&thread, NULL, work, NULL) == 0 ? NR_STATUS_OK : NR_STATUS_ERR;
}

static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes body)
{
    const bool forever = nr_str_eq(req->path, "/forever");
    const bool flow = forever || nr_str_eq(req->path, "/flow");
    const bool fails = nr_str_eq(req->path, "/fail");
    uint64_t n = UINT64_MAX;

    (void)plugin_ctx;
    (void)body;
    if (!flow && !fails && !nr_str_eq(req->path, "/count")) {
        answer(sid, NR_STATUS_UNSUPPORTED, "no such path");
    } else if (flow && stream_ext == NULL) {
        answer(sid, NR_STATUS_UNSUPPORTED, "the host does not offer " NR_EXT_STREAM);
    } else if (!forever && !query_number(req->query, fails ? "after" : "n", &n)) {
        answer(sid, NR_STATUS_INVALID, "the number of frames is no number");
    } else {
        Stream *stream = malloc(sizeof *stream);
        if (stream == NULL) {
            answer(sid, NR_STATUS_ERR, "no memory");
            return NR_STATUS_OK;
        }
        *stream = (Stream){ .sid = sid, .next = 1, .last = n, .flow = flow, .fails = fails };
        queue(stream);
    }
    return NR_STATUS_OK;
}

static void shutdown(void *plugin_ctx)
{
    (void)plugin_ctx;
    pthread_mutex_lock(&mutex);
    stopped = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
    while (first != NULL) { /* queue adds none any more */
        Stream *stream = first;
        first = stream->behind;
        end(stream, NR_STATUS_ERR, "the plugin has been stopped");
    }
}

static const NrPluginVTable vtable = { .init = init, .handle = handle, .shutdown = shutdown };

#define TEXT(literal) { .ptr = (const uint8_t *)(literal), .len = sizeof(literal) - 1 }

static const NrPluginInfo info = {
    .abi_version = NR_ABI_VERSION,
    .struct_size = sizeof(NrPluginInfo),
    .name = TEXT("streaming"),
    .version = TEXT("0.1.0"),
    .vtable = &vtable,
};

NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void)
{
    return &info;
}

NR_EXPORT void nylon_ring_attach_host_v1(void *plugin_ctx, const NrHostApi *api)
{
    (void)plugin_ctx;
    stream_ext = nr_host_extension(api, NR_EXT_STREAM, sizeof(NrStreamExt));
}
