/*
 * nylon_ring.h: the nylon-ring plugin ABI, version 1.
 *
 * A host loads a plugin (a shared library), hands it requests, and goes on. The plugin answers later, from any thread,
 * through one callback, send_result. This header is the specification: every pointer and function below says who owns
 * it, how long it lives, which thread may use it, and when. C11 or C++11 and later; 64-bit little-endian targets.
 *
 * Life of a plugin
 * ----------------
 *
 *   phase   the host calls                                           on which thread
 *   -----   ------------------------------------------------------   -------------------------------
 *   load    nylon_ring_get_plugin_v1                                 the loading thread
 *           nylon_ring_attach_host_v1, once, if exported             the same
 *   start   init, once, if present                                   the same
 *   run     handle, any number of times                              any threads, at the same time
 *   stop    shutdown, at most once, if present; every handle has     any thread
 *           returned before
 *
 *   nylon_ring_get_extension_v1, if exported, may be called in any phase after nylon_ring_get_plugin_v1 returned
 *   and before shutdown is called, on any thread.
 *
 *   One process may load a library several times. Each load goes through these phases with a host_ctx of its own, and
 *   all share the library's statics. "Once" below means once for each load.
 *
 *   The library stays mapped after shutdown, unless the plugin has stated that all its threads have stopped.
 *
 * One call
 * --------
 *
 *   The host calls handle(plugin_ctx, sid, req, payload). The plugin copies what it needs and returns NR_STATUS_OK at
 *   once; it never blocks, sleeps or waits there. Then, from any thread, before or after handle has returned:
 *
 *     unary call       exactly one send_result for the sid. The first one counts; later ones are dropped and counted.
 *     streaming call   any number of NR_STATUS_OK frames, then exactly one terminal frame of any other status.
 *                      Frames that one thread sends for one sid arrive in the order sent. Frames after the terminal
 *                      one are dropped and counted.
 *
 *   Any other return value of handle is a synchronous refusal, after which no result may be sent for that sid. It is
 *   meant for a bad request struct, a null context or a broken contract; errors at run time are sent as results.
 *
 * Rules for both sides
 * --------------------
 *
 *   - Borrowed views (NrStr, NrBytes, NrRequest and all they point to) are valid until the call that passed them
 *     returns. Who keeps the data copies it.
 *   - A null pointer with length 0 is empty. A null pointer with a length above 0, a length past INT64_MAX, or text
 *     that is not UTF-8 is answered NR_STATUS_INVALID and never read.
 *   - No exception, panic or longjmp leaves a function that the other side called.
 *   - A sid that is unknown, stale, foreign or forged does no harm: what is sent for it is dropped and counted.
 *   - Reserved fields are zero, and ignored by the reader.
 */
#ifndef NYLON_RING_H
#define NYLON_RING_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__cplusplus)
#define NR_STATIC_ASSERT(condition, message) static_assert(condition, message)
#define NR_ALIGNOF(type) alignof(type)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define NR_STATIC_ASSERT(condition, message) _Static_assert(condition, message)
#define NR_ALIGNOF(type) _Alignof(type)
#else
#error "nylon_ring.h needs C11 or C++11"
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the nylon-ring ABI is defined for little-endian targets only"
#endif
NR_STATIC_ASSERT(sizeof(void *) == 8, "the nylon-ring ABI is defined for 64-bit targets only");

/* Marks the functions that a plugin exports. */
#ifndef NR_EXPORT
#if defined(_WIN32)
#define NR_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define NR_EXPORT __attribute__((visibility("default")))
#else
#define NR_EXPORT
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the ABI that this header describes: NrPluginInfo.abi_version. */
#define NR_ABI_VERSION 1u

/* The names of the exported symbols, for those who look them up. */
#define NR_ENTRY_SYMBOL "nylon_ring_get_plugin_v1"
#define NR_ATTACH_HOST_SYMBOL "nylon_ring_attach_host_v1"
#define NR_GET_EXTENSION_SYMBOL "nylon_ring_get_extension_v1"

/* -------------------------------------------------------------------------------------------------- plain data --- */

/*
 * How a call, or one frame of a stream, ended.
 *
 * An integer and not an enum, because it is legal to receive a value that is not listed here: from a newer peer, or from
 * a faulty one. A C++ or Rust compiler may assume that an enum has none but its listed values; of an integer it may
 * not. A host treats an unknown value as NR_STATUS_ERR, and counts it.
 */
typedef uint32_t NrStatus;

#define NR_STATUS_OK 0u          /* success; of a stream: one more frame, and others follow */
#define NR_STATUS_ERR 1u         /* the plugin failed at run time; terminal */
#define NR_STATUS_INVALID 2u     /* the request or the result broke the contract; terminal */
#define NR_STATUS_UNSUPPORTED 3u /* the plugin does not do what was asked; terminal */
#define NR_STATUS_STREAM_END 4u  /* the last frame of a stream; terminal */

/*
 * Borrowed UTF-8 text, without a terminating NUL.
 *
 * Whoever passed it owns it. Valid until the call that passed it returns, unless said otherwise where it is returned.
 */
typedef struct NrStr {
  const uint8_t *ptr; /* first byte; may be NULL (or anything) when len is 0, and is then never read */
  uint32_t len;       /* in bytes */
} NrStr;

/*
 * Borrowed bytes of no particular format.
 *
 * Whoever passed them owns them. Valid until the call that passed them returns, unless said otherwise where they are
 * returned.
 */
typedef struct NrBytes {
  const uint8_t *ptr; /* first byte; may be NULL (or anything) when len is 0, and is then never read */
  uint64_t len;       /* in bytes, at most INT64_MAX */
} NrBytes;

/* A header: a name, in the case the caller wrote it, and a value. Borrowed as NrStr is. */
typedef struct NrHeader {
  NrStr key;
  NrStr value;
} NrHeader;

/*
 * A request's metadata; the body is the payload of handle.
 *
 * The host owns the struct and all it points to; both are valid until handle returns, and nobody writes to them
 * meanwhile.
 */
typedef struct NrRequest {
  NrStr path;
  NrStr method;
  NrStr query;             /* without the question mark; empty when there is none */
  const NrHeader *headers; /* the first of headers_len; may be NULL when there are none */
  uint32_t headers_len;    /* in headers, not bytes */
  uint32_t _reserved0;
  uint64_t _reserved1;
} NrRequest;

/* --------------------------------------------------------------------------------------- functions of the host --- */

/*
 * What the host offers to a plugin: the way back.
 *
 * The host owns it, passes a pointer to it to init, and neither frees nor changes it while a thread of the plugin can
 * run. Any thread may read it.
 */
typedef struct NrHostVTable {
  /*
   * Delivers the result of a call, or one frame of a stream. Never NULL.
   *
   * host_ctx  what init was given
   * sid       what handle was given
   * status    for a unary call, any; for a stream, NR_STATUS_OK or one that ends it
   * payload   copied before this returns; the plugin keeps its memory. With an error status, by custom a UTF-8 text
   *
   * thread    any; also from within handle
   * phase     from the call of init on. After shutdown it does nothing but count
   * returns   nothing: what goes wrong is counted by the host. It never blocks
   */
  void (*send_result)(void *host_ctx, uint64_t sid, NrStatus status, NrBytes payload);
} NrHostVTable;

/*
 * The host's door to extensions, passed to nylon_ring_attach_host_v1.
 *
 * The host owns it, and neither frees nor changes it while a thread of the plugin can run. Any thread may read it.
 */
typedef struct NrHostApi {
  uint32_t struct_size; /* of this struct as the host knows it, in bytes; it only grows */
  uint32_t flags;       /* reserved: zero */
  void *host_ctx;       /* the host's own, opaque; the first argument of every host function */

  /*
   * Finds the table of an extension. May be NULL in a host without extensions.
   *
   * id        NUL-terminated, "nylon.<name>/<revision>"; read only during the call
   *
   * thread    any
   * phase     from the call of nylon_ring_attach_host_v1 on
   * returns   the table, which the host owns and which lives as long as this struct; NULL when it is not offered.
   *           The answer for an id is always the same
   */
  const void *(*get_extension)(void *host_ctx, const char *id);
} NrHostApi;

/*
 * The state extension: a small map from text to bytes for each sid, kept by the host.
 *
 * The first set_state of a sid creates it; it lives until the call completes or the stream ends. A table of an
 * extension never changes; a new revision gets a new id. (The tables of all other extensions start with their own
 * struct_size. This one is older than that rule, and its size is fixed.)
 */
#define NR_EXT_STATE "nylon.state/1"

typedef struct NrHostExt {
  /*
   * Stores a copy of value under a copy of key, in place of what was there. Never NULL.
   *
   * host_ctx  that of NrHostApi, which is that of init
   * sid       what handle was given
   * key       UTF-8; borrowed for the call
   * value     borrowed for the call
   *
   * thread    any
   * phase     from the call of handle for the sid until its terminal result is sent
   * returns   empty on success; otherwise an error text in UTF-8, which is static
   */
  NrBytes (*set_state)(void *host_ctx, uint64_t sid, NrStr key, NrBytes value);

  /*
   * Reads what set_state stored. Never NULL. Arguments, thread and phase as there.
   *
   * returns   the bytes, which the host owns and the plugin only reads; they stay valid, even if the key is set
   *           again, until the plugin has sent the terminal result of the sid. NULL and 0 when there is none
   */
  NrBytes (*get_state)(void *host_ctx, uint64_t sid, NrStr key);
} NrHostExt;

/* ------------------------------------------------------------------------------------- functions of the plugin --- */

/*
 * What a plugin offers to the host.
 *
 * The plugin owns it; valid and unchanged for as long as its library is loaded. Any thread may read it.
 */
typedef struct NrPluginVTable {
  /*
   * Starts the plugin. May be NULL.
   *
   * plugin_ctx   that of NrPluginInfo
   * host_ctx     the host's own, opaque; the plugin keeps it for send_result and never frees it
   * host_vtable  never NULL; the plugin may keep the pointer, and never frees it. See NrHostVTable
   *
   * thread       the loading thread
   * phase        start: once, before any handle
   * returns      NR_STATUS_OK; any other status refuses to start: the plugin is not used, and shutdown not called
   */
  NrStatus (*init)(void *plugin_ctx, void *host_ctx, const NrHostVTable *host_vtable);

  /*
   * Takes one request. Never NULL.
   *
   * plugin_ctx   that of NrPluginInfo
   * sid          names the call in send_result and everywhere else. Opaque
   * req          valid until this returns, with all it points to; copy what is needed
   * payload      the body; valid until this returns
   *
   * thread       any, several at the same time
   * phase        run
   * returns      NR_STATUS_OK if a result for sid will be sent, or was. Any other status is a refusal, after which no
   *              result may be sent for sid. At once: it never blocks, sleeps or waits
   */
  NrStatus (*handle)(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes payload);

  /*
   * Stops the plugin. May be NULL.
   *
   * plugin_ctx   that of NrPluginInfo
   *
   * thread       any
   * phase        stop: at most once, after every handle has returned
   * returns      nothing. Results sent later are dropped and counted
   */
  void (*shutdown)(void *plugin_ctx);
} NrPluginVTable;

/*
 * What a plugin says of itself.
 *
 * The plugin owns it, with all it points to; valid and unchanged for as long as its library is loaded. Any thread may
 * read it.
 */
typedef struct NrPluginInfo {
  uint32_t abi_version;         /* NR_ABI_VERSION; the host refuses any other */
  uint32_t struct_size;         /* sizeof(NrPluginInfo) as the plugin knows it; the host refuses a smaller one */
  NrStr name;                   /* lives as long as this struct */
  NrStr version;                /* such as "0.1.0"; lives as long as this struct */
  void *plugin_ctx;             /* the plugin's own, opaque to the host; may be NULL. First argument of its functions */
  const NrPluginVTable *vtable; /* never NULL; lives as long as this struct */
} NrPluginInfo;

/* The types of the exported functions, for those who look them up. */
typedef const NrPluginInfo *(*NrGetPluginFn)(void);
typedef void (*NrAttachHostFn)(void *plugin_ctx, const NrHostApi *api);
typedef const void *(*NrGetExtensionFn)(void *plugin_ctx, const char *id);

/*
 * The exported functions. Define NR_NO_PROTOTYPES before including this header if your language declares them itself
 * (cgo does).
 */
#ifndef NR_NO_PROTOTYPES

/*
 * The entry point; every plugin exports it.
 *
 * thread    the loading thread
 * phase     load: before anything else
 * returns   the plugin's info, the same each time (see NrPluginInfo); NULL if the plugin cannot be used
 */
NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void);

/*
 * Optional: shows the plugin the host's extensions.
 *
 * plugin_ctx  that of NrPluginInfo
 * api         never NULL; the plugin may keep the pointer, and never frees it. See NrHostApi
 *
 * thread      the loading thread
 * phase       load: once, before init
 */
NR_EXPORT void nylon_ring_attach_host_v1(void *plugin_ctx, const NrHostApi *api);

/*
 * Optional: shows the host the plugin's extensions.
 *
 * plugin_ctx  that of NrPluginInfo
 * id          NUL-terminated, "nylon.<name>/<revision>"; read only during the call
 *
 * thread      any
 * phase       after nylon_ring_get_plugin_v1 returned and before shutdown is called
 * returns     the extension's table, which the plugin owns and which lives as long as its library is loaded; NULL when
 *             it is not offered. The answer for an id is always the same
 */
NR_EXPORT const void *nylon_ring_get_extension_v1(void *plugin_ctx, const char *id);

#endif /* NR_NO_PROTOTYPES */

/* ---------------------------------------------------------------------------------------- further extensions --- */

/*
 * The tables below are optional, on both sides: ask get_extension, and do without what is not there.
 *
 *   offered by the host     nylon.state/1 (above), log, stream, cancel, deadline, config, buffer
 *   offered by the plugin   instance, quiesce, health
 *
 * Each begins with its own size. One whose struct_size is smaller than the table here, or that has a NULL function, is
 * that of a broken peer and is not used. A table never changes: a new revision gets a new id. Like NrHostApi, the
 * host's tables are neither freed nor changed while a thread of the plugin can run; the plugin's live as long as its
 * library is loaded. host_ctx is always that of NrHostApi, and a sid that names no open call does no harm.
 *
 * Callbacks that a plugin registers
 * ---------------------------------
 *
 *   A callback that was registered (NR_WATCH_REGISTERED) is called exactly once: when what it waits for happens, or
 *   else when the call is over, with NR_EVENT_OVER. So it is the place to free user. It may be called before the
 *   function that registers it has returned, on any thread of the host or of the plugin, never under a lock. It must
 *   not block, and no exception or panic may leave it. It may call any function of the host.
 *
 *   A call is over when its caller has let go of it, which may be after shutdown has returned: a plugin does not state
 *   that it is quiescent (nylon.quiesce/1) before all its callbacks have come.
 */
typedef void (*NrCallback)(void *user, uint64_t sid, uint32_t event);

/* Why a callback is called. */
#define NR_EVENT_OVER 0u      /* nothing happened, and nothing will: the call is over */
#define NR_EVENT_CANCELLED 1u /* the caller has given the call up; the plugin still owes a terminal result */
#define NR_EVENT_WRITABLE 2u  /* the stream takes frames again */

/* What became of a registration. */
#define NR_WATCH_REGISTERED 0u /* the callback is, or was, called exactly once */
#define NR_WATCH_ALREADY 1u    /* what it waits for is so now; the callback is not called */
#define NR_WATCH_CLOSED 2u     /* the call is over, given up or unknown; the callback is not called */
#define NR_WATCH_REFUSED 3u    /* callback is NULL, or the host's buffer limit is reached; it is not called */

/*
 * Logging through the host.
 */
#define NR_EXT_LOG "nylon.log/1"

#define NR_LOG_ERROR 1u
#define NR_LOG_WARN 2u
#define NR_LOG_INFO 3u
#define NR_LOG_DEBUG 4u
#define NR_LOG_TRACE 5u

typedef struct NrLogExt {
  uint32_t struct_size; /* sizeof(NrLogExt) */
  uint32_t _reserved0;

  /*
   * Whether a message of this level would be kept, so that one that would not need not be made.
   *
   * thread    any
   * returns   1 or 0
   */
  uint32_t (*enabled)(void *host_ctx, uint32_t level);

  /*
   * Logs one message.
   *
   * sid       the call that it is about; 0 for none
   * level     NR_LOG_ERROR to NR_LOG_TRACE; any other value counts as NR_LOG_TRACE
   * target    which part of the plugin speaks, such as "auth::token"; may be empty. Borrowed for the call
   * message   UTF-8; borrowed for the call. What is not UTF-8 is replaced
   *
   * thread    any
   * phase     from the call of nylon_ring_attach_host_v1 on
   */
  void (*log)(void *host_ctx, uint64_t sid, uint32_t level, NrStr target, NrStr message);
} NrLogExt;

/*
 * Frames with backpressure. send_result never refuses a frame: what its receiver does not take is buffered, and past the
 * buffer limit the stream ends with an error. try_send refuses one as soon as the stream's window is full.
 */
#define NR_EXT_STREAM "nylon.stream/1"

#define NR_SEND_SENT 0u    /* sent */
#define NR_SEND_FULL 1u    /* not sent: the window is full. See on_writable */
#define NR_SEND_CLOSED 2u  /* not sent: the call is over, given up or unknown */
#define NR_SEND_INVALID 3u /* not sent: payload cannot be read, or is longer than the host's buffer limit */

typedef struct NrStreamExt {
  uint32_t struct_size; /* sizeof(NrStreamExt) */
  uint32_t _reserved0;

  /*
   * Sends one frame of status NR_STATUS_OK, if the window has room. A terminal frame needs none: it goes by send_result.
   * Frames of one thread arrive in the order sent, by whichever of the two. To a unary call this sends its result.
   *
   * payload   copied before this returns
   *
   * thread    any
   * phase     from the call of handle for the sid until its terminal result is sent
   * returns   NR_SEND_...; at once
   */
  uint32_t (*try_send)(void *host_ctx, uint64_t sid, NrBytes payload);

  /*
   * Has callback called with NR_EVENT_WRITABLE once half of the window is free, with NR_EVENT_CANCELLED once the caller
   * gives the stream up, or else with NR_EVENT_OVER.
   *
   * thread, phase   as try_send
   * returns         NR_WATCH_...; NR_WATCH_ALREADY if half of the window is free now
   */
  uint32_t (*on_writable)(void *host_ctx, uint64_t sid, NrCallback callback, void *user);

  /*
   * How many frames the window has room for now. 0 for a sid that is not open.
   *
   * thread, phase   as try_send
   */
  uint64_t (*credits)(void *host_ctx, uint64_t sid);
} NrStreamExt;

/*
 * Cancellation: the caller has dropped its future or receiver, its deadline has passed, or it was sent away because the
 * host is closing. The plugin may stop working, and sends a terminal result all the same, which is dropped.
 */
#define NR_EXT_CANCEL "nylon.cancel/1"

typedef struct NrCancelExt {
  uint32_t struct_size; /* sizeof(NrCancelExt) */
  uint32_t _reserved0;

  /*
   * Whether nobody waits for results of this sid any more: it was given up, has its result, or is unknown.
   *
   * thread    any
   * returns   1 or 0; a few nanoseconds
   */
  uint32_t (*is_cancelled)(void *host_ctx, uint64_t sid);

  /*
   * Has callback called with NR_EVENT_CANCELLED once the caller gives the call up, or else with NR_EVENT_OVER. Several
   * may be registered for one sid.
   *
   * thread    any
   * phase     from the call of handle for the sid until its terminal result is sent
   * returns   NR_WATCH_REGISTERED, NR_WATCH_CLOSED or NR_WATCH_REFUSED
   */
  uint32_t (*on_cancel)(void *host_ctx, uint64_t sid, NrCallback callback, void *user);
} NrCancelExt;

/*
 * Deadlines: how long the caller still waits. Past it the call is cancelled.
 */
#define NR_EXT_DEADLINE "nylon.deadline/1"

#define NR_NO_DEADLINE UINT64_MAX

typedef struct NrDeadlineExt {
  uint32_t struct_size; /* sizeof(NrDeadlineExt) */
  uint32_t _reserved0;

  /*
   * How long until the deadline of the call, in nanoseconds.
   *
   * thread    any
   * phase     from the call of handle for the sid until its terminal result is sent
   * returns   0 when it has passed, or the sid is not open; NR_NO_DEADLINE when there is none
   */
  uint64_t (*remaining)(void *host_ctx, uint64_t sid);
} NrDeadlineExt;

/*
 * The configuration that the host was given for this plugin: bytes, of a format that plugin and operator agree on. (The
 * SDKs take it for JSON.)
 */
#define NR_EXT_CONFIG "nylon.config/1"

typedef struct NrConfigExt {
  uint32_t struct_size; /* sizeof(NrConfigExt) */
  uint32_t _reserved0;

  /*
   * thread    any
   * phase     from the call of nylon_ring_attach_host_v1 on
   * returns   the bytes, which the host owns and which live as long as NrHostApi; empty when there are none
   */
  NrBytes (*get)(void *host_ctx);
} NrConfigExt;

/*
 * Results written in place: the plugin writes into memory of the host, which becomes the caller's without a copy.
 */
#define NR_EXT_BUFFER "nylon.buffer/1"

typedef struct NrBuffer {
  uint8_t *ptr;      /* the first byte, zero like all others; NULL if there is none to be had */
  uint64_t capacity; /* how many bytes may be written */
  uint64_t _lease;   /* the host's own */
} NrBuffer;

typedef struct NrBufferExt {
  uint32_t struct_size; /* sizeof(NrBufferExt) */
  uint32_t _reserved0;

  /*
   * Reserves memory for a result of sid. The plugin alone reads and writes it, from any thread, until it gives the
   * buffer to commit or release, exactly once.
   *
   * thread    any
   * phase     from the call of handle for the sid until its terminal result is sent
   * returns   a buffer of at least len bytes; ptr is NULL when the sid is not open, len is 0 or does not fit the host's
   *           buffer limit, or there is no memory
   */
  NrBuffer (*reserve)(void *host_ctx, uint64_t sid, uint64_t len);

  /*
   * As send_result, with the first len bytes of buffer for a payload. The buffer is the host's again, whatever comes of
   * it. One that was given back before, or was never reserved, is counted and ignored; a len past its capacity makes the
   * result NR_STATUS_INVALID.
   *
   * sid       the one that it was reserved for
   * thread    any
   */
  void (*commit)(void *host_ctx, uint64_t sid, NrStatus status, NrBuffer buffer, uint64_t len);

  /*
   * Gives a buffer back without sending anything.
   *
   * thread    any
   */
  void (*release)(void *host_ctx, NrBuffer buffer);
} NrBufferExt;

/*
 * Offered by the plugin: several instances from one library. The plugin_ctx of NrPluginInfo is the first one.
 */
#define NR_EXT_INSTANCE "nylon.instance/1"

typedef struct NrInstanceExt {
  uint32_t struct_size; /* sizeof(NrInstanceExt) */
  uint32_t _reserved0;

  /*
   * Makes another instance. It goes through the same life as the first, from nylon_ring_attach_host_v1 on, with
   * *instance_ctx in the place of plugin_ctx, and with a host_ctx of its own.
   *
   * plugin_ctx     that of NrPluginInfo
   * instance_ctx   where the instance's context is written; never NULL
   *
   * thread         any
   * phase          from the return of nylon_ring_get_plugin_v1 on; the first instance need not be started
   * returns        NR_STATUS_OK if *instance_ctx was written
   */
  NrStatus (*create)(void *plugin_ctx, void **instance_ctx);

  /*
   * Frees an instance that create made.
   *
   * thread   any
   * phase    after its shutdown has returned or its init has failed, and after all its threads have stopped (see
   *          nylon.quiesce/1; an instance of a plugin without it is never freed)
   */
  void (*destroy)(void *plugin_ctx, void *instance_ctx);
} NrInstanceExt;

/*
 * Offered by the plugin: a statement that its threads have stopped, without which its library is never unmapped.
 */
#define NR_EXT_QUIESCE "nylon.quiesce/1"

typedef struct NrQuiesceExt {
  uint32_t struct_size; /* sizeof(NrQuiesceExt) */
  uint32_t _reserved0;

  /*
   * plugin_ctx   that of NrPluginInfo, or of an instance
   *
   * thread       any, one at a time
   * phase        after shutdown has returned; asked again for as long as it says 0
   * returns      1 once no thread but the caller's runs code of this instance, holds a pointer of its host or calls it, and
   *              none ever will again; otherwise 0. Once 1, always 1
   */
  uint32_t (*is_quiescent)(void *plugin_ctx);
} NrQuiesceExt;

/*
 * Offered by the plugin: how it is.
 */
#define NR_EXT_HEALTH "nylon.health/1"

typedef struct NrHealthExt {
  uint32_t struct_size; /* sizeof(NrHealthExt) */
  uint32_t _reserved0;

  /*
   * plugin_ctx   that of NrPluginInfo, or of an instance
   * detail       where a text for the operator may be written, which lives until the next call of this; comes in empty
   *
   * thread       any, one at a time
   * phase        run
   * returns      NR_STATUS_OK: well. NR_STATUS_ERR: cannot serve. Soon: it never blocks
   */
  NrStatus (*check)(void *plugin_ctx, NrStr *detail);
} NrHealthExt;

/* ----------------------------------------------------------------------------------------------------- helpers --- */

/*
 * A view of a NUL-terminated text, which stays the caller's; NULL gives the empty text. Past UINT32_MAX bytes it views
 * the longest prefix of whole characters that fits.
 */
static inline NrStr nr_str(const char *text) {
  NrStr view;
  size_t len = text != NULL ? strlen(text) : 0;
  if (len > UINT32_MAX) {
    len = UINT32_MAX;
    while (len > 0 && ((unsigned char)text[len] & 0xC0u) == 0x80u) {
      len--;
    }
  }
  view.ptr = (const uint8_t *)text;
  view.len = (uint32_t)len;
  return view;
}

/* A view of len bytes at ptr, which stay the caller's. */
static inline NrBytes nr_bytes(const void *ptr, size_t len) {
  NrBytes view;
  view.ptr = (const uint8_t *)ptr;
  view.len = (uint64_t)len;
  return view;
}

/* 1 if view is the same text as the NUL-terminated one, otherwise 0. NULL is the empty text. */
static inline int nr_str_eq(NrStr view, const char *text) {
  size_t len = text != NULL ? strlen(text) : 0;
  if (view.len != len) {
    return 0;
  }
  if (len == 0) {
    return 1;
  }
  return view.ptr != NULL && memcmp(view.ptr, text, len) == 0;
}

/* 1 if a frame of this status ends its stream, otherwise 0. */
static inline int nr_status_is_terminal(NrStatus status) { return status != NR_STATUS_OK; }

/*
 * The table of one of the host's extensions; NULL if the host does not offer it. table_size is the size of the table as
 * this header knows it: a smaller one is not used.
 *
 *   const NrLogExt *log = (const NrLogExt *)nr_host_extension(api, NR_EXT_LOG, sizeof(NrLogExt));
 *
 * For all tables but NrHostExt, which has no size of its own.
 */
static inline const void *nr_host_extension(const NrHostApi *api, const char *id, size_t table_size) {
  const uint32_t *table = NULL;
  if (api != NULL && api->struct_size >= sizeof(NrHostApi) && api->get_extension != NULL) {
    table = (const uint32_t *)api->get_extension(api->host_ctx, id);
  }
  return table != NULL && *table >= table_size ? table : NULL;
}

/* ------------------------------------------------------------------------------------------------------ layout --- */

#define NR_ASSERT_TYPE(type, size, alignment)                             \
  NR_STATIC_ASSERT(sizeof(type) == (size), #type ": size");               \
  NR_STATIC_ASSERT(NR_ALIGNOF(type) == (alignment), #type ": alignment")

#define NR_ASSERT_FIELD(type, field, offset, size)                                    \
  NR_STATIC_ASSERT(offsetof(type, field) == (offset), #type "." #field ": offset");   \
  NR_STATIC_ASSERT(sizeof(((type *)0)->field) == (size), #type "." #field ": size")

NR_ASSERT_TYPE(NrStatus, 4, 4);

NR_ASSERT_TYPE(NrStr, 16, 8);
NR_ASSERT_FIELD(NrStr, ptr, 0, 8);
NR_ASSERT_FIELD(NrStr, len, 8, 4);

NR_ASSERT_TYPE(NrBytes, 16, 8);
NR_ASSERT_FIELD(NrBytes, ptr, 0, 8);
NR_ASSERT_FIELD(NrBytes, len, 8, 8);

NR_ASSERT_TYPE(NrHeader, 32, 8);
NR_ASSERT_FIELD(NrHeader, key, 0, 16);
NR_ASSERT_FIELD(NrHeader, value, 16, 16);

NR_ASSERT_TYPE(NrRequest, 72, 8);
NR_ASSERT_FIELD(NrRequest, path, 0, 16);
NR_ASSERT_FIELD(NrRequest, method, 16, 16);
NR_ASSERT_FIELD(NrRequest, query, 32, 16);
NR_ASSERT_FIELD(NrRequest, headers, 48, 8);
NR_ASSERT_FIELD(NrRequest, headers_len, 56, 4);
NR_ASSERT_FIELD(NrRequest, _reserved0, 60, 4);
NR_ASSERT_FIELD(NrRequest, _reserved1, 64, 8);

NR_ASSERT_TYPE(NrHostVTable, 8, 8);
NR_ASSERT_FIELD(NrHostVTable, send_result, 0, 8);

NR_ASSERT_TYPE(NrPluginVTable, 24, 8);
NR_ASSERT_FIELD(NrPluginVTable, init, 0, 8);
NR_ASSERT_FIELD(NrPluginVTable, handle, 8, 8);
NR_ASSERT_FIELD(NrPluginVTable, shutdown, 16, 8);

NR_ASSERT_TYPE(NrPluginInfo, 56, 8);
NR_ASSERT_FIELD(NrPluginInfo, abi_version, 0, 4);
NR_ASSERT_FIELD(NrPluginInfo, struct_size, 4, 4);
NR_ASSERT_FIELD(NrPluginInfo, name, 8, 16);
NR_ASSERT_FIELD(NrPluginInfo, version, 24, 16);
NR_ASSERT_FIELD(NrPluginInfo, plugin_ctx, 40, 8);
NR_ASSERT_FIELD(NrPluginInfo, vtable, 48, 8);

NR_ASSERT_TYPE(NrHostExt, 16, 8);
NR_ASSERT_FIELD(NrHostExt, set_state, 0, 8);
NR_ASSERT_FIELD(NrHostExt, get_state, 8, 8);

NR_ASSERT_TYPE(NrHostApi, 24, 8);
NR_ASSERT_FIELD(NrHostApi, struct_size, 0, 4);
NR_ASSERT_FIELD(NrHostApi, flags, 4, 4);
NR_ASSERT_FIELD(NrHostApi, host_ctx, 8, 8);
NR_ASSERT_FIELD(NrHostApi, get_extension, 16, 8);

NR_ASSERT_TYPE(NrLogExt, 24, 8);
NR_ASSERT_FIELD(NrLogExt, struct_size, 0, 4);
NR_ASSERT_FIELD(NrLogExt, _reserved0, 4, 4);
NR_ASSERT_FIELD(NrLogExt, enabled, 8, 8);
NR_ASSERT_FIELD(NrLogExt, log, 16, 8);

NR_ASSERT_TYPE(NrStreamExt, 32, 8);
NR_ASSERT_FIELD(NrStreamExt, struct_size, 0, 4);
NR_ASSERT_FIELD(NrStreamExt, _reserved0, 4, 4);
NR_ASSERT_FIELD(NrStreamExt, try_send, 8, 8);
NR_ASSERT_FIELD(NrStreamExt, on_writable, 16, 8);
NR_ASSERT_FIELD(NrStreamExt, credits, 24, 8);

NR_ASSERT_TYPE(NrCancelExt, 24, 8);
NR_ASSERT_FIELD(NrCancelExt, struct_size, 0, 4);
NR_ASSERT_FIELD(NrCancelExt, _reserved0, 4, 4);
NR_ASSERT_FIELD(NrCancelExt, is_cancelled, 8, 8);
NR_ASSERT_FIELD(NrCancelExt, on_cancel, 16, 8);

NR_ASSERT_TYPE(NrDeadlineExt, 16, 8);
NR_ASSERT_FIELD(NrDeadlineExt, struct_size, 0, 4);
NR_ASSERT_FIELD(NrDeadlineExt, _reserved0, 4, 4);
NR_ASSERT_FIELD(NrDeadlineExt, remaining, 8, 8);

NR_ASSERT_TYPE(NrConfigExt, 16, 8);
NR_ASSERT_FIELD(NrConfigExt, struct_size, 0, 4);
NR_ASSERT_FIELD(NrConfigExt, _reserved0, 4, 4);
NR_ASSERT_FIELD(NrConfigExt, get, 8, 8);

NR_ASSERT_TYPE(NrBuffer, 24, 8);
NR_ASSERT_FIELD(NrBuffer, ptr, 0, 8);
NR_ASSERT_FIELD(NrBuffer, capacity, 8, 8);
NR_ASSERT_FIELD(NrBuffer, _lease, 16, 8);

NR_ASSERT_TYPE(NrBufferExt, 32, 8);
NR_ASSERT_FIELD(NrBufferExt, struct_size, 0, 4);
NR_ASSERT_FIELD(NrBufferExt, _reserved0, 4, 4);
NR_ASSERT_FIELD(NrBufferExt, reserve, 8, 8);
NR_ASSERT_FIELD(NrBufferExt, commit, 16, 8);
NR_ASSERT_FIELD(NrBufferExt, release, 24, 8);

NR_ASSERT_TYPE(NrInstanceExt, 24, 8);
NR_ASSERT_FIELD(NrInstanceExt, struct_size, 0, 4);
NR_ASSERT_FIELD(NrInstanceExt, _reserved0, 4, 4);
NR_ASSERT_FIELD(NrInstanceExt, create, 8, 8);
NR_ASSERT_FIELD(NrInstanceExt, destroy, 16, 8);

NR_ASSERT_TYPE(NrQuiesceExt, 16, 8);
NR_ASSERT_FIELD(NrQuiesceExt, struct_size, 0, 4);
NR_ASSERT_FIELD(NrQuiesceExt, _reserved0, 4, 4);
NR_ASSERT_FIELD(NrQuiesceExt, is_quiescent, 8, 8);

NR_ASSERT_TYPE(NrHealthExt, 16, 8);
NR_ASSERT_FIELD(NrHealthExt, struct_size, 0, 4);
NR_ASSERT_FIELD(NrHealthExt, _reserved0, 4, 4);
NR_ASSERT_FIELD(NrHealthExt, check, 8, 8);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* NYLON_RING_H */
