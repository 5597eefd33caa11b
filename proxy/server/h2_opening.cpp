#include "proxy/server/h2_opening.h"

#include <algorithm>

#include "proxy/server/client_session.h"
#include "proxy/server/h2_session.h"

namespace vipair::proxy {

H2Opening::H2Opening(WorkerContext& worker, std::unique_ptr<Stream> client, ClientInfo info)
    : worker_(worker),
      client_(std::move(client)),
      waiter_(worker.scheduler),
      info_(std::move(info)),
      begun_(worker.scheduler.now()) {
  ++worker_.session_count;
  worker_.counters.connections.add();
  client_->set_waiter(&waiter_);
}

H2Opening::~H2Opening() {
  --worker_.session_count;
  worker_.counters.connections.subtract();
}

void H2Opening::start() {
  task_ = run();
  task_.start({&H2Opening::on_done, this});
}

void H2Opening::on_done(void* session) {
  auto* self = static_cast<H2Opening*>(session);
  self->worker_.finish(*self, self->task_, "a new connection");
}

Task H2Opening::run() {
  while (!is_decided()) {
    if (client_->can_read()) {
      if (!read()) co_return;
      continue;
    }
    if (client_->is_broken() || (worker_.is_draining && size_ == 0 && now_is_late())) co_return;
    const bool is_late = co_await waiter_.activity(deadline());
    if (is_late && !client_->can_read()) co_return;
  }
  hand_over();
}

bool H2Opening::is_decided() const {
  return size_ == bytes_.size() || seen() != http::h2::kPreface.substr(0, size_);
}

bool H2Opening::now_is_late() const { return worker_.scheduler.now() >= deadline(); }

TimePoint H2Opening::deadline() const {
  const TimePoint deadline = begun_ + worker_.current().snapshot->config.timeouts.request_head;
  return worker_.is_draining ? std::min(deadline, std::max(begun_, worker_.draining_since) + kDrainIdle) : deadline;
}

bool H2Opening::read() {
  const IoResult result = client_->try_read(std::span(bytes_).subspan(size_));
  size_ += result.bytes;
  return result.status == IoResult::Status::ok || result.status == IoResult::Status::would_block;
}

void H2Opening::hand_over() {
  client_->set_waiter(nullptr);
  if (seen() == http::h2::kPreface) {
    auto session = std::make_unique<H2Session>(worker_, std::move(client_), info_, seen());
    worker_.sessions.push_back(*session);
    session.release()->start();
  } else {
    auto session = std::make_unique<ClientSession>(worker_, std::move(client_), info_, seen());
    worker_.sessions.push_back(*session);
    session.release()->start();
  }
}

}  // namespace vipair::proxy
