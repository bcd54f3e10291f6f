/*
 * What lies between the host and the Go code of this package. Go cannot call C function pointers, and may not keep what
 * is opaque to it as a pointer; so an instance of the plugin is a C struct, made here, that holds the host's pointers.
 */
#ifndef NYLONRING_SHIM_H
#define NYLONRING_SHIM_H

#include "nylon_ring.h"

/*
 * The same views with addresses for pointers. A view of length 0 may point anywhere, and the Go runtime ends the process
 * when it finds a pointer to nowhere on a stack or in its heap; so Go is given addresses, and makes pointers of those that
 * it reads.
 */
typedef struct nrgo_view {
  uintptr_t address;
  uint64_t len;
} nrgo_view;

typedef struct nrgo_text {
  uintptr_t address;
  uint32_t len;
} nrgo_text;

typedef struct nrgo_header {
  nrgo_text key;
  nrgo_text value;
} nrgo_header;

typedef struct nrgo_request {
  nrgo_text path;
  nrgo_text method;
  nrgo_text query;
  const nrgo_header *headers; /* NULL or right */
  uint32_t headers_len;
} nrgo_request;

/* One instance of the plugin: the plugin_ctx of the ABI. Never freed. */
typedef struct nrgo_instance nrgo_instance;

/* Makes an instance whose Go side is `handle` (a cgo.Handle). NULL if there is no memory. */
nrgo_instance *nrgo_new(uintptr_t handle);
uintptr_t nrgo_handle(const nrgo_instance *in);

/* Makes the info that the host asks for; both texts stay the caller's and are never freed. NULL if there is no memory. */
NrPluginInfo *nrgo_new_info(nrgo_instance *first, NrStr name, NrStr version);

/* Keeps the way back to the host: before the first of the functions below, once. Extensions of another host are dropped. */
void nrgo_bind(nrgo_instance *in, uintptr_t host_ctx, const NrHostVTable *vtable);

void nrgo_send(const nrgo_instance *in, uint64_t sid, NrStatus status, const void *ptr, uint64_t len);

/* Whether the host offers an extension, and this package uses it. */
int nrgo_offers(const nrgo_instance *in, const char *id);

/* The host's extensions. Beside each: what it returns where its extension is not offered, or a dash if it may not be called then. */
nrgo_view nrgo_set_state(const nrgo_instance *in, uint64_t sid, const void *key, uint32_t key_len, const void *value,
                       uint64_t len); /* - */
nrgo_view nrgo_get_state(const nrgo_instance *in, uint64_t sid, const void *key, uint32_t len); /* address 0 */
int nrgo_log_enabled(const nrgo_instance *in, uint32_t level); /* 0 */
void nrgo_log(const nrgo_instance *in, uint64_t sid, uint32_t level, const void *target, uint32_t target_len,
              const void *text, uint32_t len); /* nothing */
uint32_t nrgo_try_send(const nrgo_instance *in, uint64_t sid, const void *ptr, uint64_t len); /* - */
uint32_t nrgo_on_writable(const nrgo_instance *in, uint64_t sid, uintptr_t user);             /* NR_WATCH_REFUSED */
uint32_t nrgo_on_cancel(const nrgo_instance *in, uint64_t sid, uintptr_t user);               /* NR_WATCH_REFUSED */
uint64_t nrgo_remaining(const nrgo_instance *in, uint64_t sid);                               /* NR_NO_DEADLINE */
nrgo_view nrgo_config(const nrgo_instance *in);                                                 /* empty */

#endif
