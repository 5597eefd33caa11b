#include "proxy/config_tls.h"

#include "proxy/config_reader.h"
#include "proxy/http/host.h"

namespace vipair::proxy {

using namespace std::chrono_literals;

namespace {

CertificateFiles read_certificate(ConfigGroup& group) {
  CertificateFiles files;
  if (group.require("certificate_file")) files.certificate = read_file_setting(group, "certificate_file");
  if (group.require("key_file")) files.key = read_file_setting(group, "key_file");
  files.ocsp = read_file_setting(group, "ocsp_file");
  group.finish();
  return files;
}

void read_client_certificate(ConfigGroup& site, SiteTls& settings) {
  auto group = site.group("client_certificate");
  if (!group) return;
  ClientCertificates& clients = settings.clients;
  if (auto mode = group->choice("mode", {"none", "optional", "required"})) {
    clients.mode = static_cast<ClientCertificateMode>(*mode);
  } else {
    group->require("mode");
  }
  clients.ca = read_file_setting(*group, "ca_file");
  clients.crl = read_file_setting(*group, "crl_file");
  if (clients.mode != ClientCertificateMode::none) group->require("ca_file");
  const bool is_open = settings.https == HttpsMode::off || settings.https == HttpsMode::both;
  if (clients.mode == ClientCertificateMode::required && is_open) {
    group->error("mode",
                 "nobody shows a certificate over plain HTTP: expected https = \"only\" or \"redirect\" with it");
  }
  group->finish();
}

void read_hsts(ConfigGroup& site, SiteTls& settings) {
  auto group = site.group("hsts");
  if (!group) return;
  Hsts hsts;
  hsts.max_age = 365 * 24h;
  assign(hsts.max_age, group->duration("max_age", 0s, 10 * 365 * 24h));
  hsts.include_subdomains = group->boolean("include_subdomains").value_or(false);
  hsts.preload = group->boolean("preload").value_or(false);
  if (hsts.preload && (!hsts.include_subdomains || hsts.max_age < 365 * 24h)) {
    group->error("preload", "browsers take it only with include_subdomains and a max_age of 365d or more");
  }
  if (settings.https == HttpsMode::off) {
    group->error("max_age", "browsers would find nothing: expected https = \"redirect\", \"both\" or \"only\"");
  }
  group->finish();
  settings.hsts = hsts;
}

}  // namespace

std::string Hsts::header() const {
  std::string text = "max-age=" + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(max_age).count());
  if (include_subdomains) text += "; includeSubDomains";
  if (preload) text += "; preload";
  return text;
}

void read_tls(ConfigGroup& root, TlsSettings& settings) {
  auto group = root.group("tls");
  if (!group) return;
  if (auto profile = group->choice("profile", {"intermediate", "modern"})) {
    settings.profile = static_cast<TlsProfile>(*profile);
  }
  settings.ticket_keys = read_file_setting(*group, "ticket_key_file");
  assign(settings.handshake_timeout, group->duration("handshake_timeout", 100ms, 1min));
  assign(settings.handshakes, group->integer("handshakes", 1, 1'000'000));
  assign(settings.expiry_warning, group->duration("expiry_warning", 0s, 365 * 24h));
  group->finish();
}

std::vector<CertificateFiles> read_certificates(ConfigGroup& group) {
  std::vector<CertificateFiles> certificates;
  for (std::string_view key : {"certificate", "certificates"}) {
    auto groups = group.groups(key);
    if (!check_count(group, key, certificates.size() + groups.size(), kCertificatesMax)) continue;
    for (ConfigGroup& each : groups) certificates.push_back(read_certificate(each));
  }
  return certificates;
}

void read_site_tls(ConfigGroup& site, SiteTls& settings) {
  settings.certificates = read_certificates(site);
  if (auto https = site.choice("https", {"off", "redirect", "both", "only"})) {
    settings.https = static_cast<HttpsMode>(*https);
  }
  read_hsts(site, settings);
  read_client_certificate(site, settings);
}

std::optional<UpstreamTlsSettings> read_upstream_tls(ConfigGroup& upstream) {
  auto group = upstream.group("tls");
  if (!group) return std::nullopt;
  UpstreamTlsSettings tls;
  tls.is_verified = group->boolean("verify").value_or(true);
  tls.ca = read_file_setting(*group, "ca_file");
  if (auto name = group->text("server_name")) {
    const auto authority = http::Authority::parse(name->value);
    if (!authority || authority->port() != 0) {
      group->error(*name, in_quotes(name->value) + " is not the name of a server");
    } else {
      tls.server_name = authority->host();
    }
  }
  tls.certificate = read_file_setting(*group, "certificate_file");
  tls.key = read_file_setting(*group, "key_file");
  if (tls.certificate && !tls.key) group->require("key_file");
  if (tls.key && !tls.certificate) group->require("certificate_file");
  if (!tls.is_verified && tls.ca) {
    group->error("ca_file", "is never looked at with verify = false: remove one of the two");
  }
  group->finish();
  return tls;
}

}  // namespace vipair::proxy
