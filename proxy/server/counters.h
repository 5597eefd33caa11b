#pragma once
// Numbers that one worker writes and the main thread reads. No locked instruction: there is one writer.

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

#include "proxy/http/compression.h"
#include "proxy/http/h2_flood.h"
#include "proxy/http/h2_frame.h"
#include "proxy/http/h2_head.h"
#include "proxy/http/head_parser.h"
#include "proxy/http/target.h"
#include "proxy/policy/client_hello.h"
#include "proxy/policy/proxy_protocol.h"
#include "proxy/policy/refusal.h"
#include "proxy/policy/retry.h"

namespace vipair::proxy {

class Counter {
 public:
  void add(std::uint64_t amount = 1) { value_.store(get() + amount, std::memory_order_relaxed); }
  void subtract(std::uint64_t amount = 1) { value_.store(get() - amount, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Counts its owner while it lives.
class CounterHold {
 public:
  CounterHold() = default;
  explicit CounterHold(Counter& counter) : counter_(&counter) { counter.add(); }
  CounterHold(CounterHold&& other) noexcept : counter_(std::exchange(other.counter_, nullptr)) {}
  CounterHold& operator=(CounterHold&& other) noexcept {
    std::swap(counter_, other.counter_);
    return *this;
  }
  ~CounterHold() {
    if (counter_ != nullptr) counter_->subtract();
  }

 private:
  Counter* counter_ = nullptr;
};

inline constexpr std::size_t kSides = static_cast<std::size_t>(policy::Side::proxy) + 1;
inline constexpr std::size_t kStages = static_cast<std::size_t>(policy::Stage::tunnel) + 1;
inline constexpr std::size_t kCauses = static_cast<std::size_t>(policy::Cause::internal) + 1;

struct AcceptCounters {
  Counter accepted;
  Counter failed;               // connections that died before we took them, and the like
  Counter out_of_files;         // EMFILE, ENFILE, ENOBUFS, ENOMEM: accepting pauses, the kernel keeps the queue
  Counter too_many_of_address;  // closed at once because of limits.connections_per_address
  Counter at_limit;             // pauses because of limits.connections
};

struct TlsCounters {  // handshakes of clients
  Counter full, resumed;
  Counter failed;     // refused by either side
  Counter timed_out;  // tls.handshake_timeout
  Counter gave_way;   // to newer ones, because of tls.handshakes
};

struct TunnelCounters {
  Counter running;
  Counter upgrades;     // requests that were answered with 101 (Switching Protocols)
  Counter connections;  // of tcp listeners, joined with a server
  std::array<Counter, policy::kClientHelloErrors> bad_hellos;  // where a name was asked for
  Counter unknown_names;                                       // refused: no rule takes them
};

// Connections to listeners that want a PROXY header.
struct ProxyHeaderCounters {
  Counter accepted;
  Counter untrusted;  // from an address that is none of trusted_proxies
  Counter timed_out;
  std::array<Counter, policy::kProxyHeaderErrors> refused;
};

struct CompressionCounters {
  std::array<Counter, http::kCodings> responses;  // by coding
  Counter unavailable;                            // left as they were: EncoderPool::kUsedMax, or no memory
  Counter bytes_in, bytes_out;                    // of those that are complete or broke off
};

struct H2Counters {
  Counter connections;  // now, to clients and to upstreams
  Counter streams;      // requests that clients began
  Counter refused_streams;
  Counter stalled;  // connections that took nothing
  std::array<Counter, http::h2::kErrorCodes> goaways, resets_sent, resets_received;  // by code
  std::array<Counter, http::h2::kFloods> floods;
  std::array<Counter, http::h2::kHeadFaults> malformed;
};

struct alignas(64) WorkerCounters {
  AcceptCounters accept;
  TlsCounters tls;
  Counter connections;  // clients now
  Counter requests;
  std::array<Counter, 6> responses;                // by first digit; 0: none was sent, the client went away; 1: 101
  std::array<Counter, http::kHeadErrors> refused;  // request heads by reason
  std::array<Counter, http::kTargetErrors> bad_targets;
  std::array<Counter, policy::kRefusals> refusals;  // of requests by reason
  // exchanges and attempts that failed, by side, stage and cause
  std::array<std::array<std::array<Counter, kCauses>, kStages>, kSides> failed;
  TunnelCounters tunnels;
  ProxyHeaderCounters proxy_headers;
  Counter retries;
  Counter bytes_from_clients, bytes_to_clients;  // payload
  Counter log_lines_lost;
  CompressionCounters compression;
  H2Counters h2;
};

}  // namespace vipair::proxy
