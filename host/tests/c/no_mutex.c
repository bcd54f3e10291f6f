/* Threads that do nothing but send results, and a record of every system call that they make. For tests/no_mutex.rs.
 *
 * Each sender puts a seccomp filter on itself that traps every system call. The handler of the trap counts the call by
 * its number and then makes it: the filter lets those of the handler through, by a mark in their sixth argument. The
 * filter is for that thread alone, and the only calls that it does not see are rt_sigreturn (the way out of the handler)
 * and exit (the end of the thread).
 *
 * Work is handed over without a lock: `handle` puts a sid into a place of a table, and the sender that the place belongs
 * to finds it there. A sender that has nothing to do goes round and round, because to sleep is a system call.
 *
 *   /call      SenderWork in the body: `junk` results for sids that have ended, then an answer of `len` bytes
 *   /stream    the same: `junk` frames of `len` bytes, then the end of the stream
 *   /contend   sender 0 holds a mutex until sender 1 has asked the kernel to wait for it, then answers
 *   /report    what was counted, as text: see `report`
 */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include <nylon_ring.h>

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#define PAUSE() __asm__ volatile("yield")
#else
#error "add this processor: the name of its system calls, and where a signal's context has their arguments"
#endif

enum { SENDERS = 2, PLACES = 256, STALE = 64, NUMBERS = 1024, FDS = 8, MARK = 0x6e79726e, ROOM = 256 };

typedef struct SenderWork {
    uint32_t junk, len;
} SenderWork;

/* Taken by `handle` (FREE to FILLING to READY), given back by its sender (READY to FREE). */
enum { FREE, FILLING, READY };
enum { CALL, STREAM, CONTEND };

typedef struct Place {
    atomic_uint state;
    unsigned kind;
    uint64_t sid;
    SenderWork work;
} Place;

typedef struct Sender {
    pthread_t thread;
    atomic_uint ready;       /* the filter is on, or cannot be had (`error`) */
    int error;
    atomic_ullong sent;
    atomic_ullong calls[NUMBERS]; /* system calls by number; the last one stands for all above */
    atomic_ullong bad_writes;     /* writes of another length than a doorbell's */
    atomic_int fds[FDS];          /* what was written to, plus one */
    uint64_t stale[STALE];        /* sids that have ended */
    uint64_t stale_count;
} Sender;

static void *host_ctx;
static const NrHostVTable *host;
static Sender senders[SENDERS];
static Place places[PLACES];
static atomic_uint next_place, closing, mutex_held;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static __thread Sender *self;

/* --- the trap --- */

static void count_fd(Sender *s, int fd)
{
    for (int i = 0; i < FDS; i++) {
        int none = 0;
        if (atomic_load(&s->fds[i]) == fd + 1 || atomic_compare_exchange_strong(&s->fds[i], &none, fd + 1))
            return;
    }
    atomic_fetch_add(&s->bad_writes, 1);
}

static void trapped(int signal, siginfo_t *info, void *context)
{
    const int saved = errno, number = info->si_syscall;
    ucontext_t *uc = context;
    Sender *s = self;

    (void)signal;
    if (s == NULL || number < 0)
        return;
#if defined(__x86_64__)
    greg_t *r = uc->uc_mcontext.gregs;
    const long a[5] = { r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8] };
#else
    unsigned long long *r = uc->uc_mcontext.regs;
    const long a[5] = { (long)r[0], (long)r[1], (long)r[2], (long)r[3], (long)r[4] };
#endif
    atomic_fetch_add(&s->calls[number < NUMBERS ? number : NUMBERS - 1], 1);
    if (number == SYS_write) {
        count_fd(s, (int)a[0]);
        if (a[2] != 8)
            atomic_fetch_add(&s->bad_writes, 1);
    }
    long result = syscall(number, a[0], a[1], a[2], a[3], a[4], (long)MARK);
    if (result == -1)
        result = -errno;
#if defined(__x86_64__)
    r[REG_RAX] = result;
#else
    r[0] = (unsigned long long)result;
#endif
    errno = saved;
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SKIP_UNLESS(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, n)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)

/* Returns 0, or why the kernel does not want to. */
static int trap_everything(void)
{
    struct sock_filter code[] = {
        LOAD(arch), SKIP_UNLESS(THIS_ARCH, 6),
        LOAD(args[5]), SKIP_UNLESS(MARK, 1), RETURN(SECCOMP_RET_ALLOW),
        LOAD(nr), SKIP_UNLESS(SYS_rt_sigreturn, 1), RETURN(SECCOMP_RET_ALLOW),
        SKIP_UNLESS(SYS_exit, 1), RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_TRAP),
    };
    const struct sock_fprog program = { .len = sizeof code / sizeof *code, .filter = code };
    const struct sigaction action = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_NODEFER };

    if (sigaction(SIGSYS, &action, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return errno;
    /* No SECCOMP_FILTER_FLAG_TSYNC: for this thread alone. */
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : errno;
}

/* --- the senders --- */

static void send(Sender *s, uint64_t sid, NrStatus status, const void *bytes, uint64_t len)
{
    host->send_result(host_ctx, sid, status, (NrBytes){ .ptr = bytes, .len = len });
    /* Before the caller can know: `sent` may be a result ahead, never behind by more than the one under way. */
    atomic_fetch_add(&s->sent, 1);
}

static void contend(unsigned me)
{
    const atomic_ullong *waits = &senders[1].calls[SYS_futex];

    if (me == 0) {
        const unsigned long long before = atomic_load(waits);
        pthread_mutex_lock(&mutex);
        atomic_store(&mutex_held, 1);
        while (atomic_load(waits) == before && atomic_load(&closing) == 0)
            PAUSE();
    } else {
        while (atomic_load(&mutex_held) == 0 && atomic_load(&closing) == 0)
            PAUSE();
        pthread_mutex_lock(&mutex);
    }
    pthread_mutex_unlock(&mutex);
}

static void serve(Sender *s, unsigned me, const Place *p)
{
    static const uint8_t bytes[ROOM] = { 'a', 'n', 's', 'w', 'e', 'r' };
    const NrStatus end = p->kind == STREAM ? NR_STATUS_STREAM_END : NR_STATUS_OK;

    if (p->kind == CONTEND)
        contend(me);
    for (uint32_t i = 0; i < p->work.junk; i++) {
        if (p->kind == STREAM)
            send(s, p->sid, NR_STATUS_OK, bytes, p->work.len);
        else
            send(s, s->stale[i % STALE], (NrStatus)(i % 5), bytes, p->work.len);
    }
    s->stale[s->stale_count++ % STALE] = p->sid;
    /* Last of all, so that what came before it is drained when its caller has it. */
    send(s, p->sid, end, bytes, p->work.len);
}

static void *run(void *arg)
{
    Sender *s = arg;
    const unsigned me = (unsigned)(s - senders);

    self = s;
    s->error = trap_everything();
    atomic_store(&s->ready, 1);
    while (s->error == 0 && atomic_load(&closing) == 0) {
        for (unsigned i = me; i < PLACES; i += SENDERS) {
            if (atomic_load(&places[i].state) != READY)
                continue;
            serve(s, me, &places[i]);
            atomic_store(&places[i].state, FREE);
        }
        PAUSE();
    }
    syscall(SYS_exit, 0); /* The C library's own way out makes system calls with signals blocked. */
    return NULL;
}

/* Gives work to the senders by turns. */
static NrStatus hand_over(uint64_t sid, unsigned kind, SenderWork work)
{
    for (unsigned tries = 0; tries < PLACES; tries++) {
        Place *p = &places[atomic_fetch_add(&next_place, 1) % PLACES];
        unsigned expected = FREE;
        if (!atomic_compare_exchange_strong(&p->state, &expected, FILLING))
            continue;
        p->sid = sid;
        p->kind = kind;
        p->work = work;
        atomic_store(&p->state, READY);
        return NR_STATUS_OK;
    }
    return NR_STATUS_ERR;
}

/* --- the ABI --- */

/* error, and over all senders: results sent, writes, writes that were none of a doorbell's, futex calls, yields, all
 * others, the first of those others, and the descriptors written to. */
static void report(uint64_t sid)
{
    unsigned long long sent = 0, writes = 0, bad = 0, futex = 0, yields = 0, others = 0;
    int first = -1, error = 0;
    char text[512], fds[256] = "";
    size_t at = 0;

    for (int t = 0; t < SENDERS; t++) {
        Sender *s = &senders[t];
        error = error != 0 ? error : s->error;
        sent += atomic_load(&s->sent);
        bad += atomic_load(&s->bad_writes);
        for (int n = 0; n < NUMBERS; n++) {
            const unsigned long long calls = atomic_load(&s->calls[n]);
            if (n == SYS_write)
                writes += calls;
            else if (n == SYS_futex)
                futex += calls;
            else if (n == SYS_sched_yield)
                yields += calls;
            else if (calls > 0) {
                others += calls;
                first = first < 0 ? n : first;
            }
        }
        for (int i = 0; i < FDS && atomic_load(&s->fds[i]) > 0; i++)
            at += (size_t)snprintf(fds + at, sizeof fds - at, " %d", atomic_load(&s->fds[i]) - 1);
    }
    const int len = snprintf(text, sizeof text, "%d %llu %llu %llu %llu %llu %llu %d%s", error, sent, writes, bad, futex,
                             yields, others, first, fds);
    host->send_result(host_ctx, sid, NR_STATUS_OK, nr_bytes(text, (size_t)len));
}

static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes body)
{
    SenderWork work = { 0, 0 };

    (void)plugin_ctx;
    if (nr_str_eq(req->path, "/report")) {
        report(sid);
        return NR_STATUS_OK;
    }
    if (body.len == sizeof work)
        memcpy(&work, body.ptr, sizeof work);
    if (work.len > ROOM)
        return NR_STATUS_INVALID;
    if (nr_str_eq(req->path, "/call"))
        return hand_over(sid, CALL, work);
    if (nr_str_eq(req->path, "/stream"))
        return hand_over(sid, STREAM, work);
    /* Two calls, one after the other, so that each sender gets one. */
    if (nr_str_eq(req->path, "/contend"))
        return hand_over(sid, CONTEND, work);
    return NR_STATUS_UNSUPPORTED;
}

static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable)
{
    (void)plugin_ctx;
    host_ctx = ctx;
    host = vtable;
    for (int i = 0; i < SENDERS; i++) {
        if (pthread_create(&senders[i].thread, NULL, run, &senders[i]) != 0)
            return NR_STATUS_ERR;
        while (atomic_load(&senders[i].ready) == 0)
            PAUSE();
    }
    return NR_STATUS_OK;
}

static void shut_down(void *plugin_ctx)
{
    (void)plugin_ctx;
    atomic_store(&closing, 1);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
}

static const NrPluginVTable vtable = { .init = init, .handle = handle, .shutdown = shut_down };

#define TEXT(literal) { .ptr = (const uint8_t *)(literal), .len = sizeof(literal) - 1 }

static const NrPluginInfo info = {
    .abi_version = NR_ABI_VERSION,
    .struct_size = sizeof(NrPluginInfo),
    .name = TEXT("no_mutex"),
    .version = TEXT("0.1.0"),
    .vtable = &vtable,
};

NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void)
{
    return &info;
}
