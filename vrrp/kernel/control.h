#pragma once
// The agent's control socket: which path does what, as functions of requests. What is done is done by Operations
// (the event loop), which must not block either; who waits for something that takes its time is answered later.
// The journal passes through here: GET /events shows the last entries and streams what comes.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/expected.h"
#include "common/runtime/config_file.h"
#include "common/runtime/control_message.h"
#include "vrrp/kernel/report.h"

namespace vipair::vrrp {

inline constexpr Duration kMoveAnswerMax = std::chrono::seconds(60);    // for a handover or drain, hooks included
inline constexpr Duration kDoctorAnswerMax = std::chrono::seconds(10);  // for a diagnosis

// What an operator can ask of a running agent.
class Operations {
 public:
  // The error says why nothing was done. Called once, at once or later.
  using Done = std::function<void(const Expected<void, std::string>&)>;

  virtual ~Operations() = default;
  virtual std::string status() = 0;   // JSON
  virtual std::string metrics() = 0;  // Prometheus text
  virtual std::string plan() = 0;     // JSON
  virtual ConfigErrors reload() = 0;  // none: done
  virtual void handover(const std::optional<std::string>& router, Done done) = 0;
  virtual void drain(bool force, Done done) = 0;
  virtual void undrain(Done done) = 0;
  virtual void doctor(std::function<void(std::string)> done) = 0;  // gets JSON
};

class Control {
 public:
  explicit Control(Operations& operations) : operations_(operations) {}

  ControlResponse answer(const ControlRequest& request);
  // For GET /events, in the order of the journal.
  void add(const JournalEntry& entry, const Clocks& clocks);
  // Nothing more will come.
  void end_streams();

 private:
  class Query;
  struct Route;
  ControlResponse status(const Query& query);
  ControlResponse metrics(const Query& query);
  ControlResponse events(const Query& query);
  ControlResponse plan(const Query& query);
  ControlResponse reload(const Query& query);
  ControlResponse handover(const Query& query);
  ControlResponse drain(const Query& query);
  ControlResponse undrain(const Query& query);
  ControlResponse doctor(const Query& query);

  Operations& operations_;
  EventRing events_;
  std::vector<std::shared_ptr<ControlStream>> followers_;
};

}  // namespace vipair::vrrp
