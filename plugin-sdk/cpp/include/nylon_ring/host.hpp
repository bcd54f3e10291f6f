/* What the host offers: the way back, and its extensions. Part of nylon_ring.hpp. */
#ifndef NYLON_RING_HOST_HPP
#define NYLON_RING_HOST_HPP

#include <nylon_ring.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#if defined(_MSVC_LANG) ? _MSVC_LANG < 201703L : __cplusplus < 201703L
#error "nylon_ring.hpp needs C++17"
#endif

namespace nylon_ring {

/* What this library throws: a text, mostly the host's. */
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/*
 * A view of bytes that are to be sent: text, or anything that has data() and size() and elements of one byte. Borrowed:
 * it is meant for parameters, not to be kept.
 */
class Bytes {
 public:
  constexpr Bytes() noexcept = default;
  Bytes(const void *data, std::size_t size) noexcept : view_(nr_bytes(data, size)) {}
  Bytes(const char *text) noexcept : Bytes(text, text != nullptr ? std::strlen(text) : 0) {}

  template <typename Container, typename Element = decltype(*std::declval<const Container &>().data()),
            typename = decltype(std::declval<const Container &>().size())>
  Bytes(const Container &bytes) noexcept : Bytes(bytes.data(), bytes.size()) {
    using Byte = std::remove_cv_t<std::remove_reference_t<Element>>;
    static_assert(sizeof(Byte) == 1 && std::is_trivially_copyable_v<Byte>,
                  "nylon_ring: a payload is made of bytes; serialize other types first");
  }

  NrBytes view() const noexcept { return view_; }

 private:
  NrBytes view_ = {nullptr, 0};
};

enum class Level : std::uint32_t {
  Error = NR_LOG_ERROR,
  Warn = NR_LOG_WARN,
  Info = NR_LOG_INFO,
  Debug = NR_LOG_DEBUG,
  Trace = NR_LOG_TRACE
};

/* What a callback is told; see "Callbacks that a plugin registers" in nylon_ring.h. */
enum class Event : std::uint32_t {
  Over = NR_EVENT_OVER,           /* nothing happened, and nothing will: the call is over */
  Cancelled = NR_EVENT_CANCELLED, /* the caller has given the call up; answer it all the same */
  Writable = NR_EVENT_WRITABLE    /* the stream takes frames again */
};

/* What became of a registration. Only after Registered the function is called, exactly once. */
enum class Watch : std::uint32_t {
  Registered = NR_WATCH_REGISTERED,
  Already = NR_WATCH_ALREADY,  /* what it waits for is so now */
  Closed = NR_WATCH_CLOSED,    /* the call is over or given up */
  Refused = NR_WATCH_REFUSED,  /* the host's buffer limit is reached */
  Unsupported = 0x80000000u    /* the host does not offer the extension */
};

namespace detail {

/* Text longer than an NrStr can say is cut. */
inline NrStr str(std::string_view text) noexcept {
  const std::size_t most = UINT32_MAX;
  return {reinterpret_cast<const std::uint8_t *>(text.data()),
          static_cast<std::uint32_t>(text.size() < most ? text.size() : most)};
}

inline std::string_view view(NrBytes bytes) noexcept {
  if (bytes.ptr == nullptr || bytes.len == 0) {
    return {};
  }
  return {reinterpret_cast<const char *>(bytes.ptr), static_cast<std::size_t>(bytes.len)};
}

/*
 * What one instance of a plugin knows of its host. Written by attach and init, before any other thread has it; read by
 * all. No constructor or destructor of it runs code: it may be a static.
 */
struct Core {
  void *host_ctx = nullptr;
  const NrHostVTable *vtable = nullptr;
  const NrHostApi *api = nullptr;
  const NrHostExt *state = nullptr;
  const NrLogExt *log = nullptr;
  const NrStreamExt *stream = nullptr;
  const NrCancelExt *cancel = nullptr;
  const NrDeadlineExt *deadline = nullptr;
  const NrConfigExt *config = nullptr;
  const NrBufferExt *buffer = nullptr;
  /* Calls that are to be answered, callbacks that are to be called, and buffers that are to be given back. */
  std::atomic<std::uint64_t> open{0};

  void find_extensions() noexcept {
    state = known(static_cast<const NrHostExt *>(extension(NR_EXT_STATE)), &NrHostExt::set_state, &NrHostExt::get_state);
    log = known(sized<NrLogExt>(NR_EXT_LOG), &NrLogExt::enabled, &NrLogExt::log);
    stream = known(sized<NrStreamExt>(NR_EXT_STREAM), &NrStreamExt::try_send, &NrStreamExt::on_writable,
                   &NrStreamExt::credits);
    cancel = known(sized<NrCancelExt>(NR_EXT_CANCEL), &NrCancelExt::is_cancelled, &NrCancelExt::on_cancel);
    deadline = known(sized<NrDeadlineExt>(NR_EXT_DEADLINE), &NrDeadlineExt::remaining);
    config = known(sized<NrConfigExt>(NR_EXT_CONFIG), &NrConfigExt::get);
    buffer = known(sized<NrBufferExt>(NR_EXT_BUFFER), &NrBufferExt::reserve, &NrBufferExt::commit,
                   &NrBufferExt::release);
  }

  const void *extension(const char *id) const noexcept {
    const bool offers = api != nullptr && api->struct_size >= sizeof(NrHostApi) && api->get_extension != nullptr;
    return offers ? api->get_extension(api->host_ctx, id) : nullptr;
  }

  void write_log(Level level, std::uint64_t sid, std::string_view target, std::string_view message) const noexcept {
    if (log != nullptr) {
      log->log(api->host_ctx, sid, static_cast<std::uint32_t>(level), str(target), str(message));
    }
  }

 private:
  template <typename Table>
  const Table *sized(const char *id) const noexcept {
    return static_cast<const Table *>(nr_host_extension(api, id, sizeof(Table)));
  }

  /* The table, if none of its functions is null. */
  template <typename Table, typename... Functions>
  static const Table *known(const Table *table, Functions... functions) noexcept {
    return table != nullptr && ((table->*functions != nullptr) && ...) ? table : nullptr;
  }
};
static_assert(std::is_trivially_destructible_v<Core>, "nylon_ring: a static Core must outlive the plugin's threads");

/* Runs f, and lets no exception out; one is logged. Returns whether there was none. */
template <typename F>
bool contain(const Core &core, std::uint64_t sid, const char *where, F &&f) noexcept {
  try {
    std::forward<F>(f)();
    return true;
  } catch (const std::exception &error) {
    core.write_log(Level::Error, sid, where, error.what());
  } catch (...) {
    core.write_log(Level::Error, sid, where, "something that is no std::exception was thrown");
  }
  return false;
}

} /* namespace detail */

/* The host, as a plugin sees it. Copies are the same host; any thread may use it. It lives as long as the plugin. */
class Host {
 public:
  explicit Host(const detail::Core &core) noexcept : core_(&core) {}

  /* Whether the host offers an extension of this id, such as NR_EXT_STREAM. */
  bool offers(const char *id) const noexcept { return core_->extension(id) != nullptr; }

  /* The configuration that the host was given for this plugin; empty when there is none. Lives as long as the plugin. */
  std::string_view config() const noexcept {
    return core_->config != nullptr ? detail::view(core_->config->get(core_->api->host_ctx)) : std::string_view();
  }

  /* Whether a message of this level would be kept. */
  bool logs(Level level) const noexcept {
    return core_->log != nullptr && core_->log->enabled(core_->api->host_ctx, static_cast<std::uint32_t>(level)) != 0;
  }

  /* Logs through the host; does nothing in a host that offers no log. target is the part of the plugin that speaks. */
  void log(Level level, std::string_view target, std::string_view message) const noexcept {
    core_->write_log(level, 0, target, message);
  }

 private:
  const detail::Core *core_;
};

} /* namespace nylon_ring */

#endif /* NYLON_RING_HOST_HPP */
