/*
 * A plugin with one fault: -DFAULT=<name>, of those in faults.h. Without it the plugin is right, and everything is as it
 * should be: it answers each request with the query that it came with, on a thread of its own where a fault needs one.
 */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include "faults.h"

#include <nylon_ring.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void *host_ctx;
static const NrHostVTable *host;
static const NrHostApi *api;
static atomic_uint starts, calls, threads;
static atomic_bool stopping;
static volatile uint8_t seen; /* what is read only to have read it */

static void wait_ms(long ms)
{
    const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    nanosleep(&time, NULL);
}

static const void *extension(const char *id, size_t size)
{
    return nr_host_extension(api, id, size);
}

static void send(uint64_t sid, NrStatus status, const char *text)
{
    host->send_result(host_ctx, sid, status, nr_bytes(text, strlen(text)));
}

/* --- work on a thread --- */

typedef struct Job {
    uint64_t sid;
    NrStr path; /* borrowed: for the fault that reads it too late */
    char query[256];
    atomic_bool cancelled;
    atomic_int owners; /* the thread, and the callback where one is registered */
} Job;

static _Atomic uint64_t last_sid;
static char last_query[256];

static void let_go(Job *job)
{
    if (FAULT == FREES_USER_TWICE || atomic_fetch_sub(&job->owners, 1) == 1)
        free(job);
}

static void on_cancel(void *user, uint64_t sid, uint32_t event)
{
    Job *job = user;

    (void)sid;
    atomic_store(&job->cancelled, event == NR_EVENT_CANCELLED);
    let_go(job);
}

static void *work(void *user)
{
    Job *job = user;

    wait_ms(FAULT == FORGETS_CANCELLED ? 50 : 5);
    switch (FAULT) {
    case LATE_READ:
        seen = job->path.ptr[0];
        send(job->sid, NR_STATUS_OK, job->query);
        break;
    case LAST_CALL_WINS:
        send(atomic_load(&last_sid), NR_STATUS_OK, job->query);
        break;
    case LAST_TEXT_WINS:
        send(job->sid, NR_STATUS_OK, last_query);
        break;
    case SECOND_RESULT_LATER:
        send(job->sid, NR_STATUS_OK, job->query);
        wait_ms(20);
        send(job->sid, NR_STATUS_OK, job->query);
        break;
    case FORGETS_CANCELLED:
        if (!atomic_load(&job->cancelled))
            send(job->sid, NR_STATUS_OK, job->query);
        break;
    case FREES_USER_TWICE:
        send(job->sid, NR_STATUS_OK, "freed here, and once more when the call is over");
        break;
    default:
        send(job->sid, NR_STATUS_OK, job->query);
    }
    let_go(job);
    atomic_fetch_sub(&threads, 1);
    return NULL;
}

static NrStatus later(uint64_t sid, const NrRequest *req)
{
    Job *job = calloc(1, sizeof *job);
    pthread_t thread;

    if (job == NULL)
        return NR_STATUS_ERR;
    const size_t len = req->query.len < sizeof job->query ? req->query.len : sizeof job->query - 1;
    job->sid = sid;
    job->path = req->path;
    if (len > 0)
        memcpy(job->query, req->query.ptr, len);
    atomic_store(&job->owners, 1);
    atomic_store(&last_sid, sid);
    if (FAULT == LAST_TEXT_WINS)
        memcpy(last_query, job->query, sizeof last_query);
    if (FAULT == FORGETS_CANCELLED || FAULT == FREES_USER_TWICE) {
        const NrCancelExt *cancel = extension(NR_EXT_CANCEL, sizeof(NrCancelExt));
        atomic_fetch_add(&job->owners, 1);
        if (cancel == NULL || cancel->on_cancel(api->host_ctx, sid, on_cancel, job) != NR_WATCH_REGISTERED)
            atomic_fetch_sub(&job->owners, 1);
    }
    atomic_fetch_add(&threads, 1);
    if (pthread_create(&thread, NULL, work, job) != 0) {
        atomic_fetch_sub(&threads, 1);
        free(job);
        send(sid, NR_STATUS_ERR, "no thread");
        return NR_STATUS_OK;
    }
    pthread_detach(thread);
    return NR_STATUS_OK;
}

/* --- faults that end with a right answer, or take its place: see handle --- */

static void compute_ms(long ms)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    const int64_t end = time.tv_sec * INT64_C(1000) + time.tv_nsec / 1000000 + ms;
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    while (time.tv_sec * INT64_C(1000) + time.tv_nsec / 1000000 < end);
}

/* The sid goes through a static, where another thread may put its own meanwhile. */
static void answer_by_static(uint64_t sid)
{
    static volatile uint64_t shared;

    shared = sid;
    for (int i = 0; i < 3; i++)
        sched_yield();
    send(shared, NR_STATUS_OK, "whose?");
}

static void use_state(uint64_t sid)
{
    const NrHostExt *state = api != NULL ? api->get_extension(api->host_ctx, NR_EXT_STATE) : NULL;

    if (state == NULL) {
        send(sid, NR_STATUS_ERR, "no state");
        return;
    }
    state->set_state(api->host_ctx, sid, nr_str("key"), nr_bytes("value", 5));
    const NrBytes value = state->get_state(api->host_ctx, sid, nr_str("key"));
    if (FAULT == WRITES_STATE)
        ((uint8_t *)(uintptr_t)value.ptr)[0] = 'V';
    send(sid, NR_STATUS_OK, "stored");
    if (FAULT == STATE_AFTER_END)
        seen = value.ptr[0];
}

static void use_buffer(uint64_t sid)
{
    const NrBufferExt *buffers = extension(NR_EXT_BUFFER, sizeof(NrBufferExt));

    if (buffers == NULL) {
        send(sid, NR_STATUS_ERR, "no buffers");
        return;
    }
    const NrBuffer buffer = buffers->reserve(api->host_ctx, sid, 100);
    if (FAULT == KEEPS_BUFFER) {
        send(sid, NR_STATUS_OK, "and the buffer is forgotten");
        return;
    }
    buffers->commit(api->host_ctx, sid, NR_STATUS_OK, buffer, 100);
    buffers->release(api->host_ctx, buffer);
}

static void stream(uint64_t sid)
{
    for (int i = 0; i < 3; i++)
        send(sid, NR_STATUS_OK, "frame");
    if (FAULT != STREAM_WITHOUT_END)
        send(sid, NR_STATUS_STREAM_END, "");
    if (FAULT == FRAME_AFTER_END)
        send(sid, NR_STATUS_OK, "one too many");
}

static void misuse_send_result(uint64_t sid)
{
    static const char wrong[] = "wrong";

    switch (FAULT) {
    case SECOND_RESULT:
        send(sid, NR_STATUS_OK, "one");
        send(sid, NR_STATUS_OK, "two");
        break;
    case UNKNOWN_STATUS:
        send(sid, 99, "which status?");
        break;
    case NULL_PAYLOAD:
        host->send_result(host_ctx, sid, NR_STATUS_OK, (NrBytes){ .ptr = NULL, .len = 5 });
        break;
    case HUGE_PAYLOAD:
        host->send_result(host_ctx, sid, NR_STATUS_OK, (NrBytes){ .ptr = (const uint8_t *)wrong, .len = UINT64_C(1) << 63 });
        break;
    case WILD_PAYLOAD:
        host->send_result(host_ctx, sid, NR_STATUS_OK, (NrBytes){ .ptr = (const uint8_t *)16, .len = 5 });
        break;
    case FORGED_SID:
        send(sid, NR_STATUS_OK, "right");
        send(sid ^ 0x100, NR_STATUS_OK, "for nobody");
        break;
    case CUT_SID:
        send((uint32_t)sid, NR_STATUS_OK, "for nobody");
        break;
    case OTHER_CONTEXT:
        host->send_result((void *)(uintptr_t)wrong, sid, NR_STATUS_OK, nr_bytes(wrong, 5));
        break;
    default:
        break;
    }
}

static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes body)
{
    const unsigned number = atomic_fetch_add(&calls, 1);

    (void)plugin_ctx;
    (void)body;
    switch (FAULT) {
    case BLOCKS:
        wait_ms(20);
        break;
    case COMPUTES:
        compute_ms(20);
        break;
    case BLOCKS_FOREVER:
        for (;;)
            pause();
    case ABORTS:
        abort();
    case EXITS:
        exit(3);
    case NEVER_ANSWERS:
        return NR_STATUS_OK;
    case FORGETS_SOME:
        if (number % 11 == 10)
            return NR_STATUS_OK;
        break;
    case DIES_OF_EMPTY:
        if (req->path.len == 0)
            abort();
        break;
    case RESULT_AFTER_REFUSAL:
        send(sid, NR_STATUS_INVALID, "refused");
        return NR_STATUS_INVALID;
    case UNKNOWN_RETURN:
        return 77;
    case WRITES_REQUEST:
        ((uint8_t *)(uintptr_t)req->path.ptr)[0] = '/';
        break;
    case READS_PAST_END:
        seen = (uint8_t)strlen((const char *)req->path.ptr);
        break;
    case LOOKS_INTO_CONTEXT:
        seen = *(const uint8_t *)host_ctx;
        break;
    case LEAKS:
        ((volatile uint8_t *)malloc(40))[0] = 1;
        break;
    case RACE:
        answer_by_static(sid);
        return NR_STATUS_OK;
    case STATE_AFTER_END:
    case WRITES_STATE:
        use_state(sid);
        return NR_STATUS_OK;
    case KEEPS_BUFFER:
    case BUFFER_TWICE:
        use_buffer(sid);
        return NR_STATUS_OK;
    case FRAME_AFTER_END:
    case STREAM_WITHOUT_END:
        stream(sid);
        return NR_STATUS_OK;
    case SECOND_RESULT:
    case UNKNOWN_STATUS:
    case NULL_PAYLOAD:
    case HUGE_PAYLOAD:
    case WILD_PAYLOAD:
    case FORGED_SID:
    case CUT_SID:
    case OTHER_CONTEXT:
        misuse_send_result(sid);
        return NR_STATUS_OK;
    case LATE_READ:
    case LAST_CALL_WINS:
    case LAST_TEXT_WINS:
    case SECOND_RESULT_LATER:
    case FORGETS_CANCELLED:
    case FREES_USER_TWICE:
        return later(sid, req);
    default:
        break;
    }
    host->send_result(host_ctx, sid, NR_STATUS_OK, nr_bytes(req->query.ptr, req->query.len));
    return NR_STATUS_OK;
}

#include "faulty_life.h"
