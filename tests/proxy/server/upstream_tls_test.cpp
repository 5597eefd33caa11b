#include "proxy/server/upstream_tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/support/tls_peer.h"

namespace vipair::proxy {
namespace {

using testing::Authority;
using ::testing::HasSubstr;
using testing::Issued;
using testing::MemoryStream;
using testing::TemporaryFolder;
using testing::TlsPeer;
using testing::Wire;

WallTime now() { return WallTime(std::chrono::seconds(std::time(nullptr))); }

struct Fixture {
  TemporaryFolder folder;
  Authority authority;
  Issued own = authority.issue("DNS:app.internal,IP:10.0.0.1");
  UpstreamTlsSettings settings;
  std::shared_ptr<UpstreamTlsSession> session = std::make_shared<UpstreamTlsSession>();
  SslContextPtr server{SSL_CTX_new(TLS_server_method())};
  std::string why;

  Fixture() { settings.ca = setting(folder.write("ca.pem", authority.root().pem())); }
  FileSetting setting(const std::string& path) const { return {path, "site.conf", 3, "site.upstreams[0].tls"}; }

  struct Outcome {
    bool is_connected = false, is_resumed = false;
    int error = 0;
    std::string server_name, client_subject;
  };
  Outcome connect(const std::string& server_text, const std::function<void(TlsPeer&)>& prepare = {}) {
    auto tls = UpstreamTls::load(settings, now());
    if (!tls) {
      why = tls.error().to_string();
      return {};
    }
    auto wire = std::make_shared<Wire>();
    auto stream = (*tls)->connect(std::make_unique<MemoryStream>(wire), server_text, session,
                                  [this](const std::string& text) { why = text; });
    TlsPeer peer(wire, TLS_server_method());
    // Tickets of one connection are opened in the next.
    unsigned char keys[80] = {1};
    SSL_CTX_set_tlsext_ticket_keys(peer.context(), keys, sizeof keys);
    SSL_CTX_set_session_id_context(peer.context(), keys, 1);
    if (prepare) prepare(peer);
    peer.show(own);
    wire->accept();
    for (int i = 0; i < 5; ++i) peer.pump();
    Outcome outcome;
    outcome.error = stream->is_broken() ? stream->connect_result() : 0;
    outcome.is_connected = stream->can_write() && !stream->is_broken();
    char byte;
    if (outcome.is_connected) {
      EXPECT_EQ(stream->try_read({&byte, 1}).status, IoResult::Status::would_block) << "tickets are no answer";
      outcome.is_resumed = SSL_session_reused(peer.ssl()) == 1;
    }
    if (const char* name = SSL_get_servername(peer.ssl(), TLSEXT_NAMETYPE_host_name)) outcome.server_name = name;
    outcome.client_subject = peer.subject();
    return outcome;
  }
};

TEST(UpstreamTls, ConnectsToWhoeverTheCertificateIsFor) {
  Fixture f;
  const auto by_name = f.connect("app.internal:443");
  EXPECT_TRUE(by_name.is_connected) << f.why;
  EXPECT_EQ(by_name.server_name, "app.internal");
  f.session = std::make_shared<UpstreamTlsSession>();
  const auto by_address = f.connect("10.0.0.1:443");
  EXPECT_TRUE(by_address.is_connected) << f.why;
  EXPECT_EQ(by_address.server_name, "") << "an address is no name (RFC 6066 section 3)";
}

TEST(UpstreamTls, RefusesOthers) {
  Fixture f;
  const auto wrong = f.connect("other.internal:443");
  EXPECT_EQ(wrong.error, EKEYREJECTED);
  EXPECT_THAT(f.why, HasSubstr("hostname mismatch"));
  EXPECT_EQ(f.connect("[2001:db8::1]:443").error, EKEYREJECTED);
  const Authority another;
  f.settings.ca = f.setting(f.folder.write("another.pem", another.root().pem()));
  EXPECT_EQ(f.connect("app.internal:443").error, EKEYREJECTED);
  f.settings.is_verified = false;
  EXPECT_TRUE(f.connect("whoever.test:443").is_connected) << f.why;
}

TEST(UpstreamTls, AsksForTheNameThatIsConfigured) {
  Fixture f;
  f.settings.server_name = "app.internal";
  const auto outcome = f.connect("10.0.0.99:443");
  EXPECT_TRUE(outcome.is_connected) << f.why;
  EXPECT_EQ(outcome.server_name, "app.internal");
}

TEST(UpstreamTls, ResumesTheLastSession) {
  Fixture f;
  EXPECT_FALSE(f.connect("app.internal:443").is_resumed);
  ASSERT_NE(f.session->last, nullptr);
  EXPECT_TRUE(f.connect("app.internal:443").is_resumed);
}

TEST(UpstreamTls, ShowsItsOwnCertificate) {
  Fixture f;
  const Issued client = f.authority.issue("DNS:lb-a");
  f.settings.certificate = f.setting(f.folder.write("client.pem", client.pem()));
  f.settings.key = f.setting(f.folder.write("client.key", client.key_pem()));
  auto asks = [](TlsPeer& peer) {
    SSL_CTX_set_verify(peer.context(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
  };
  EXPECT_EQ(f.connect("app.internal:443", asks).client_subject, "test");
  f.settings.key = f.setting(f.folder.write("client.key", f.own.key_pem()));
  f.connect("app.internal:443");
  EXPECT_THAT(f.why, HasSubstr("client.key: is not the key of the first certificate"));
}

TEST(UpstreamTls, IsLoadedOncePerSetting) {
  Fixture f;
  Config config;
  Site site;
  Upstream plain, secure;
  secure.tls = f.settings;
  site.upstreams = {plain, secure, secure};
  config.sites = {site};
  const auto all = load_upstream_tls(config, now());
  ASSERT_TRUE(all.has_value());
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ((*all)[0], nullptr);
  EXPECT_NE((*all)[1], nullptr);
  EXPECT_EQ((*all)[1], (*all)[2]);
  config.sites[0].upstreams[1].tls->ca.path += ".missing";
  EXPECT_FALSE(load_upstream_tls(config, now()).has_value());
}

}  // namespace
}  // namespace vipair::proxy
