/*
 * Answers from threads of its own. What the paths mean stands in examples/README.md.
 *
 *     cc -std=c11 -shared -fPIC -pthread -I abi/include -o libbackground.so examples/c/background.c
 *
 * A job belongs to two: the list, until a thread takes it out, and the callback for its cancellation, until it has been
 * called. Who is the last to let go frees it. The mutex guards all that is not read-only after init; nothing of the host is
 * called under it.
 */
#define _POSIX_C_SOURCE 200809L

#include <nylon_ring.h>

#include "query.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define THREADS 2
#define A_YEAR_MS (UINT64_C(365) * 24 * 60 * 60 * 1000)

/* Milliseconds, by the clock that condition variables wait by. */
#define AT_ONCE UINT64_C(0)
#define NEVER UINT64_MAX

typedef struct Job {
    struct Job *next;
    uint64_t sid;
    uint64_t due;
    bool listed;  /* it is in the list, and not answered */
    bool counts;  /* when it is cancelled */
    int owners;
} Job;

static void *host_ctx;
static const NrHostVTable *host;
static const NrCancelExt *cancel;     /* NULL in a host without it */
static const NrDeadlineExt *deadline; /* the same */

static pthread_t threads[THREADS];
static int started;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static Job *jobs;
static bool stopped;
static uint64_t cancelled;

static void answer(uint64_t sid, NrStatus status, const char *text)
{
    host->send_result(host_ctx, sid, status, nr_bytes(text, strlen(text)));
}

static void answer_number(uint64_t sid, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    answer(sid, NR_STATUS_OK, text);
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* With the mutex. */
static void let_go(Job *job)
{
    if (--job->owners == 0)
        free(job);
}

/* Takes the job out that is due first; NULL if none is. Tells when the next one will be. With the mutex. */
static Job *take_due(uint64_t *next_due)
{
    Job **first = NULL;
    *next_due = NEVER;
    for (Job **at = &jobs; *at != NULL; at = &(*at)->next) {
        if ((*at)->due < *next_due) {
            *next_due = (*at)->due;
            first = at;
        }
    }
    if (first == NULL || *next_due > now())
        return NULL;
    Job *job = *first;
    *first = job->next;
    job->listed = false;
    return job;
}

static void wait_until(uint64_t due)
{
    if (due == NEVER) {
        pthread_cond_wait(&changed, &mutex);
    } else {
        const struct timespec until = { .tv_sec = (time_t)(due / 1000), .tv_nsec = (long)(due % 1000) * 1000000 };
        pthread_cond_timedwait(&changed, &mutex, &until);
    }
}

static void *work(void *nothing)
{
    (void)nothing;
    pthread_mutex_lock(&mutex);
    while (!stopped) {
        uint64_t next_due;
        Job *job = take_due(&next_due);
        if (job == NULL) {
            wait_until(next_due);
            continue;
        }
        const uint64_t sid = job->sid;
        let_go(job);
        pthread_mutex_unlock(&mutex);
        answer(sid, NR_STATUS_OK, "done"); /* nobody sees it if the call was cancelled */
        pthread_mutex_lock(&mutex);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

/* A call is cancelled: its job is due at once, if it is still there. With the mutex. */
static void hurry(Job *job)
{
    if (!job->listed)
        return;
    if (job->counts)
        cancelled++;
    job->due = AT_ONCE;
    pthread_cond_signal(&changed);
}

/* By the host, exactly once if it was registered, on any thread. */
static void on_cancel(void *user, uint64_t sid, uint32_t event)
{
    Job *job = user;
    (void)sid;
    pthread_mutex_lock(&mutex);
    if (event == NR_EVENT_CANCELLED)
        hurry(job);
    let_go(job);
    pthread_mutex_unlock(&mutex);
}

static void add(uint64_t sid, uint64_t due)
{
    Job *job = malloc(sizeof *job);
    if (job == NULL) {
        answer(sid, NR_STATUS_ERR, "no memory");
        return;
    }
    *job = (Job){ .sid = sid, .due = due, .listed = true, .counts = due == NEVER, .owners = 2 };
    pthread_mutex_lock(&mutex);
    job->next = jobs;
    jobs = job;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);

    /* The job may be done by now; then the call is over, and nothing is registered. */
    const uint32_t watch = cancel != NULL ? cancel->on_cancel(host_ctx, sid, on_cancel, job) : NR_WATCH_REFUSED;
    if (watch != NR_WATCH_REGISTERED) {
        pthread_mutex_lock(&mutex);
        if (watch == NR_WATCH_CLOSED)
            hurry(job);
        let_go(job);
        pthread_mutex_unlock(&mutex);
    }
}

static void stop(void)
{
    pthread_mutex_lock(&mutex);
    stopped = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    while (started > 0)
        pthread_join(threads[--started], NULL);

    pthread_mutex_lock(&mutex);
    while (jobs != NULL) {
        Job *job = jobs;
        const uint64_t sid = job->sid;
        jobs = job->next;
        job->listed = false;
        let_go(job);
        pthread_mutex_unlock(&mutex);
        answer(sid, NR_STATUS_ERR, "the plugin has been stopped");
        pthread_mutex_lock(&mutex);
    }
    pthread_mutex_unlock(&mutex);
}

static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable)
{
    (void)plugin_ctx;
    host_ctx = ctx;
    host = vtable;
    for (; started < THREADS; started++) {
        if (pthread_create(&threads[started], NULL, work, NULL) != 0) {
            stop();
            return NR_STATUS_ERR;
        }
    }
    return NR_STATUS_OK;
}

static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes body)
{
    (void)plugin_ctx;
    (void)body;
    if (nr_str_eq(req->path, "/work")) {
        uint64_t ms;
        if (query_number(req->query, "ms", &ms))
            add(sid, now() + (ms < A_YEAR_MS ? ms : A_YEAR_MS));
        else
            answer(sid, NR_STATUS_INVALID, "ms is not a number of milliseconds");
    } else if (nr_str_eq(req->path, "/wait-cancel")) {
        if (cancel != NULL)
            add(sid, NEVER);
        else
            answer(sid, NR_STATUS_UNSUPPORTED, "the host does not offer " NR_EXT_CANCEL);
    } else if (nr_str_eq(req->path, "/cancelled")) {
        pthread_mutex_lock(&mutex);
        const uint64_t count = cancelled;
        pthread_mutex_unlock(&mutex);
        answer_number(sid, count);
    } else if (nr_str_eq(req->path, "/deadline")) {
        const uint64_t left = deadline != NULL ? deadline->remaining(host_ctx, sid) : NR_NO_DEADLINE;
        if (left == NR_NO_DEADLINE)
            answer(sid, NR_STATUS_OK, "none");
        else
            answer_number(sid, left / 1000000);
    } else {
        answer(sid, NR_STATUS_UNSUPPORTED, "no such path");
    }
    return NR_STATUS_OK;
}

static void shutdown(void *plugin_ctx)
{
    (void)plugin_ctx;
    stop();
}

static const NrPluginVTable vtable = { .init = init, .handle = handle, .shutdown = shutdown };

#define TEXT(literal) { .ptr = (const uint8_t *)(literal), .len = sizeof(literal) - 1 }

static const NrPluginInfo info = {
    .abi_version = NR_ABI_VERSION,
    .struct_size = sizeof(NrPluginInfo),
    .name = TEXT("background"),
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
    cancel = nr_host_extension(api, NR_EXT_CANCEL, sizeof(NrCancelExt));
    deadline = nr_host_extension(api, NR_EXT_DEADLINE, sizeof(NrDeadlineExt));
}
