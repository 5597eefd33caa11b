#include "proxy/server/body_pump.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "proxy/server/acceptor.h"
#include "proxy/server/tcp_stream.h"
#include "tests/support/memory_stream.h"

namespace vipair::proxy {
namespace {

using http::Framing;
using testing::MemoryStream;
using testing::Wire;

constexpr TimePoint kNow{std::chrono::hours(1)};

struct Pipe {
  BufferPool pool;
  InputBuffer buffer{pool};
  Output output;
  BodyPump pump{output};
  std::shared_ptr<Wire> from = std::make_shared<Wire>(), to = std::make_shared<Wire>();
  MemoryStream source{from}, sink{to};

  explicit Pipe(http::BodyFraming framing, bool chunked_out, std::uint64_t max = kAll) {
    to->accept();
    pump.start(buffer, framing, chunked_out, max, kNow);
  }
  static constexpr std::uint64_t kAll = ~std::uint64_t{0};
  void run() {
    while (pump.pump(source, sink, kNow)) {
    }
  }
};

TEST(BodyPump, CompletesAnEmptyBodyAtOnceWithItsHead) {
  Pipe pipe({Framing::none, 0}, false);
  pipe.output.add("head");
  pipe.run();
  EXPECT_EQ(pipe.pump.end(), BodyPump::End::complete);
  EXPECT_EQ(pipe.to->received(), "head");
}

TEST(BodyPump, LeavesWhatFollowsTheBody) {
  Pipe pipe({Framing::content_length, 3}, false);
  pipe.from->send("abcNEXT");
  pipe.run();
  EXPECT_EQ(pipe.pump.end(), BodyPump::End::complete);
  EXPECT_EQ(pipe.to->received(), "abc");
  EXPECT_EQ(pipe.buffer.view(), "NEXT");
  EXPECT_EQ(pipe.pump.payload_bytes(), 3u);
}

TEST(BodyPump, MergesTheChunksOfOneRead) {
  Pipe pipe({Framing::chunked, 0}, true);
  pipe.from->send("1\r\na\r\n2;x\r\nbc\r\n0\r\n\r\n");
  pipe.run();
  EXPECT_EQ(pipe.to->received(), "3\r\nabc\r\n0\r\n\r\n");
}

TEST(BodyPump, SendsManyTinyChunksCorrectly) {
  Pipe pipe({Framing::chunked, 0}, false);
  std::string wanted;
  for (int i = 0; i < 1000; ++i) {
    pipe.from->send("1\r\n" + std::string(1, static_cast<char>('a' + i % 26)) + "\r\n");
    wanted += static_cast<char>('a' + i % 26);
  }
  pipe.from->send("0\r\n\r\n");
  pipe.run();
  EXPECT_EQ(pipe.pump.end(), BodyPump::End::complete);
  EXPECT_EQ(pipe.to->received(), wanted);
}

TEST(BodyPump, EndsAnUntilCloseBodyAtTheEnd) {
  Pipe pipe({Framing::until_close, 0}, true);
  pipe.from->send("abc");
  pipe.run();
  EXPECT_EQ(pipe.pump.end(), BodyPump::End::none);
  pipe.from->half_close();
  pipe.run();
  EXPECT_EQ(pipe.pump.end(), BodyPump::End::complete);
  EXPECT_EQ(pipe.to->received(), "3\r\nabc\r\n0\r\n\r\n");
}

TEST(BodyPump, TellsHowItEndedEarly) {
  {
    Pipe pipe({Framing::content_length, 5}, false);
    pipe.from->send("ab");
    pipe.from->half_close();
    pipe.run();
    EXPECT_EQ(pipe.pump.end(), BodyPump::End::source_closed);
  }
  {
    Pipe pipe({Framing::content_length, 5}, false);
    pipe.from->reset();
    pipe.run();
    EXPECT_EQ(pipe.pump.end(), BodyPump::End::source_failed);
    EXPECT_EQ(pipe.pump.error_number(), ECONNRESET);
  }
  {
    Pipe pipe({Framing::content_length, 5}, false);
    pipe.to->reset();
    pipe.from->send("ab");
    pipe.run();
    EXPECT_EQ(pipe.pump.end(), BodyPump::End::sink_failed);
    EXPECT_EQ(pipe.pump.error_number(), EPIPE);
  }
  {
    Pipe pipe({Framing::chunked, 0}, false);
    pipe.from->send("x\r\n");
    pipe.run();
    EXPECT_EQ(pipe.pump.end(), BodyPump::End::bad_framing);
    EXPECT_EQ(pipe.pump.framing_error(), http::BodyError::bad_chunk_size);
  }
  {
    Pipe pipe({Framing::chunked, 0}, false, 3);
    pipe.from->send("4\r\nabcd\r\n");
    pipe.run();
    EXPECT_EQ(pipe.pump.end(), BodyPump::End::too_large);
  }
}

TEST(BodyPump, KeepsWhatTheSinkDidNotTake) {
  std::mt19937 random(3);
  std::string body(500000, '\0');
  for (char& c : body) c = static_cast<char>(random());
  Pipe pipe({Framing::content_length, body.size()}, false);
  pipe.from->send(body);
  pipe.to->limit_room(0);
  for (int i = 0; i < 100000 && pipe.pump.end() == BodyPump::End::none; ++i) {
    pipe.run();
    EXPECT_LE(pipe.buffer.size(), BufferPool::kLarge);
    pipe.to->make_room(random() % 5000 + 1);
  }
  EXPECT_EQ(pipe.pump.end(), BodyPump::End::complete);
  EXPECT_EQ(pipe.to->received(), body);
}

// Two real connections: what a peer sends arrives at the stream, what the stream sends at the other peer.
struct Sockets {
  Reactor reactor;
  UniqueFd listener = open_listener(*IpEndpoint::parse("127.0.0.1:0")).value();
  std::unique_ptr<TcpStream> source, sink;
  UniqueFd sender, receiver;
  BufferPool pool;
  InputBuffer buffer{pool};
  Output output;
  BodyPump pump{output};
  int spliced = 0;

  Sockets() {
    connect(source, sender);
    connect(sink, receiver);
  }
  void connect(std::unique_ptr<TcpStream>& stream, UniqueFd& peer) {
    int error = 0;
    stream = TcpStream::connect(reactor, bound_endpoint(listener).value(), error);
    while (!stream->can_write()) reactor.turn();
    while (!peer) peer.reset(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  // The bytes of a body of this framing on the other side of the pump.
  std::string relay(const std::string& body, http::BodyFraming framing) {
    std::thread sending([&] {
      for (std::size_t at = 0; at < body.size();) {
        const ssize_t sent =
            send(sender.get(), body.data() + at, std::min<std::size_t>(body.size() - at, 100000), 0);
        if (sent <= 0) break;
        at += static_cast<std::size_t>(sent);
      }
      shutdown(sender.get(), SHUT_WR);
    });
    std::string received;
    std::thread receiving([&] {
      std::vector<char> bytes(70000);
      for (ssize_t size; (size = recv(receiver.get(), bytes.data(), bytes.size(), 0)) > 0;) {
        received.append(bytes.data(), static_cast<std::size_t>(size));
      }
    });
    pump.start(buffer, framing, false, ~std::uint64_t{0}, kNow);
    while (pump.end() == BodyPump::End::none) {
      const bool moved = pump.pump(*source, *sink, kNow);
      spliced += pump.has_spliced();
      if (!moved) reactor.turn();
    }
    sink->shutdown_write();
    sending.join();
    receiving.join();
    return received;
  }
};

std::string long_body() {
  std::string body(5 * 1024 * 1024 + 17, '\0');
  std::mt19937 random(3);
  for (char& byte : body) byte = static_cast<char>(random());
  return body;
}

TEST(BodyPump, SplicesLongBodiesBetweenSockets) {
  const std::string body = long_body();
  for (http::Framing framing : {Framing::content_length, Framing::until_close}) {
    Sockets sockets;
    sockets.output.add("head");
    const std::string received = sockets.relay(body, {framing, body.size()});
    EXPECT_EQ(sockets.pump.end(), BodyPump::End::complete);
    EXPECT_TRUE(received == "head" + body);
    EXPECT_GT(sockets.spliced, 0);
    EXPECT_EQ(sockets.pump.payload_bytes(), body.size());
    EXPECT_EQ(sockets.pump.sent_bytes(), body.size() + 4);
  }
}

TEST(BodyPump, DoesNotSpliceBeyondTheBody) {
  const std::string body = long_body();
  Sockets sockets;
  const std::string received = sockets.relay(body, {Framing::content_length, body.size() - 1000});
  EXPECT_EQ(sockets.pump.end(), BodyPump::End::complete);
  EXPECT_TRUE(received == body.substr(0, body.size() - 1000));
  EXPECT_GT(sockets.spliced, 0);
}

TEST(BodyPump, CallsACloseOfASplicedBodyATruncation) {
  const std::string body = long_body();
  Sockets sockets;
  const std::string received = sockets.relay(body, {Framing::content_length, body.size() + 1000000});
  EXPECT_EQ(sockets.pump.end(), BodyPump::End::source_closed);
  EXPECT_TRUE(received == body);
}

TEST(BodyPump, CopiesWhenThereIsNoPipe) {
  const std::string body = long_body();
  Sockets sockets;
  std::vector<proxy::Pipe> all;
  while (proxy::Pipe pipe = sockets.pool.pipes.take()) all.push_back(std::move(pipe));
  EXPECT_TRUE(sockets.relay(body, {Framing::content_length, body.size()}) == body);
  EXPECT_EQ(sockets.spliced, 0);
}

TEST(InputBuffer, KeepsItsBytesWhenItGrows) {
  BufferPool pool;
  InputBuffer buffer(pool);
  buffer.reserve(BufferPool::kSmall);
  std::memcpy(buffer.room().data(), "abcdef", 6);
  buffer.produced(6);
  buffer.consume(2);
  buffer.reserve(BufferPool::kLarge);
  EXPECT_EQ(buffer.view(), "cdef");
  EXPECT_EQ(buffer.room().size(), BufferPool::kLarge - 4);
  buffer.release();
  EXPECT_EQ(buffer.capacity(), 0u);
}

TEST(InputBuffer, ReadsAgainFromAMark) {
  BufferPool pool;
  InputBuffer buffer(pool);
  buffer.reserve(BufferPool::kSmall);
  std::memcpy(buffer.room().data(), "head+body", 9);
  buffer.produced(9);
  buffer.consume(5);
  const auto mark = buffer.mark();
  buffer.consume(4);
  EXPECT_TRUE(buffer.empty());
  buffer.rewind(mark);
  EXPECT_EQ(buffer.view(), "body");
}

}  // namespace
}  // namespace vipair::proxy
