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

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* NYLON_RING_H */
