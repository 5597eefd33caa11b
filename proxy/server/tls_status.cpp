#include "proxy/server/tls_status.h"

#include <boost/json.hpp>

namespace vipair::proxy {

namespace json = boost::json;

namespace {

struct Kind {
  const char* name;
  Counter TlsCounters::*counter;
};
constexpr Kind kKinds[] = {{"full", &TlsCounters::full},
                           {"resumed", &TlsCounters::resumed},
                           {"failed", &TlsCounters::failed},
                           {"timed_out", &TlsCounters::timed_out},
                           {"gave_way", &TlsCounters::gave_way}};

std::uint64_t sum(const ServerView& view, Counter TlsCounters::*counter) {
  std::uint64_t total = 0;
  for (const ServerView::Worker& worker : view.workers) total += (worker.counters->tls.*counter).get();
  return total;
}

double days_left(const Certificate& certificate, WallTime now) {
  return std::chrono::duration<double, std::ratio<86400>>(certificate.not_after - now).count();
}

}  // namespace

json::object tls_json(const ServerView& view) {
  json::object handshakes;
  for (const Kind& kind : kKinds) handshakes[kind.name] = sum(view, kind.counter);
  json::array certificates, warnings;
  if (const TlsContexts* tls = view.snapshot->files.tls.get()) {
    for (const auto& certificate : tls->certificates()) {
      certificates.push_back(json::object{{"file", certificate->place.path},
                                          {"subject", certificate->subject},
                                          {"names", certificate->names},
                                          {"expires", date_text(certificate->not_after)},
                                          {"days_left", static_cast<int>(days_left(*certificate, view.wall))},
                                          {"ocsp_stapled", !certificate->ocsp.empty()}});
    }
    for (const std::string& text : tls->date_warnings(view.wall, view.snapshot->config.tls.expiry_warning)) {
      warnings.emplace_back(text);
    }
    for (const std::string& text : tls->name_warnings()) warnings.emplace_back(text);
  }
  return {{"handshakes", std::move(handshakes)},
          {"certificates", std::move(certificates)},
          {"warnings", std::move(warnings)}};
}

void add_tls_metrics(MetricsWriter& out, const ServerView& view) {
  out.family("vipair_proxy_tls_handshakes_total", "counter", "TLS handshakes of clients, by what became of them.");
  for (const Kind& kind : kKinds) out.sample({{"result", kind.name}}, sum(view, kind.counter));
  const TlsContexts* tls = view.snapshot->files.tls.get();
  if (tls == nullptr) return;
  out.family("vipair_proxy_certificate_days_left", "gauge", "Days until a certificate expires.");
  for (const auto& certificate : tls->certificates()) {
    out.sample({{"file", certificate->place.path}, {"subject", certificate->subject}},
               days_left(*certificate, view.wall));
  }
}

}  // namespace vipair::proxy
