#include "proxy/server/session_tickets.h"

#include <gtest/gtest.h>

#include "proxy/server/tls_stream.h"
#include "tests/support/tls_peer.h"

namespace vipair::proxy {
namespace {

using testing::Authority;
using testing::Issued;
using testing::MemoryStream;
using testing::TlsPeer;
using testing::Wire;

const WallTime kNow{std::chrono::hours(12 * 40'000 + 6)};

TicketKeys::Secret secret_of(std::uint8_t byte) {
  TicketKeys::Secret secret;
  secret.fill(byte);
  return secret;
}

// One node: keys, and a context that uses them. The certificate is the same on all.
struct Node {
  TicketKeys tickets{kNow};
  SslContextPtr context{SSL_CTX_new(TLS_server_method())};

  explicit Node(std::vector<TicketKeys::Secret> secrets, WallTime now = kNow) {
    static const Authority authority;
    static const Issued own = authority.issue("DNS:a.test");
    tickets.use(std::move(secrets), now);
    TlsStream::prepare(context.get());
    tickets.install(context.get());
    SSL_CTX_use_certificate(context.get(), own.certificate.get());
    SSL_CTX_use_PrivateKey(context.get(), own.key.get());
  }

  struct Visit {
    SslSessionPtr session;
    bool is_resumed = false;
    int tickets = 0;
  };
  Visit visit(SSL_SESSION* session = nullptr) {
    auto wire = std::make_shared<Wire>();
    TlsPeer peer(wire);
    if (session != nullptr) peer.resume(session);
    SslPtr ssl(SSL_new(context.get()));
    SSL_set_accept_state(ssl.get());
    TlsStream stream(std::make_unique<MemoryStream>(wire), std::move(ssl));
    wire->accept();
    for (int i = 0; i < 5; ++i) {
      peer.pump();
      (void)stream.handshake();
    }
    EXPECT_TRUE(peer.handshake());
    Visit visit;
    visit.is_resumed = SSL_session_reused(peer.ssl()) == 1;
    if (peer.session() != nullptr) {
      SSL_SESSION_up_ref(peer.session());
      visit.session.reset(peer.session());
    }
    return visit;
  }
};

TEST(TicketKeys, ReadsSecrets) {
  const std::string a(64, 'a'), b(64, 'B');
  const auto secrets = TicketKeys::parse(a + "\n\n" + b + "\n");
  ASSERT_TRUE(secrets.has_value());
  ASSERT_EQ(secrets->size(), 2u);
  EXPECT_EQ((*secrets)[0], secret_of(0xaa));
  EXPECT_EQ((*secrets)[1], secret_of(0xbb));
  for (const std::string& bad :
       {std::string(), std::string("\n"), a.substr(1), a + "0", "x" + a.substr(1), a + " "}) {
    EXPECT_FALSE(TicketKeys::parse(bad).has_value()) << bad;
  }
  const std::string secret = "0123456789abcdeg" + a.substr(16);
  EXPECT_EQ(TicketKeys::parse(a + "\n" + secret).error().find("0123"), std::string::npos) << "a secret is not told";
  std::string many;
  for (std::size_t i = 0; i <= TicketKeys::kSecretsMax; ++i) many += a + "\n";
  EXPECT_FALSE(TicketKeys::parse(many).has_value());
}

TEST(TicketKeys, AClientResumesOnTheOtherNode) {
  Node first({secret_of(1)}), second({secret_of(1)}), stranger({secret_of(2)}), own({});
  const Node::Visit visit = first.visit();
  EXPECT_FALSE(visit.is_resumed);
  ASSERT_NE(visit.session, nullptr);
  EXPECT_TRUE(second.visit(visit.session.get()).is_resumed);
  EXPECT_FALSE(stranger.visit(visit.session.get()).is_resumed);
  EXPECT_FALSE(own.visit(visit.session.get()).is_resumed);
}

TEST(TicketKeys, AResumedClientGetsItsNextTicket) {
  Node node({secret_of(1)});
  Node::Visit visit = node.visit();
  for (int i = 0; i < 3; ++i) {
    Node::Visit next = node.visit(visit.session.get());
    EXPECT_TRUE(next.is_resumed);
    ASSERT_NE(next.session, nullptr) << "clients of TLS 1.3 use a ticket once";
    visit = std::move(next);
  }
}

TEST(TicketKeys, OpensTicketsOfTwoPeriodsBackAndOneAhead) {
  for (int periods = -2; periods <= 4; ++periods) {
    Node first({secret_of(1)}), second({secret_of(1)});
    const Node::Visit visit = first.visit();
    second.tickets.advance(kNow + periods * TicketKeys::kPeriod);
    EXPECT_EQ(second.visit(visit.session.get()).is_resumed, periods >= -1 && periods <= 2) << periods;
  }
}

TEST(TicketKeys, ANewSecretSealsAndTheOldOneStillOpens) {
  Node node({secret_of(1)});
  const Node::Visit before = node.visit();
  node.tickets.use({secret_of(2), secret_of(1)}, kNow);
  EXPECT_TRUE(node.visit(before.session.get()).is_resumed);
  const Node::Visit after = node.visit();
  node.tickets.use({secret_of(2)}, kNow);
  EXPECT_TRUE(node.visit(after.session.get()).is_resumed);
  EXPECT_FALSE(node.visit(before.session.get()).is_resumed);
}

TEST(TicketKeys, ASecretOfItsOwnOutlivesAReload) {
  Node node({});
  const Node::Visit visit = node.visit();
  node.tickets.use({}, kNow);
  EXPECT_TRUE(node.visit(visit.session.get()).is_resumed);
}

}  // namespace
}  // namespace vipair::proxy
