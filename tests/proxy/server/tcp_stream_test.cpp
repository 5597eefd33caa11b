#include "proxy/server/tcp_stream.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "proxy/server/acceptor.h"
#include "proxy/server/socket_address.h"

namespace vipair::proxy {
namespace {

// A listener of our own on loopback, and a plain blocking peer.
struct Loopback {
  Reactor reactor;
  UniqueFd listener = open_listener(*IpEndpoint::parse("127.0.0.1:0")).value();
  IpEndpoint endpoint = bound_endpoint(listener).value();
  std::unique_ptr<TcpStream> stream;
  UniqueFd peer;

  Loopback() {
    int error = 0;
    stream = TcpStream::connect(reactor, endpoint, error);
    EXPECT_EQ(error, 0);
    while (!stream->can_write()) reactor.turn();
    do {
      peer.reset(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    } while (!peer && errno == EAGAIN);
  }
  void wait_readable() {
    while (!stream->can_read()) reactor.turn();
  }
};

IoResult write(Stream& stream, std::string_view bytes) {
  const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  return stream.try_write({&piece, 1});
}

TEST(TcpStream, ConnectsAndMovesBytesBothWays) {
  Loopback loop;
  EXPECT_EQ(loop.stream->connect_result(), 0);
  EXPECT_FALSE(loop.stream->can_read());
  EXPECT_EQ(write(*loop.stream, "ping").bytes, 4u);
  char buffer[16];
  EXPECT_EQ(recv(loop.peer.get(), buffer, sizeof buffer, 0), 4);
  ASSERT_EQ(send(loop.peer.get(), "pong!", 5, 0), 5);
  loop.wait_readable();
  const IoResult result = loop.stream->try_read(buffer);
  EXPECT_EQ(std::string(buffer, result.bytes), "pong!");
  EXPECT_FALSE(loop.stream->can_read()) << "a short read found the end: no receive in vain";
}

TEST(TcpStream, AFullReadMayBeFollowedByAnother) {
  Loopback loop;
  ASSERT_EQ(send(loop.peer.get(), "abcd", 4, 0), 4);
  loop.wait_readable();
  char buffer[4];
  EXPECT_EQ(loop.stream->try_read(buffer).bytes, 4u);
  EXPECT_TRUE(loop.stream->can_read());
  EXPECT_EQ(loop.stream->try_read(buffer).status, IoResult::Status::would_block);
  EXPECT_FALSE(loop.stream->can_read());
}

TEST(TcpStream, GathersPiecesIntoOneWrite) {
  Loopback loop;
  const iovec pieces[] = {{const_cast<char*>("ab"), 2}, {const_cast<char*>("cde"), 3}};
  EXPECT_EQ(loop.stream->try_write(pieces).bytes, 5u);
  char buffer[16];
  EXPECT_EQ(recv(loop.peer.get(), buffer, sizeof buffer, 0), 5);
}

TEST(TcpStream, WhatWasSentBeforeTheEndIsReadBeforeTheEnd) {
  Loopback loop;
  ASSERT_EQ(send(loop.peer.get(), "last", 4, 0), 4);
  loop.peer.reset();
  while (!loop.stream->peer_closed()) loop.reactor.turn();
  char buffer[16];
  EXPECT_EQ(loop.stream->try_read(buffer).bytes, 4u);
  EXPECT_TRUE(loop.stream->can_read());
  EXPECT_EQ(loop.stream->try_read(buffer).status, IoResult::Status::eof);
}

TEST(TcpStream, AResetIsAnError) {
  Loopback loop;
  const linger reset{1, 0};
  setsockopt(loop.peer.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  loop.peer.reset();
  while (!loop.stream->is_broken()) loop.reactor.turn();
  char buffer[16];
  const IoResult result = loop.stream->try_read(buffer);
  EXPECT_EQ(result.status, IoResult::Status::error);
  EXPECT_EQ(result.error, ECONNRESET);
}

void expect_to_stop_and_go_on(Stream& stream, Reactor& reactor, int peer) {
  const std::string bytes(1 << 20, 'x');
  for (int round = 0; round < 2; ++round) {
    std::size_t sent = 0;
    while (stream.can_write()) sent += write(stream, bytes).bytes;
    EXPECT_GT(sent, 0u);
    std::string received(sent, '\0');
    std::size_t got = 0;
    while (got < sent) got += static_cast<std::size_t>(recv(peer, received.data(), received.size(), 0));
    while (!stream.can_write()) reactor.turn();
  }
  EXPECT_GT(write(stream, "more").bytes, 0u);
}

TEST(TcpStream, StopsWritingWhenThePeerDoesNotRead) {
  Loopback loop;
  expect_to_stop_and_go_on(*loop.stream, loop.reactor, loop.peer.get());
}

TEST(TcpStream, AnAcceptedOneCanBeWrittenToAtOnceAndIsWatchedOnlyWhenItCannot) {
  Reactor reactor;
  const UniqueFd listener = open_listener(*IpEndpoint::parse("127.0.0.1:0")).value();
  const SocketAddress address(bound_endpoint(listener).value());
  const UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(connect(client.get(), address.get(), address.length), 0);
  UniqueFd fd(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const auto accepted = TcpStream::accepted(reactor, std::move(fd));
  ASSERT_TRUE(accepted->can_write());
  reactor.turn();
  EXPECT_EQ(reactor.events_in_turn(), 0);
  expect_to_stop_and_go_on(*accepted, reactor, client.get());
}

TEST(TcpStream, AbortShowsThePeerAReset) {
  Loopback loop;
  loop.stream->abort_on_close();
  loop.stream.reset();
  char buffer[16];
  EXPECT_EQ(recv(loop.peer.get(), buffer, sizeof buffer, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST(TcpStream, ARefusedConnectSaysSo) {
  Reactor reactor;
  IpEndpoint closed;
  {
    UniqueFd listener = open_listener(*IpEndpoint::parse("127.0.0.1:0")).value();
    closed = bound_endpoint(listener).value();
  }
  int error = 0;
  std::unique_ptr<TcpStream> stream = TcpStream::connect(reactor, closed, error);
  if (stream != nullptr) {
    while (!stream->is_broken()) reactor.turn();
    error = stream->connect_result();
  }
  EXPECT_EQ(error, ECONNREFUSED);
}

TEST(TcpStream, WorksOverIpv6) {
  Reactor reactor;
  auto listener = open_listener(*IpEndpoint::parse("[::1]:0"));
  if (!listener) GTEST_SKIP() << "no IPv6 here: " << listener.error();
  int error = 0;
  auto stream = TcpStream::connect(reactor, bound_endpoint(*listener).value(), error);
  ASSERT_NE(stream, nullptr);
  while (!stream->can_write()) reactor.turn();
  EXPECT_EQ(stream->connect_result(), 0);
}

}  // namespace
}  // namespace vipair::proxy
