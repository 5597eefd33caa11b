#include "vrrp/kernel/watch.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

namespace vipair::vrrp {

namespace asio = boost::asio;
using boost::system::error_code;

struct WatchedFd::State : std::enable_shared_from_this<State> {
  asio::posix::stream_descriptor descriptor;
  std::function<void()> readable, writable;  // empty: nobody waits, or nobody is there any more

  State(asio::io_context& io, int fd) : descriptor(io, fd) {}
  void wait(asio::posix::stream_descriptor::wait_type type, std::function<void()> State::*call) {
    descriptor.async_wait(type, [weak = weak_from_this(), call](error_code error) {
      const auto state = weak.lock();
      if (error || !state) return;
      if (auto function = std::exchange((*state).*call, nullptr)) function();
    });
  }
};

WatchedFd::WatchedFd(asio::io_context& io, UniqueFd fd) : state_(std::make_shared<State>(io, fd.get())) {
  (void)fd.release();
}

WatchedFd& WatchedFd::operator=(WatchedFd&& other) noexcept {
  std::swap(state_, other.state_);
  other.state_.reset();
  return *this;
}

WatchedFd::~WatchedFd() = default;

int WatchedFd::get() const { return state_ ? state_->descriptor.native_handle() : -1; }

void WatchedFd::when_readable(std::function<void()> call) {
  state_->readable = std::move(call);
  state_->wait(asio::posix::stream_descriptor::wait_read, &State::readable);
}

void WatchedFd::when_writable(std::function<void()> call) {
  state_->writable = std::move(call);
  state_->wait(asio::posix::stream_descriptor::wait_write, &State::writable);
}

struct Alarm::State {
  asio::steady_timer timer;
  std::function<void()> call;
  unsigned setting = 0;  // counts them: an expiry that was under way when it was set again says nothing

  explicit State(asio::io_context& io) : timer(io) {}
};

Alarm::Alarm(asio::io_context& io) : state_(std::make_shared<State>(io)) {}

Alarm::~Alarm() = default;

void Alarm::at(TimePoint time, std::function<void()> call) {
  state_->call = std::move(call);
  state_->timer.expires_at(asio::steady_timer::time_point(
      std::chrono::duration_cast<asio::steady_timer::duration>(time.time_since_epoch())));
  state_->timer.async_wait([weak = std::weak_ptr<State>(state_), setting = ++state_->setting](error_code error) {
    const auto state = weak.lock();
    if (error || !state || state->setting != setting) return;
    if (auto function = std::exchange(state->call, nullptr)) function();
  });
}

void Alarm::cancel() {
  ++state_->setting;
  state_->call = nullptr;
  state_->timer.cancel();
}

}  // namespace vipair::vrrp
