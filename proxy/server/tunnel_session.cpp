#include "proxy/server/tunnel_session.h"

#include <algorithm>
#include <utility>

#include "proxy/policy/client_hello.h"
#include "proxy/policy/hash.h"
#include "proxy/server/exchange.h"

namespace vipair::proxy {

using policy::Cause;
using policy::Side;
using policy::Stage;

TunnelSession::TunnelSession(WorkerContext& worker, std::unique_ptr<Stream> client, ClientInfo info,
                             std::size_t service)
    : worker_(worker),
      client_(std::move(client)),
      waiter_(worker.scheduler),
      info_(std::move(info)),
      started_(worker.scheduler.now()),
      local_(worker.pin()),
      name_(local_->snapshot->tcp[service].config->name),
      service_(service),
      from_client_(worker.buffers),
      from_server_(worker.buffers),
      running_(worker.counters.tunnels.running) {
  ++worker_.session_count;
  worker_.counters.connections.add();
  client_->set_waiter(&waiter_);
}

TunnelSession::~TunnelSession() {
  dispatch_.release();
  if (local_ != nullptr) worker_.unpin(local_);
  --worker_.session_count;
  worker_.counters.connections.subtract();
}

void TunnelSession::start() {
  task_ = run();
  task_.start({&TunnelSession::on_done, this});
}

void TunnelSession::on_done(void* session) {
  auto* self = static_cast<TunnelSession*>(session);
  self->worker_.finish(*self, self->task_, "tunnel session");
}

// The life of a tcp connection. Everything it calls is a plain function that returns at once.
Task TunnelSession::run() {
  if (service().config->sni.empty()) {
    go_to(service().upstream);
  } else {
    state_ = State::reading_hello;
    deadline_ = started_ + local_->snapshot->config.timeouts.request_head;
  }
  while (state_ == State::reading_hello) {
    if (read_hello()) continue;
    const bool is_late = co_await waiter_.activity(deadline_);
    if (is_late && !read_hello()) refuse(Cause::timed_out);
  }
  while (state_ == State::needs_upstream) {
    connect();
    while (state_ == State::connecting) {
      if (check_connect()) continue;
      co_await waiter_.activity(deadline_);
    }
  }
  int steps = 0;
  while (state_ == State::tunnel) {
    if (step()) {
      if (++steps % kStepsPerTurnMax == 0 || tunnel_.has_spliced()) co_await waiter_.yield();
      continue;
    }
    const bool is_late = co_await waiter_.activity(tunnel_deadline());
    if (!is_late) continue;
    step();  // what has arrived is not late, even if this process stood still meanwhile
    if (auto error = tunnel_.overdue(now()); error && state_ == State::tunnel) on_failure(*error);
  }
  finish();
}

// ---- where it goes ---------------------------------------------------------------------------

bool TunnelSession::read_hello() {
  if (!client_->can_read()) return false;
  if (from_client_.capacity() == 0) from_client_.reserve(BufferPool::kSmall);
  const IoResult result = client_->try_read(from_client_.room());
  switch (result.status) {
    case IoResult::Status::would_block:
      return false;
    case IoResult::Status::ok:
      from_client_.produced(result.bytes);
      judge_hello();
      break;
    case IoResult::Status::eof:
      refuse(Cause::closed);
      break;
    case IoResult::Status::error:
      refuse(cause_of(result.error));
      break;
  }
  return true;
}

void TunnelSession::judge_hello() {
  static_assert(policy::kClientHelloMax <= BufferPool::kSmall, "it fits into one buffer");
  const policy::ClientHello hello = policy::parse_client_hello(from_client_.view());
  switch (hello.status) {
    case policy::ClientHello::Status::incomplete:
      return;
    case policy::ClientHello::Status::error:
      worker_.counters.tunnels.bad_hellos[static_cast<std::size_t>(hello.error)].add();
      // A client that speaks something else may still be wanted by somebody who takes what no name asks for.
      if (service().upstream && hello.error == policy::ClientHelloError::not_tls) return go_to(service().upstream);
      return refuse(Cause::bad_message);
    case policy::ClientHello::Status::complete:
      server_name_ = hello.server_name.host();
      return go_to(service().match(server_name_));
  }
}

void TunnelSession::go_to(std::optional<std::size_t> upstream) {
  upstream_ = upstream;
  if (!upstream_) {
    worker_.counters.tunnels.unknown_names.add();
    return refuse(Cause::no_server);
  }
  LocalUpstream& group = local_->upstreams[*upstream_];
  Preference preference;
  if (group.shared->has_preferences) preference.key = policy::hash_of(info_.address_text);
  dispatch_.begin(worker_, group, waiter_, preference);
  state_ = State::needs_upstream;
}

// ---- the server ------------------------------------------------------------------------------

void TunnelSession::connect() { on_dispatch(dispatch_.connect()); }

bool TunnelSession::check_connect() {
  if (client_->is_broken()) {
    on_failure({Side::client, Stage::tunnel, Cause::reset, false});
    return true;
  }
  const Dispatch::Result result = dispatch_.check();
  on_dispatch(result);
  return result != Dispatch::Result::waiting;
}

void TunnelSession::on_dispatch(Dispatch::Result result) {
  switch (result) {
    case Dispatch::Result::connected:
      return begin_tunnel();
    case Dispatch::Result::failed:
      return on_failure(dispatch_.error());
    case Dispatch::Result::waiting:
      deadline_ = dispatch_.deadline();
      state_ = State::connecting;
      return;
  }
}

void TunnelSession::begin_tunnel() {
  dispatch_.server()->slot().requests.add();
  dispatch_.answered(0);
  worker_.counters.tunnels.connections.add();
  was_joined_ = true;
  policy::append_proxy_header(header_, upstream().config->send_proxy_protocol, {info_.address, info_.local});
  to_server_.add(header_.view());
  tunnel_.start(from_client_, from_server_, service().config->idle_timeout, now());
  dispatch_.outlive_upstream();
  worker_.unpin(std::exchange(local_, nullptr));
  state_ = State::tunnel;
}

bool TunnelSession::step() {
  switch (tunnel_.step(*client_, dispatch_.connection(), now())) {
    case Tunnel::Step::idle:
      return false;
    case Tunnel::Step::moved:
      return true;
    case Tunnel::Step::complete:
      dispatch_.complete(false);
      state_ = State::done;
      return true;
    case Tunnel::Step::failed:
      on_failure(tunnel_.failure());
      return true;
  }
  return false;
}

TimePoint TunnelSession::tunnel_deadline() {
  if (worker_.is_draining) {
    tunnel_.end_at(worker_.draining_since + worker_.current().snapshot->config.timeouts.tunnel_drain);
  }
  return tunnel_.deadline();
}

// ---- the end ---------------------------------------------------------------------------------

void TunnelSession::refuse(Cause cause) { on_failure({Side::client, Stage::request_head, cause, false}); }

void TunnelSession::on_failure(const policy::ProxyError& error) {
  worker_.counters
      .failed[static_cast<std::size_t>(error.side)][static_cast<std::size_t>(error.stage)]
             [static_cast<std::size_t>(error.cause)]
      .add();
  // A regular end would tell the other side that it has heard everything.
  if (error.side == Side::client && dispatch_.has_connection()) dispatch_.connection().abort_on_close();
  const bool retries = !was_joined_ && dispatch_.failed(error, {});
  worker_.report_failure(error, dispatch_.server(), retries);
  if (retries) {
    state_ = State::needs_upstream;
    return;
  }
  if (error.side != Side::proxy || !was_joined_) client_->abort_on_close();
  dispatch_.release();
  failure_ = error;
  state_ = State::done;
}

void TunnelSession::finish() {
  const std::uint64_t from_client = was_joined_ ? upward_.payload_bytes() : 0;
  const std::uint64_t to_client = was_joined_ ? downward_.payload_bytes() : 0;
  worker_.counters.bytes_from_clients.add(from_client);
  worker_.counters.bytes_to_clients.add(to_client);
  // As an HTTP request with this outcome would be told: 499 when the client left before there was a tunnel.
  int status = failure_ ? policy::status_for(*failure_, false).value_or(499) : 200;
  if (failure_ && failure_->cause == Cause::no_server && failure_->side == Side::client) status = 421;
  if (!worker_.wants_log_line(status)) return;
  LogEntry entry;
  entry.protocol = http::LogProtocol::tcp;
  entry.time = worker_.wall_time();
  entry.duration = now() - started_;
  entry.client = info_.address;
  entry.status = static_cast<std::uint16_t>(status);
  entry.target = name_;
  entry.host = server_name_;
  entry.attempts = static_cast<std::uint8_t>(dispatch_.attempts());
  if (const UpstreamPool* server = dispatch_.server(); server != nullptr) {
    entry.upstream = server->server().upstream;
    entry.upstream_address = server->server().text;
  }
  entry.request_bytes = from_client;
  entry.response_bytes = to_client;
  if (!worker_.access_log->ring(worker_.index).push(entry)) worker_.counters.log_lines_lost.add();
}

}  // namespace vipair::proxy
