#pragma once
// The coroutine of one client connection: one frame, started once, resumed by its waiter until it ends, destroyed
// by its owner. It returns nothing; what ends it early is an exception, kept for the owner. Never resumed after
// done().

#include <coroutine>
#include <exception>
#include <utility>

namespace vipair::proxy {

class [[nodiscard]] Task {
 public:
  // Called once, when the coroutine has suspended for the last time. The frame may be destroyed after it returned,
  // not within it.
  struct OnDone {
    void (*function)(void* owner) = nullptr;
    void* owner = nullptr;
  };

  struct promise_type {
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
