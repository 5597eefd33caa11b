#pragma once
// A proxy with two workers as the control socket sees it.

#include <memory>

#include "proxy/server/server_view.h"
#include "tests/support/conversation.h"

namespace vipair::proxy::testing {

struct ViewOfTwoWorkers {
  std::shared_ptr<const Snapshot> snapshot = make_snapshot(simple_config(2), 2, nullptr);
  WorkerCounters one, two;
  ConfigErrors errors{{"proxy.conf", 7, "workers", "300 is out of range"}};
  ServerView view;

  ViewOfTwoWorkers() {
    view.snapshot = snapshot.get();
    view.now = TimePoint(std::chrono::hours(1));
    view.uptime = std::chrono::seconds(90);
    view.phase = "serving";
    view.role = NodeRole::active;
    view.gate_connected = true;
    view.last_reload = WallTime(std::chrono::milliseconds(784111777123));
    view.last_reload_errors = &errors;
    view.workers = {{&one, 5, std::chrono::milliseconds(12)}, {&two, 6, std::chrono::milliseconds(0)}};
    view.listeners = {*IpEndpoint::parse("0.0.0.0:80")};
    one.requests.add(3);
    two.requests.add(4);
    one.responses[2].add(7);
    two.refused[static_cast<std::size_t>(http::HeadError::bare_lf)].add(2);
    one.failed[1][static_cast<std::size_t>(policy::Stage::connect)][0].add(5);
    snapshot->upstreams[0].servers[1]->slots[1].active.add(2);
    for (auto& slot : snapshot->upstreams[0].servers[0]->slots) {
      slot.avoid_until.store((view.now + std::chrono::seconds(1)).time_since_epoch().count());
    }
  }
};

}  // namespace vipair::proxy::testing
