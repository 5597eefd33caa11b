#include "common/runtime/control_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <stdexcept>
#include <thread>

#include "common/runtime/control_client.h"
#include "common/runtime/unique_fd.h"
#include "gtest/gtest.h"
#include "tests/common/runtime/control_server.h"

namespace vipair {
namespace {

using test::echo;
using test::kPatience;
using test::Running;

// A client that says exactly what it is told.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    connect(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  explicit RawClient(const IpEndpoint& endpoint) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    address.sin_addr.s_addr = htonl(endpoint.address.v4_value());
    connect(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  // What the server did not read any more is no failure of the test.
  void send(const std::string& bytes) {
    for (std::size_t sent = 0; sent < bytes.size();) {
      ssize_t now = ::send(fd_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (now <= 0) return;
      sent += static_cast<std::size_t>(now);
    }
  }
  void finish() { ::shutdown(fd_.get(), SHUT_WR); }
  // Everything until the server closes.
  std::string receive_all() {
    std::string text;
    char buffer[4096];
    for (;;) {
      ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
      if (got < 0 && errno == EAGAIN) return text + "[no end]";
      if (got <= 0) return text;
      text.append(buffer, static_cast<std::size_t>(got));
    }
  }
  // Until `end` has come.
  std::string receive_until(const std::string& end) {
    std::string text;
    char byte = 0;
    while (!text.ends_with(end) && ::recv(fd_.get(), &byte, 1, 0) == 1) text += byte;
    return text;
  }

 private:
  void connect(const sockaddr* address, socklen_t size) {
    const timeval patience{20, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(fd_.get(), address, size), 0) << std::strerror(errno);
  }
  UniqueFd fd_;
};

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++count;
  return count;
}

TEST(ControlSocket, AnswersItsOwnClient) {
  Running server;
  auto got = control_request(server.path(), "GET", "/status?verbose=1", "", kPatience);
  ASSERT_TRUE(got) << got.error();
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->content_type, "text/plain");
  EXPECT_EQ(got->body, "GET /status [verbose=1] 0 local\n");
  got = control_request(server.path(), "POST", "/reload", "body", kPatience);
  ASSERT_TRUE(got) << got.error();
  EXPECT_EQ(got->body, "POST /reload [] 4 local\n");
  got = control_request(server.path(), "GET", "/none", "", kPatience);
  ASSERT_TRUE(got) << got.error();
  EXPECT_EQ(got->status, 404);
  EXPECT_EQ(got->body, "no such page\n");
  got = control_request(server.path(), "HEAD", "/status", "", kPatience);
  ASSERT_TRUE(got) << got.error();
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->body, "");
}

TEST(ControlSocket, WritesAPlainHttpResponse) {
  Running server;
  RawClient client(server.path());
  client.send("GET /a?b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.receive_all(),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nCache-Control: no-store\r\n"
            "Content-Length: 19\r\n\r\nGET /a [b] 0 local\n");
}

TEST(ControlSocket, HeadHasTheLengthButNoBody) {
  Running server;
  RawClient client(server.path());
  client.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = client.receive_all();
  EXPECT_EQ(occurrences(answer, "HTTP/1.1 200 OK\r\n"), 2u);
  EXPECT_EQ(occurrences(answer, "Content-Length: 18\r\n"), 2u);
  EXPECT_EQ(occurrences(answer, "local"), 0u);
}

TEST(ControlSocket, KeepsTheConnectionForFurtherAndPipelinedRequests) {
  Running server;
  RawClient client(server.path());
  for (int i = 0; i < 3; ++i) {
    client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(client.receive_until("local\n").find("200 OK"), std::string::npos);
  }
  const std::string request = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
  client.send(request + request + "GET /c HTTP/1.0\r\n\r\n");
  const std::string answer = client.receive_all();
  EXPECT_EQ(occurrences(answer, "POST /b [] 3 local\n"), 2u);
  EXPECT_EQ(occurrences(answer, "GET /c [] 0 local\n"), 1u);
}

TEST(ControlSocket, SurvivesHostileBytes) {
  using namespace std::string_literals;
  const std::string head = "GET / HTTP/1.1\r\nHost: x\r\n";
  const struct {
    std::string bytes;
    std::string answer;  // how it begins; empty: closed without one
  } cases[] = {
      {"", ""},
      {"GET", ""},
      {head, ""},
      {"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc", ""},
      {"garbage\r\n\r\n", "HTTP/1.1 400 "},
      {"\r\n\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/9.9\r\n\r\n", "HTTP/1.1 400 "},
      {"GET /\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\nbad header\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\n: x\r\n\r\n", "HTTP/1.1 400 "},
      {"GET /\0 HTTP/1.1\r\n\r\n"s, "HTTP/1.1 400 "},
      {"\0\0\0\0\0\0\0\0"s, "HTTP/1.1 400 "},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, "HTTP/1.1 400 "},
      {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400 "},
      {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 400 "},
      {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", "HTTP/1.1 400 "},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400 "},
      {"POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", "HTTP/1.1 413 "},
      {"POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n", "HTTP/1.1 413 "},
      {"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x'), "HTTP/1.1 413 "},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" + std::string(0x20000, 'x'),
       "HTTP/1.1 413 "},
      {"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 65536\r\n\r\n" + std::string(65536, 'x'),
       "HTTP/1.1 200 "},
      {head + "X: " + std::string(9000, 'x') + "\r\n\r\n", "HTTP/1.1 431 "},
      {"GET /" + std::string(100'000, 'x') + " HTTP/1.1\r\n\r\n", "HTTP/1.1 431 "},
      {std::string(200'000, 'A'), "HTTP/1.1 4"},
      {"DELETE / HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 "},
      {"OPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 "},
      {"CONNECT a:1 HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 "},
      {"BREW /pot HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 "},
      {"GET http://x/status HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 "},
      {"GET ../status HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 "},
      {"GET /throw HTTP/1.1\r\n\r\n", ""},
  };
  Running server;
  for (const auto& each : cases) {
    RawClient client(server.path());
    client.send(each.bytes);
    client.finish();
    const std::string answer = client.receive_all();
    const std::string shown = each.bytes.substr(0, 60);
    if (each.answer.empty()) {
      EXPECT_EQ(answer, "") << shown;
    } else {
      EXPECT_TRUE(answer.starts_with(each.answer)) << shown << "\n" << answer;
      EXPECT_EQ(occurrences(answer, "HTTP/1.1 "), 1u) << shown;
    }
    auto alive = control_request(server.path(), "GET", "/", "", kPatience);
    ASSERT_TRUE(alive) << shown << ": " << alive.error();
  }
}

TEST(ControlSocket, SlowClientIsDropped) {
  Running server(std::chrono::milliseconds(20));
  RawClient silent(server.path()), slow(server.path()), idle(server.path());
  slow.send("GET / HTTP/1.1\r\nHo");
  idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(silent.receive_all(), "");
  EXPECT_EQ(slow.receive_all(), "");
  const std::string answer = idle.receive_all();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_TRUE(answer.ends_with("local\n")) << answer;
}

TEST(ControlSocket, ConnectionsBeyondTheLimitAreClosed) {
  Running server;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < kControlConnectionsMax; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.path()));
    clients.back()->send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(clients.back()->receive_until("local\n").starts_with("HTTP/1.1 200 "));
  }
  RawClient one_more(server.path());
  EXPECT_EQ(one_more.receive_all(), "");
  // a place that becomes free is used again
  clients[0]->finish();
  EXPECT_EQ(clients[0]->receive_all(), "");
  auto got = control_request(server.path(), "GET", "/", "", kPatience);
  EXPECT_TRUE(got) << got.error();
}

TEST(ControlSocket, TcpOnlyShows) {
  Running server(kControlTimeout, true);
  const struct {
    const char* method;
    const char* answer;
  } cases[] = {{"GET", "HTTP/1.1 200 "},
               {"HEAD", "HTTP/1.1 200 "},
               {"POST", "HTTP/1.1 403 "},
               {"PUT", "HTTP/1.1 403 "},
               {"DELETE", "HTTP/1.1 403 "}};
  for (const auto& each : cases) {
    RawClient client(server.tcp_endpoint());
    client.send(std::string(each.method) + " /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const std::string answer = client.receive_all();
    EXPECT_TRUE(answer.starts_with(each.answer)) << each.method << "\n" << answer;
    EXPECT_EQ(occurrences(answer, "local"), 0u);
  }
}

TEST(ControlSocket, TcpAddressInUseIsAnError) {
  Running server(kControlTimeout, true);
  boost::asio::io_context io;
  auto second = ControlServer::listen_tcp(io, server.tcp_endpoint(), echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(),
            "admin address " + server.tcp_endpoint().to_string() + ": bind: Address already in use");
}

TEST(ControlSocket, TcpServesIpv6) {
  boost::asio::io_context io;
  auto server = ControlServer::listen_tcp(io, *IpEndpoint::parse("[::1]:0"), echo);
  if (!server && server.error().find("Cannot assign requested address") != std::string::npos)
    GTEST_SKIP() << "no IPv6 on this machine";
  ASSERT_TRUE(server) << server.error();
  EXPECT_EQ((*server)->local_endpoint().address, IpAddress::parse("::1"));
  EXPECT_NE((*server)->local_endpoint().port, 0);
}

TEST(ControlSocket, IsForItsOwnerAndGroup) {
  const mode_t saved = ::umask(0);
  Running server;
  ::umask(saved);
  struct stat info {};
  ASSERT_EQ(::stat(server.path().c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 0777, 0660u);
}

TEST(ControlSocket, SecondInstanceIsToldSo) {
  Running server;
  boost::asio::io_context io;
  auto second = ControlServer::listen_unix(io, server.path(), echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), "control socket " + server.path() + ": another instance runs and answers there");
  auto first = control_request(server.path(), "GET", "/", "", kPatience);
  EXPECT_TRUE(first) << first.error();
}

TEST(ControlSocket, StaleSocketIsReplaced) {
  char folder[] = "/tmp/vipair-control-XXXXXX";
  ASSERT_TRUE(::mkdtemp(folder));
  const std::string path = std::string(folder) + "/control.sock";
  {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd crashed(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(crashed.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(crashed.get(), 1), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(path));
  boost::asio::io_context io;
  auto server = ControlServer::listen_unix(io, path, echo);
  EXPECT_TRUE(server) << server.error();
  std::filesystem::remove_all(folder);
}

TEST(ControlSocket, NeverRemovesWhatIsNotASocket) {
  char folder[] = "/tmp/vipair-control-XXXXXX";
  ASSERT_TRUE(::mkdtemp(folder));
  const std::string path = std::string(folder) + "/precious";
  std::ofstream(path) << "data";
  boost::asio::io_context io;
  auto server = ControlServer::listen_unix(io, path, echo);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error(), "control socket " + path + ": exists and is not a socket");
  EXPECT_EQ(std::filesystem::file_size(path), 4u);
  std::filesystem::remove_all(folder);
}

TEST(ControlSocket, UnusablePathsSayWhy) {
  boost::asio::io_context io;
  auto server = ControlServer::listen_unix(io, "/nowhere/control.sock", echo);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error(), "control socket /nowhere/control.sock: bind: No such file or directory");
  const std::string long_path = "/tmp/" + std::string(200, 'x');
  for (const std::string& path : {long_path, std::string(), std::string("/tmp/a\0b", 8)}) {
    server = ControlServer::listen_unix(io, path, echo);
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error(), "control socket " + path + ": a socket path has 1 to 107 bytes");
  }
}

TEST(ControlSocket, StopClosesEveryConnectionAndRemovesTheSocket) {
  Running server(kControlTimeout, true);
  RawClient idle(server.path()), half(server.path()), tcp(server.tcp_endpoint());
  idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(idle.receive_until("local\n").starts_with("HTTP/1.1 200 "));
  half.send("GET / HT");
  server.stop();
  EXPECT_EQ(idle.receive_all(), "");
  EXPECT_EQ(half.receive_all(), "");
  EXPECT_EQ(tcp.receive_all(), "");
  EXPECT_FALSE(std::filesystem::exists(server.path()));
}

TEST(ControlSocket, SocketOfASuccessorIsLeftAlone) {
  Running server;
  ASSERT_EQ(::unlink(server.path().c_str()), 0);
  boost::asio::io_context io;
  auto successor = ControlServer::listen_unix(io, server.path(), echo);
  ASSERT_TRUE(successor) << successor.error();
  server.stop();
  EXPECT_TRUE(std::filesystem::exists(server.path()));
}

TEST(ControlSocket, LoopMayEndBeforeTheServer) {
  char folder[] = "/tmp/vipair-control-XXXXXX";
  ASSERT_TRUE(::mkdtemp(folder));
  {
    boost::asio::io_context io(1);
    auto server = ControlServer::listen_unix(io, std::string(folder) + "/control.sock", echo);
    ASSERT_TRUE(server);
    RawClient client(std::string(folder) + "/control.sock");
    client.send("GET / HT");
    io.poll();  // a session is half way when everything goes
  }
  std::filesystem::remove_all(folder);
}

TEST(ControlLater, AnswersInItsOwnTimeWhileOthersAreServed) {
  Running server;
  RawClient client(server.path());
  client.send("POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nGET /a HTTP/1.0\r\n\r\n");
  auto later = server.later();
  auto other = control_request(server.path(), "GET", "/b", "", kPatience);
  ASSERT_TRUE(other) << other.error();
  server.on_loop([&] {
    later->answer({409, "text/plain", "no\n"});
    later->answer({200, "text/plain", "the second does not count\n"});
  });
  const std::string answer = client.receive_all();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 409 Conflict\r\n")) << answer;
  EXPECT_EQ(occurrences(answer, "\r\n\r\nno\n"), 1u) << answer;
  EXPECT_TRUE(answer.ends_with("GET /a [] 0 local\n")) << answer;
}

TEST(ControlLater, LimitIsKept) {
  Running server;
  auto got = control_request(server.path(), "POST", "/later?short", "", kPatience);
  ASSERT_TRUE(got) << got.error();
  EXPECT_EQ(got->status, 504);
  EXPECT_EQ(got->body, "no answer in time\n");
  server.on_loop([later = server.later()] { later->answer({}); });  // too late: nobody listens
}

TEST(ControlLater, ServerOrClientMayGoFirst) {
  Running server;
  {
    RawClient client(server.path());
    client.send("POST /later HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    server.on_loop([later = server.later()] {});
  }
  server.on_loop([later = server.later()] { later->answer({200, "text/plain", std::string(100'000, 'x')}); });
  RawClient client(server.path());
  client.send("POST /later HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
  auto later = server.later(2);
  server.stop();
  later->answer({});
  EXPECT_EQ(client.receive_all(), "");
}

TEST(ControlStream, SendsEachPieceAsItComesAndEnds) {
  Running server;
  RawClient client(server.path());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  auto stream = server.stream();
  EXPECT_EQ(client.receive_until("begin\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nCache-Control: no-store\r\n"
            "Transfer-Encoding: chunked\r\n\r\n6\r\nbegin\n");
  for (int i = 0; i < 3; ++i) {
    server.on_loop([&] { stream->write("piece\n"); });
    EXPECT_EQ(client.receive_until("piece\n"), "\r\n6\r\npiece\n");
  }
  server.on_loop([&] {
    stream->write("last\n");
    stream->end();
    stream->write("in vain\n");
  });
  EXPECT_EQ(client.receive_all(), "\r\n5\r\nlast\n\r\n0\r\n\r\n");
}

TEST(ControlStream, OldClientsGetTheBareBytes) {
  Running server;
  RawClient client(server.path());
  client.send("GET /stream HTTP/1.0\r\n\r\n");
  auto stream = server.stream();
  server.on_loop([&] {
    stream->write("end\n");
    stream->end();
  });
  EXPECT_TRUE(client.receive_all().ends_with("\r\n\r\nbegin\nend\n"));
}

TEST(ControlStream, HeadOfAStreamIsNoStream) {
  Running server;
  RawClient client(server.path());
  client.send("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.receive_all().ends_with("chunked\r\n\r\n"));
  EXPECT_TRUE(server.on_loop([stream = server.stream()] { return stream->has_ended(); }));
}

TEST(ControlStream, LivesLongerThanARequestMayTake) {
  Running server(std::chrono::milliseconds(20));
  RawClient client(server.path());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  auto stream = server.stream();
  client.receive_until("begin\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  server.on_loop([&] { stream->write("still\n"); });
  EXPECT_EQ(client.receive_until("still\n"), "\r\n6\r\nstill\n");
}

TEST(ControlStream, ReaderTooSlowIsCutAndTold) {
  Running server;
  RawClient client(server.path());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  auto stream = server.stream();
  client.receive_until("begin\n");
  const std::string piece(1000, 'x');
  int written = 0;
  while (!server.on_loop([&] { return stream->write(piece), stream->has_ended(); })) ++written;
  EXPECT_GE(written, static_cast<int>(kControlBacklogMax / piece.size()));
  EXPECT_LT(written, 10'000) << "nothing bounds what a slow reader costs";
  const std::string rest = client.receive_all();
  EXPECT_TRUE(rest.ends_with("too slow\n\r\n0\r\n\r\n")) << rest.substr(rest.size() - 100);
}

TEST(ControlStream, ReaderThatStopsReadingIsDropped) {
  Running server(std::chrono::milliseconds(20));
  RawClient client(server.path());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  auto stream = server.stream();
  client.receive_until("begin\n");
  const std::string piece(1000, 'x');
  for (int i = 0; i < 20'000 && !server.on_loop([&] { return stream->write(piece), stream->has_ended(); }); ++i)
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  EXPECT_TRUE(server.on_loop([&] { return stream->has_ended(); }));
}

TEST(ControlStream, EndsWhenTheClientGoes) {
  Running server;
  {
    RawClient client(server.path());
    client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    server.stream();
    client.receive_until("begin\n");
  }
  auto stream = server.stream();
  for (int i = 0; i < 20'000 && !server.on_loop([&] { return stream->has_ended(); }); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_TRUE(server.on_loop([&] { return stream->has_ended(); }));
}

TEST(ControlStream, IsNotEndedByWakingUpForNothing) {
  Running server;
  RawClient client(server.path());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  client.receive_until("begin\n");
  auto stream = server.stream();
  server.wake_for_nothing([&] { client.send("x"); });
  server.on_loop([&] { stream->write("more\n"); });
  EXPECT_TRUE(client.receive_until("more\n").ends_with("more\n"));
  EXPECT_FALSE(server.on_loop([&] { return stream->has_ended(); }));
  client.finish();  // and its end is seen as before
  EXPECT_EQ(client.receive_until("0\r\n\r\n"), "\r\n0\r\n\r\n");
}

TEST(ControlStream, ManyReadersLeaveRoomForOthers) {
  Running server;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < kControlStreamsMax; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.path()));
    clients.back()->send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    clients.back()->receive_until("begin\n");
  }
  auto got = control_request(server.path(), "GET", "/stream", "", kPatience);
  ASSERT_TRUE(got) << got.error();
  EXPECT_EQ(got->status, 503);
  EXPECT_EQ(got->body, "too many streams are being read, 16 at most\n");
  got = control_request(server.path(), "GET", "/status", "", kPatience);
  ASSERT_TRUE(got) << got.error();
  EXPECT_EQ(got->status, 200);
  clients.pop_back();
  for (int i = 0; i < 20'000; ++i) {  // its place becomes free
    RawClient next(server.path());
    next.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    if (next.receive_until("\r\n").ends_with("200 OK\r\n")) return;
  }
  FAIL() << "the place of a reader that went is not free";
}

TEST(ControlStream, StopEndsEveryStream) {
  Running server;
  RawClient waiting(server.path());
  waiting.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  waiting.receive_until("begin\n");
  auto stream = server.stream();
  server.stop();
  EXPECT_EQ(waiting.receive_all(), "\r\n");
  EXPECT_TRUE(stream->has_ended());
  stream->write("in vain");
}

}  // namespace
}  // namespace vipair
