#pragma once
// What a node checks to know whether it should be Active, as plain values. A check that runs succeeds or fails each
// time; `rise` and `fall` in a row change its verdict (common/base/health.h), the very first result decides at
// once. A verdict of down is a fault (hand over now) unless the check has a weight, which lowers the priority
// instead.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"

namespace vipair::vrrp {

// The link-layer address of a neighbour is known and confirmed (ARP, neighbour discovery).
struct NeighbourCheck {
  IpAddress address;
  std::string interface;  // empty: the one whose network the address is in
  friend bool operator==(const NeighbourCheck&, const NeighbourCheck&) = default;
};
// It answers an ICMP echo request.
struct PingCheck {
  IpAddress address;
  std::string interface;  // empty: by the routing table
  friend bool operator==(const PingCheck&, const PingCheck&) = default;
};
// Exists, is up and has carrier; told by events, not polled. The delays steady a link that flaps.
struct InterfaceCheck {
  std::string interface;
  Duration up_delay{};
  Duration down_delay{};
  friend bool operator==(const InterfaceCheck&, const InterfaceCheck&) = default;
};
// Answers GET with a status of the range in time.
struct HttpCheck {
  bool is_tls = false;
  std::string host;  // as in the URL, without brackets: connected to, and the Host header and server name
  std::uint16_t port = 80;
  std::string target = "/";
  int status_min = 200, status_max = 399;
  bool verify = true;   // https: the certificate must be good for `host`
  std::string ca_file;  // https: empty: the system's authorities
  friend bool operator==(const HttpCheck&, const HttpCheck&) = default;
};
// Accepts a connection.
struct TcpCheck {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const TcpCheck&, const TcpCheck&) = default;
};
// A program ends with status 0 in time.
struct ScriptCheck {
  std::vector<std::string> command;  // absolute path and arguments, no shell
  std::string user;                  // whom it runs as; never root unless said so
  friend bool operator==(const ScriptCheck&, const ScriptCheck&) = default;
};
// A process of this name (as /proc/PID/comm, or its executable's file name) runs.
struct ProcessCheck {
  std::string process;
  friend bool operator==(const ProcessCheck&, const ProcessCheck&) = default;
};
// Fails while the file exists: a maintenance flag. With `reverse`, fails while it does not.
struct FileCheck {
  std::string path;
  friend bool operator==(const FileCheck&, const FileCheck&) = default;
};
// Up while at least so many of the named checks are: any 1, all every one of them.
struct CombinedCheck {
  int at_least = 1;
  std::vector<std::string> checks;
  friend bool operator==(const CombinedCheck&, const CombinedCheck&) = default;
};

// Under this name stands what the proxy reports of its upstreams, among the checks that have a weight.
inline constexpr const char* kUpstreamsCheck = "upstreams";

struct CheckConfig {
  std::string name;
  std::string
      type;  // "neighbour" "ping" "interface" "http" "https" "tcp" "script" "process" "file" "any" "all" "at_least"
  std::variant<NeighbourCheck, PingCheck, InterfaceCheck, HttpCheck, TcpCheck, ScriptCheck, ProcessCheck, FileCheck,
               CombinedCheck>
      what;
  Duration interval = std::chrono::seconds(1);  // from start to start of a run
  Duration timeout = std::chrono::seconds(1);   // of one run
  int rise = 2;
  int fall = 3;
  std::optional<int> weight;  // 1-253: what the priority loses while the check is down; none: a fault
  bool reverse = false;       // up counts as down and the other way round
  friend bool operator==(const CheckConfig&, const CheckConfig&) = default;
};

}  // namespace vipair::vrrp
