// What a server answers to a check: any bytes in any pieces. There is exactly one result, in time, whose reason is
// a printable line; good is only what has the expected status, and the expected text if one is asked for.
//
// The first byte of an input is how many bytes are read at once (0: all there are), the second is 'T' when a text
// is expected and in lower case when the connection stays open behind the answer.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/assert.h"
#include "proxy/server/server_check.h"
#include "tests/support/memory_stream.h"

using namespace vipair;
using namespace vipair::proxy;

namespace {

constexpr std::string_view kText = "OK";

struct Checked {
  explicit Checked(const HealthCheck& check)
      : connector([this](const IpEndpoint&, int&) -> std::unique_ptr<Stream> {
          wires.push_back(std::make_shared<testing::Wire>());
          auto stream = std::make_unique<testing::MemoryStream>(wires.back());
          wires.back()->accept();
          return stream;
        }),
        server(std::make_shared<Server>("app", *IpEndpoint::parse("10.0.0.1:80"), 1)),
        server_check(scheduler, connector, seats, server, check, 0,
                     [this](ServerCheck::Result result) { results.push_back(std::move(result)); }) {
    server_check.start();
    turn();
  }
  void turn() {
    scheduler.advance(now);
    for (int i = 0; i < 100'000 && scheduler.has_work(); ++i) scheduler.run();
  }
  void pass(Duration duration) {
    for (const TimePoint end = now + duration; now < end;) {
      now = std::min(end, now + Scheduler::kTick);
      turn();
    }
  }

  TimePoint now{std::chrono::hours(1)};
  Scheduler scheduler{now};
  std::vector<std::shared_ptr<testing::Wire>> wires;
  Connector connector;
  CheckSeats seats;
  std::shared_ptr<Server> server;
  std::vector<ServerCheck::Result> results;
  ServerCheck server_check;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string answer(reinterpret_cast<const char*>(data) + 2, size - 2);
  const bool wants_text = data[1] == 'T' || data[1] == 't';
  const bool stays_open = data[1] == 't' || data[1] == 's';
  HealthCheck check;
  check.path = "/health";
  check.host = "app";
  check.expect_status = {{200, 299}};
  if (wants_text) check.expect_body = kText;
  check.timing.interval = check.timing.fast_interval = std::chrono::seconds(60);
  check.timing.jitter = Duration{};
  check.timing.timeout = std::chrono::seconds(1);
  Checked checked(check);
  VIPAIR_ASSERT(checked.wires.size() == 1, "it has connected");
  testing::Wire& wire = *checked.wires.front();
  if (data[0] != 0) wire.read_max = data[0];
  wire.send(answer);
  if (!stays_open) wire.half_close();
  checked.pass(std::chrono::seconds(2));

  VIPAIR_ASSERT(checked.results.size() == 1, "one check has one result");
  VIPAIR_ASSERT(wire.is_closed(), "and leaves nothing open");
  const ServerCheck::Result& result = checked.results.front();
  VIPAIR_ASSERT(!result.reason.empty(), "with a reason");
  for (char c : result.reason) VIPAIR_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "of one line");
  if (!result.success) return 0;
  VIPAIR_ASSERT(result.reason.rfind("status 2", 0) == 0, "the status that was expected");
  VIPAIR_ASSERT(answer.find(" " + result.reason.substr(7)) != std::string::npos, "and was said");
  return 0;
}
