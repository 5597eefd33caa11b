#pragma once
// Runs the configured checks, each at its interval, and tells the result of each run. What follows from results
// (rise and fall, reverse, combinations, faults and weights) is the agent's business. One thread, never blocks.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vrrp/agent/check_config.h"
#include "vrrp/agent/host.h"

namespace vipair::vrrp {

class Checks {
 public:
  // First runs are spread over so much time at most, or over the interval if that is shorter; later ones stay
  // apart.
  static constexpr Duration kStartSpread = std::chrono::milliseconds(500);
  // A run whose time limit is noticed so much too late proves nothing: this process did not run either.
  static constexpr Duration kOverslept = std::chrono::milliseconds(100);

  using Told = std::function<void(std::string_view name, bool success, std::string reason)>;

  // `told` is called from on_interface() or the io_context; it must not call configure().
  Checks(boost::asio::io_context& io, Told told);
  ~Checks();

  // Starts, ends and replaces; a check that looks at the same thing as before goes on undisturbed. Combined checks
  // are none of ours.
  void configure(const std::vector<CheckConfig>& checks);
  // The interfaces that checks want to hear of, by on_interface(): at every change, and once each.
  std::set<std::string> interfaces() const;
  void on_interface(TimePoint now, const InterfaceInfo& interface);

  struct Counters {
    std::uint64_t runs = 0;
    std::uint64_t failures = 0;
    std::uint64_t timeouts = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  class Check;
  boost::asio::io_context& io_;
  Told told_;
  Counters counters_;
  std::map<std::string, std::unique_ptr<Check>, std::less<>> checks_;
};

}  // namespace vipair::vrrp
