#include "proxy/server/tls_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/support/conversation.h"
#include "tests/support/tls_peer.h"

namespace vipair::proxy {
namespace {

using testing::Authority;
using ::testing::HasSubstr;
using testing::Issued;
using testing::TemporaryFolder;

TEST(TlsStatus, ShowsCertificatesAndHandshakes) {
  const WallTime now{std::chrono::seconds(std::time(nullptr))};
  TemporaryFolder folder;
  const Authority authority;
  const Issued own = authority.issue("DNS:a.test");
  Config config = testing::simple_config();
  config.listeners[0].tls = true;
  config.certificates = {
      {{folder.write("own.pem", own.pem()), "", 0, ""}, {folder.write("own.key", own.key_pem()), "", 0, ""}, {}}};
  TicketKeys tickets(now);
  SnapshotFiles files;
  files.tls = TlsContexts::load(config, tickets, now, nullptr).value();
  const auto snapshot = make_snapshot(config, 1, nullptr, std::move(files));
  WorkerCounters counters;
  counters.tls.full.add(3);
  ServerView view;
  view.snapshot = snapshot.get();
  view.wall = now + std::chrono::hours(24 * 20 + 1);
  view.workers.push_back({&counters, 1, {}});

  const boost::json::object status = tls_json(view);
  EXPECT_EQ(status.at("handshakes").at("full"), 3);
  const auto& certificate = status.at("certificates").at(0);
  EXPECT_EQ(certificate.at("names"), "a.test");
  EXPECT_EQ(certificate.at("days_left"), 9);
  EXPECT_THAT(std::string(status.at("warnings").at(0).as_string()),
              HasSubstr("own.pem: the certificate of CN=test expires"));
  MetricsWriter out;
  add_tls_metrics(out, view);
  EXPECT_THAT(out.text(), HasSubstr("vipair_proxy_tls_handshakes_total{result=\"full\"} 3\n"));
  EXPECT_THAT(out.text(), HasSubstr("own.pem\",subject=\"CN=test\"} 9.9"));
}

}  // namespace
}  // namespace vipair::proxy
