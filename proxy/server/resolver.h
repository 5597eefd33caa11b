#pragma once
// Keeps the answers to the names of the configuration: a thread of its own asks the DNS when an answer has lived
// its time, and tells the whole table when something in it has changed. The last good answer is kept for as long as
// there is no other one, whatever the DNS says or does not say: a server that works is not given up for a broken
// name server. A name without an answer yet is tried again soon.

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/runtime/log.h"
#include "proxy/names.h"
#include "proxy/server/dns_client.h"

namespace vipair::proxy {

// What is known of one name, for the operator.
struct NameReport {
  NameQuery query;
  std::vector<std::string> targets;      // "10.0.0.1", of a service "10.0.0.1:8080"
  std::optional<TimePoint> answered_at;  // the last good answer
  Duration ttl{};                        // for so long it is used
  std::string error;                     // of the last lookup; empty: it was good
  std::uint64_t lookups = 0, failures = 0;
};

class Resolver {
 public:
  using OnAnswers = std::function<void(NameAnswers)>;  // in the resolver's thread

  explicit Resolver(OnAnswers on_answers) : on_answers_(std::move(on_answers)) {}
  ~Resolver() { stop(); }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // From the main thread. The thread runs from the first name on. The error says why names cannot be looked up.
  Expected<void, std::string> use(const ResolverSettings& settings, std::set<NameQuery> names);
  void stop();
  std::vector<NameReport> reports() const;  // from any thread

 private:
  // One host's addresses of one family, as part of an answer.
  using Part = std::pair<std::string, IpFamily>;
  struct Name {
    TimePoint next_at{};
    bool is_asking = false;
    bool has_result = false;
    int failures = 0;  // in a row
    std::vector<NameTarget> targets;
    std::map<Part, std::vector<IpAddress>> good;  // the last good answer to each part
    NameReport report;
  };
  // A lookup that runs. Answers may come after the name has gone.
  struct Lookup {
    NameQuery query;
    int pending = 1;
    bool has_answer = false;
    std::string error;
    Duration ttl = Duration::max();
    std::vector<NameTarget> targets;
    std::map<Part, std::vector<IpAddress>> good;
  };

  void run();
  void take_orders();
  void ask(const NameQuery& query, Name& name);
  void ask_for_host(const std::shared_ptr<Lookup>& lookup, const std::string& host,
                    const DnsClient::Service& service);
  void add(Lookup& lookup, const Part& part, const DnsClient::Service& service,
           const Expected<DnsClient::Addresses, DnsClient::Error>& answer);
  void on_part_done(Lookup& lookup);
  void finish(Name& name, Lookup& lookup);
  void tell(std::string_view line, bool is_good);
  void publish();
  TimePoint next_at() const;

  const OnAnswers on_answers_;
  std::thread thread_;
  std::atomic<bool> is_stopping_{false};

  mutable std::mutex mutex_;  // for what follows
  std::optional<std::set<NameQuery>> wanted_;
  std::optional<ResolverSettings> settings_;  // the latest
  std::unique_ptr<DnsClient> next_client_;
  DnsClient* waking_ = nullptr;  // the one whose turn() runs
  std::map<NameQuery, NameReport> reports_;

  // The thread's own.
  ResolverSettings used_;
  std::unique_ptr<DnsClient> client_;
  std::map<NameQuery, Name> names_;
  bool has_changed_ = false;
  bool drops_answers_ = false;  // of a client that is being replaced
  log::RateLimit log_limit_{20, std::chrono::seconds(10)};
};

}  // namespace vipair::proxy
