#include "proxy/server/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/tls_peer.h"

namespace vipair::proxy {
namespace {

using testing::Authority;
using ::testing::HasSubstr;
using testing::Issued;
using testing::TemporaryFolder;
using testing::Wish;

WallTime now() { return WallTime(std::chrono::seconds(std::time(nullptr))); }

struct Files {
  TemporaryFolder folder;
  Authority authority;
  Issued own = authority.issue("DNS:a.test,DNS:*.b.test,IP:192.0.2.1");

  FileSetting setting(const std::string& path) const { return {path, "site.conf", 7, "site.certificate"}; }
  CertificateFiles write(const std::string& certificate, const std::string& key, const std::string& ocsp = "") {
    CertificateFiles files{
        setting(folder.write("own.pem", certificate)), setting(folder.write("own.key", key)), {}};
    if (!ocsp.empty()) files.ocsp = setting(folder.write("own.ocsp", ocsp));
    return files;
  }
  std::string error(const CertificateFiles& files) {
    auto loaded = load_certificate(files, now());
    return loaded ? "" : loaded.error().to_string();
  }
};

TEST(Certificate, IsReadWithItsChain) {
  Files f;
  const auto loaded = load_certificate(f.write(f.own.pem() + f.authority.root().pem(), f.own.key_pem()), now());
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  EXPECT_EQ((*loaded)->subject, "CN=test");
  EXPECT_EQ((*loaded)->names, "a.test *.b.test");
  EXPECT_EQ(sk_X509_num((*loaded)->chain.get()), 1);
  EXPECT_NEAR(std::chrono::duration<double>((*loaded)->not_after - now()).count(), 30 * 86400, 120);
}

TEST(Certificate, KnowsWhatItCovers) {
  Files f;
  const auto loaded = load_certificate(f.write(f.own.pem(), f.own.key_pem()), now());
  ASSERT_TRUE(loaded.has_value());
  for (const char* host : {"a.test", "x.b.test", "*.b.test", "*", "192.0.2.1"})
    EXPECT_TRUE((*loaded)->covers(host)) << host;
  for (const char* host : {"b.test", "x.a.test", "*.a.test", "192.0.2.2"})
    EXPECT_FALSE((*loaded)->covers(host)) << host;
}

TEST(Certificate, IsRefusedWithTheNameOfItsFile) {
  Files f;
  const Issued other = f.authority.issue("DNS:a.test");
  Wish old_wish, future_wish;
  old_wish.until_seconds = -60;
  future_wish.from_seconds = 86400 * 2;
  const Issued old = f.authority.issue(old_wish), future = f.authority.issue(future_wish);

  EXPECT_THAT(f.error(f.write(f.own.pem(), other.key_pem())), HasSubstr("own.key: is not the key of"));
  EXPECT_THAT(f.error(f.write(old.pem(), old.key_pem())), HasSubstr("own.pem: expired on 20"));
  EXPECT_THAT(f.error(f.write(future.pem(), future.key_pem())), HasSubstr("own.pem: is valid from 20"));
  EXPECT_THAT(f.error(f.write("", f.own.key_pem())), HasSubstr("own.pem: there is no certificate in it"));
  EXPECT_THAT(f.error(f.write(f.own.pem(), f.own.pem())), HasSubstr("own.key: there is no private key in it"));
  EXPECT_THAT(f.error(f.write(f.own.pem(), f.own.key_pem("secret"))), HasSubstr("own.key: the key is encrypted"));
  const std::string broken = f.own.pem().replace(100, 4, "@@@@");
  EXPECT_THAT(f.error(f.write(broken, f.own.key_pem())), HasSubstr("own.pem: certificate 1 cannot be read"));
  CertificateFiles missing = f.write(f.own.pem(), f.own.key_pem());
  missing.key.path += ".missing";
  EXPECT_THAT(f.error(missing), HasSubstr("site.conf:7: site.certificate: "));
  EXPECT_THAT(f.error(missing), HasSubstr("own.key.missing: No such file"));
}

TEST(Certificate, StaplesOnlyWhatIsAboutItself) {
  Files f;
  const Issued other = f.authority.issue("DNS:a.test");
  const std::string pem = f.own.pem() + f.authority.root().pem();
  const auto good = load_certificate(f.write(pem, f.own.key_pem(), f.authority.ocsp_of(f.own)), now());
  ASSERT_TRUE(good.has_value()) << good.error().to_string();
  EXPECT_FALSE((*good)->ocsp.empty());
  const std::string stale_response = f.authority.ocsp_of(f.own, V_OCSP_CERTSTATUS_GOOD, -60);
  const auto stale = load_certificate(f.write(pem, f.own.key_pem(), stale_response), now());
  ASSERT_TRUE(stale.has_value()) << "out of date is not used, and no mistake";
  EXPECT_TRUE((*stale)->ocsp.empty());
  EXPECT_THAT(f.error(f.write(pem, f.own.key_pem(), f.authority.ocsp_of(other))),
              HasSubstr("own.ocsp: is about another certificate"));
  EXPECT_THAT(f.error(f.write(pem, f.own.key_pem(), f.authority.ocsp_of(f.own, V_OCSP_CERTSTATUS_REVOKED))),
              HasSubstr("own.ocsp: says that the certificate is revoked"));
  EXPECT_THAT(f.error(f.write(pem, f.own.key_pem(), "garbage")), HasSubstr("own.ocsp: is no OCSP response"));
}

TEST(Certificate, AuthoritiesAndTheirRevocations) {
  Files f;
  const FileSetting ca = f.setting(f.folder.write("ca.pem", f.authority.root().pem()));
  const X509StorePtr store(X509_STORE_new());
  EXPECT_TRUE(
      load_store(store.get(), ca, f.setting(f.folder.write("crl.pem", f.authority.crl_of(f.own)))).has_value());
  const auto wrong = load_store(store.get(), ca, f.setting(f.folder.write("crl.pem", "nothing")));
  ASSERT_FALSE(wrong.has_value());
  EXPECT_THAT(wrong.error().to_string(), HasSubstr("crl.pem: there is no list of revoked certificates"));
  EXPECT_FALSE(load_authorities(f.setting(f.folder.write("empty.pem", ""))).has_value());
}

TEST(ReadWholeFile, IsBounded) {
  TemporaryFolder folder;
  const std::string path = folder.write("file", std::string(100, 'x'));
  EXPECT_EQ(read_whole_file(path, 100).value().size(), 100u);
  EXPECT_FALSE(read_whole_file(path, 99).has_value());
  EXPECT_FALSE(read_whole_file(folder / "none", 99).has_value());
  EXPECT_FALSE(read_whole_file("/dev/zero", 99).has_value());
}

}  // namespace
}  // namespace vipair::proxy
