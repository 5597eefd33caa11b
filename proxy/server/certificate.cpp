#include "proxy/server/certificate.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "common/runtime/unique_fd.h"

namespace vipair::proxy {

namespace {

BioPtr bio_of(const std::string& bytes) {
  BioPtr bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  if (bio == nullptr) throw std::bad_alloc();
  return bio;
}

// The daemon has nobody to ask: an encrypted key is recognised by the question.
int refuse_password(char*, int, int, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

Expected<std::string, ConfigError> content_of(const FileSetting& file, std::size_t bytes_max = kPemFileMax) {
  auto content = read_whole_file(file.path, bytes_max);
  if (!content) return Unexpected{file.error(file.path + ": " + content.error())};
  return std::move(content).value();
}

Expected<std::vector<X509Ptr>, ConfigError> parse_certificates(const FileSetting& file, const std::string& pem) {
  std::vector<X509Ptr> certificates;
  const BioPtr bio = bio_of(pem);
  while (X509* certificate = PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string why = openssl_error();
  if (!is_end) {
    return Unexpected{file.error(file.path + ": certificate " + std::to_string(certificates.size() + 1) +
                                 " cannot be read: " + why)};
  }
  if (certificates.empty()) {
    return Unexpected{
        file.error(file.path + ": there is no certificate in it, expected PEM: -----BEGIN CERTIFICATE-----")};
  }
  return certificates;
}

Expected<PkeyPtr, ConfigError> parse_key(const FileSetting& file) {
  auto content = content_of(file);
  if (!content) return Unexpected{std::move(content).error()};
  std::string& pem = *content;
  bool was_asked = false;
  PkeyPtr key(PEM_read_bio_PrivateKey(bio_of(pem).get(), nullptr, &refuse_password, &was_asked));
  OPENSSL_cleanse(pem.data(), pem.size());
  const std::string why = openssl_error();
  if (key != nullptr) return key;
  if (was_asked) {
    return Unexpected{file.error(file.path +
                                 ": the key is encrypted and nobody is there to say the password, expected a key "
                                 "without one: openssl pkey -in KEY -out NEW")};
  }
  return Unexpected{file.error(file.path + ": there is no private key in it, expected PEM (" + why + ")")};
}

std::string subject_of(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<std::size_t>(std::max(size, 0l)));
}

std::string names_of(X509* certificate) {
  constexpr std::size_t kNamed = 4;
  std::string text;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  std::size_t count = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && count < kNamed; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS) continue;
    const auto* bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    text += (count++ > 0 ? " " : "") +
            std::string(bytes, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  GENERAL_NAMES_free(names);
  return text;
}

// RFC 6960. An empty error: good. A response that is out of date is no mistake of the file's, it is not used.
Expected<void, std::string> check_ocsp(Certificate& certificate, std::string der, WallTime now) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<OCSP_RESPONSE, OpensslFree<OCSP_RESPONSE_free>> response(
      d2i_OCSP_RESPONSE(nullptr, &bytes, static_cast<long>(der.size())));
  if (response == nullptr) return Unexpected{"is no OCSP response, expected DER (" + openssl_error() + ")"};
  if (const int status = OCSP_response_status(response.get()); status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return Unexpected{std::string("says that the responder failed: ") + OCSP_response_status_str(status)};
  }
  const std::unique_ptr<OCSP_BASICRESP, OpensslFree<OCSP_BASICRESP_free>> basic(
      OCSP_response_get1_basic(response.get()));
  if (basic == nullptr) return Unexpected{"is of an unknown type (" + openssl_error() + ")"};
  ASN1_INTEGER* wanted = X509_get_serialNumber(certificate.leaf.get());
  X509* issuer = sk_X509_num(certificate.chain.get()) > 0 ? sk_X509_value(certificate.chain.get(), 0) : nullptr;
  for (int i = 0; i < OCSP_resp_count(basic.get()); ++i) {
    OCSP_SINGLERESP* single = OCSP_resp_get0(basic.get(), i);
    OCSP_CERTID* id = const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single));
    ASN1_INTEGER* serial = nullptr;
    ASN1_OBJECT* digest = nullptr;
    OCSP_id_get0_info(nullptr, &digest, nullptr, &serial, id);
    if (ASN1_INTEGER_cmp(serial, wanted) != 0) continue;
    if (issuer != nullptr) {  // two issuers may have given the same number
      const EVP_MD* md = EVP_get_digestbyobj(digest);
      OCSP_CERTID* expected = md == nullptr ? nullptr : OCSP_cert_to_id(md, certificate.leaf.get(), issuer);
      const bool is_same = expected != nullptr && OCSP_id_cmp(expected, id) == 0;
      OCSP_CERTID_free(expected);
      if (!is_same) continue;
    }
    ASN1_GENERALIZEDTIME* next_update = nullptr;
    const int status = OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &next_update);
    if (status == V_OCSP_CERTSTATUS_REVOKED) return Unexpected{std::string("says that the certificate is revoked")};
    certificate.ocsp_until = next_update != nullptr ? time_of(next_update) : WallTime::max();
    if (certificate.ocsp_until > now) certificate.ocsp = std::move(der);
    ERR_clear_error();
    return {};
  }
  ERR_clear_error();
  return Unexpected{std::string("is about another certificate")};
}

}  // namespace

Expected<std::string, std::string> read_whole_file(const std::string& path, std::size_t bytes_max) {
  auto failure = [](int error) { return Unexpected{std::string(std::strerror(error))}; };
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return failure(errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return failure(errno);
  if (!S_ISREG(status.st_mode)) return Unexpected{std::string("is not a file")};
  std::string content;
  char bytes[16 * 1024];
  for (;;) {
    const ssize_t got = ::read(fd.get(), bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure(errno);
    if (got == 0) break;
    content.append(bytes, static_cast<std::size_t>(got));
    if (content.size() > bytes_max) {
      return Unexpected{"is larger than " + std::to_string(bytes_max) + " bytes"};
    }
  }
  OPENSSL_cleanse(bytes, sizeof bytes);
  return content;
}

WallTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return WallTime::max();
  constexpr int kYearsMax = 350;  // nanoseconds do not go further
  if (parts.tm_year >= kYearsMax) return WallTime::max();
  return WallTime(std::chrono::seconds(timegm(&parts)));
}

std::string date_text(WallTime time) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[16];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d", &parts));
}

bool Certificate::covers(const std::string& host) const {
  if (host == "*") return true;
  // "*.example.com" is covered by a certificate for just that; any name below stands for all.
  const std::string name = host.starts_with("*.") ? "any" + host.substr(1) : host;
  return X509_check_host(leaf.get(), name.data(), name.size(), 0, nullptr) == 1 ||
         X509_check_ip_asc(leaf.get(), name.c_str(), 0) == 1;
}

Expected<std::shared_ptr<const Certificate>, ConfigError> load_certificate(const CertificateFiles& files,
                                                                           WallTime now) {
  const FileSetting& file = files.certificate;
  auto wrong = [](const FileSetting& where, const std::string& why) {
    return Unexpected{where.error(where.path + ": " + why)};
  };
  auto pem = content_of(file);
  if (!pem) return Unexpected{std::move(pem).error()};
  auto certificates = parse_certificates(file, *pem);
  if (!certificates) return Unexpected{std::move(certificates).error()};
  if (certificates->size() > kChainMax) {
    return wrong(file, std::to_string(certificates->size()) + " certificates, expected at most " +
                           std::to_string(kChainMax) + ": the server's own and those between it and the root");
  }
  auto key = parse_key(files.key);
  if (!key) return Unexpected{std::move(key).error()};

  auto made = std::make_shared<Certificate>();
  made->place = file;
  made->leaf = std::move(certificates->front());
  made->chain.reset(sk_X509_new_null());
  for (std::size_t i = 1; i < certificates->size(); ++i) {
    sk_X509_push(made->chain.get(), (*certificates)[i].release());
  }
  made->key = std::move(key).value();
  made->subject = subject_of(made->leaf.get());
  made->names = names_of(made->leaf.get());
  if (X509_check_private_key(made->leaf.get(), made->key.get()) != 1) {
    (void)openssl_error();
    return wrong(files.key, "is not the key of the first certificate in " + file.path + " (" + made->subject + ")");
  }
  made->not_after = time_of(X509_get0_notAfter(made->leaf.get()));
  if (made->not_after <= now) {
    return wrong(file, "expired on " + date_text(made->not_after) + " (" + made->subject + "): renew it");
  }
  if (const WallTime from = time_of(X509_get0_notBefore(made->leaf.get())); from > now) {
    return wrong(file, "is valid from " + date_text(from) + " on (" + made->subject + "), or the clock is wrong");
  }
  made->ocsp_path = files.ocsp.path;
  if (files.ocsp) {
    auto der = content_of(files.ocsp, kOcspFileMax);
    if (!der) return Unexpected{std::move(der).error()};
    if (auto checked = check_ocsp(*made, std::move(der).value(), now); !checked) {
      return wrong(files.ocsp, checked.error());
    }
  }
  return std::shared_ptr<const Certificate>(std::move(made));
}

Expected<std::vector<X509Ptr>, ConfigError> load_authorities(const FileSetting& file) {
  auto pem = content_of(file);
  if (!pem) return Unexpected{std::move(pem).error()};
  return parse_certificates(file, *pem);
}

Expected<void, ConfigError> load_store(X509_STORE* store, const FileSetting& authorities, const FileSetting& crl) {
  auto certificates = load_authorities(authorities);
  if (!certificates) return Unexpected{std::move(certificates).error()};
  for (const X509Ptr& certificate : *certificates) X509_STORE_add_cert(store, certificate.get());
  ERR_clear_error();
  if (!crl) return {};
  auto pem = content_of(crl);
  if (!pem) return Unexpected{std::move(pem).error()};
  const BioPtr bio = bio_of(*pem);
  int count = 0;
  while (X509_CRL* list = PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)) {
    X509_STORE_add_crl(store, list);
    X509_CRL_free(list);
    ++count;
  }
  const std::string why = openssl_error();
  if (count == 0) {
    return Unexpected{crl.error(crl.path +
                                ": there is no list of revoked certificates in it, expected PEM: "
                                "-----BEGIN X509 CRL----- (" +
                                why + ")")};
  }
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  return {};
}

}  // namespace vipair::proxy
