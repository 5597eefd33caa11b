#include "proxy/server/upstream_pool.h"

#include <algorithm>

#include "proxy/server/h2_upstream.h"

namespace vipair::proxy {

UpstreamPool::UpstreamPool(std::shared_ptr<Server> server, std::size_t worker)
    : server_(std::move(server)), slot_(server_->slots[worker]) {}

UpstreamPool::~UpstreamPool() { close_idle(); }

std::unique_ptr<Stream> UpstreamPool::open_stream(WorkerContext& worker, int& error, bool& is_reused) {
  if (multiplexed_ == nullptr) multiplexed_ = std::make_unique<H2Upstreams>();
  auto connect = [&](int& failure) {
    std::unique_ptr<Stream> connection = worker.connector(server_->endpoint, failure);
    if (connection == nullptr || !speaks_tls()) return connection;
    auto report = [&worker, server = server_](const std::string& why) { worker.report_tls_failure(*server, why); };
    return secure(std::move(connection), std::move(report), true);
  };
  return multiplexed_->open(worker, {speaks_tls() ? "https" : "http", idle_timeout_}, connect, error, is_reused);
}

void UpstreamPool::configure(std::size_t idle_max, Duration idle_timeout) {
  idle_max_ = idle_max;
  idle_timeout_ = idle_timeout;
  idle_.reserve(idle_max);
}

void UpstreamPool::use_tls(std::shared_ptr<const UpstreamTls> tls, const std::string& name) {
  if (tls == tls_ && name == tls_name_) return;
  tls_name_ = name;
  close_idle();
  if (multiplexed_ != nullptr) multiplexed_->retire();
  tls_session_ = tls != nullptr ? std::make_shared<UpstreamTlsSession>() : nullptr;
  tls_ = std::move(tls);
}

std::unique_ptr<Stream> UpstreamPool::secure(std::unique_ptr<Stream> connection, UpstreamTls::OnFailure on_failure,
                                             bool http2) {
  return tls_->connect(std::move(connection), tls_name_, tls_session_, std::move(on_failure), http2);
}

bool UpstreamPool::is_usable(Stream& stream) {
  if (stream.peer_closed()) return false;
  if (!stream.can_read()) return true;
  // The last read filled its buffer to the brim, so the flag may say nothing: look.
  char byte;
  return stream.try_read({&byte, 1}).status == IoResult::Status::would_block;
}

std::unique_ptr<Stream> UpstreamPool::take_idle() {
  while (!idle_.empty()) {
    std::unique_ptr<Stream> stream = std::move(idle_.back().stream);
    idle_.pop_back();
    slot_.idle.subtract();
    if (is_usable(*stream)) return stream;
  }
  return nullptr;
}

void UpstreamPool::give_back(std::unique_ptr<Stream> stream, TimePoint now) {
  if (idle_max_ == 0 || stream->peer_closed()) return;
  stream->set_waiter(nullptr);
  if (idle_.size() >= idle_max_) {
    idle_.erase(idle_.begin());
    slot_.idle.subtract();
  }
  idle_.push_back({std::move(stream), now});
  slot_.idle.add();
}

void UpstreamPool::sweep(TimePoint now) {
  const std::size_t closed = std::erase_if(
      idle_, [&](const Idle& idle) { return now - idle.since >= idle_timeout_ || !is_usable(*idle.stream); });
  slot_.idle.subtract(closed);
  if (multiplexed_ != nullptr) multiplexed_->sweep();
}

void UpstreamPool::close_idle() {
  slot_.idle.subtract(idle_.size());
  idle_.clear();
}

}  // namespace vipair::proxy
