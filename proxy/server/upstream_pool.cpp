#include "proxy/server/upstream_pool.h"

#include "proxy/server/h2_upstream.h"

namespace vipair::proxy {

namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::uint64_t kWeightUnit = 256;    // so that a share can be a part of a weight of 1
constexpr std::int64_t kSlowStartParts = 10;  // the first part is given at once
}  // namespace

bool Server::set_up(bool up, TimePoint now) {
  if (up && !is_up.load(kRelaxed)) start_slowly(now);
  return is_up.exchange(up, kRelaxed) != up;
}

void Server::drain(TimePoint until) {
  sticky_until.store(until.time_since_epoch().count(), kRelaxed);
  is_draining.store(true, kRelaxed);
}

void Server::end_drain(TimePoint now) {
  if (!is_draining.exchange(false, kRelaxed)) return;
  start_slowly(now);
}

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
  return multiplexed_->open(worker, {speaks_tls() ? "https" : "http", settings_.idle_timeout}, connect, error,
                            is_reused);
}

void UpstreamPool::configure(const Settings& settings) {
  settings_ = settings;
  idle_.reserve(settings.idle_max);
}

policy::Usability UpstreamPool::usability(TimePoint now) const {
  const Server& server = *server_;
  if (!server.is_up.load(kRelaxed) || server.is_draining.load(kRelaxed)) return policy::Usability::down;
  if (avoid_until() > now || server.breaker.open_until() > now) return policy::Usability::ejected;
  if (settings_.in_use_max != 0 && load() >= settings_.in_use_max) return policy::Usability::full;
  return policy::Usability::usable;
}

bool UpstreamPool::serves_its_own(TimePoint now) const {
  const Server& server = *server_;
  if (!server.is_up.load(kRelaxed) || ejected_until() > now) return false;
  return !server.is_draining.load(kRelaxed) || now.time_since_epoch().count() < server.sticky_until.load(kRelaxed);
}

std::uint64_t UpstreamPool::weight(TimePoint now) const {
  const std::uint64_t whole = settings_.weight * kWeightUnit;
  const std::int64_t started = server_->started_at.load(kRelaxed), whole_time = settings_.slow_start.count();
  if (started == 0 || whole_time == 0) return whole;
  const std::int64_t elapsed = now.time_since_epoch().count() - started;
  if (elapsed >= whole_time) return whole;
  const std::int64_t part = std::max<std::int64_t>(1, elapsed / (whole_time / kSlowStartParts + 1));
  return whole * static_cast<std::uint64_t>(part) / kSlowStartParts;
}

bool UpstreamPool::take_counted_seat() {
  std::atomic<std::uint64_t>& in_use = server_->in_use;
  std::uint64_t count = in_use.load(kRelaxed);
  do {
    if (settings_.in_use_max != 0 && count >= settings_.in_use_max) return false;
  } while (!in_use.compare_exchange_weak(count, count + 1, kRelaxed));
  return true;
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
                                             bool http2, std::string preface) {
  return tls_->connect(std::move(connection), tls_name_, tls_session_, std::move(on_failure), http2,
                       std::move(preface));
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
  if (settings_.idle_max == 0 || stream->peer_closed()) return;
  stream->set_waiter(nullptr);
  if (idle_.size() >= settings_.idle_max) {
    idle_.erase(idle_.begin());
    slot_.idle.subtract();
  }
  idle_.push_back({std::move(stream), now});
  slot_.idle.add();
}

void UpstreamPool::sweep(TimePoint now) {
  const std::size_t closed = std::erase_if(idle_, [&](const Idle& idle) {
    return now - idle.since >= settings_.idle_timeout || !is_usable(*idle.stream);
  });
  slot_.idle.subtract(closed);
  if (multiplexed_ != nullptr) multiplexed_->sweep();
}

void UpstreamPool::close_idle() {
  slot_.idle.subtract(idle_.size());
  idle_.clear();
}

}  // namespace vipair::proxy
