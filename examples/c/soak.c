/*
 * The plugin of the soak test (benches/src/soak): it answers as it is ordered to, rightly and wrongly, and keeps books.
 *
 * The body of every request is an `Order`. Small orders are met inside `handle`, the rest by up to WORKERS threads, each
 * with a queue of its own. What was sent is in the `Books`, which the host finds as the extension "soak.books/1" and reads
 * at any time. A result is in the books before it is sent; when `open` is 0, every order that was taken has been met.
 *
 * A result that is not empty begins with HEAD bytes: the order's id, the number of the thread that sent it, a running number.
 * Bytes of the pattern 0, 1, 2, … follow, from the id's lowest byte on.
 */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include "soak_results.h"

#include <pthread.h>
#include <time.h>

typedef struct Worker {
    pthread_mutex_t lock; /* guards `first` and `last` */
    pthread_cond_t wake;
    Turn *first, **last;
    pthread_t thread;
} Worker;

static Worker workers[WORKERS];
static atomic_bool closing;

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- jobs --- */

static bool is_gated(const Order *o)
{
    return o->ticket > atomic_load(&books.gates[o->gate]) && !atomic_load(&closing);
}

/* Sends the result of a unary call, from each thread, or the end of a stream, from one. */
static void end(const Turn *t)
{
    const Job *j = t->job;
    const Order *o = &j->order;

    if ((o->flags & NEVER_ENDS) != 0)
        return;
    if (!o->stream && t->thread > 0)
        atomic_fetch_add(&books.surplus, 1);
    if ((o->flags & WITH_STATE) != 0)
        check_state(j);
    send_last(o, j->sid, t->thread);
    send_extras(o, j->sid, t->thread);
}

/* Sends the share of one thread; false when there is more to do, later. */
static bool work(Turn *t)
{
    Job *j = t->job;
    const Order *o = &j->order;

    for (uint32_t i = 0; o->stream && i < CHUNK && t->sent < o->frames; i++)
        send_bytes(o, j->sid, NR_STATUS_OK, t->thread, t->sent++);
    if ((o->stream && t->sent < o->frames) || is_gated(o))
        return false;
    if (!o->stream || ((o->flags & FIRST_ENDS) != 0 && t->thread == 0))
        end(t);
    if (atomic_fetch_sub(&j->left, 1) > 1)
        return true;
    if (o->stream && (o->flags & FIRST_ENDS) == 0)
        end(t);
    if ((o->flags & NEVER_ENDS) == 0)
        atomic_store(&completed[atomic_fetch_add(&completed_count, 1) % COMPLETED], j->sid);
    if (o->threads > 0) {
        free(j);
        atomic_fetch_sub(&books.open, 1);
    }
    return true;
}

static void enqueue(Worker *w, Turn *t)
{
    pthread_mutex_lock(&w->lock);
    *w->last = t;
    w->last = &t->next;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

/* Takes all that was queued, as a list; waits while there is nothing else to do. */
static Turn *take(Worker *w, bool others_wait)
{
    pthread_mutex_lock(&w->lock);
    if (w->first == NULL && others_wait && !atomic_load(&closing)) {
        const uint64_t until = now_us() + 100;
        const struct timespec t = { .tv_sec = (time_t)(until / 1000000), .tv_nsec = (long)(until % 1000000) * 1000 };
        pthread_cond_timedwait(&w->wake, &w->lock, &t);
    }
    while (w->first == NULL && !others_wait && !atomic_load(&closing))
        pthread_cond_wait(&w->wake, &w->lock);
    Turn *list = w->first;
    w->first = NULL;
    w->last = &w->first;
    pthread_mutex_unlock(&w->lock);
    return list;
}

static void *run(void *arg)
{
    Worker *w = arg;
    Turn *waiting = NULL, **last = &waiting;

    for (;;) {
        *last = take(w, waiting != NULL);
        if (waiting == NULL)
            return NULL; /* closing, and all is done */
        const uint64_t now = now_us();
        Turn *next = waiting;
        for (last = &waiting; next != NULL;) {
            Turn *t = next;
            next = t->next;
            if ((t->job->due <= now || atomic_load(&closing)) && work(t))
                continue;
            *last = t;
            last = &t->next;
        }
        *last = NULL;
    }
}

static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes body)
{
    Job local = { .sid = sid }, *j = &local;

    (void)plugin_ctx;
    if (req == NULL || body.len != sizeof(Order))
        return NR_STATUS_INVALID;
    memcpy(&local.order, body.ptr, sizeof(Order));
    const Order *o = &local.order;
    const uint32_t verdict = o->verdict;
    if (o->threads > WORKERS || o->gate >= GATES || o->len > LARGEST || (o->len > 0 && o->len < HEAD))
        return NR_STATUS_INVALID;
    send_astray(o, sid);
    if (verdict != NR_STATUS_OK) {
        atomic_fetch_add(&books.refused, 1);
        atomic_fetch_add(&books.foreign, is_foreign(verdict));
        if ((o->flags & ANSWERS_REFUSED) == 0)
            return verdict;
    }
    if ((o->flags & WITH_STATE) != 0)
        keep_state(j);
    atomic_init(&j->left, o->threads == 0 ? 1 : o->threads);
    if (o->threads == 0) {
        local.turns[0].job = j;
        while (!work(&local.turns[0]))
            ;
        return verdict;
    }
    const uint32_t threads = o->threads, first = (uint32_t)o->id;
    j = malloc(sizeof *j);
    if (j == NULL)
        abort();
    memcpy(j, &local, sizeof *j);
    j->due = o->delay_us == 0 ? 0 : now_us() + o->delay_us;
    atomic_fetch_add(&books.open, 1);
    for (uint32_t i = 0; i < threads; i++)
        j->turns[i] = (Turn){ .job = j, .thread = i };
    for (uint32_t i = 0; i < threads; i++) /* the last of them may free the job */
        enqueue(&workers[(first + i) % WORKERS], &j->turns[i]);
    return verdict;
}

/* --- the ABI --- */

static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable)
{
    (void)plugin_ctx;
    if (host != NULL || state == NULL)
        return NR_STATUS_ERR; /* one instance only, and of a host with state */
    host_ctx = ctx;
    host = vtable;
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)i;
    for (uint32_t i = 0; i < WORKERS; i++) {
        Worker *w = &workers[i];
        pthread_mutex_init(&w->lock, NULL);
        pthread_cond_init(&w->wake, NULL);
        w->last = &w->first;
        if (pthread_create(&w->thread, NULL, run, w) != 0)
            return NR_STATUS_ERR;
    }
    return NR_STATUS_OK;
}

/* The workers meet all orders that are left, at once, and end. */
static void shut_down(void *plugin_ctx)
{
    (void)plugin_ctx;
    atomic_store(&closing, true);
    for (uint32_t i = 0; i < WORKERS; i++) {
        pthread_mutex_lock(&workers[i].lock);
        pthread_cond_broadcast(&workers[i].wake);
        pthread_mutex_unlock(&workers[i].lock);
    }
    for (uint32_t i = 0; i < WORKERS; i++)
        pthread_join(workers[i].thread, NULL);
}

static const NrPluginVTable vtable = { .init = init, .handle = handle, .shutdown = shut_down };

#define TEXT(literal) { .ptr = (const uint8_t *)(literal), .len = sizeof(literal) - 1 }

static const NrPluginInfo info = {
    .abi_version = NR_ABI_VERSION,
    .struct_size = sizeof(NrPluginInfo),
    .name = TEXT("soak"),
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
    if (api->get_extension != NULL)
        state = api->get_extension(api->host_ctx, NR_EXT_STATE);
}

NR_EXPORT const void *nylon_ring_get_extension_v1(void *plugin_ctx, const char *id)
{
    (void)plugin_ctx;
    return strcmp(id, "soak.books/1") == 0 ? &books : NULL;
}
