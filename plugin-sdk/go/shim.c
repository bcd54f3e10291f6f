/* See shim.h. The functions named nrgoXxx are Go's, in bridge.go. */
#include "shim.h"

#include <stdlib.h>

#include "_cgo_export.h"

struct nrgo_instance {
  uintptr_t handle;
  /* Set by the first attach, read by nrgo_bind; atomically, because several hosts may load a library at once. */
  const NrHostApi *api;
  /* Written by nrgo_bind, before the instance runs; read by all. */
  void *host_ctx;
  const NrHostVTable *host;
  const NrHostExt *state;
  const NrLogExt *log;
  const NrStreamExt *stream;
  const NrCancelExt *cancel;
  const NrDeadlineExt *deadline;
  const NrConfigExt *config;
};

/* ------------------------------------------------------------------------------------------- what the host calls --- */

static NrStatus init(void *ctx, void *host_ctx, const NrHostVTable *vtable) {
  if (ctx == NULL || vtable == NULL || vtable->send_result == NULL) {
    return NR_STATUS_INVALID;
  }
  return nrgoInit(ctx, (uintptr_t)host_ctx, (NrHostVTable *)vtable);
}

static nrgo_view view(NrBytes bytes) {
  nrgo_view view = {(uintptr_t)bytes.ptr, bytes.len};
  return view;
}

static nrgo_text text_of(NrStr str) {
  nrgo_text text = {(uintptr_t)str.ptr, str.len};
  return text;
}

NR_STATIC_ASSERT(sizeof(nrgo_header) == sizeof(NrHeader), "a header of the ABI is read as one of Go's");

static NrStatus handle(void *ctx, uint64_t sid, const NrRequest *req, NrBytes payload) {
  if (ctx == NULL || req == NULL || (req->headers == NULL && req->headers_len > 0)) {
    return NR_STATUS_INVALID;
  }
  nrgo_request seen = {text_of(req->path), text_of(req->method), text_of(req->query), NULL, req->headers_len};
  if (req->headers_len > 0) {
    seen.headers = (const nrgo_header *)req->headers;
  }
  return nrgoHandle(ctx, sid, &seen, view(payload));
}

static void shutdown_instance(void *ctx) {
  if (ctx != NULL) {
    nrgoShutdown(ctx);
  }
}

static NrStatus create(void *ctx, void **instance_ctx) {
  (void)ctx;
  if (instance_ctx == NULL) {
    return NR_STATUS_INVALID;
  }
  *instance_ctx = nrgoCreate();
  return *instance_ctx != NULL ? NR_STATUS_OK : NR_STATUS_ERR;
}

/* The host never calls this: the plugin does not offer nylon.quiesce/1. */
static void destroy(void *ctx, void *instance_ctx) {
  (void)ctx;
  (void)instance_ctx;
}

static NrStatus check(void *ctx, NrStr *detail) {
  if (ctx == NULL || detail == NULL) {
    return NR_STATUS_INVALID;
  }
  const char *wrong = nrgoHealth(ctx);
  if (wrong == NULL) {
    return NR_STATUS_OK;
  }
  *detail = nr_str(wrong);
  return NR_STATUS_ERR;
}

static const NrPluginVTable vtable = {init, handle, shutdown_instance};
static const NrInstanceExt instances = {sizeof(NrInstanceExt), 0, create, destroy};
static const NrHealthExt health = {sizeof(NrHealthExt), 0, check};

/* Waits for the Go runtime to start and for all init functions: a call into Go does. */
NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void) { return nrgoInfo(); }

NR_EXPORT void nylon_ring_attach_host_v1(void *plugin_ctx, const NrHostApi *api) {
  nrgo_instance *in = plugin_ctx;
  const NrHostApi *none = NULL;
  if (in != NULL) {
    __atomic_compare_exchange_n(&in->api, &none, api, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  }
}

NR_EXPORT const void *nylon_ring_get_extension_v1(void *plugin_ctx, const char *id) {
  (void)plugin_ctx;
  if (id != NULL && strcmp(id, NR_EXT_INSTANCE) == 0) {
    return &instances;
  }
  if (id != NULL && strcmp(id, NR_EXT_HEALTH) == 0) {
    return &health;
  }
  return NULL;
}

/* ------------------------------------------------------------------------------------------------- what Go calls --- */

nrgo_instance *nrgo_new(uintptr_t handle) {
  nrgo_instance *in = calloc(1, sizeof *in);
  if (in != NULL) {
    in->handle = handle;
  }
  return in;
}

uintptr_t nrgo_handle(const nrgo_instance *in) { return in->handle; }

NrPluginInfo *nrgo_new_info(nrgo_instance *first, NrStr name, NrStr version) {
  NrPluginInfo *info = calloc(1, sizeof *info);
  if (info != NULL) {
    info->abi_version = NR_ABI_VERSION;
    info->struct_size = sizeof *info;
    info->name = name;
    info->version = version;
    info->plugin_ctx = first;
    info->vtable = &vtable;
  }
  return info;
}

#define USE(field, type, id, first, second, third)                               \
  do {                                                                           \
    const type *table = nr_host_extension(api, id, sizeof(type));            \
    if (table != NULL && table->first && table->second && table->third) {        \
      in->field = table;                                                         \
    }                                                                            \
  } while (0)

void nrgo_bind(nrgo_instance *in, uintptr_t address, const NrHostVTable *host) {
  void *host_ctx = (void *)address;
  const NrHostApi *api = __atomic_load_n(&in->api, __ATOMIC_ACQUIRE);
  in->host_ctx = host_ctx;
  in->host = host;
  if (api == NULL || api->struct_size < sizeof *api || api->host_ctx != host_ctx || api->get_extension == NULL) {
    return;
  }
  const NrHostExt *state = api->get_extension(host_ctx, NR_EXT_STATE);
  if (state != NULL && state->set_state != NULL && state->get_state != NULL) {
    in->state = state;
  }
  USE(log, NrLogExt, NR_EXT_LOG, enabled, log, log);
  USE(stream, NrStreamExt, NR_EXT_STREAM, try_send, on_writable, credits);
  USE(cancel, NrCancelExt, NR_EXT_CANCEL, is_cancelled, on_cancel, on_cancel);
  USE(deadline, NrDeadlineExt, NR_EXT_DEADLINE, remaining, remaining, remaining);
  USE(config, NrConfigExt, NR_EXT_CONFIG, get, get, get);
}

void nrgo_send(const nrgo_instance *in, uint64_t sid, NrStatus status, const void *ptr, uint64_t len) {
  in->host->send_result(in->host_ctx, sid, status, nr_bytes(ptr, len));
}

int nrgo_offers(const nrgo_instance *in, const char *id) {
  const struct {
    const char *id;
    const void *table;
  } used[] = {{NR_EXT_STATE, in->state},   {NR_EXT_LOG, in->log},           {NR_EXT_STREAM, in->stream},
              {NR_EXT_CANCEL, in->cancel}, {NR_EXT_DEADLINE, in->deadline}, {NR_EXT_CONFIG, in->config}};
  for (size_t i = 0; i < sizeof used / sizeof *used; i++) {
    if (strcmp(id, used[i].id) == 0) {
      return used[i].table != NULL;
    }
  }
  return 0;
}

static NrStr text(const void *ptr, uint32_t len) {
  NrStr view = {ptr, len};
  return view;
}

nrgo_view nrgo_set_state(const nrgo_instance *in, uint64_t sid, const void *key, uint32_t key_len, const void *value,
                       uint64_t len) {
  return view(in->state->set_state(in->host_ctx, sid, text(key, key_len), nr_bytes(value, len)));
}

nrgo_view nrgo_get_state(const nrgo_instance *in, uint64_t sid, const void *key, uint32_t len) {
  return view(in->state != NULL ? in->state->get_state(in->host_ctx, sid, text(key, len)) : nr_bytes(NULL, 0));
}

int nrgo_log_enabled(const nrgo_instance *in, uint32_t level) {
  return in->log != NULL && in->log->enabled(in->host_ctx, level) != 0;
}

void nrgo_log(const nrgo_instance *in, uint64_t sid, uint32_t level, const void *target, uint32_t target_len,
              const void *ptr, uint32_t len) {
  if (in->log != NULL) {
    in->log->log(in->host_ctx, sid, level, text(target, target_len), text(ptr, len));
  }
}

static void on_event(void *user, uint64_t sid, uint32_t event) {
  (void)sid;
  nrgoEvent((uintptr_t)user, event);
}

uint32_t nrgo_try_send(const nrgo_instance *in, uint64_t sid, const void *ptr, uint64_t len) {
  return in->stream->try_send(in->host_ctx, sid, nr_bytes(ptr, len));
}

uint32_t nrgo_on_writable(const nrgo_instance *in, uint64_t sid, uintptr_t user) {
  return in->stream != NULL ? in->stream->on_writable(in->host_ctx, sid, on_event, (void *)user) : NR_WATCH_REFUSED;
}

uint32_t nrgo_on_cancel(const nrgo_instance *in, uint64_t sid, uintptr_t user) {
  return in->cancel != NULL ? in->cancel->on_cancel(in->host_ctx, sid, on_event, (void *)user) : NR_WATCH_REFUSED;
}

uint64_t nrgo_remaining(const nrgo_instance *in, uint64_t sid) {
  return in->deadline != NULL ? in->deadline->remaining(in->host_ctx, sid) : NR_NO_DEADLINE;
}

nrgo_view nrgo_config(const nrgo_instance *in) {
  return view(in->config != NULL ? in->config->get(in->host_ctx) : nr_bytes(NULL, 0));
}
