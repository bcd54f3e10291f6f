/*
 * Answers with streams, sent from a thread of its own. What the paths mean stands in examples/README.md.
 *
 *     g++ -std=c++17 -shared -fPIC -fvisibility=hidden -fno-gnu-unique -pthread -I abi/include \
 *         -I plugin-sdk/cpp/include -o libstreaming.so examples/cpp/streaming.cpp
 */
#include <nylon_ring.hpp>

#include "query.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace {

using nylon_ring::Call;
using nylon_ring::Event;
using nylon_ring::Failure;
using nylon_ring::StreamSender;
using nylon_ring::TrySend;
using nylon_ring::Watch;

struct Stream {
  StreamSender sender;
  std::uint64_t last;  /* how many frames there are to be */
  bool flow;           /* by try_send */
  bool fails;          /* in the end */
  std::uint64_t next = 1;
};

/* One thread that serves any number of streams, each for a few frames at a time. */
class Worker {
 public:
  ~Worker() { stop(); }

  /* Has a stream served. Once stopped, it ends with an error when it is destroyed. */
  void queue(std::shared_ptr<Stream> stream) {
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      ready_.push_back(std::move(stream));
      changed_.notify_one();
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) {
      thread_.join();
    }
    ready_.clear();
  }

 private:
  enum class Turn { Ended, Waits, GoesOn };

  void work() {
    std::unique_lock lock(mutex_);
    while (!stopped_) {
      if (ready_.empty()) {
        changed_.wait(lock);
        continue;
      }
      std::shared_ptr<Stream> stream = std::move(ready_.front());
      ready_.pop_front();
      lock.unlock();
      if (serve(stream) == Turn::GoesOn) {
        queue(std::move(stream));
      }
      stream.reset();
      lock.lock();
    }
  }

  Turn serve(const std::shared_ptr<Stream> &stream) {
    StreamSender &sender = stream->sender;
    for (int frames = 0; frames < 64; frames++) {
      if (stream->next > stream->last) {
        stream->fails ? sender.fail(Failure::Err, "as it was told to") : sender.end();
        return Turn::Ended;
      }
      const std::string frame = std::to_string(stream->next);
      if (!stream->flow) {
        sender.send(frame);
      } else if (const TrySend sent = sender.try_send(frame); sent == TrySend::Full) {
        return wait(stream);
      } else if (sent != TrySend::Sent) {
        sender.end(); /* the caller has given it up: it is ended all the same */
        return Turn::Ended;
      }
      stream->next++;
    }
    return Turn::GoesOn;
  }

  /* Has a stream queued again when it can go on, or is over. Once registered it is not this thread's any more. */
  Turn wait(const std::shared_ptr<Stream> &stream) {
    switch (stream->sender.on_writable([this, stream](Event) { queue(stream); })) {
      case Watch::Registered:
        return Turn::Waits;
      case Watch::Already:
        return Turn::GoesOn;
      default:
        stream->sender.end();
        return Turn::Ended;
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Stream>> ready_;
  bool stopped_ = false;
  std::thread thread_{[this] { work(); }}; /* the last one: it uses the others */
};

class Streaming {
 public:
  explicit Streaming(const nylon_ring::Host &host) : has_flow_(host.offers(NR_EXT_STREAM)) {}

  void handle(const nylon_ring::Request &request, Call call) {
    const std::string_view path = request.path();
    const bool forever = path == "/forever";
    const bool flow = forever || path == "/flow";
    const bool fails = path == "/fail";
    if (!flow && !fails && path != "/count") {
      call.fail(Failure::Unsupported, "no such path: " + std::string(path));
    } else if (flow && !has_flow_) {
      call.fail(Failure::Unsupported, "the host does not offer " NR_EXT_STREAM);
    } else if (const auto n = forever ? UINT64_MAX : number(request.query(), fails ? "after" : "n")) {
      worker_.queue(std::make_shared<Stream>(Stream{call.stream(), *n, flow, fails}));
    } else {
      call.fail(Failure::Invalid, "the number of frames is no number");
    }
  }

  void shutdown() { worker_.stop(); }
  bool quiescent() const { return true; } /* after shutdown, its thread has ended */

 private:
  bool has_flow_;
  Worker worker_;
};

} /* namespace */

NYLON_RING_PLUGIN(Streaming, "streaming", "0.1.0");
