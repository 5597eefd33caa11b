#include "proxy/server/server_check.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/runtime/config_file.h"
#include "proxy/http/head_parser.h"

namespace vipair::proxy {

namespace {

constexpr Duration kSeatRetry = std::chrono::milliseconds(100);
constexpr Duration kFirstSpread = std::chrono::milliseconds(500);  // the first checks come within this

// An errno of ours, not of the way to the server.
bool is_our_own(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS || error == ENOSPC ||
         error == EADDRNOTAVAIL || error == EACCES || error == EPERM;
}

std::string connect_text(int error) {
  return error == ECONNREFUSED ? "connect refused" : "connect: " + std::string(std::strerror(error));
}

std::string to_be_sent(const HealthCheck& check) {
  std::string bytes;  // https: in front of the handshake instead
  if (check.type != HealthCheck::Type::https) bytes = policy::own_proxy_header(check.proxy_header);
  return check.type == HealthCheck::Type::tcp ? bytes : bytes + check_request(check);
}

}  // namespace

std::string check_request(const HealthCheck& check) {
  return check.method + " " + check.path + " HTTP/1.1\r\nHost: " + check.host +
         "\r\nUser-Agent: vipair-proxyd health check\r\nAccept: */*\r\nConnection: close\r\n\r\n";
}

ServerCheck::ServerCheck(Scheduler& scheduler, const Connector& connector, CheckSeats& seats,
                         std::shared_ptr<Server> server, const HealthCheck& check, std::uint32_t random,
                         OnResult on_result)
    : scheduler_(scheduler),
      connector_(connector),
      seats_(seats),
      server_(std::move(server)),
      check_(check),
      request_(to_be_sent(check)),
      on_result_(std::move(on_result)),
      state_(check.timing),
      random_(random | 1),
      waiter_(scheduler),
      next_at_(scheduler.now() + policy::part_of(std::min(check.timing.interval, kFirstSpread), random)) {}

ServerCheck::~ServerCheck() { leave_seat(); }

void ServerCheck::use_tls(std::shared_ptr<const UpstreamTls> tls, std::string name) {
  tls_ = std::move(tls);
  tls_name_ = std::move(name);
}

void ServerCheck::start() {
  task_ = run();
  task_.start({});
}

Task ServerCheck::run() {
  while (true) {
    while (scheduler_.now() < next_at_) co_await waiter_.activity(next_at_);
    while (!take_seat()) co_await waiter_.activity(scheduler_.now() + kSeatRetry);
    begin();
    while (step_ != Step::done) {
      if (step()) continue;
      const bool is_late = co_await waiter_.activity(deadline_);
      // what has arrived is not late, even if this process stood still meanwhile
      if (is_late && !step()) fail(timeout_text());
    }
    stream_.reset();
    leave_seat();
    next_at_ = scheduler_.now() + state_.until_next(random());
  }
}

bool ServerCheck::take_seat() {
  if (seats_.free == 0) return false;
  --seats_.free;
  return has_seat_ = true;
}

void ServerCheck::leave_seat() {
  if (std::exchange(has_seat_, false)) ++seats_.free;
}

void ServerCheck::begin() {
  started_ = scheduler_.now();
  deadline_ = started_ + check_.timing.timeout;
  step_ = Step::connecting;
  sent_ = 0;
  input_.clear();
  body_.clear();
  status_.clear();
  tls_failure_.clear();
  IpEndpoint endpoint = server_->endpoint;
  if (check_.port != 0) endpoint.port = check_.port;
  int error = 0;
  stream_ = connector_(endpoint, error);
  if (stream_ != nullptr) {
    if (check_.type == HealthCheck::Type::https && tls_ != nullptr) {
      // a whole handshake each time, or a certificate that has run out would go unnoticed
      stream_ = tls_->connect(
          std::move(stream_), tls_name_, std::make_shared<UpstreamTlsSession>(),
          [this](const std::string& why) { tls_failure_ = why; }, false,
          policy::own_proxy_header(check_.proxy_header));
    }
    stream_->set_waiter(&waiter_);
  } else if (is_our_own(error)) {
    abandon();
  } else {
    fail(connect_text(error));
  }
}

bool ServerCheck::step() {
  switch (step_) {
    case Step::connecting:
      return on_connected();
    case Step::sending:
      return send();
    case Step::reading_head:
    case Step::reading_body:
      return read();
    case Step::done:
      return true;
  }
  return false;
}

bool ServerCheck::on_connected() {
  if (stream_->is_broken()) {
    if (!tls_failure_.empty()) {
      fail("TLS: " + tls_failure_);
      return true;
    }
    const int error = stream_->connect_result();
    fail(error == 0 ? "connect: reset" : connect_text(error));
    return true;
  }
  if (!stream_->can_write()) return false;
  if (request_.empty()) {
    succeed("connected");
  } else {
    step_ = Step::sending;
  }
  return true;
}

bool ServerCheck::send() {
  if (!stream_->can_write()) return false;
  const iovec rest{const_cast<char*>(request_.data()) + sent_, request_.size() - sent_};
  const IoResult result = stream_->try_write({&rest, 1});
  if (result.status == IoResult::Status::would_block) return false;
  if (result.status != IoResult::Status::ok) {
    fail("connection lost while the request was sent");
    return true;
  }
  sent_ += result.bytes;
  if (sent_ < request_.size()) return true;
  if (check_.type == HealthCheck::Type::tcp) {
    succeed("connected");
  } else {
    step_ = Step::reading_head;
  }
  return true;
}

bool ServerCheck::read() {
  if (!stream_->can_read()) return false;
  std::array<char, 4096> piece;
  const IoResult result = stream_->try_read(piece);
  if (result.status == IoResult::Status::would_block) return false;
  if (result.status != IoResult::Status::ok) {
    on_end_of_stream();
    return true;
  }
  input_.append(piece.data(), result.bytes);
  if (step_ == Step::reading_head) on_head();
  if (step_ == Step::reading_body) on_body();
  return true;
}

void ServerCheck::on_head() {
  http::ResponseHead head;
  const http::HeadLimits limits{kCheckHeadMax, kCheckHeadMax, http::kFieldsMax};
  do {  // interim responses come first
    const http::ParseResult parsed = http::parse_response_head(input_, limits, head);
    if (parsed.status == http::ParseStatus::incomplete) return;
    if (parsed.status == http::ParseStatus::error)
      return fail(std::string("no valid response: ") + http::to_string(parsed.error));
    input_.erase(0, head.size);
  } while (head.status < 200);
  status_ = "status " + std::to_string(head.status);
  if (!policy::is_expected(check_.expect_status, head.status))
    return fail(status_ + ", expected " + policy::to_string(check_.expect_status));
  if (check_.expect_body.empty()) return succeed(status_);
  decoder_ = http::BodyDecoder(http::body_framing(head, http::method_from(check_.method)));
  step_ = Step::reading_body;
}

void ServerCheck::on_body() {
  std::size_t consumed = 0;
  while (true) {
    const auto part = decoder_.decode(std::string_view(input_).substr(consumed));
    if (part.error) return fail(std::string("no valid body: ") + http::to_string(*part.error));
    body_.append(part.payload);
    consumed += part.consumed;
    if (part.is_complete || part.consumed == 0) break;
  }
  input_.erase(0, consumed);
  if (body_.find(check_.expect_body) != std::string::npos) return succeed(status_);
  if (decoder_.is_complete()) return fail(status_ + ", but its body has not the expected text");
  if (body_.size() > kCheckBodyMax)
    fail(status_ + ", but the first " + std::to_string(kCheckBodyMax) + " bytes have not the expected text");
}

void ServerCheck::on_end_of_stream() {
  if (step_ == Step::reading_head) return fail("connection closed before a response");
  fail(status_ +
       (decoder_.finish_at_close() ? ", but its body has not the expected text" : ", but its body is cut off"));
}

void ServerCheck::end(bool success, std::string reason) {
  step_ = Step::done;
  state_.report(success);
  on_result_({success, std::move(reason), scheduler_.now() - started_});
}

void ServerCheck::abandon() { step_ = Step::done; }

std::string ServerCheck::timeout_text() const {
  const char* stage = step_ == Step::connecting ? "connect" : step_ == Step::sending ? "request" : "response";
  return std::string(stage) + " timed out after " + format_duration(check_.timing.timeout);
}

std::uint32_t ServerCheck::random() {  // xorshift
  random_ ^= random_ << 13;
  random_ ^= random_ >> 17;
  return random_ ^= random_ << 5;
}

}  // namespace vipair::proxy
