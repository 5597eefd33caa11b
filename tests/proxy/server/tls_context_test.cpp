#include "proxy/server/tls_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "proxy/server/tls_stream.h"
#include "tests/support/tls_peer.h"

namespace vipair::proxy {
namespace {

using testing::Authority;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Issued;
using testing::MemoryStream;
using testing::TemporaryFolder;
using testing::TlsPeer;
using testing::Wire;
using testing::Wish;

WallTime now() { return WallTime(std::chrono::seconds(std::time(nullptr))); }

// Sites a.test and *.b.test with certificates of their own, and what tests add.
struct Fixture {
  TemporaryFolder folder;
  Authority authority;
  TicketKeys tickets{now()};
  Config config;
  std::shared_ptr<const TlsContexts> contexts;

  Fixture() {
    Listener listener;
    listener.tls = true;
    config.listeners = {listener};
    Site site;
    for (const char* host : {"a.test", "*.b.test"}) {
      site.name = host;
      site.hosts = {host};
      site.tls.certificates = {make(host, "DNS:" + std::string(host))};
      config.sites.push_back(site);
    }
  }
  CertificateFiles make(const std::string& name, const std::string& names, bool is_rsa = false, long days = 30) {
    Wish wish;
    wish.names = names;
    wish.common_name = name;
    wish.is_rsa = is_rsa;
    wish.until_seconds = days * 86400;
    return write(name, authority.issue(wish));
  }
  FileSetting setting(const std::string& path) const { return {path, "site.conf", 1, "site"}; }
  CertificateFiles write(const std::string& name, const Issued& issued) {
    return {setting(folder.write(name + ".pem", issued.pem() + authority.root().pem())),
            setting(folder.write(name + ".key", issued.key_pem())),
            {}};
  }
  bool load() {
    auto loaded = TlsContexts::load(config, tickets, now(), contexts.get());
    if (!loaded) {
      for (const ConfigError& error : loaded.error()) errors += error.to_string() + "\n";
      return false;
    }
    contexts = std::move(loaded).value();
    return true;
  }

  struct Visit {
    bool is_established = false;
    std::string subject, protocol;
    int alert = 0;
    TlsInfo info;
    SslSessionPtr session;
    int shown_type = 0;
    std::string staple;
  };
  Visit visit(const char* name, const std::function<void(TlsPeer&)>& prepare = {}, bool may_use_http2 = false) {
    auto wire = std::make_shared<Wire>();
    TlsPeer peer(wire);
    SSL_CTX_set_info_callback(peer.context(), [](const SSL* ssl, int where, int value) {
      if (where == SSL_CB_READ_ALERT)
        SSL_set_ex_data(const_cast<SSL*>(ssl), 0, reinterpret_cast<void*>(std::intptr_t{value & 0xff}));
    });
    if (name != nullptr) peer.name(name);
    if (prepare) prepare(peer);
    TlsContexts::Hello hello;
    hello.may_use_http2 = may_use_http2;
    TlsStream stream(std::make_unique<MemoryStream>(wire), contexts->accept(hello));
    wire->accept();
    for (int i = 0; i < 5; ++i) {
      peer.pump();
      (void)stream.handshake();
    }
    peer.pump();
    Visit visit;
    visit.alert = static_cast<int>(reinterpret_cast<std::intptr_t>(SSL_get_ex_data(peer.ssl(), 0)));
    visit.is_established = stream.handshake() == TlsStream::Handshake::done && visit.alert == 0;
    if (!visit.is_established) return visit;
    visit.subject = peer.subject();
    visit.protocol = peer.protocol();
    visit.shown_type = peer.shown_type();
    visit.info = TlsContexts::info(stream.ssl(), hello);
    const unsigned char* staple = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(peer.ssl(), &staple);
    if (size > 0) visit.staple.assign(reinterpret_cast<const char*>(staple), static_cast<std::size_t>(size));
    if (peer.session() != nullptr) {
      SSL_SESSION_up_ref(peer.session());
      visit.session.reset(peer.session());
    }
    return visit;
  }
  std::string errors;
};

auto version(int number) {
  return [number](TlsPeer& peer) { SSL_set_max_proto_version(peer.ssl(), number); };
}
auto resumes(const SslSessionPtr& session, int number = TLS1_3_VERSION) {
  return [&session, number](TlsPeer& peer) {
    SSL_set_max_proto_version(peer.ssl(), number);
    peer.resume(session.get());
  };
}

TEST(TlsContexts, AreAbsentWithoutAListenerThatSpeaksTls) {
  Fixture f;
  f.config.listeners[0].tls = false;
  ASSERT_TRUE(f.load());
  EXPECT_EQ(f.contexts, nullptr);
}

TEST(TlsContexts, ChooseTheCertificateByName) {
  Fixture f;
  ASSERT_TRUE(f.load()) << f.errors;
  EXPECT_EQ(f.visit("a.test").subject, "a.test");
  EXPECT_EQ(f.visit("A.TEST").subject, "a.test");
  EXPECT_EQ(f.visit("x.b.test").subject, "*.b.test");
  EXPECT_EQ(f.visit("a.test").info.server_name, "a.test");
  EXPECT_STREQ(f.visit("a.test").info.version, "TLSv1.3");
}

TEST(TlsContexts, RefuseNamesThatNobodyHasACertificateFor) {
  Fixture f;
  ASSERT_TRUE(f.load()) << f.errors;
  EXPECT_EQ(f.visit("c.test").alert, SSL_AD_UNRECOGNIZED_NAME);
  EXPECT_EQ(f.visit(nullptr).alert, SSL_AD_UNRECOGNIZED_NAME);
  EXPECT_EQ(f.visit("..").alert, SSL_AD_ILLEGAL_PARAMETER);
  f.config.certificates = {f.make("default", "DNS:c.test")};
  ASSERT_TRUE(f.load()) << f.errors;
  EXPECT_EQ(f.visit("c.test").subject, "default");
  EXPECT_EQ(f.visit(nullptr).subject, "default");
}

TEST(TlsContexts, AreSilentAboutASiteThatIsNotServedOverTls) {
  Fixture f;
  f.config.sites[0].tls.https = HttpsMode::off;
  ASSERT_TRUE(f.load()) << f.errors;
  EXPECT_EQ(f.visit("a.test").alert, SSL_AD_UNRECOGNIZED_NAME);
}

TEST(TlsContexts, ShowEcdsaFirstAndRsaToThoseWhoKnowNothingElse) {
  Fixture f;
  f.config.sites[0].tls.certificates = {f.make("rsa", "DNS:a.test", true), f.make("ecdsa", "DNS:a.test")};
  ASSERT_TRUE(f.load()) << f.errors;
  for (int number : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_EQ(f.visit("a.test", version(number)).shown_type, EVP_PKEY_EC);
    auto old = [&](TlsPeer& peer) {
      version(number)(peer);
      SSL_set1_sigalgs_list(peer.ssl(), "RSA-PSS+SHA256:RSA+SHA256");
      SSL_set_cipher_list(peer.ssl(), "ECDHE-RSA-AES128-GCM-SHA256");
    };
    EXPECT_EQ(f.visit("a.test", old).shown_type, EVP_PKEY_RSA);
  }
  f.config.sites[0].tls.certificates.push_back(f.make("another", "DNS:a.test"));
  EXPECT_FALSE(f.load());
  EXPECT_THAT(f.errors, HasSubstr("another.pem: there is another certificate with the same type of key"));
}

TEST(TlsContexts, ModernIsTls13Only) {
  Fixture f;
  ASSERT_TRUE(f.load()) << f.errors;
  EXPECT_TRUE(f.visit("a.test", version(TLS1_2_VERSION)).is_established);
  auto old = [](TlsPeer& peer) {
    SSL_set_security_level(peer.ssl(), 0);
    SSL_set_max_proto_version(peer.ssl(), TLS1_1_VERSION);
  };
  EXPECT_FALSE(f.visit("a.test", old).is_established);
  f.config.tls.profile = TlsProfile::modern;
  ASSERT_TRUE(f.load()) << f.errors;
  EXPECT_FALSE(f.visit("a.test", version(TLS1_2_VERSION)).is_established);
  EXPECT_TRUE(f.visit("a.test").is_established);
}

TEST(TlsContexts, AgreeOnAProtocol) {
  Fixture f;
  ASSERT_TRUE(f.load()) << f.errors;
  auto offers = [](const std::string& protocols) { return [protocols](TlsPeer& peer) { peer.offer(protocols); }; };
  const std::string both = "\x02h2\x08http/1.1";
  EXPECT_EQ(f.visit("a.test", offers(both), true).protocol, "h2");
  EXPECT_TRUE(f.visit("a.test", offers(both), true).info.is_http2);
  EXPECT_EQ(f.visit("a.test", offers(both), false).protocol, "http/1.1");
  EXPECT_TRUE(f.visit("a.test").is_established);
  EXPECT_EQ(f.visit("a.test",
                    offers("\x03"
                           "ftp"),
                    true)
                .alert,
            SSL_AD_NO_APPLICATION_PROTOCOL);
  EXPECT_EQ(f.visit("a.test", offers("\x02h2"), false).alert, SSL_AD_NO_APPLICATION_PROTOCOL);
}

TEST(TlsContexts, ASessionIsResumedWhereItWasMadeAndNowhereElse) {
  for (int number : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Fixture f;
    Authority clients;
    ASSERT_TRUE(f.load()) << f.errors;
    const auto first = f.visit("a.test", version(number));
    ASSERT_NE(first.session, nullptr);
    EXPECT_FALSE(first.info.is_resumed);
    EXPECT_TRUE(f.visit("a.test", resumes(first.session, number)).info.is_resumed);
    const auto elsewhere = f.visit("x.b.test", resumes(first.session, number));
    EXPECT_FALSE(elsewhere.info.is_resumed) << "a session belongs to its site";
    EXPECT_EQ(elsewhere.subject, "*.b.test");
    // A reload keeps it; new rules for clients end it.
    const auto second = f.visit("a.test", version(number));
    ASSERT_TRUE(f.load()) << f.errors;
    EXPECT_TRUE(f.visit("a.test", resumes(second.session, number)).info.is_resumed);
    ClientCertificates& rules = f.config.sites[0].tls.clients;
    rules.mode = ClientCertificateMode::optional;
    rules.ca = f.setting(f.folder.write("clients.pem", clients.root().pem()));
    const auto third = f.visit("a.test", version(number));
    ASSERT_TRUE(f.load()) << f.errors;
    EXPECT_FALSE(f.visit("a.test", resumes(third.session, number)).info.is_resumed);
  }
}

TEST(TlsContexts, AskClientsForCertificates) {
  Fixture f;
  const Authority clients, strangers;
  const Issued alice = clients.issue("DNS:alice"), bob = clients.issue("DNS:bob"),
               mallory = strangers.issue("DNS:m");
  ClientCertificates& rules = f.config.sites[0].tls.clients;
  rules.mode = ClientCertificateMode::required;
  rules.ca = f.setting(f.folder.write("clients.pem", clients.root().pem()));
  rules.crl = f.setting(f.folder.write("clients.crl", clients.crl_of(bob)));
  auto shows = [](const Issued& own) { return [&own](TlsPeer& peer) { peer.show(own); }; };
  ASSERT_TRUE(f.load()) << f.errors;
  const auto good = f.visit("a.test", shows(alice));
  EXPECT_TRUE(good.is_established);
  ASSERT_NE(good.info.client, nullptr);
  EXPECT_EQ(good.info.client->subject, "CN=test");
  EXPECT_EQ(good.info.client->issuer, "CN=test authority");
  EXPECT_EQ(good.info.client->fingerprint.size(), 64u);
  EXPECT_EQ(good.info.client->field.front(), ':');
  EXPECT_EQ(good.info.client->field.back(), ':');
  EXPECT_NE(good.info.client_rules, ClientRules{});
  EXPECT_EQ(f.contexts->client_rules(0), good.info.client_rules);
  EXPECT_EQ(f.contexts->client_rules(1), ClientRules{});
  EXPECT_FALSE(f.visit("a.test").is_established);
  EXPECT_FALSE(f.visit("a.test", shows(bob)).is_established) << "revoked";
  EXPECT_FALSE(f.visit("a.test", shows(mallory)).is_established);
  EXPECT_TRUE(f.visit("x.b.test").is_established) << "another site asks nobody";
  const auto resumed = f.visit("a.test", resumes(good.session));
  EXPECT_TRUE(resumed.info.is_resumed);
  ASSERT_NE(resumed.info.client, nullptr);
  EXPECT_EQ(resumed.info.client->subject, "CN=test") << "a session remembers who it is";

  rules.mode = ClientCertificateMode::optional;
  ASSERT_TRUE(f.load()) << f.errors;
  const auto nobody = f.visit("a.test");
  EXPECT_TRUE(nobody.is_established);
  EXPECT_EQ(nobody.info.client, nullptr);
  EXPECT_FALSE(f.visit("a.test", shows(mallory)).is_established) << "what is shown must be good";
}

TEST(TlsContexts, StapleAnOcspResponse) {
  Fixture f;
  const Issued own = f.authority.issue("DNS:a.test");
  f.config.sites[0].tls.certificates = {f.write("stapled", own)};
  const std::string response = f.authority.ocsp_of(own);
  f.config.sites[0].tls.certificates[0].ocsp = f.setting(f.folder.write("own.ocsp", response));
  ASSERT_TRUE(f.load()) << f.errors;
  auto asks = [](TlsPeer& peer) { SSL_set_tlsext_status_type(peer.ssl(), TLSEXT_STATUSTYPE_ocsp); };
  EXPECT_EQ(f.visit("a.test", asks).staple, response);
  EXPECT_EQ(f.visit("x.b.test", asks).staple, "");
}

TEST(TlsContexts, TakeUnchangedCertificatesOverAndRefuseBrokenOnes) {
  Fixture f;
  ASSERT_TRUE(f.load()) << f.errors;
  const auto before = f.contexts->certificates();
  f.make("a.test", "DNS:a.test");  // renewed in its place
  ASSERT_TRUE(f.load()) << f.errors;
  EXPECT_NE(f.contexts->certificates()[0], before[0]);
  EXPECT_EQ(f.contexts->certificates()[1], before[1]);
  const auto running = f.contexts;
  f.folder.write("a.test.pem", "broken");
  EXPECT_FALSE(f.load());
  EXPECT_THAT(f.errors, HasSubstr("a.test.pem: there is no certificate in it"));
  EXPECT_EQ(f.contexts, running);
  EXPECT_TRUE(f.visit("a.test").is_established);
}

TEST(TlsContexts, WarnAheadOfTimeAndOfNames) {
  Fixture f;
  f.config.sites[0].tls.certificates = {f.make("soon", "DNS:a.test", false, 5)};
  f.config.sites[1].tls.certificates = {f.make("wrong", "DNS:other.test")};
  ASSERT_TRUE(f.load()) << f.errors;
  auto warnings = [&](int days_from_now) {
    return f.contexts->date_warnings(now() + days_from_now * std::chrono::hours(24), std::chrono::hours(14 * 24));
  };
  EXPECT_THAT(warnings(0), ElementsAre(HasSubstr("soon.pem: the certificate of CN=soon expires on ")));
  EXPECT_THAT(warnings(6), ElementsAre(HasSubstr("soon.pem: the certificate of CN=soon expired on ")));
  EXPECT_EQ(warnings(20).size(), 2u);
  EXPECT_THAT(f.contexts->name_warnings(), ElementsAre(HasSubstr("is for its host *.b.test")));
}

}  // namespace
}  // namespace vipair::proxy
