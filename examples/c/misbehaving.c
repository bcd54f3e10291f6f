/*
 * A validator for hosts: a plugin that does everything a plugin must not do, on request.
 *
 * The path says what, the query says how much. `bg=1` has it done by a thread of the pool and not inside `handle`, and
 * `delay=<microseconds>` later. Unless its line says otherwise a path ends with the right answer: status Ok and the
 * body of the request, which a caller can therefore make its own. What must never be delivered starts with "WRONG".
 *
 * The parts: misbehaving_core.h (threads, parameters), misbehaving_results.h (send_result, handle),
 * misbehaving_state.h (nylon.state/1). What can be wrong before the first call is in misloading.c.
 */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include "misbehaving_core.h"
#include "misbehaving_results.h"
#include "misbehaving_state.h"

static atomic_uint attached, attached_early, initialised, same_context;
static atomic_uint handled_early;
static const NrHostApi *host_api;

/* --- questions: what the plugin knows of itself and of the host --- */

/* Whether the host kept the order of attach, init and handle. */
static int64_t lifecycle(Call *c)
{
    return answer_text(c, "attached=%u attached_before_init=%u initialised=%u handled_before_init=%u same_context=%u api=%d state=%d",
                       atomic_load(&attached), atomic_load(&attached_early), atomic_load(&initialised),
                       atomic_load(&handled_early), atomic_load(&same_context),
                       host_api != NULL && host_api->struct_size >= sizeof(NrHostApi) && host_api->flags == 0,
                       state != NULL);
}

/* How many results were sent, this one included. */
static int64_t count(Call *c)
{
    return answer_text(c, "%" PRIu64, (uint64_t)atomic_load(&sent) + 1);
}

/* Answers when nothing is under way in the background but other /quiet. */
static int64_t quiet(Call *c)
{
    if (atomic_load(&busy) > 0)
        return 1000;
    return echo(c);
}

static int64_t stop(Call *c)
{
    atomic_fetch_add(&stops, 1);
    return echo(c);
}

static int64_t release(Call *c)
{
    atomic_fetch_add(&releases, 1);
    return echo(c);
}

static int64_t verdict(Call *c)
{
    return answer_text(c, "good=%u bad=%u", atomic_load(&good), atomic_load(&bad));
}

/* Ids that no host offers: all must be answered with NULL. */
static int64_t extensions(Call *c)
{
    static char endless_id[100000];
    static const char *const ids[] = { "", "nylon.state", "nylon.state/", "nylon.state/2", "nylon.state/1 ", "\xff\xfe", "%s%n" };
    unsigned offered = 0;

    if (host_api == NULL || host_api->get_extension == NULL)
        return answer_text(c, "no extensions at all");
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        offered += host_api->get_extension(host_api->host_ctx, ids[i]) != NULL;
    if (endless_id[0] == '\0')
        memset(endless_id, 'n', sizeof endless_id - 1);
    offered += host_api->get_extension(host_api->host_ctx, endless_id) != NULL;
    offered += host_api->get_extension(host_api->host_ctx, NULL) != NULL;
    if (offered == 0)
        return echo(c);
    return answer_text(c, "%u ids that no host knows are offered", offered);
}

static int64_t list_paths(Call *c);

/* --- the paths --- */

static const struct {
    const char *path;
    Step step;
} paths[] = {
    /* right */
    { "/echo", echo },
    { "/scribble", scribble },             /* overwrites its buffer after send_result */
    { "/tiny-stack", tiny_stack },         /* from a thread with 128 KiB of stack */
    { "/thread-exit", thread_exit },       /* from a destructor of thread-local data; one more for an unknown sid */
    { "/big", big },                       /* len, seed: len bytes, the i-th is (i * 31 + seed) mod 256 */
    { "/frames", frames },                 /* n, end: n frames (u32 index, body), then the status end */
    { "/endless", endless },               /* batch, pace, max: such frames until /stop */
    { "/hold", hold },                     /* tell, end: waits for /release; tell=1: a first frame, the sid */
    /* wrong: handle */
    { "/block", block },                   /* ms: sleeps inside handle */
    { "/refuse", refuse },                 /* v: handle returns v; no answer */
    { "/refuse-and-answer", refuse_and_answer }, /* v, thread, delay: the same, and an answer */
    { "/never", never },                   /* no answer */
    /* wrong: send_result */
    { "/status", raw_status },             /* v: the raw status of the answer */
    { "/payload", payload },               /* len, null, wild, status: an answer of len bytes at NULL, 1 or one byte */
    { "/duplicates", duplicates },         /* n, thread: n wrong ones after the answer */
    { "/after-end", after_end },           /* n, end: a frame, the status end, n wrong ones */
    { "/stale", stale },                   /* n: wrong ones for sids of earlier calls, which must have ended */
    { "/forge", forge },                   /* n, seed: wrong ones for sids that nobody gave out */
    { "/send-to", send_to_sid },           /* sid, n: wrong ones for this sid */
    { "/null-context", null_context },     /* n: with a null host_ctx */
    { "/race", race },                     /* n: that many threads at once, body and one letter */
    /* wrong: state */
    { "/state", misuse_state },            /* case, n: see misbehaving_state.h; Err and a text when the host did wrong */
    { "/state-after-end", state_after_end }, /* n: uses the state after the answer (a StreamEnd) */
    { "/state-hold", state_hold },         /* end: reads what get_state gave after /release; see /verdict */
    { "/state-threads", state_threads },   /* four threads at once, one sid */
    /* wrong: after shutdown */
    { "/linger", linger },                 /* ms: the threads go on for so long after shutdown */
    /* questions and orders */
    { "/lifecycle", lifecycle },
    { "/extensions", extensions },
    { "/count", count },
    { "/quiet", quiet },
    { "/stop", stop },
    { "/release", release },
    { "/verdict", verdict },
    { "/paths", list_paths },
};

enum { PATHS = sizeof paths / sizeof *paths };

static int64_t list_paths(Call *c)
{
    char text[2048];
    size_t len = 0;

    for (size_t i = 0; i < PATHS; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s\n", paths[i].path);
    send_to(c->sid, NR_STATUS_OK, text, len);
    return DONE;
}

static Step find(NrStr path)
{
    for (size_t i = 0; i < PATHS; i++)
        if (nr_str_eq(path, paths[i].path))
            return paths[i].step;
    return NULL;
}

/* --- the ABI --- */

static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes body)
{
    (void)plugin_ctx;
    if (host == NULL) {
        atomic_fetch_add(&handled_early, 1);
        return NR_STATUS_INVALID;
    }
    if (req == NULL)
        return NR_STATUS_INVALID;
    Call c = {
        .sid = sid,
        .step = find(req->path),
        .verdict = NR_STATUS_OK,
        .watcher = nr_str_eq(req->path, "/quiet"),
        .stops = atomic_load(&stops),
        .releases = atomic_load(&releases),
        .query = (const char *)req->query.ptr,
        .query_len = req->query.len,
        .body = body.ptr,
        .body_len = body.len,
    };
    remember(sid);
    if (c.step == NULL) {
        send_to(sid, NR_STATUS_UNSUPPORTED, "no such path", 12);
        return NR_STATUS_OK;
    }
    const uint64_t delay = param(&c, "delay", 0);
    if (c.step != refuse_and_answer && (delay > 0 || param(&c, "bg", 0) != 0)) {
        defer(&c, c.step, delay);
        return NR_STATUS_OK;
    }
    const int64_t again = c.step(&c);
    if (again != DONE)
        defer(&c, c.step, (uint64_t)again);
    return c.verdict;
}

static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable)
{
    (void)plugin_ctx;
    if (host != NULL)
        return NR_STATUS_ERR; /* one instance only: a host that wants two loads two copies */
    host_ctx = ctx;
    host = vtable;
    same_context = host_api != NULL && host_api->host_ctx == ctx;
    atomic_fetch_add(&initialised, 1);
    return start_pool() ? NR_STATUS_OK : NR_STATUS_ERR;
}

static void shut_down(void *plugin_ctx)
{
    const uint64_t us = atomic_load(&linger_us);
    const Call ghost = { .sid = 1 };

    (void)plugin_ctx;
    for (unsigned i = 0; i < 4 && us > 0; i++)
        defer(&ghost, haunt, 0);
    stop_pool(us);
}

static const NrPluginVTable vtable = { .init = init, .handle = handle, .shutdown = shut_down };

#define TEXT(literal) { .ptr = (const uint8_t *)(literal), .len = sizeof(literal) - 1 }

static const NrPluginInfo info = {
    .abi_version = NR_ABI_VERSION,
    .struct_size = sizeof(NrPluginInfo),
    .name = TEXT("misbehaving"),
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
    atomic_fetch_add(&attached, 1);
    if (host == NULL)
        atomic_fetch_add(&attached_early, 1);
    host_api = api;
    if (api->get_extension != NULL)
        state = api->get_extension(api->host_ctx, NR_EXT_STATE);
}

/* How many threads of this plugin run: for a test that loads the library itself. */
NR_EXPORT uint32_t misbehaving_threads(void);
NR_EXPORT uint32_t misbehaving_threads(void)
{
    return atomic_load(&threads);
}
