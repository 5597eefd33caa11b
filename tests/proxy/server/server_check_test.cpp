#include "proxy/server/server_check.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <ctime>
#include <optional>
#include <vector>

#include "tests/support/memory_stream.h"
#include "tests/support/tls_peer.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using testing::Wire;

HealthCheck http_check() {
  HealthCheck check;
  check.path = "/health";
  check.host = "10.0.0.1:80";
  check.timing.interval = check.timing.fast_interval = 2s;
  check.timing.jitter = 0s;
  check.timing.timeout = 1s;
  return check;
}

HealthCheck tcp_check() {
  HealthCheck check = http_check();
  check.type = HealthCheck::Type::tcp;
  return check;
}

// One checked server at 10.0.0.1:80; each connection is a wire.
class ServerCheckTest : public ::testing::Test {
 protected:
  void start(const HealthCheck& check, std::shared_ptr<const UpstreamTls> tls = nullptr) {
    check_.emplace(scheduler_, connector_, seats_, server_, check, 0,
                   [this](ServerCheck::Result result) { results_.push_back(std::move(result)); });
    check_->use_tls(std::move(tls), "app.internal:443");
    check_->start();
    turn();
  }
  void turn() {
    scheduler_.advance(now_);
    for (int i = 0; i < 100 && scheduler_.has_work(); ++i) scheduler_.run();
  }
  void pass(Duration duration) {
    for (const TimePoint end = now_ + duration; now_ < end;) {
      now_ = std::min(end, now_ + Scheduler::kTick);
      turn();
    }
  }
  Wire& wire() { return *wires_.back(); }
  void answer(std::string_view bytes) {
    wire().send(bytes);
    turn();
  }
  // "up: status 200"; of the last check, "" when there was none since.
  std::string result() {
    if (results_.empty()) return "";
    const ServerCheck::Result last = results_.back();
    results_.clear();
    return (last.success ? "good: " : "bad: ") + last.reason;
  }

  TimePoint now_{1h};
  Scheduler scheduler_{now_};
  std::vector<std::shared_ptr<Wire>> wires_;
  std::vector<IpEndpoint> endpoints_;
  int connect_error_ = 0;
  bool hangs_ = false;
  Connector connector_ = [this](const IpEndpoint& endpoint, int& error) -> std::unique_ptr<Stream> {
    error = connect_error_;
    if (error != 0) return nullptr;
    endpoints_.push_back(endpoint);
    wires_.push_back(std::make_shared<Wire>());
    auto stream = std::make_unique<testing::MemoryStream>(wires_.back());
    if (!hangs_) wires_.back()->accept();
    return stream;
  };
  CheckSeats seats_;
  std::shared_ptr<Server> server_ = std::make_shared<Server>("app", *IpEndpoint::parse("10.0.0.1:80"), 1);
  std::vector<ServerCheck::Result> results_;
  std::optional<ServerCheck> check_;
};

TEST_F(ServerCheckTest, AsksAndTakesTheExpectedStatusForGood) {
  start(http_check());
  ASSERT_EQ(wires_.size(), 1u);
  EXPECT_EQ(endpoints_[0].to_string(), "10.0.0.1:80");
  EXPECT_EQ(wire().received(),
            "GET /health HTTP/1.1\r\nHost: 10.0.0.1:80\r\nUser-Agent: vipair-proxyd health check\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n");
  answer("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_EQ(result(), "good: status 200");
  EXPECT_TRUE(wire().is_closed()) << "the body does not matter";
}

TEST_F(ServerCheckTest, AnotherStatusIsBadAndSaysWhatWasExpected) {
  HealthCheck check = http_check();
  check.expect_status = {{200, 299}, {404, 404}};
  start(check);
  answer("HTTP/1.1 503 Service Unavailable\r\n\r\n");
  EXPECT_EQ(result(), "bad: status 503, expected 200-299, 404");
}

TEST_F(ServerCheckTest, MethodHostPathAndPortAreAsConfigured) {
  HealthCheck check = http_check();
  check.method = "HEAD";
  check.host = "app.example";
  check.path = "/ready?full=1";
  check.port = 8081;
  start(check);
  EXPECT_EQ(endpoints_[0].to_string(), "10.0.0.1:8081");
  EXPECT_TRUE(wire().received().starts_with("HEAD /ready?full=1 HTTP/1.1\r\nHost: app.example\r\n"));
}

TEST_F(ServerCheckTest, InterimResponsesAreNotTheAnswer) {
  start(http_check());
  answer("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 20");
  EXPECT_EQ(result(), "");
  answer("4 No Content\r\n\r\n");
  EXPECT_EQ(result(), "good: status 204");
}

TEST_F(ServerCheckTest, BodyIsSearchedHoweverItComes) {
  HealthCheck check = http_check();
  check.expect_body = "all good";
  start(check);
  answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{all g\r\n");
  EXPECT_EQ(result(), "");
  answer("4\r\nood}\r\n");
  EXPECT_EQ(result(), "good: status 200");
  pass(2100ms);
  answer("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall bad!");
  EXPECT_EQ(result(), "bad: status 200, but its body has not the expected text");
  pass(2100ms);
  wire().send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall");
  wire().half_close();
  turn();
  EXPECT_EQ(result(), "bad: status 200, but its body is cut off");
  pass(2100ms);
  answer("HTTP/1.1 200 OK\r\n\r\n" + std::string(kCheckBodyMax + 1, 'x'));
  EXPECT_EQ(result(), "bad: status 200, but the first 65536 bytes have not the expected text");
}

TEST_F(ServerCheckTest, GarbageAndEndlessHeadsAreBad) {
  start(http_check());
  answer("SSH-2.0-OpenSSH\r\n\r\n");
  EXPECT_EQ(result(), "bad: no valid response: bad_status_line");
  pass(2100ms);
  answer("HTTP/1.1 200 OK\r\nX: " + std::string(kCheckHeadMax, 'x'));
  EXPECT_EQ(result(), "bad: no valid response: head_too_large");
  pass(2100ms);
  wire().half_close();
  turn();
  EXPECT_EQ(result(), "bad: connection closed before a response");
}

TEST_F(ServerCheckTest, TcpIsContentWithAConnection) {
  start(tcp_check());
  EXPECT_EQ(result(), "good: connected");
  EXPECT_EQ(wire().received(), "");
  EXPECT_TRUE(wire().is_closed());
}

TEST_F(ServerCheckTest, AServerThatWantsAProxyHeaderGetsOne) {
  HealthCheck check = http_check();
  check.proxy_header = policy::ProxyProtocol::v1;
  start(check);
  EXPECT_TRUE(wire().received().starts_with("PROXY UNKNOWN\r\nGET /health HTTP/1.1\r\n"));
  answer("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(result(), "good: status 200");
  check = tcp_check();
  check.proxy_header = policy::ProxyProtocol::v1;
  start(check);
  EXPECT_EQ(wire().received(), "PROXY UNKNOWN\r\n");
  EXPECT_EQ(result(), "good: connected");
}

TEST_F(ServerCheckTest, HttpsProvesTheCertificateBeforeItAsks) {
  const testing::TemporaryFolder folder;
  const testing::Authority authority;
  UpstreamTlsSettings settings;
  settings.ca = {folder.write("ca.pem", authority.root().pem()), "site.conf", 3, "tls"};
  HealthCheck check = http_check();
  check.type = HealthCheck::Type::https;
  start(check, UpstreamTls::load(settings, WallTime(std::chrono::seconds(std::time(nullptr)))).value());
  auto meet = [this](const testing::Issued& own, const char* response) {
    testing::TlsPeer peer(wires_.back(), TLS_server_method());
    peer.show(own);
    for (int i = 0; i < 5; ++i) {
      peer.pump();
      turn();
    }
    const std::string request = peer.take();
    if (!request.empty()) peer.send(response);
    turn();
    return request;
  };
  const std::string request = meet(authority.issue("DNS:app.internal"), "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_TRUE(request.starts_with("GET /health HTTP/1.1\r\n")) << request;
  EXPECT_EQ(result(), "good: status 200");
  pass(2100ms);
  ASSERT_EQ(wires_.size(), 2u);
  EXPECT_EQ(meet(authority.issue("DNS:other.internal"), ""), "");
  const std::string bad = result();
  EXPECT_TRUE(bad.starts_with("bad: TLS: ")) << bad;
}

TEST_F(ServerCheckTest, RefusedAndUnreachableAreBad) {
  hangs_ = true;
  start(tcp_check());
  wire().refuse(ECONNREFUSED);
  turn();
  EXPECT_EQ(result(), "bad: connect refused");
  connect_error_ = ENETUNREACH;
  pass(2100ms);
  EXPECT_EQ(result(), "bad: connect: Network is unreachable");
}

TEST_F(ServerCheckTest, SilenceIsBadWhenTheTimeIsOver) {
  hangs_ = true;
  start(http_check());
  pass(900ms);
  EXPECT_EQ(result(), "");
  pass(200ms);
  EXPECT_EQ(result(), "bad: connect timed out after 1s");
  hangs_ = false;
  pass(2s);
  ASSERT_EQ(wires_.size(), 2u);
  pass(1100ms);
  EXPECT_EQ(result(), "bad: response timed out after 1s");
}

TEST_F(ServerCheckTest, WhatCameWhileThisProcessStoodStillIsNotLate) {
  start(http_check());
  wire().send("HTTP/1.1 200 OK\r\n\r\n");
  now_ += 10s;
  turn();
  EXPECT_EQ(result(), "good: status 200");
}

TEST_F(ServerCheckTest, WhatThisProcessLacksProvesNothing) {
  connect_error_ = EMFILE;
  start(tcp_check());
  EXPECT_EQ(result(), "");
  EXPECT_TRUE(check_->state().is_up());
  connect_error_ = 0;
  pass(2100ms);
  EXPECT_EQ(result(), "good: connected");
}

TEST_F(ServerCheckTest, ComesAgainAfterItsIntervalAndFasterWhileTheStateChanges) {
  HealthCheck check = tcp_check();
  check.timing.fast_interval = 500ms;
  start(check);
  pass(1900ms);
  EXPECT_EQ(wires_.size(), 1u);
  pass(200ms);
  EXPECT_EQ(wires_.size(), 2u);
  connect_error_ = ECONNREFUSED;
  pass(2100ms);
  EXPECT_EQ(result(), "bad: connect refused");
  EXPECT_TRUE(check_->state().is_up());
  pass(1100ms);
  EXPECT_FALSE(check_->state().is_up()) << "two more, half a second apart";
}

TEST_F(ServerCheckTest, WaitsForASeat) {
  seats_.free = 0;
  start(tcp_check());
  pass(500ms);
  EXPECT_EQ(wires_.size(), 0u);
  seats_.free = 1;
  pass(200ms);
  EXPECT_EQ(result(), "good: connected");
  EXPECT_EQ(seats_.free, 1u);
}

TEST_F(ServerCheckTest, MayEndAtAnyTime) {
  start(http_check());
  EXPECT_EQ(seats_.free, 127u);
  check_.reset();
  EXPECT_EQ(seats_.free, 128u);
  EXPECT_TRUE(wire().is_closed());
  pass(2100ms);
  EXPECT_EQ(wires_.size(), 1u);
}

}  // namespace
}  // namespace vipair::proxy
