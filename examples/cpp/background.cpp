/*
 * Answers from threads of its own. What the paths mean stands in examples/README.md.
 *
 *     g++ -std=c++17 -shared -fPIC -fvisibility=hidden -fno-gnu-unique -pthread -I abi/include \
 *         -I plugin-sdk/cpp/include -o libbackground.so examples/cpp/background.cpp
 */
#include <nylon_ring.hpp>

#include "query.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using nylon_ring::Call;
using nylon_ring::Event;
using nylon_ring::Failure;
using nylon_ring::Watch;

/* Threads that answer calls with "done" when they are due, or when they are cancelled. */
class Pool {
 public:
  static constexpr Clock::time_point never = Clock::time_point::max();

  explicit Pool(unsigned threads) {
    for (unsigned i = 0; i < threads; i++) {
      threads_.emplace_back([this] { work(); });
    }
  }

  ~Pool() { stop(); }

  /* Takes a call; one that is never due waits to be cancelled, and counts then. */
  void add(Call call, Clock::time_point due) {
    const std::uint64_t id = ids_++;
    /* The callback may come before the job is there, even before on_cancel returns. Then it leaves a mark. */
    const auto cancelled = std::make_shared<std::atomic<bool>>(false);
    const Watch watch = call.on_cancel([this, id, cancelled](Event event) {
      if (event == Event::Cancelled) {
        *cancelled = true;
        const std::lock_guard lock(mutex_);
        hurry(id);
      }
    });
    if (watch == Watch::Unsupported && due == never) {
      call.fail(Failure::Unsupported, "the host does not tell of cancelled calls");
      return;
    }
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      jobs_.emplace(id, Job{std::move(call), due, due == never});
      if (watch == Watch::Closed || *cancelled) {
        hurry(id);
      }
      changed_.notify_one();
    } /* else the call answers, when it is destroyed */
  }

  std::uint64_t cancelled() const { return cancelled_; }

  void stop() {
    std::map<std::uint64_t, Job> left;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      left.swap(jobs_);
    }
    changed_.notify_all();
    for (std::thread &thread : threads_) {
      thread.join();
    }
    threads_.clear();
    for (auto &[id, job] : left) {
      job.call.fail(Failure::Err, "the plugin has been stopped");
    }
  }

 private:
  struct Job {
    Call call;
    Clock::time_point due;
    bool waits; /* to be cancelled; it counts then, once */
  };

  /* Makes a job due that has been cancelled, if it is still there. With the mutex. */
  void hurry(std::uint64_t id) {
    const auto found = jobs_.find(id);
    if (found != jobs_.end()) {
      cancelled_ += std::exchange(found->second.waits, false) ? 1 : 0;
      found->second.due = Clock::time_point::min();
      changed_.notify_one();
    }
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (!stopped_) {
      const auto next = std::min_element(jobs_.begin(), jobs_.end(),
                                         [](const auto &a, const auto &b) { return a.second.due < b.second.due; });
      if (next == jobs_.end() || next->second.due == never) {
        changed_.wait(lock);
      } else if (const Clock::time_point due = next->second.due; due > Clock::now()) {
        changed_.wait_until(lock, due);
      } else {
        Call call = std::move(next->second.call);
        jobs_.erase(next);
        lock.unlock();
        call.reply("done"); /* nobody sees it if the call was cancelled */
        lock.lock();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Job> jobs_;
  bool stopped_ = false;
  std::atomic<std::uint64_t> ids_{0};
  std::atomic<std::uint64_t> cancelled_{0};
  std::vector<std::thread> threads_;
};

/* Past it, one may as well wait for ever. */
constexpr std::uint64_t a_year = 365ull * 24 * 60 * 60 * 1000;

class Background {
 public:
  void handle(const nylon_ring::Request &request, Call call) {
    const std::string_view path = request.path();
    if (path == "/work") {
      if (const auto ms = number(request.query(), "ms")) {
        pool_.add(std::move(call), Clock::now() + std::chrono::milliseconds(std::min(*ms, a_year)));
      } else {
        call.fail(Failure::Invalid, "ms is not a number of milliseconds");
      }
    } else if (path == "/wait-cancel") {
      pool_.add(std::move(call), Pool::never);
    } else if (path == "/cancelled") {
      call.reply(std::to_string(pool_.cancelled()));
    } else if (path == "/deadline") {
      const auto left = call.deadline();
      call.reply(left ? std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(*left).count()) : "none");
    } else {
      call.fail(Failure::Unsupported, "no such path: " + std::string(path));
    }
  }

  void shutdown() { pool_.stop(); }
  bool quiescent() const { return true; } /* after shutdown, all its threads have ended */

 private:
  Pool pool_{2};
};

} /* namespace */

NYLON_RING_PLUGIN(Background, "background", "0.1.0");
