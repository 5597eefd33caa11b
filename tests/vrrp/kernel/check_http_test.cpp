#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/probing.h"
#include "tests/support/tls_server.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::look;
using test::Server;
using test::TlsServer;
using testing::EndsWith;
using testing::HasSubstr;

HttpCheck check_of(std::uint16_t port) {
  HttpCheck check;
  check.host = "127.0.0.1";
  check.port = port;
  check.target = "/health";
  return check;
}

Observation ask(const HttpCheck& check, std::chrono::milliseconds limit = 10s) {
  boost::asio::io_context io;
  const auto probe = make_http_probe(io, check);
  return look(io, *probe, limit);
}

Observation answer(std::string text, std::chrono::milliseconds limit = 10s) {
  const Server server(std::move(text));
  return ask(check_of(server.port()), limit);
}

TEST(HttpProbe, StatusDecides) {
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").reason, "status 200");
  EXPECT_TRUE(answer("HTTP/1.1 302 Found\r\n\r\n").success);
  const Observation bad = answer("HTTP/1.1 503 Service Unavailable\r\n\r\n");
  EXPECT_FALSE(bad.success);
  EXPECT_EQ(bad.reason, "status 503");
}

TEST(HttpProbe, RangeIsConfigurable) {
  const Server server("HTTP/1.1 401 Unauthorized\r\n\r\n");
  HttpCheck check = check_of(server.port());
  EXPECT_FALSE(ask(check).success);
  check.status_min = check.status_max = 401;
  EXPECT_TRUE(ask(check).success);
}

TEST(HttpProbe, AsksForTheTarget) {
  std::string request;
  {
    const Server server([&](int client) {
      request = Server::read_request(client);
      Server::say(client, "HTTP/1.1 200 OK\r\n\r\n");
    });
    EXPECT_TRUE(ask(check_of(server.port())).success);
  }
  EXPECT_THAT(request, testing::StartsWith("GET /health HTTP/1.1\r\nHost: 127.0.0.1:"));
}

TEST(HttpProbe, AnswerMayComeInPieces) {
  const Server server([](int client) {
    Server::read_request(client);
    for (const char* piece : {"HTT", "P/1.1 20", "0 OK\r\nX: y\r", "\n\r", "\n"}) {
      Server::say(client, piece);
      std::this_thread::sleep_for(5ms);
    }
  });
  EXPECT_TRUE(ask(check_of(server.port())).success);
}

TEST(HttpProbe, ServerThatHangsIsGivenUp) {
  const Server silent([](int client) { Server::wait_for_end(client); });
  EXPECT_THAT(ask(check_of(silent.port()), 100ms).reason, EndsWith(" does not answer"));
  const Server half([](int client) {
    Server::say(client, "HTTP/1.1 200 OK\r\nX: ");
    Server::wait_for_end(client);
  });
  EXPECT_THAT(ask(check_of(half.port()), 200ms).reason, EndsWith(" does not complete its answer"));
}

TEST(HttpProbe, HalfAnAnswerIsNone) {
  EXPECT_THAT(answer("HTTP/1.1 200 OK\r\nX: y\r\n").reason, EndsWith("the connection ended within the answer"));
  EXPECT_THAT(answer("").reason, EndsWith("the connection ended without an answer"));
}

TEST(HttpProbe, HugeAnswersAreNotReadToTheirEnd) {
  EXPECT_THAT(answer("HTTP/1.1 200 OK\r\nX: " + std::string(1 << 20, 'x')).reason,
              HasSubstr("the head of the answer is longer than 16384 bytes"));
  EXPECT_TRUE(answer("HTTP/1.1 200 OK\r\n\r\n" + std::string(1 << 20, 'x')).success) << "the body is no matter";
}

TEST(HttpProbe, OtherProtocolsAreNamed) {
  EXPECT_THAT(answer("SSH-2.0-OpenSSH_9.2\r\n").reason, EndsWith("the answer is not HTTP/1"));
}

TEST(HttpProbe, ResetIsAFailure) {
  const Server server([](int client) {
    const linger reset{1, 0};
    ::setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  });
  EXPECT_FALSE(ask(check_of(server.port())).success);
}

TEST(HttpProbe, LooksAgainAndAgain) {
  boost::asio::io_context io;
  const Server server("HTTP/1.1 200 OK\r\n\r\n");
  const auto probe = make_http_probe(io, check_of(server.port()));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(look(io, *probe).success);
}

class HttpsProbe : public testing::Test {
 protected:
  HttpsProbe() {
    (void)std::signal(SIGPIPE, SIG_IGN);  // as the daemon does
    path = (std::filesystem::temp_directory_path() / ("vipair-ca-" + std::to_string(::getpid()))).string();
  }
  ~HttpsProbe() override { std::filesystem::remove(path); }
  HttpCheck check_of(const TlsServer& server, const std::string& host) const {
    server.write_certificate(path);
    HttpCheck check;
    check.is_tls = true;
    check.host = host;
    check.port = server.port();
    check.ca_file = path;
    return check;
  }
  std::string path;
};

TEST_F(HttpsProbe, GoodCertificateAndStatus) {
  const TlsServer server("DNS:localhost,IP:127.0.0.1", "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(ask(check_of(server, "127.0.0.1")).reason, "status 200");
  EXPECT_EQ(ask(check_of(server, "localhost")).reason, "status 200");
}

TEST_F(HttpsProbe, ServerIsToldTheName) {
  TlsServer server("DNS:localhost", "HTTP/1.1 404 Not Found\r\n\r\n");
  EXPECT_EQ(ask(check_of(server, "localhost")).reason, "status 404");
  EXPECT_EQ(server.server_name(), "localhost");
}

TEST_F(HttpsProbe, CertificateOfAnotherIsRefused) {
  const TlsServer server("DNS:other.test,IP:192.0.2.1", "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_THAT(ask(check_of(server, "localhost")).reason, HasSubstr("certificate: hostname mismatch"));
  EXPECT_THAT(ask(check_of(server, "127.0.0.1")).reason, HasSubstr("certificate: IP address mismatch"));
  HttpCheck unverified = check_of(server, "localhost");
  unverified.verify = false;
  EXPECT_TRUE(ask(unverified).success);
}

TEST_F(HttpsProbe, UnknownAuthorityAndExpiryAreNamed) {
  const TlsServer server("DNS:localhost", "HTTP/1.1 200 OK\r\n\r\n");
  const TlsServer other("DNS:localhost", "");
  HttpCheck check = check_of(server, "localhost");
  other.write_certificate(path);
  EXPECT_THAT(ask(check).reason, HasSubstr("certificate: "));
  const TlsServer expired("DNS:localhost", "HTTP/1.1 200 OK\r\n\r\n", -3600);
  EXPECT_THAT(ask(check_of(expired, "localhost")).reason, HasSubstr("certificate has expired"));
  check.ca_file = "/no/such/file";
  EXPECT_THAT(ask(check).reason, HasSubstr("/no/such/file: "));
}

TEST_F(HttpsProbe, ServersThatDoNotSpeakTlsAreNoSuccess) {
  HttpCheck check;
  check.is_tls = true;
  check.verify = false;
  check.host = "127.0.0.1";
  const Server plain([](int client) {
    Server::say(client, "HTTP/1.1 200 OK\r\n\r\n");
    Server::wait_for_end(client);
  });
  check.port = plain.port();
  EXPECT_THAT(ask(check).reason, HasSubstr("TLS handshake: "));
  const Server silent([](int client) { Server::wait_for_end(client); });
  check.port = silent.port();
  EXPECT_THAT(ask(check, 100ms).reason, EndsWith("does not complete the TLS handshake"));
}

TEST_F(HttpsProbe, HalfAnAnswerIsNone) {
  const TlsServer server("DNS:localhost", "HTTP/1.1 200 OK\r\n");
  EXPECT_THAT(ask(check_of(server, "localhost")).reason, HasSubstr("the connection ended within the answer"));
  const TlsServer endless("DNS:localhost", "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'));
  EXPECT_THAT(ask(check_of(endless, "localhost")).reason, HasSubstr("longer than"));
}

}  // namespace
}  // namespace vipair::vrrp
