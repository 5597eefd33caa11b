#include "proxy/server/client_session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/server/admission.h"
#include "proxy/server/answer.h"
#include "proxy/server/heads.h"
#include "proxy/server/preference.h"
#include "proxy/server/record.h"

namespace vipair::proxy {

using policy::Cause;
using policy::Side;
using policy::Stage;

ClientSession::ClientSession(WorkerContext& worker, std::unique_ptr<Stream> client, ClientInfo info,
                             std::string_view already_read)
    : worker_(worker),
      client_(std::move(client)),
      waiter_(worker.scheduler),
      idle_since_(worker.scheduler.now()),
      info_(std::move(info)) {
  if (!is_stream()) {
    ++worker_.session_count;
    worker_.counters.connections.add();
  }
  client_->set_waiter(&waiter_);
  if (already_read.empty()) return;
  request_ = worker_.requests.take();
  InputBuffer& in = request_->exchange.head_in;
  in.reserve(BufferPool::kSmall);
  std::copy(already_read.begin(), already_read.end(), in.room().begin());
  in.produced(already_read.size());
}

ClientSession::~ClientSession() {
  if (request_ != nullptr) {
    if (request_->exchange.response_has_begun()) client_->abort_on_close();  // half of it must not look whole
    request_->dispatch.release();
    if (request_->local != nullptr) worker_.unpin(request_->local);
    worker_.requests.give_back(std::move(request_));
  }
  if (is_stream()) return;
  --worker_.session_count;
  worker_.counters.connections.subtract();
}

void ClientSession::on_done(void* session) {
  auto* self = static_cast<ClientSession*>(session);
  if (std::exception_ptr error = self->task_.error()) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& exception) {
      self->on_exception(exception);
    }
  }
  self->worker_.ended_tasks.push_back(std::move(self->task_));  // we are still within its frame
  if (self->goes_on_) {
    self->wait();
  } else {
    self->leave();
  }
}

// Out of memory, most likely: it costs this connection, not the others.
void ClientSession::on_exception(const std::exception& exception) {
  log::error(std::string("client session ended by an exception: ") + exception.what());
  goes_on_ = false;
}

// The life of a request, and of those that came together with it. Everything it calls is a plain function that
// returns at once.
Task ClientSession::serve() {
  do {
    while (request_->state == State::reading_head) {
      if (read_head()) continue;
      const bool is_late = co_await waiter_.activity(request_->deadline);
      if (is_late && !(read_head() && request_->state != State::reading_head)) on_head_timeout();
    }
    while (request_->state == State::checking_password) {
      const bool is_late = co_await waiter_.activity(request_->deadline);
      if (is_late || request_->password_check->is_right) settle(admit_checked(worker_, info_, *request_));
    }
    int steps = 0;
    while (request_->state == State::needs_upstream) {
      connect();
      while (request_->state == State::connecting) {
        if (check_connect()) continue;
        co_await waiter_.activity(request_->deadline);
      }
      while (request_->state == State::exchanging) {
        if (step()) {
          const bool others_first = ++steps % kStepsPerTurnMax == 0 || request_->exchange.gives_way();
          if (others_first) co_await waiter_.yield();
          continue;
        }
        const bool is_late = co_await waiter_.activity(exchange_deadline());
        if (!is_late) continue;
        step();  // what has arrived is not late, even if this process stood still meanwhile
        if (request_->state == State::exchanging) on_exchange_deadline();
      }
    }
    if (request_->state == State::answering) {
      while (request_->state == State::answering) {
        if (flush_answer()) continue;
        const bool is_late = co_await waiter_.activity(request_->deadline);
        if (is_late && !flush_answer()) abandon();
      }
      // Nobody was waited for: a client that asks for nothing but such answers would keep the worker for itself.
      co_await waiter_.yield();
    }
    finish_request();
  } while (begin_next());
  if (!must_linger_) co_return;
  // Closing with unread input would reset the connection, and the client might never read our last answer.
  client_->shutdown_write();
  const TimePoint linger_until = now() + kLingerMax;
  std::size_t discarded = 0;
  while (discard_input(discarded)) {
    const bool is_late = co_await waiter_.activity(linger_until);
    if (is_late) co_return;
  }
}

// ---- between requests ------------------------------------------------------------------------

// Called when something happens while no request runs, and when nothing has happened for too long.
void ClientSession::on_activity(void* session) {
  auto* self = static_cast<ClientSession*>(session);
  try {
    self->begin_or_wait();
  } catch (const std::exception& exception) {
    self->on_exception(exception);
    self->leave();
  }
}

void ClientSession::begin_or_wait() {
  while (has_input()) {
    if (!begin_head()) return leave();
    if (is_idle()) continue;
    task_ = serve();
    return task_.start({&ClientSession::on_done, this});
  }
  if (must_leave() || now() >= idle_deadline()) return leave();
  wait();
}

void ClientSession::wait() {
  waiter_.call(idle_deadline(), &ClientSession::on_activity, this);
  if (has_input() || must_leave()) waiter_.wake();  // what came while a request ended
}

void ClientSession::leave() {
  client_->set_waiter(nullptr);  // a stream of HTTP/2 sees that nobody will serve its next request
  worker_.finished.push_back(this);
}

bool ClientSession::has_input() const { return request_ != nullptr || client_->can_read(); }

bool ClientSession::must_leave() const {
  return client_->is_broken() ||
         (worker_.is_draining && now() >= std::max(idle_since_, worker_.draining_since) + kDrainIdle);
}

TimePoint ClientSession::idle_deadline() const {
  const Timeouts& timeouts = worker_.current().snapshot->config.timeouts;
  const TimePoint deadline = idle_since_ + (has_served_ ? timeouts.keep_alive : timeouts.request_head);
  return worker_.is_draining ? std::min(deadline, std::max(idle_since_, worker_.draining_since) + kDrainIdle)
                             : deadline;
}

// ---- the request's head ----------------------------------------------------------------------

// False: what there is to read is the end. Idle as before: there was nothing.
bool ClientSession::begin_head() {
  if (request_ == nullptr) {
    request_ = worker_.requests.take();
    request_->exchange.head_in.reserve(BufferPool::kSmall);
    const IoResult result = client_->try_read(request_->exchange.head_in.room());
    if (result.status == IoResult::Status::eof || result.status == IoResult::Status::error) return false;
    if (result.status == IoResult::Status::would_block) {
      worker_.requests.give_back(std::move(request_));
      return true;
    }
    request_->exchange.head_in.produced(result.bytes);
  }
  request_->started = now();
  request_->local = worker_.pin();
  const Timeouts& timeouts = config().timeouts;
  request_->deadline = (has_served_ ? request_->started : idle_since_) + timeouts.request_head;
  if (!request_->exchange.head_in.empty()) parse_head();
  return true;
}

bool ClientSession::begin_next() {
  if (!goes_on_ || !has_input()) return false;
  goes_on_ = begin_head();
  return goes_on_ && !is_idle();
}

bool ClientSession::read_head() {
  if (!client_->can_read()) return false;
  InputBuffer& in = request_->exchange.head_in;
  if (in.capacity() == 0) in.reserve(BufferPool::kSmall);
  if (in.room().empty()) {
    // The rest of the head needs room: first what was consumed before it, then a larger block.
    const std::size_t limit = request_->local->snapshot->request_limits.head_bytes_max + BufferPool::kSmall;
    in.reserve(in.size() < in.capacity() ? in.capacity() : std::min(in.capacity() * 4, limit));
  }
  const IoResult result = client_->try_read(in.room());
  if (result.status == IoResult::Status::would_block) return false;
  if (result.status == IoResult::Status::ok) {
    in.produced(result.bytes);
    parse_head();
  } else {
    abandon();
  }
  return true;
}

void ClientSession::parse_head() {
  Exchange& exchange = request_->exchange;
  const http::ParseResult parsed = http::parse_request_head(
      exchange.head_in.view(), request_->local->snapshot->request_limits, exchange.request, request_->head_seen);
  switch (parsed.status) {
    case http::ParseStatus::incomplete:
      request_->head_seen = exchange.head_in.size();
      return;
    case http::ParseStatus::error:
      worker_.counters.refused[static_cast<std::size_t>(parsed.error)].add();
      answer({http::status_for(parsed.error)});
      return;
    case http::ParseStatus::complete:
      request_->head_bytes = exchange.head_in.data();
      exchange.head_in.consume(exchange.request.size);
      settle(admit(worker_, info_, waiter_, *request_));
      return;
  }
}

void ClientSession::on_head_timeout() {
  if (request_->exchange.head_in.empty()) {
    abandon();
  } else {
    on_failure({Side::client, Stage::request_head, Cause::timed_out, false});
  }
}

void ClientSession::settle(const std::optional<OwnAnswer>& own) {
  if (own) return answer(*own);
  if (request_->password_check != nullptr) {
    request_->state = State::checking_password;
  } else {
    begin_dispatch();
  }
}

void ClientSession::begin_dispatch() {
  Request& request = *request_;
  LocalUpstream& upstream = request.local->upstreams[request.route->upstream];
  Preference preference;
  if (upstream.shared->has_preferences) {
    preference = preference_of(*upstream.shared, request.exchange.request, request.head_bytes, request.target.path,
                               request.client_text.empty() ? info_.address_text : request.client_text,
                               upstream.line->slot());
  }
  request.dispatch.begin(worker_, upstream, waiter_, preference, preface_of(upstream, info_));
  request.state = State::needs_upstream;
}

// ---- the upstream ----------------------------------------------------------------------------

void ClientSession::connect() { on_dispatch(request_->dispatch.connect()); }

bool ClientSession::check_connect() {
  if (client_->is_broken()) {
    on_failure({Side::client, Stage::response_head, Cause::reset, false});
    return true;
  }
  const Dispatch::Result result = request_->dispatch.check();
  on_dispatch(result);
  return result != Dispatch::Result::waiting;
}

void ClientSession::on_dispatch(Dispatch::Result result) {
  switch (result) {
    case Dispatch::Result::connected:
      request_->state = State::exchanging;
      return send_request(worker_, info_, *request_);
    case Dispatch::Result::failed:
      return on_failure(request_->dispatch.error());
    case Dispatch::Result::waiting:
      request_->deadline = request_->dispatch.deadline();
      request_->state = State::connecting;
      return;
  }
}

bool ClientSession::step() {
  Request& request = *request_;
  switch (request.exchange.step(*client_, request.dispatch.connection(), now())) {
    case Exchange::Step::idle:
      return false;
    case Exchange::Step::moved:
      return true;
    case Exchange::Step::interim_response:
      send_interim_response(worker_, info_, request);
      return true;
    case Exchange::Step::response_head:
      send_response(worker_, info_, request);
      return true;
    case Exchange::Step::switching_protocols:
      send_switch(worker_, info_, request);
      return true;
    case Exchange::Step::complete:
      on_complete();
      return true;
    case Exchange::Step::failed:
      on_failure(*request.exchange.failure());
      return true;
  }
  return false;
}

// timeouts.request, counted from the first byte.
TimePoint ClientSession::request_end() const {
  const Duration whole = config().timeouts.request;
  return whole == Duration::max() ? TimePoint::max() : request_->started + whole;
}

void ClientSession::on_exchange_deadline() {
  Exchange& exchange = request_->exchange;
  exchange.on_deadline(now());
  if (exchange.is_tunnel() || now() < request_end()) return;
  const Side side = exchange.request_was_received() ? Side::upstream : Side::client;
  exchange.fail(side, side == Side::client ? Stage::request_body : Stage::response_body, Cause::timed_out);
}

TimePoint ClientSession::exchange_deadline() {
  Exchange& exchange = request_->exchange;
  if (worker_.is_draining && exchange.is_tunnel()) {
    exchange.end_tunnel_at(worker_.draining_since + config().timeouts.tunnel_drain);
  }
  const TimePoint deadline = exchange.deadline(now());
  return exchange.is_tunnel() ? deadline : std::min(deadline, request_end());
}

void ClientSession::on_complete() {
  Request& request = *request_;
  request.must_linger = !request.exchange.request_was_received();
  request.dispatch.complete(request.connection_persists && request.exchange.request_was_sent() &&
                            request.exchange.upstream_in.empty());
  request.state = State::done;
}

void ClientSession::on_failure(const policy::ProxyError& error) {
  Request& request = *request_;
  Exchange& exchange = request.exchange;
  worker_.counters
      .failed[static_cast<std::size_t>(error.side)][static_cast<std::size_t>(error.stage)]
             [static_cast<std::size_t>(error.cause)]
      .add();
  const bool is_exchanging = request.state == State::exchanging;
  policy::Attempt attempt;
  attempt.response_started = is_exchanging && exchange.upstream_has_spoken();
  attempt.method = exchange.request.method;
  attempt.can_replay_body = !is_exchanging || exchange.is_replayable();
  // A tunnel's other end shall know that this was no regular end.
  if (exchange.is_tunnel() && error.side == Side::client) request.dispatch.connection().abort_on_close();
  const bool retries = request.dispatch.failed(error, attempt);
  worker_.report_failure(error, request.dispatch.server(), retries);
  if (retries) {
    request.state = State::needs_upstream;
    return;
  }
  const auto status = policy::status_for(error, exchange.response_has_begun());
  if (status) return answer({*status});
  // Whatever the client has of a response must not look complete.
  const bool is_our_end = error.side == Side::proxy && exchange.is_tunnel();  // nothing is missing
  if (exchange.response_has_begun()) request.must_abort = !is_our_end;
  abandon();
}

// ---- an answer of our own --------------------------------------------------------------------

bool ClientSession::flush_answer() {
  Request& request = *request_;
  if (!client_->can_write()) return false;
  const IoResult result = request.exchange.to_client.flush(*client_);
  if (result.status == IoResult::Status::would_block) return false;
  if (result.status == IoResult::Status::error) {
    abandon();
    return true;
  }
  request.answer_bytes += result.bytes;
  if (request.exchange.to_client.empty()) request.state = State::done;
  return true;
}

void ClientSession::abandon() {
  request_->client_persists = request_->must_linger = false;
  if (!request_->exchange.response_has_begun() && request_->answer_bytes == 0) request_->status = 0;
  request_->state = State::done;
}

// ---- the end ---------------------------------------------------------------------------------

void ClientSession::finish_request() {
  Request& request = *request_;
  Exchange& exchange = request.exchange;
  goes_on_ = request.client_persists && !request.must_abort;
  record(worker_, info_, request);
  if (request.must_abort) client_->abort_on_close();
  const bool was_answered = request.status != 0 && !request.must_abort;
  const bool sends_on = request.must_linger;
  LocalSnapshot* const local = request.local;
  request.reset();
  worker_.unpin(local);
  must_linger_ = !goes_on_ && was_answered && (sends_on || !exchange.head_in.empty() || client_->can_read());
  if (!goes_on_ || exchange.head_in.empty()) worker_.requests.give_back(std::move(request_));
  idle_since_ = now();
  has_served_ = true;
}

// False: there is nothing to wait for any more.
bool ClientSession::discard_input(std::size_t& discarded) {
  std::array<char, 4096> nowhere;
  while (client_->can_read()) {
    const IoResult result = client_->try_read(nowhere);
    if (result.status == IoResult::Status::would_block) return true;
    if (result.status != IoResult::Status::ok) return false;
    discarded += result.bytes;
    if (discarded > kLingerBytesMax) return false;
  }
  return true;
}

}  // namespace vipair::proxy
