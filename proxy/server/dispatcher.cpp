#include "proxy/server/dispatcher.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/runtime/config_file.h"
#include "common/runtime/log.h"
#include "proxy/server/client_info.h"
#include "proxy/server/exchange.h"
#include "proxy/server/worker_context.h"

namespace vipair::proxy {

using policy::Cause;
using policy::Side;
using policy::Stage;

std::string preface_of(const LocalUpstream& upstream, const ClientInfo& client) {
  const Upstream& config = *upstream.config;
  if (!config.tls || config.send_proxy_protocol == policy::ProxyProtocol::none) return {};
  http::Buffer header;
  policy::append_proxy_header(header, config.send_proxy_protocol, {client.address, client.local});
  return std::string(header.view());
}

void Dispatch::begin(WorkerContext& worker, LocalUpstream& upstream, Waiter& waiter, const Preference& preference,
                     std::string preface) {
  reset();
  worker_ = &worker;
  upstream_ = &upstream;
  line_ = upstream.has_limits ? upstream.line.get() : nullptr;
  waiter_ = &waiter;
  preference_ = preference;
  preface_ = std::move(preface);
  upstream.budget.earn(upstream.config->balancing.retries);
}

void Dispatch::reset() {
  release();
  worker_ = nullptr;
  upstream_ = nullptr;
  pool_ = nullptr;
  line_ = nullptr;
  kept_pool_.reset();
  kept_line_.reset();
  attempts_ = 0;
  is_reused_ = false;
}

// ---- a server and a connection ---------------------------------------------------------------

Dispatch::Result Dispatch::connect() {
  if (attempts_ > 0) worker_->counters.retries.add();
  // A server that closed an idle connection may be as well as ever: a new one to the same server comes first.
  if (is_reused_) return open();
  leave_seat();
  ++attempts_;
  return choose(false);
}

Dispatch::Result Dispatch::choose(bool was_waiting) {
  const TimePoint now = worker_->scheduler.now();
  auto server_at = [this](std::size_t index) -> UpstreamPool& { return *upstream_->servers[index]; };
  if (preference_.server && attempts_ == 1 && server_at(*preference_.server).serves_its_own(now)) {
    if (take_seat(*preference_.server)) return open();
    return wait_for(&server_at(*preference_.server).server());
  }
  if (upstream_->has_limits && !was_waiting && upstream_->line->must_wait()) return wait_for(nullptr);
  std::optional<std::size_t> excluded;
  if (attempts_ > 1) excluded = index_;
  // Another worker may be quicker: then look again, but not for ever.
  for (std::size_t look = 0; look <= upstream_->servers.size(); ++look) {
    const policy::Balancer::Choice choice = upstream_->balancer.pick(server_at, now, preference_.key, excluded);
    if (!choice.index && !choice.is_full) return fail(Side::upstream, Stage::pick, Cause::no_server);
    if (!choice.index) break;
    if (take_seat(*choice.index)) return open();
  }
  return wait_for(nullptr);
}

Dispatch::Result Dispatch::wait_for(const Server* server) {
  const TimePoint now = worker_->scheduler.now();
  const Queue& queue = upstream_->config->balancing.queue;
  WaitingLine& line = *upstream_->line;
  if (state_ != State::in_line) {
    if (line.size() >= queue.length) {
      line.slot().queue_full.add();
      return fail(Side::upstream, Stage::pick, Cause::queue_full);
    }
    place_.waiter = waiter_;
    place_.wanted = server;
    place_.since = now;
    line.enter(place_);
    state_ = State::in_line;
  }
  deadline_ = std::min(now + kRecheck, place_.since + queue.timeout);
  return Result::waiting;
}

Dispatch::Result Dispatch::open() {
  leave_line();
  const bool was_reused = is_reused_;
  int error = 0;
  if (upstream_->config->protocol == UpstreamProtocol::h2) {
    bool is_shared = false;
    connection_ = pool_->open_stream(*worker_, error, is_shared);
    // Never twice in a row: a server that refuses every stream would be asked for ever.
    is_reused_ = is_shared && !was_reused && connection_ != nullptr;
  } else {
    connection_ = was_reused ? nullptr : pool_->take_idle();
    is_reused_ = connection_ != nullptr;
    if (!is_reused_) connection_ = begin_connection(error);
  }
  if (connection_ == nullptr) {
    const Cause cause = cause_of(error);
    return fail(cause == Cause::exhausted ? Side::proxy : Side::upstream, Stage::connect, cause);
  }
  (is_reused_ ? pool_->slot().reuses : pool_->slot().connects).add();
  connection_->set_waiter(waiter_);
  if (is_reused_) {
    state_ = State::connected;
    return Result::connected;
  }
  state_ = State::connecting;
  deadline_ = worker_->scheduler.now() + upstream_->config->connect_timeout;
  return Result::waiting;
}

std::unique_ptr<Stream> Dispatch::begin_connection(int& error) const {
  std::unique_ptr<Stream> connection = worker_->connector(pool_->server().endpoint, error);
  if (connection == nullptr || !pool_->speaks_tls()) return connection;
  auto report = [worker = worker_, server = &pool_->server()](const std::string& why) {
    worker->report_tls_failure(*server, why);
  };
  return pool_->secure(std::move(connection), std::move(report), false, preface_);
}

Dispatch::Result Dispatch::check() {
  const TimePoint now = worker_->scheduler.now();
  if (state_ == State::in_line) {
    WaitingLine& line = *upstream_->line;
    const Result result = line.is_first(place_) ? choose(true) : wait_for(place_.wanted);
    if (result != Result::waiting) return result;
    if (state_ == State::connecting) return check();  // it may be connected at once
    if (now < place_.since + upstream_->config->balancing.queue.timeout) return Result::waiting;
    line.slot().queue_timed_out.add();
    return fail(Side::upstream, Stage::pick, Cause::queue_timed_out);
  }
  if (connection_->is_broken()) {
    const int error = connection_->connect_result();
    return fail(Side::upstream, Stage::connect, error == 0 ? Cause::reset : cause_of(error));
  }
  if (connection_->can_write()) {
    state_ = State::connected;
    return Result::connected;
  }
  return now < deadline_ ? Result::waiting : fail(Side::upstream, Stage::connect, Cause::timed_out);
}

Dispatch::Result Dispatch::fail(Side side, Stage stage, Cause cause) {
  leave_line();
  state_ = State::nothing;
  error_ = {side, stage, cause, false};
  return Result::failed;
}

void Dispatch::outlive_upstream() {
  kept_pool_ = upstream_->servers[index_];
  if (line_ != nullptr) kept_line_ = upstream_->line;
  upstream_ = nullptr;
}

// ---- seats -----------------------------------------------------------------------------------

bool Dispatch::take_seat(std::size_t index) {
  UpstreamPool& pool = *upstream_->servers[index];
  if (upstream_->counts_seats && !pool.take_counted_seat()) return false;
  is_counted_ = upstream_->counts_seats;
  has_seat_ = true;
  was_blamed_ = false;
  pool_ = &pool;
  index_ = index;
  pool.slot().active.add();
  policy::Breaker& breaker = pool.server().breaker;
  began_ejected_ = !breaker.is_closed();
  is_probe_ = began_ejected_ && breaker.try_probe(upstream_->config->balancing.breaker, worker_->scheduler.now());
  return true;
}

void Dispatch::leave_seat() {
  if (!has_seat_) return;
  has_seat_ = false;
  if (is_probe_) pool_->server().breaker.abandon_probe(worker_->scheduler.now());
  is_probe_ = began_ejected_ = false;
  pool_->slot().active.subtract();
  if (!is_counted_) return;
  pool_->leave_counted_seat();
  if (line_ != nullptr) worker_->wake_next(*line_, pool_->shared_server());
}

void Dispatch::leave_line() {
  if (state_ != State::in_line) return;
  state_ = State::nothing;
  upstream_->line->leave(place_);
  // There may be room for more than one: whoever is next looks, and finds out.
  if (pool_ != nullptr && has_seat_) upstream_->line->wake_next(pool_->server());
}

// ---- what became of it -----------------------------------------------------------------------

void Dispatch::answered(int status) {
  pool_->mark_working();
  if (status > 0 && upstream_->config->balancing.failure_statuses.test(static_cast<std::size_t>(status))) {
    count_failure("status " + std::to_string(status));
    return;
  }
  if (!began_ejected_) return;
  const TimePoint now = worker_->scheduler.now();
  Server& server = pool_->server();
  if (!server.breaker.is_closed()) {
    server.breaker.close(now);
    server.start_slowly(now);
    log::info("upstream " + server.upstream + ": " + server.text + " answers again");
  }
  is_probe_ = began_ejected_ = false;
}

bool Dispatch::failed(const policy::ProxyError& error, policy::Attempt attempt) {
  if (!has_begun()) return false;
  attempt.number = attempts_;
  attempt.is_reused_connection = is_reused_;
  // HTTP/2 refuses what comes after its announcement that it closes.
  const bool was_idle =
      is_reused_ && !attempt.response_started &&
      (error.cause == Cause::closed || error.cause == Cause::reset || error.cause == Cause::refused);
  // How a tunnel ends is between its two ends.
  if (error.side == Side::upstream && error.stage != Stage::tunnel && has_seat_) blame(error, was_idle);
  const policy::RetrySettings& retries = upstream_->config->balancing.retries;
  bool may_try = policy::may_retry(error, attempt, retries);
  if (may_try && !is_reused_ && !upstream_->budget.spend()) {
    upstream_->line->slot().retries_denied.add();
    may_try = false;
  }
  if (may_try) {
    connection_.reset();
  } else {
    release();
  }
  return may_try;
}

void Dispatch::complete(bool may_keep_connection) {
  if (!was_blamed_) pool_->server().breaker.on_success();
  if (may_keep_connection) pool_->give_back(std::move(connection_), worker_->scheduler.now());
  release();
}

void Dispatch::release() {
  leave_line();
  state_ = State::nothing;
  connection_.reset();
  leave_seat();
}

void Dispatch::blame(const policy::ProxyError& error, bool was_idle) {
  pool_->slot().failures.add();
  if (error.stage == Stage::connect) {
    pool_->avoid_until(worker_->scheduler.now() + upstream_->config->avoid_failed);
  }
  if (!was_idle) count_failure(std::string(to_string(error.stage)) + ", " + to_string(error.cause));
}

void Dispatch::count_failure(const std::string& reason) {
  Server& server = pool_->server();
  const policy::BreakerSettings& settings = upstream_->config->balancing.breaker;
  const bool was_probe = std::exchange(is_probe_, false);
  was_blamed_ = true;
  if (!server.breaker.on_failure(settings, was_probe) || !has_others()) return;
  const Duration time = server.breaker.open(settings, worker_->scheduler.now());
  log::warn("upstream " + server.upstream + ": " + server.text + " is ejected for " + format_duration(time) +
            (was_probe ? ", it still fails: " : ", " + std::to_string(settings.failures) + " failures in a row: ") +
            reason);
}

// The last one that works is never ejected.
bool Dispatch::has_others() const {
  const TimePoint now = worker_->scheduler.now();
  const auto& servers = upstream_->servers;
  return std::any_of(servers.begin(), servers.end(), [&](const auto& other) {
    if (other.get() == pool_) return false;
    const policy::Usability usability = other->usability(now);
    return usability == policy::Usability::usable || usability == policy::Usability::full;
  });
}

}  // namespace vipair::proxy
