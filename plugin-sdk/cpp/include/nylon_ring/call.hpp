/* The answer to a request: Call, StreamSender, and what belongs to one call. Part of nylon_ring.hpp. */
#ifndef NYLON_RING_CALL_HPP
#define NYLON_RING_CALL_HPP

#include "host.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace nylon_ring {

/* How a call or a stream fails. */
enum class Failure : std::uint32_t {
  Err = NR_STATUS_ERR,                /* the plugin failed at run time */
  Invalid = NR_STATUS_INVALID,        /* the request makes no sense to the plugin */
  Unsupported = NR_STATUS_UNSUPPORTED /* the plugin does not do what was asked */
};

/* What became of a frame. */
enum class TrySend : std::uint32_t {
  Sent = NR_SEND_SENT,
  Full = NR_SEND_FULL,       /* not sent: wait with on_writable */
  Closed = NR_SEND_CLOSED,   /* not sent: the stream is over or given up */
  Invalid = NR_SEND_INVALID, /* not sent: longer than the host's buffer limit */
  Unsupported = 0x80000000u  /* not sent: the host does not offer nylon.stream/1 */
};

/* A small map of bytes that the host keeps for one call, until the call is over. It ends with its Call or StreamSender. */
class State {
 public:
  State(const detail::Core *core, std::uint64_t sid) noexcept : core_(core), sid_(sid) {}

  /* Stores a copy of value. Throws Error when the host offers no state, or refuses. */
  void set(std::string_view key, Bytes value) const {
    const std::string_view refusal = detail::view(table().set_state(core_->api->host_ctx, sid_, name(key), value.view()));
    if (!refusal.empty()) {
      throw Error(std::string(refusal));
    }
  }

  /* What was stored, if anything: the host's memory, valid until the call is answered. Throws Error as set. */
  std::optional<std::string_view> get(std::string_view key) const {
    const NrBytes value = table().get_state(core_->api->host_ctx, sid_, name(key));
    return value.ptr == nullptr ? std::nullopt : std::optional(detail::view(value));
  }

 private:
  const NrHostExt &table() const {
    if (core_ == nullptr) {
      throw Error("the call has been answered: its state is gone");
    }
    if (core_->state == nullptr) {
      throw Error("the host does not offer " NR_EXT_STATE);
    }
    return *core_->state;
  }

  static NrStr name(std::string_view key) {
    if (key.size() > UINT32_MAX) {
      throw Error("the key of a state is too long");
    }
    return detail::str(key);
  }

  const detail::Core *core_;
  std::uint64_t sid_;
};

/* Memory of the host that a result is written into; see Call::reserve. Given back when it is destroyed unsent. */
class Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(Buffer &&other) noexcept
      : core_(std::exchange(other.core_, nullptr)), sid_(other.sid_), buffer_(std::exchange(other.buffer_, NrBuffer{})) {}
  Buffer &operator=(Buffer &&other) noexcept {
    Buffer old(std::move(*this));
    core_ = std::exchange(other.core_, nullptr);
    sid_ = other.sid_;
    buffer_ = std::exchange(other.buffer_, NrBuffer{});
    return *this;
  }
  ~Buffer() {
    if (core_ != nullptr) {
      core_->buffer->release(core_->api->host_ctx, buffer_);
      core_->open.fetch_sub(1, std::memory_order_release);
    }
  }

  /* Whether there is memory. */
  explicit operator bool() const noexcept { return core_ != nullptr; }
  /* The first byte, zero like all others; null when there is none. */
  std::uint8_t *data() const noexcept { return buffer_.ptr; }
  std::size_t capacity() const noexcept { return static_cast<std::size_t>(buffer_.capacity); }

 private:
  friend class Answer;

  Buffer(detail::Core &core, std::uint64_t sid, NrBuffer buffer) noexcept : core_(&core), sid_(sid), buffer_(buffer) {
    core.open.fetch_add(1, std::memory_order_relaxed);
  }

  /* Sends the first len bytes. */
  void commit(NrStatus status, std::size_t len) noexcept {
    detail::Core *core = std::exchange(core_, nullptr);
    core->buffer->commit(core->api->host_ctx, sid_, status, std::exchange(buffer_, NrBuffer{}), len);
    core->open.fetch_sub(1, std::memory_order_release);
  }

  detail::Core *core_ = nullptr;
  std::uint64_t sid_ = 0;
  NrBuffer buffer_ = {};
};

/*
 * What Call and StreamSender have in common: the duty to answer. An object serves one thread at a time.
 *
 * Once it is answered, or moved from, it is empty: nothing is sent any more, and it counts as cancelled.
 */
class Answer {
 public:
  /* Whether the answer is still owed. */
  explicit operator bool() const noexcept { return core_ != nullptr; }

  /* The host's id of the call, to correlate logs with. */
  std::uint64_t sid() const noexcept { return sid_; }

  /* Whether nobody waits for the answer any more. Always false before it is answered if the host does not tell. */
  bool is_cancelled() const noexcept {
    return core_ == nullptr ||
           (core_->cancel != nullptr && core_->cancel->is_cancelled(core_->api->host_ctx, sid_) != 0);
  }

  /*
   * Has callback called, exactly once: with Event::Cancelled once the caller gives the call up, or else with Event::Over
   * when it is over. Perhaps before this returns, and on any thread, where it must not block. Not called unless this
   * returns Watch::Registered; Watch::Closed says that the call is given up already.
   */
  Watch on_cancel(std::function<void(Event)> callback) {
    return watch(core_ != nullptr ? core_->cancel : nullptr, &NrCancelExt::on_cancel, std::move(callback));
  }

  /* How long the caller still waits, zero when it does not any more; nothing if there is no deadline, or no telling. */
  std::optional<std::chrono::nanoseconds> deadline() const noexcept {
    if (core_ == nullptr || core_->deadline == nullptr) {
      return std::nullopt;
    }
    const std::uint64_t left = core_->deadline->remaining(core_->api->host_ctx, sid_);
    const std::uint64_t most = static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count());
    if (left == NR_NO_DEADLINE) {
      return std::nullopt;
    }
    return std::chrono::nanoseconds(static_cast<std::int64_t>(left < most ? left : most));
  }

  State state() const noexcept { return State(core_, sid_); }

  /* Logs through the host, about this call. */
  void log(Level level, std::string_view target, std::string_view message) const noexcept {
    if (core_ != nullptr) {
      core_->write_log(level, sid_, target, message);
    }
  }

  /* Memory of the host for an answer of len bytes. Empty when there is none to be had: then send a copy. */
  Buffer reserve(std::size_t len) noexcept {
    if (core_ == nullptr || core_->buffer == nullptr) {
      return Buffer();
    }
    const NrBuffer buffer = core_->buffer->reserve(core_->api->host_ctx, sid_, len);
    return buffer.ptr == nullptr ? Buffer() : Buffer(*core_, sid_, buffer);
  }

 protected:
  Answer(detail::Core &core, std::uint64_t sid) noexcept : core_(&core), sid_(sid) {
    core.open.fetch_add(1, std::memory_order_relaxed);
  }
  Answer(Answer &&other) noexcept : core_(std::exchange(other.core_, nullptr)), sid_(other.sid_) {}
  Answer &operator=(Answer &&other) noexcept {
    if (this != &other) {
      abandon();
      core_ = std::exchange(other.core_, nullptr);
      sid_ = other.sid_;
    }
    return *this;
  }
  ~Answer() { abandon(); }

  void send(NrStatus status, Bytes payload) noexcept {
    if (core_ != nullptr) {
      core_->vtable->send_result(core_->host_ctx, sid_, status, payload.view());
    }
  }

  void send(NrStatus status, Buffer payload, std::size_t len) noexcept {
    if (core_ != nullptr && payload.core_ == core_ && payload.sid_ == sid_) {
      payload.commit(status, len);
    } else {
      send(NR_STATUS_ERR, "the plugin sent a buffer that is not of this call");
    }
  }

  /* The last thing that is sent. Not before it has been sent the library may go. */
  template <typename... Payload>
  void finish(NrStatus status, Payload &&...payload) noexcept {
    if (core_ != nullptr) {
      send(status, std::forward<Payload>(payload)...);
      std::exchange(core_, nullptr)->open.fetch_sub(1, std::memory_order_release);
    }
  }

  template <typename Table, typename Function>
  Watch watch(const Table *table, Function function, std::function<void(Event)> callback) {
    if (table == nullptr) {
      return core_ == nullptr ? Watch::Closed : Watch::Unsupported;
    }
    if (!callback) {
      return Watch::Refused;
    }
    auto watcher = std::make_unique<Watcher>(*core_, std::move(callback));
    const auto watch = static_cast<Watch>((table->*function)(core_->api->host_ctx, sid_, &Watcher::fire, watcher.get()));
    if (watch == Watch::Registered) {
      static_cast<void>(watcher.release()); /* fire has it, and may have destroyed it by now */
    }
    return watch;
  }

  detail::Core *core_;

 private:
  /* A function that is to be called by the host. */
  struct Watcher {
    Watcher(detail::Core &with, std::function<void(Event)> function) : core(with), callback(std::move(function)) {
      core.open.fetch_add(1, std::memory_order_relaxed);
    }
    ~Watcher() {
      callback = nullptr; /* what it holds may be the plugin's */
      core.open.fetch_sub(1, std::memory_order_release);
    }
    Watcher(const Watcher &) = delete;
    Watcher &operator=(const Watcher &) = delete;

    static void fire(void *user, std::uint64_t sid, std::uint32_t event) noexcept {
      const std::unique_ptr<Watcher> self(static_cast<Watcher *>(user));
      detail::contain(self->core, sid, "nylon_ring: callback", [&] { self->callback(static_cast<Event>(event)); });
    }

    detail::Core &core;
    std::function<void(Event)> callback;
  };

  void abandon() noexcept {
    finish(NR_STATUS_ERR, std::uncaught_exceptions() > 0 ? "the plugin threw an exception before it answered"
                                                          : "the plugin dropped the call without an answer");
  }

  std::uint64_t sid_;
};

/*
 * The sending half of a stream. Frames that one thread sends arrive in that order.
 *
 * Destroyed before its end, the stream ends with Failure::Err and a text.
 */
class [[nodiscard]] StreamSender : public Answer {
 public:
  /* Sends one frame. Never blocks: the host buffers, up to a limit past which it ends the stream. */
  void send(Bytes frame) noexcept { Answer::send(NR_STATUS_OK, frame); }
  /* The same with the first len bytes of a buffer that was reserved for this stream. */
  void send(Buffer frame, std::size_t len) noexcept { Answer::send(NR_STATUS_OK, std::move(frame), len); }

  /* Sends one frame if the stream's window has room. */
  TrySend try_send(Bytes frame) noexcept {
    if (core_ == nullptr) {
      return TrySend::Closed;
    }
    if (core_->stream == nullptr) {
      return TrySend::Unsupported;
    }
    return static_cast<TrySend>(core_->stream->try_send(core_->api->host_ctx, sid(), frame.view()));
  }

  /* How many frames the window has room for now. */
  std::uint64_t credits() const noexcept {
    return core_ != nullptr && core_->stream != nullptr ? core_->stream->credits(core_->api->host_ctx, sid()) : 0;
  }

  /*
   * Has callback called, exactly once: with Event::Writable once half of the window is free, Event::Cancelled once the
   * caller gives the stream up, or else with Event::Over. As on_cancel; Watch::Already says that it can go on now.
   */
  Watch on_writable(std::function<void(Event)> callback) {
    return watch(core_ != nullptr ? core_->stream : nullptr, &NrStreamExt::on_writable, std::move(callback));
  }

  /* Ends the stream, perhaps with a last payload. */
  void end(Bytes payload = {}) noexcept { finish(NR_STATUS_STREAM_END, payload); }
  /* Ends the stream with a failure, and a payload that explains it. */
  void fail(Failure failure, Bytes payload) noexcept { finish(static_cast<NrStatus>(failure), payload); }

 private:
  friend class Call;
  explicit StreamSender(Answer &&answer) noexcept : Answer(std::move(answer)) {}
};

/*
 * The right, and the duty, to answer one request: in handle or later, from any thread. It can be moved and not copied.
 *
 * Destroyed unanswered, it answers Failure::Err with a text, so that no caller waits for ever.
 */
class [[nodiscard]] Call : public Answer {
 public:
  /* By the library, for each request. */
  Call(detail::Core &core, std::uint64_t sid) noexcept : Answer(core, sid) {}

  /* Answers with a result. */
  void reply(Bytes payload) noexcept { finish(NR_STATUS_OK, payload); }
  /* The same with the first len bytes of a buffer that was reserved for this call. */
  void reply(Buffer payload, std::size_t len) noexcept { finish(NR_STATUS_OK, std::move(payload), len); }
  /* Answers with a failure, and a payload that explains it. */
  void fail(Failure failure, Bytes payload) noexcept { finish(static_cast<NrStatus>(failure), payload); }

  /* Answers with a stream of frames. The duty goes over to it: this is empty then. */
  StreamSender stream() noexcept { return StreamSender(std::move(*this)); }
};

} /* namespace nylon_ring */

#endif /* NYLON_RING_CALL_HPP */
