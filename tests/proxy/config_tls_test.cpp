#include "proxy/config_tls.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;

#define TLS "listeners = ( { address = \"0.0.0.0:443\"; tls = true; } ); "
#define CERTIFICATE "certificate = { certificate_file = \"a.pem\"; key_file = \"a.key\"; }; "

const Mistake kMistakes[] = {
    {"no_certificate", TLS, nullptr, "listeners", "there is no certificate"},
    {"no_key", TLS "certificate = { certificate_file = \"a.pem\"; };", nullptr, "certificate.key_file",
     "is missing"},
    {"no_file", TLS "certificate = { key_file = \"a.key\"; };", nullptr, "certificate.certificate_file",
     "is missing"},
    {"empty_file", TLS "certificate = { certificate_file = \"\"; key_file = \"a.key\"; };", nullptr,
     "certificate.certificate_file", "is empty"},
    {"unknown_key", TLS CERTIFICATE "tls = { profil = \"modern\"; };", nullptr, "tls.profil", "profile"},
    {"profile", TLS CERTIFICATE "tls = { profile = \"old\"; };", nullptr, "tls.profile", "\"intermediate\""},
    {"handshake_timeout", TLS CERTIFICATE "tls = { handshake_timeout = \"1h\"; };", nullptr,
     "tls.handshake_timeout", "out of range"},
    {"handshakes", TLS CERTIFICATE "tls = { handshakes = 0; };", nullptr, "tls.handshakes", "out of range"},
    {"expiry_warning", TLS CERTIFICATE "tls = { expiry_warning = \"500d\"; };", nullptr, "tls.expiry_warning",
     "out of range"},
    {"https", "", WITH_SITE("https = \"yes\";"), "site.https", "\"redirect\""},
    {"https_without_listener", "", WITH_SITE("https = \"only\";"), "site.https", "no listener speaks TLS"},
    {"hsts_off", "", WITH_SITE("https = \"off\"; hsts = { };"), "site.hsts.max_age", "browsers would find nothing"},
    {"hsts_preload", "", WITH_SITE("hsts = { preload = true; };"), "site.hsts.preload", "include_subdomains"},
    {"hsts_max_age", "", WITH_SITE("hsts = { max_age = \"soon\"; };"), "site.hsts.max_age", "expected"},
    {"client_mode", "", WITH_SITE("client_certificate = { ca_file = \"ca.pem\"; };"),
     "site.client_certificate.mode", "is missing"},
    {"client_ca", "", WITH_SITE("client_certificate = { mode = \"optional\"; };"),
     "site.client_certificate.ca_file", "is missing"},
    {"client_in_the_clear", TLS CERTIFICATE,
     WITH_SITE("client_certificate = { mode = \"required\"; ca_file = \"ca.pem\"; };"),
     "site.client_certificate.mode", "nobody shows a certificate over plain HTTP"},
    {"upstream_name", "", WITH_UPSTREAM("tls = { server_name = \"a b\"; };"), "site.upstreams[0].tls.server_name",
     "is not the name of a server"},
    {"upstream_key", "", WITH_UPSTREAM("tls = { certificate_file = \"a.pem\"; };"),
     "site.upstreams[0].tls.key_file", "is missing"},
    {"upstream_ca", "", WITH_UPSTREAM("tls = { verify = false; ca_file = \"ca.pem\"; };"),
     "site.upstreams[0].tls.ca_file", "never looked at"},
};
EXPECT_MISTAKES(TlsMistake, kMistakes);

TEST(ConfigTls, ReadsListenersAndTheProxyLevel) {
  auto config = parse(
      "listeners = ( { address = \"0.0.0.0:80\"; }, { address = \"0.0.0.0:443\"; tls = true; }, "
      "{ address = \"[::]:443\"; tls = true; http2 = false; } );"
      "tls = { profile = \"modern\"; ticket_key_file = \"secrets/tickets\"; handshake_timeout = \"5s\"; "
      "handshakes = 100; expiry_warning = \"30d\"; };"
      "certificates = ( { certificate_file = \"rsa.pem\"; key_file = \"/k/rsa.key\"; ocsp_file = \"rsa.der\"; }, "
      "{ certificate_file = \"ec.pem\"; key_file = \"ec.key\"; } );");
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_FALSE(config->listeners[0].tls);
  EXPECT_TRUE(config->listeners[1].tls && config->listeners[1].http2);
  EXPECT_TRUE(config->listeners[2].tls && !config->listeners[2].http2);
  EXPECT_EQ(config->tls.profile, TlsProfile::modern);
  EXPECT_EQ(config->tls.ticket_keys.path, "/etc/vipair/secrets/tickets");
  EXPECT_EQ(config->tls.handshake_timeout, 5s);
  EXPECT_EQ(config->tls.handshakes, 100u);
  EXPECT_EQ(config->tls.expiry_warning, 30 * 24h);
  ASSERT_EQ(config->certificates.size(), 2u);
  EXPECT_EQ(config->certificates[0].certificate.path, "/etc/vipair/rsa.pem");
  EXPECT_EQ(config->certificates[0].key.path, "/k/rsa.key");
  EXPECT_EQ(config->certificates[0].ocsp.path, "/etc/vipair/rsa.der");
  EXPECT_FALSE(config->certificates[1].ocsp);
  EXPECT_EQ(config->certificates[1].key.error("x").setting, "certificates[1].key_file");
}

TEST(ConfigTls, ReadsSites) {
  auto config = parse(
      TLS CERTIFICATE,
      WITH_SITE("https = \"redirect\"; hsts = { max_age = \"400d\"; include_subdomains = true; preload = true; "
                "};" CERTIFICATE
                "client_certificate = { mode = \"required\"; ca_file = \"ca.pem\"; crl_file = \"crl.pem\"; };"));
  ASSERT_TRUE(config) << first_error(config);
  const SiteTls& tls = config->sites[0].tls;
  EXPECT_EQ(tls.https, HttpsMode::redirect);
  EXPECT_EQ(tls.hsts->header(), "max-age=34560000; includeSubDomains; preload");
  EXPECT_EQ(tls.certificates.size(), 1u);
  EXPECT_EQ(tls.clients.mode, ClientCertificateMode::required);
  EXPECT_EQ(tls.clients.ca.path, "/etc/vipair/ca.pem");
  EXPECT_EQ(tls.clients.crl.path, "/etc/vipair/crl.pem");
  EXPECT_EQ(parse(kListeners)->sites[0].tls.https, HttpsMode::both);
}

TEST(ConfigTls, ReadsUpstreams) {
  auto config = parse(kListeners, WITH_UPSTREAM("tls = { server_name = \"App.Internal\"; ca_file = \"ca.pem\"; "
                                                "certificate_file = \"own.pem\"; key_file = \"own.key\"; };"));
  ASSERT_TRUE(config) << first_error(config);
  const UpstreamTlsSettings& tls = *config->sites[0].upstreams[0].tls;
  EXPECT_TRUE(tls.is_verified);
  EXPECT_EQ(tls.server_name, "app.internal");
  EXPECT_EQ(tls.certificate.path, "/etc/vipair/own.pem");
  EXPECT_FALSE(parse(kListeners)->sites[0].upstreams[0].tls);
}

}  // namespace
}  // namespace vipair::proxy
