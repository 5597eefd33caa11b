#include "proxy/server/tls_stream.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include "tests/support/tls_peer.h"

namespace vipair::proxy {
namespace {

using testing::Authority;
using testing::Issued;
using testing::MemoryStream;
using testing::TlsPeer;
using testing::Wire;

const Authority& authority() {
  static const Authority made;
  return made;
}

// The proxy's end is a server with one certificate.
struct Accepted {
  Issued own = authority().issue("DNS:a.test");
  std::shared_ptr<Wire> wire = std::make_shared<Wire>();
  TlsPeer peer{wire};
  SslContextPtr context{SSL_CTX_new(TLS_server_method())};
  std::unique_ptr<TlsStream> stream;

  explicit Accepted(int version = TLS1_3_VERSION) {
    TlsStream::prepare(context.get());
    SSL_CTX_use_certificate(context.get(), own.certificate.get());
    SSL_CTX_use_PrivateKey(context.get(), own.key.get());
    SSL_CTX_set_max_proto_version(context.get(), version);
    SslPtr ssl(SSL_new(context.get()));
    SSL_set_accept_state(ssl.get());
    stream = std::make_unique<TlsStream>(std::make_unique<MemoryStream>(wire), std::move(ssl));
    wire->accept();
  }
  bool shake_hands() {
    for (int i = 0; i < 5 && !peer.handshake(); ++i) (void)stream->handshake();
    const bool is_done = stream->handshake() == TlsStream::Handshake::done;
    peer.pump();
    return is_done;
  }
  std::string read(std::size_t size = 65536) {
    std::string bytes(size, '\0');
    const IoResult result = stream->try_read(bytes);
    return bytes.substr(0, result.bytes);
  }
};

IoResult write(Stream& stream, std::initializer_list<std::string_view> texts) {
  std::vector<iovec> pieces;
  for (std::string_view text : texts) pieces.push_back({const_cast<char*>(text.data()), text.size()});
  return stream.try_write(pieces);
}

// Records of a byte stream: their payload sizes.
std::vector<std::size_t> records(const std::string& bytes) {
  std::vector<std::size_t> sizes;
  for (std::size_t at = 0; at + 5 <= bytes.size();) {
    const auto size =
        std::size_t{static_cast<unsigned char>(bytes[at + 3])} * 256 + static_cast<unsigned char>(bytes[at + 4]);
    sizes.push_back(size);
    at += 5 + size;
  }
  return sizes;
}

TEST(TlsStream, MovesBytesBothWays) {
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Accepted a(version);
    ASSERT_TRUE(a.shake_hands());
    EXPECT_FALSE(a.stream->can_read());
    EXPECT_TRUE(a.stream->can_write());
    a.peer.send("ping");
    ASSERT_TRUE(a.stream->can_read());
    EXPECT_EQ(a.read(), "ping");
    EXPECT_FALSE(a.stream->can_read()) << "no receive in vain";
    EXPECT_EQ(write(*a.stream, {"pong"}).bytes, 4u);
    EXPECT_EQ(a.peer.take(), "pong");
  }
}

TEST(TlsStream, AHeadAndItsBodyLeaveInOneRecord) {
  Accepted a;
  ASSERT_TRUE(a.shake_hands());
  EXPECT_EQ(write(*a.stream, {"head ", "", "body"}).bytes, 9u);
  EXPECT_EQ(records(a.wire->received()).size(), 1u);
  EXPECT_EQ(a.peer.take(), "head body");
}

TEST(TlsStream, ALargeWriteIsCutIntoRecords) {
  Accepted a;
  ASSERT_TRUE(a.shake_hands());
  const std::string head = "head", body(100'000, 'x');
  EXPECT_EQ(write(*a.stream, {head, body}).bytes, 100'004u);
  EXPECT_EQ(records(a.wire->received()).size(), 7u);
  EXPECT_EQ(a.peer.take(), head + body);
}

TEST(TlsStream, ReadsSeveralRecordsAtOnceAndNoMoreThanThereIsRoomFor) {
  Accepted a;
  ASSERT_TRUE(a.shake_hands());
  const std::string body(50'000, 'y');
  a.peer.send(body);
  EXPECT_EQ(a.read(10'000).size(), 10'000u);
  EXPECT_TRUE(a.stream->can_read()) << "a part of a record waits inside";
  EXPECT_EQ(a.read(65'536).size(), 40'000u);
  EXPECT_FALSE(a.stream->can_read());
}

TEST(TlsStream, BytesThatComeOneByOne) {
  Accepted a;
  a.wire->read_max = 1;
  ASSERT_TRUE(a.shake_hands());
  a.peer.send("slow");
  EXPECT_EQ(a.read(), "slow");
  EXPECT_FALSE(a.stream->can_read());
}

TEST(TlsStream, WaitsForRoomAndGoesOnWithTheSameBytes) {
  Accepted a;
  ASSERT_TRUE(a.shake_hands());
  std::string body;
  for (int i = 0; i < 60'000; ++i) body += static_cast<char>(i % 251);
  std::size_t sent = 0;
  int blocked = 0;
  std::string got;
  a.wire->limit_room(1000);
  while (sent < body.size()) {
    const IoResult result = write(*a.stream, {std::string_view(body).substr(sent)});
    if (result.status == IoResult::Status::would_block) {
      ++blocked;
      EXPECT_FALSE(a.stream->can_write());
      got += a.peer.take();
      a.wire->make_room(1000);
      ASSERT_TRUE(a.stream->can_write());
      continue;
    }
    ASSERT_EQ(result.status, IoResult::Status::ok);
    sent += result.bytes;
  }
  a.wire->make_room(100'000);
  got += a.peer.take();
  EXPECT_GT(blocked, 10);
  EXPECT_EQ(got, body);
}

TEST(TlsStream, ACloseNotifyIsTheEnd) {
  Accepted a;
  ASSERT_TRUE(a.shake_hands());
  a.peer.send("last");
  a.peer.close();
  EXPECT_EQ(a.read(), "last");
  EXPECT_TRUE(a.stream->can_read());
  std::array<char, 16> buffer;
  EXPECT_EQ(a.stream->try_read(buffer).status, IoResult::Status::eof);
  EXPECT_TRUE(a.stream->peer_closed());
  EXPECT_EQ(write(*a.stream, {"still"}).bytes, 5u) << "one direction is over, not both";
  EXPECT_EQ(a.stream->try_read(buffer).status, IoResult::Status::eof);
}

TEST(TlsStream, AnEndWithoutCloseNotifyIsATruncation) {
  Accepted a;
  ASSERT_TRUE(a.shake_hands());
  a.peer.send("last");
  a.wire->half_close();
  EXPECT_EQ(a.read(), "last");
  std::array<char, 16> buffer;
  const IoResult result = a.stream->try_read(buffer);
  EXPECT_EQ(result.status, IoResult::Status::error);
  EXPECT_EQ(result.error, ECONNRESET);
  EXPECT_EQ(write(*a.stream, {"answer"}).bytes, 6u) << "whoever has closed one direction still gets its answer";
}

TEST(TlsStream, EndsWithACloseNotifyOfItsOwn) {
  Accepted a;
  ASSERT_TRUE(a.shake_hands());
  a.stream->shutdown_write();
  a.peer.pump();
  EXPECT_TRUE(a.peer.has_ended());
  EXPECT_TRUE(a.wire->ended());
}

TEST(TlsStream, IsDestroyedWithACloseNotifyUnlessAborted) {
  for (bool aborts : {false, true}) {
    Accepted a;
    ASSERT_TRUE(a.shake_hands());
    if (aborts) a.stream->abort_on_close();
    a.stream.reset();
    a.peer.pump();
    EXPECT_EQ(a.peer.has_ended(), !aborts);
    EXPECT_EQ(a.wire->was_aborted(), aborts);
  }
}

TEST(TlsStream, AResetBreaksIt) {
  Accepted a;
  ASSERT_TRUE(a.shake_hands());
  a.wire->reset();
  EXPECT_TRUE(a.stream->is_broken());
  std::array<char, 16> buffer;
  EXPECT_EQ(a.stream->try_read(buffer).error, ECONNRESET);
}

TEST(TlsStream, GarbageBreaksIt) {
  Accepted a;
  ASSERT_TRUE(a.shake_hands());
  a.wire->send("GET / HTTP/1.1\r\n\r\n");
  std::array<char, 16> buffer;
  EXPECT_EQ(a.stream->try_read(buffer).error, EPROTO);
  EXPECT_TRUE(a.stream->is_broken());
  EXPECT_FALSE(a.stream->failure().empty());
}

TEST(TlsStream, PlainHttpIsNoHandshake) {
  Accepted a;
  a.wire->send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  EXPECT_EQ(a.stream->handshake(), TlsStream::Handshake::failed);
  EXPECT_FALSE(a.stream->failure().empty());
}

TEST(TlsStream, CutsAFloodOfKeyUpdatesOff) {
  Accepted a;
  ASSERT_TRUE(a.shake_hands());
  bool is_cut_off = false;
  for (int i = 0; i < 200 && !is_cut_off; ++i) {
    SSL_key_update(a.peer.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    a.peer.send("x");
    std::array<char, 16> buffer;
    is_cut_off = a.stream->try_read(buffer).status == IoResult::Status::error;
    EXPECT_TRUE(i > 10 || !is_cut_off) << "a few are fine";
  }
  EXPECT_TRUE(is_cut_off);
  EXPECT_EQ(a.stream->failure(), "too many messages of the handshake");
}

TEST(TlsStream, DoesNotRenegotiate) {
  Accepted a(TLS1_2_VERSION);
  ASSERT_TRUE(a.shake_hands());
  SSL_renegotiate(a.peer.ssl());
  (void)SSL_do_handshake(a.peer.ssl());
  a.peer.pump();
  std::array<char, 16> buffer;
  const IoResult result = a.stream->try_read(buffer);
  EXPECT_NE(result.status, IoResult::Status::ok);
  EXPECT_EQ(SSL_get_state(a.stream->ssl()), TLS_ST_OK);
}

// ---- as a client ---------------------------------------------------------------------------------

struct Connected {
  Issued own;
  std::shared_ptr<Wire> wire = std::make_shared<Wire>();
  TlsPeer peer{wire, TLS_server_method()};
  SslContextPtr context{SSL_CTX_new(TLS_client_method())};
  std::unique_ptr<TlsStream> stream;

  explicit Connected(const Authority& issuer, std::string preface = {}) : own(issuer.issue("DNS:a.test")) {
    TlsStream::prepare(context.get());
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), authority().root().certificate.get());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SslPtr ssl(SSL_new(context.get()));
    SSL_set_connect_state(ssl.get());
    SSL_set1_host(ssl.get(), "a.test");
    stream = std::make_unique<TlsStream>(std::make_unique<MemoryStream>(wire), std::move(ssl), nullptr,
                                         std::move(preface));
    peer.show(own);
  }
};

TEST(TlsStream, AClientIsWritableOnceItsHandshakeIsOver) {
  Connected c(authority());
  EXPECT_FALSE(c.stream->can_write());
  c.wire->accept();
  EXPECT_FALSE(c.stream->can_write()) << "connected, but not yet to whom it wants";
  for (int i = 0; i < 5; ++i) c.peer.pump();
  ASSERT_TRUE(c.stream->can_write());
  EXPECT_EQ(c.stream->connect_result(), 0);
  EXPECT_EQ(write(*c.stream, {"hello"}).bytes, 5u);
  EXPECT_EQ(c.peer.take(), "hello");
}

TEST(TlsStream, APrefaceGoesInFrontOfTheHandshake) {
  constexpr std::string_view kPreface = "PROXY UNKNOWN\r\n";
  for (const std::size_t room : {std::size_t{3}, kPreface.size(), kPreface.size() + 1, std::size_t{65536}}) {
    Connected c(authority(), std::string(kPreface));
    c.wire->limit_room(room);
    c.wire->accept();
    EXPECT_LE(c.wire->received().size(), room);
    c.wire->make_room(65536);
    std::string received = c.wire->received();
    ASSERT_TRUE(received.starts_with(kPreface)) << room;
    received.erase(0, kPreface.size());
    EXPECT_EQ(received.substr(0, 2), "\x16\x03") << room << ": a handshake";
    EXPECT_EQ(records(received).size(), 1U) << room;
  }
}

TEST(TlsStream, AClientTrustsNobodyElse) {
  const Authority another;
  Connected c(another);
  c.wire->accept();
  for (int i = 0; i < 5; ++i) c.peer.pump();
  EXPECT_TRUE(c.stream->is_broken());
  EXPECT_EQ(c.stream->connect_result(), EKEYREJECTED);
  EXPECT_NE(c.stream->failure().find("certificate"), std::string::npos) << c.stream->failure();
}

TEST(TlsStream, AClientThatIsRefusedSaysSo) {
  Connected c(authority());
  c.wire->refuse(ECONNREFUSED);
  EXPECT_TRUE(c.stream->is_broken());
  EXPECT_EQ(c.stream->connect_result(), ECONNREFUSED);
}

}  // namespace
}  // namespace vipair::proxy
