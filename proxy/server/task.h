#pragma once
// The coroutine of one client connection: one frame, started once, resumed by its waiter until it ends, destroyed
// by its owner. It returns nothing; what ends it early is an exception, kept for the owner. Never resumed after
// done().
//
// A member function of a class that has frame_pool() takes its frame's memory from there.

#include <coroutine>
#include <cstddef>
#include <exception>
#include <new>
#include <utility>
#include <vector>

namespace vipair::proxy {

// The memory of frames that have ended, for those to come. All are of one size: each kind of coroutine has a pool
// of its own. One thread; outlives its frames.
class FramePool {
 public:
  static constexpr std::size_t kKeptMax = 1024;  // free ones; more go back to the heap

  FramePool() = default;
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool() {
    for (void* block : free_) ::operator delete(block);
  }

  // Of `pool`, or of the heap where there is none.
  static void* take(FramePool* pool, std::size_t size) {
    void* block = nullptr;
    if (pool != nullptr && !pool->free_.empty()) {
      block = pool->free_.back();
      pool->free_.pop_back();
    } else {
      if (pool != nullptr) pool->free_.reserve(kKeptMax);  // so that none of them is given back in vain
      block = ::operator new(kHeader + size);
    }
    *static_cast<FramePool**>(block) = pool;
    return static_cast<char*>(block) + kHeader;
  }
  static void give_back(void* frame) noexcept {
    void* const block = static_cast<char*>(frame) - kHeader;
    FramePool* const pool = *static_cast<FramePool**>(block);
    if (pool != nullptr && pool->free_.size() < kKeptMax) {
      pool->free_.push_back(block);
    } else {
      ::operator delete(block);
    }
  }

 private:
  static constexpr std::size_t kHeader = __STDCPP_DEFAULT_NEW_ALIGNMENT__;  // in front of a frame: its pool
  std::vector<void*> free_;
};

class [[nodiscard]] Task {
 public:
  // Called once, when the coroutine has suspended for the last time. The frame may be destroyed after it returned,
  // not within it.
  struct OnDone {
    void (*function)(void* owner) = nullptr;
    void* owner = nullptr;
  };

  struct promise_type {
    template <class Owner, class... Arguments>
    requires requires(Owner& owner) { owner.frame_pool(); }
    static void* operator new(std::size_t size, Owner& owner, Arguments&&...) {
      return FramePool::take(&owner.frame_pool(), size);
    }
    static void* operator new(std::size_t size) { return FramePool::take(nullptr, size); }
    static void operator delete(void* frame) noexcept { FramePool::give_back(frame); }

    struct Final {
      bool await_ready() noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> handle) noexcept {
        OnDone done = handle.promise().on_done;
        if (done.function != nullptr) done.function(done.owner);
      }
      void await_resume() noexcept {}
    };
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    Final final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { error = std::current_exception(); }

    OnDone on_done;
    std::exception_ptr error;
  };

  Task() = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() { destroy(); }

  void start(OnDone on_done) {
    handle_.promise().on_done = on_done;
    handle_.resume();
  }
  bool done() const { return !handle_ || handle_.done(); }
  std::exception_ptr error() const { return handle_ ? handle_.promise().error : nullptr; }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  void destroy() {
    if (handle_) handle_.destroy();
    handle_ = nullptr;
  }
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace vipair::proxy
