#pragma once
// Gathers the evidence for a diagnosis (diagnosis.h) of the running agent: looks at it, asks the links who has
// which address, listens for a moment while the agent probes its peer, and looks again. Changes nothing. Takes
// kExaminationMin to kExaminationMax, as long as the advertisement intervals need; whoever asks meanwhile gets the
// same result. On the caller's io_context, which it must not outlive.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vrrp/kernel/diagnosis.h"

namespace vipair::vrrp {

class Doctor {
 public:
  static constexpr Duration kExaminationMin = std::chrono::milliseconds(1500);
  static constexpr Duration kExaminationMax = std::chrono::seconds(3);
  static constexpr Duration kRound = std::chrono::milliseconds(500);
  static constexpr std::size_t kAskedMax = 256;  // addresses of one interface

  // What the agent knows at a moment.
  struct Chart {
    Config config;
    Status status;
    std::vector<InterfaceInfo> interfaces;
    std::string relay_error;
  };
  struct Patient {
    std::function<void()> start_probing;                // one probe over each path
    std::function<std::vector<PathEvidence>()> probed;  // what came back since, path by path
    std::function<Chart()> chart;
  };
  using Done = std::function<void(const std::vector<Finding>&)>;

  Doctor(boost::asio::io_context& io, Patient patient) : patient_(std::move(patient)), timer_(io) {}

  void examine(Done done);

 private:
  struct Bed {  // an interface under examination
    InterfaceEvidence evidence;
    std::optional<LinkListener> listener;
  };
  void lay_down(const Chart& chart, const InterfaceInfo& info);
  void begin_round();
  void end_round();
  void conclude();

  Patient patient_;
  boost::asio::steady_timer timer_;
  std::vector<Done> waiting_;
  int rounds_left_ = 0;
  Status before_;
  std::vector<Bed> beds_;
  std::vector<PathEvidence> paths_;
};

// Of this process, against what the configuration wants.
PrivilegeEvidence own_privileges(const Config& config);

// What came back over each path.
std::vector<PathEvidence> path_evidence(const std::vector<PathProbe>& probes, const Doctor::Chart& chart);

}  // namespace vipair::vrrp
