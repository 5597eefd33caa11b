#pragma once
// The ways to look at what a node checks: one Probe per configured check, told by Checks when to look. A probe
// looks at most once at a time and never blocks; what could (a script, a name server) happens in a child process.
// Those that hear of a change by themselves ask for a look at once instead of waiting for the next interval.

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "common/base/expected.h"
#include "vrrp/agent/check_config.h"
#include "vrrp/agent/host.h"

namespace vipair::vrrp {

struct Observation {
  bool success = false;
  std::string reason;  // for the operator, either way: "status 503", "connection refused", "exit status 0"
};

class Probe {
 public:
  using Done = std::function<void(Observation)>;

  virtual ~Probe() = default;
  // Begins to look. `done` is called once, now or later from the io_context, unless it is given up before.
  virtual void start(Done done) = 0;
  // Stops looking; returns what has been missing: "no answer".
  virtual std::string give_up() = 0;
  // An interface changed, or is known for the first time.
  virtual void on_interface(const InterfaceInfo&) {}
};

// `look_again`: something changed, look at once. `check` must not be a CombinedCheck.
std::unique_ptr<Probe> make_probe(boost::asio::io_context& io, const CheckConfig& check,
                                  std::function<void()> look_again);

std::unique_ptr<Probe> make_neighbour_probe(boost::asio::io_context& io, const NeighbourCheck& check);
std::unique_ptr<Probe> make_ping_probe(boost::asio::io_context& io, const PingCheck& check);
std::unique_ptr<Probe> make_tcp_probe(boost::asio::io_context& io, const TcpCheck& check);
std::unique_ptr<Probe> make_http_probe(boost::asio::io_context& io, const HttpCheck& check);
std::unique_ptr<Probe> make_script_probe(boost::asio::io_context& io, const ScriptCheck& check);
std::unique_ptr<Probe> make_interface_probe(boost::asio::io_context& io, const InterfaceCheck& check,
                                            std::function<void()> look_again);
std::unique_ptr<Probe> make_process_probe(boost::asio::io_context& io, const ProcessCheck& check,
                                          std::function<void()> look_again);
std::unique_ptr<Probe> make_file_probe(boost::asio::io_context& io, const FileCheck& check,
                                       std::function<void()> look_again);

}  // namespace vipair::vrrp
