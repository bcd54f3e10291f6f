/*
 * The plugin itself: what NYLON_RING_PLUGIN exports. Part of nylon_ring.hpp.
 *
 *   phase     entered by                     init      handle             shutdown
 *   -------   ----------------------------   -------   ----------------   --------
 *   loaded                                   starts    Invalid            stops
 *   failed    init, when the plugin throws   Invalid   Invalid            stops
 *   running   init                           Invalid   calls the plugin   stops, calls the plugin's shutdown
 *   stopped   shutdown                       Invalid   Invalid            nothing
 *
 * No phase is left backwards. The plugin's object is made by init and destroyed once the plugin is quiescent, or with its
 * instance; a plugin that does not say so is never destroyed, because a thread of its own may still use it.
 *
 * Nothing here has static storage: of a static in a template or an inline function there may be but one in the whole
 * process, however many copies of the library are loaded. The macro makes its statics in the plugin's own file.
 */
#ifndef NYLON_RING_PLUGIN_HPP
#define NYLON_RING_PLUGIN_HPP

#include "call.hpp"
#include "host.hpp"
#include "request.hpp"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

namespace nylon_ring {

/* How a plugin is; what its health() returns. */
struct Health {
  bool well = true;
  std::string detail; /* for the operator */
};

namespace detail {

template <typename T, typename = void>
struct has_handle : std::false_type {};
template <typename T>
struct has_handle<
    T, std::void_t<decltype(std::declval<T &>().handle(std::declval<const Request &>(), std::declval<Call>()))>>
    : std::true_type {};

template <typename T, typename = void>
struct has_shutdown : std::false_type {};
template <typename T>
struct has_shutdown<T, std::void_t<decltype(std::declval<T &>().shutdown())>> : std::true_type {};

template <typename T, typename = void>
struct has_quiescent : std::false_type {};
template <typename T>
struct has_quiescent<T, std::void_t<decltype(static_cast<bool>(std::declval<T &>().quiescent()))>> : std::true_type {};

template <typename T, typename = void>
struct has_health : std::false_type {};
template <typename T>
struct has_health<T, std::void_t<decltype(Health(std::declval<T &>().health()))>> : std::true_type {};

/* One instance: what plugin_ctx points to. No constructor or destructor of it runs code: the first is a static. */
template <typename T>
class Instance {
  static_assert(std::is_class_v<T>, "nylon_ring: a plugin is a class");
  static_assert(has_handle<T>::value,
                "nylon_ring: a plugin has a public member function "
                "void handle(const nylon_ring::Request &, nylon_ring::Call)");
  static_assert(std::is_constructible_v<T, const Host &> || std::is_default_constructible_v<T>,
                "nylon_ring: a plugin has a public constructor that takes const nylon_ring::Host & or nothing");

 public:
  static void attach(void *ctx, const NrHostApi *api) noexcept {
    if (ctx != nullptr && of(ctx).phase_.load(std::memory_order_acquire) == Loaded) {
      of(ctx).core_.api = api;
    }
  }

  static NrStatus init(void *ctx, void *host_ctx, const NrHostVTable *vtable) noexcept {
    Phase loaded = Loaded;
    if (ctx == nullptr || vtable == nullptr ||
        !of(ctx).phase_.compare_exchange_strong(loaded, Failed, std::memory_order_acq_rel)) {
      return NR_STATUS_INVALID;
    }
    Instance &self = of(ctx);
    self.core_.host_ctx = host_ctx;
    self.core_.vtable = vtable;
    self.core_.find_extensions();
    if (!contain(self.core_, 0, "nylon_ring: start", [&] { self.plugin_ = make(Host(self.core_)); })) {
      return NR_STATUS_ERR;
    }
    Phase starting = Failed;
    const bool running = self.phase_.compare_exchange_strong(starting, Running, std::memory_order_acq_rel);
    return running ? NR_STATUS_OK : NR_STATUS_INVALID;
  }

  static NrStatus handle(void *ctx, std::uint64_t sid, const NrRequest *request, NrBytes body) noexcept {
    if (ctx == nullptr || of(ctx).phase_.load(std::memory_order_acquire) != Running || request == nullptr ||
        !is_sound(*request) || !is_sound(body)) {
      return NR_STATUS_INVALID;
    }
    Instance &self = of(ctx);
    contain(self.core_, sid, "nylon_ring: handle",
            [&] { self.plugin_->value.handle(Request(*request, body), Call(self.core_, sid)); });
    return NR_STATUS_OK;
  }

  static void shutdown(void *ctx) noexcept {
    if (ctx == nullptr || of(ctx).phase_.exchange(Stopped, std::memory_order_acq_rel) != Running) {
      return;
    }
    if constexpr (has_shutdown<T>::value) {
      contain(of(ctx).core_, 0, "nylon_ring: shutdown", [&] { of(ctx).plugin_->value.shutdown(); });
    }
  }

  /* nylon.quiesce/1. */
  static std::uint32_t is_quiescent(void *ctx) noexcept {
    Instance &self = of(ctx);
    if (self.plugin_ == nullptr) {
      return 1;
    }
    bool quiescent = false;
    if constexpr (has_quiescent<T>::value) {
      contain(self.core_, 0, "nylon_ring: quiescent", [&] { quiescent = self.plugin_->value.quiescent(); });
    }
    if (!quiescent || self.phase_.load(std::memory_order_acquire) != Stopped ||
        self.core_.open.load(std::memory_order_acquire) != 0) {
      return 0;
    }
    self.destroy_plugin();
    return 1;
  }

  /* nylon.health/1. */
  static NrStatus check(void *ctx, NrStr *detail) noexcept {
    Instance &self = of(ctx);
    NrStatus status = NR_STATUS_ERR;
    if constexpr (has_health<T>::value) {
      if (detail != nullptr && self.phase_.load(std::memory_order_acquire) == Running) {
        contain(self.core_, 0, "nylon_ring: health", [&] {
          Health health = self.plugin_->value.health();
          self.plugin_->detail = std::move(health.detail);
          *detail = str(self.plugin_->detail);
          status = health.well ? NR_STATUS_OK : NR_STATUS_ERR;
        });
      }
    }
    return status;
  }

  /* nylon.instance/1. */
  static NrStatus create(void *, void **instance) noexcept {
    *instance = new (std::nothrow) Instance();
    return *instance != nullptr ? NR_STATUS_OK : NR_STATUS_ERR;
  }

  static void destroy(void *, void *instance) noexcept {
    if (instance != nullptr) {
      of(instance).destroy_plugin();
      delete static_cast<Instance *>(instance);
    }
  }

 private:
  enum Phase : std::uint32_t { Loaded, Failed, Running, Stopped };

  struct Plugin {
    explicit Plugin(const Host &host) : value(host) {}
    Plugin() : value() {}
    T value;
    std::string detail; /* what health said last */
  };

  static Instance &of(void *ctx) noexcept { return *static_cast<Instance *>(ctx); }

  static Plugin *make(const Host &host) {
    if constexpr (std::is_constructible_v<T, const Host &>) {
      return new Plugin(host);
    } else {
      static_cast<void>(host);
      return new Plugin();
    }
  }

  void destroy_plugin() noexcept {
    delete plugin_;
    plugin_ = nullptr;
  }

  Core core_;
  /* Written by init before the phase is Running, and when nothing else runs any more. */
  Plugin *plugin_ = nullptr;
  std::atomic<Phase> phase_{Loaded};
};

/* The tables of a plugin. The macro makes one, with static storage in the plugin's own file. */
template <typename T>
struct Tables {
  NrPluginVTable plugin = {&Instance<T>::init, &Instance<T>::handle, &Instance<T>::shutdown};
  NrInstanceExt instance = {sizeof(NrInstanceExt), 0, &Instance<T>::create, &Instance<T>::destroy};
  NrQuiesceExt quiesce = {sizeof(NrQuiesceExt), 0, &Instance<T>::is_quiescent};
  NrHealthExt health = {sizeof(NrHealthExt), 0, &Instance<T>::check};

  const void *extension(const char *id) const noexcept {
    if (id == nullptr) {
      return nullptr;
    }
    if (std::strcmp(id, NR_EXT_INSTANCE) == 0) {
      return &instance;
    }
    if (has_quiescent<T>::value && std::strcmp(id, NR_EXT_QUIESCE) == 0) {
      return &quiesce;
    }
    if (has_health<T>::value && std::strcmp(id, NR_EXT_HEALTH) == 0) {
      return &health;
    }
    return nullptr;
  }
};

} /* namespace detail */
} /* namespace nylon_ring */

/*
 * Exports Type as the plugin of this library. At file scope, once. Name and version are string literals.
 *
 * Type has
 *   a constructor that takes const nylon_ring::Host &, or nothing; what it throws keeps the plugin from starting
 *   void handle(const nylon_ring::Request &, nylon_ring::Call), called by several threads at the same time; it must
 *     never block, sleep or wait
 * and may have
 *   void shutdown(), called once, after the last handle has returned: stop threads here. Calls may be answered later too
 *   bool quiescent(), asked after shutdown: whether all threads of the plugin have stopped. With it, the library can be
 *     unloaded, once all calls are answered too, and the object is destroyed
 *   nylon_ring::Health health(), one call at a time
 */
#define NYLON_RING_PLUGIN(Type, Name, Version)                                                                 \
  static ::nylon_ring::detail::Instance<Type> nylon_ring_first_instance;                                       \
  static const ::nylon_ring::detail::Tables<Type> nylon_ring_tables;                                           \
  static_assert(std::is_trivially_destructible_v<::nylon_ring::detail::Instance<Type>>, "nylon_ring");         \
  static const NrPluginInfo nylon_ring_info = {                                                                \
      NR_ABI_VERSION,                                                                                          \
      sizeof(NrPluginInfo),                                                                                    \
      {reinterpret_cast<const std::uint8_t *>("" Name), sizeof(Name) - 1},                                     \
      {reinterpret_cast<const std::uint8_t *>("" Version), sizeof(Version) - 1},                               \
      &nylon_ring_first_instance,                                                                              \
      &nylon_ring_tables.plugin};                                                                              \
  extern "C" NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void) { return &nylon_ring_info; }         \
  extern "C" NR_EXPORT void nylon_ring_attach_host_v1(void *plugin_ctx, const NrHostApi *api) {                \
    ::nylon_ring::detail::Instance<Type>::attach(plugin_ctx, api);                                             \
  }                                                                                                            \
  extern "C" NR_EXPORT const void *nylon_ring_get_extension_v1(void *, const char *id) {                       \
    return nylon_ring_tables.extension(id);                                                                    \
  }                                                                                                            \
  static_assert(true, "nylon_ring: so that a semicolon may follow")

#endif /* NYLON_RING_PLUGIN_HPP */
