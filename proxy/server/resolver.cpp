#include "proxy/server/resolver.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>

#include "common/runtime/clock.h"

namespace vipair::proxy {

namespace {

constexpr Duration kLongestTurn = std::chrono::seconds(10);

std::string text_of(const NameTarget& target) {
  return target.port == 0 ? target.address.to_string() : IpEndpoint{target.address, target.port}.to_string();
}

std::string joined(const std::vector<std::string>& texts) {
  constexpr std::size_t kShown = 8;
  std::string line;
  for (std::size_t i = 0; i < std::min(texts.size(), kShown); ++i) line += (i == 0 ? "" : ", ") + texts[i];
  return texts.size() <= kShown ? line : line + " and " + std::to_string(texts.size() - kShown) + " more";
}

}  // namespace

// ---- from other threads ----------------------------------------------------------------------

Expected<void, std::string> Resolver::use(const ResolverSettings& settings, std::set<NameQuery> names) {
  if (names.empty() && !thread_.joinable()) return {};
  {
    const std::lock_guard lock(mutex_);
    if (settings_ != settings) {
      auto client = DnsClient::create(settings);
      if (!client) return Unexpected{client.error()};
      next_client_ = std::move(client).value();
      settings_ = settings;
    }
    wanted_ = std::move(names);
    if (waking_ != nullptr) waking_->wake();
  }
  if (thread_.joinable()) return {};
  // Signals are the main thread's: blocked here before the thread exists, so there is no moment in between.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  pthread_setname_np(thread_.native_handle(), "resolver");
  return {};
}

void Resolver::stop() {
  if (!thread_.joinable()) return;
  is_stopping_ = true;
  {
    const std::lock_guard lock(mutex_);
    if (waking_ != nullptr) waking_->wake();
  }
  thread_.join();
}

std::vector<NameReport> Resolver::reports() const {
  const std::lock_guard lock(mutex_);
  std::vector<NameReport> reports;
  for (const auto& [query, report] : reports_) reports.push_back(report);
  return reports;
}

// ---- the thread ------------------------------------------------------------------------------

void Resolver::run() {
  while (!is_stopping_) {
    take_orders();
    const TimePoint now = monotonic_now();
    for (auto& [query, name] : names_) {
      if (!name.is_asking && name.next_at <= now) ask(query, name);
    }
    if (has_changed_) publish();
    const Duration wait = std::clamp<Duration>(next_at() - monotonic_now(), Duration{0}, kLongestTurn);
    if (!is_stopping_) client_->turn(wait);
  }
  const std::lock_guard lock(mutex_);
  waking_ = nullptr;
}

void Resolver::take_orders() {
  std::unique_ptr<DnsClient> old;  // goes without the lock: what it still asks is answered with an error
  std::optional<std::set<NameQuery>> wanted;
  {
    const std::lock_guard lock(mutex_);
    if (next_client_ != nullptr) {
      old = std::exchange(client_, std::move(next_client_));
      used_ = *settings_;
      waking_ = client_.get();
    }
    wanted = std::exchange(wanted_, std::nullopt);
  }
  if (old != nullptr) {
    drops_answers_ = true;
    old.reset();
    drops_answers_ = false;
    for (auto& [query, name] : names_) name.next_at = {};
  }
  if (!wanted) return;
  std::erase_if(names_, [&](const auto& entry) { return !wanted->contains(entry.first); });
  for (const NameQuery& query : *wanted) names_[query].report.query = query;
  has_changed_ = true;  // at least the table has other names
}

TimePoint Resolver::next_at() const {
  TimePoint next = TimePoint::max();
  for (const auto& [query, name] : names_) {
    if (!name.is_asking) next = std::min(next, name.next_at);
  }
  return next == TimePoint::max() ? monotonic_now() + kLongestTurn : next;
}

void Resolver::ask(const NameQuery& query, Name& name) {
  name.is_asking = true;
  auto lookup = std::make_shared<Lookup>();
  lookup->query = query;
  lookup->good = name.good;
  if (!query.is_srv) {
    ask_for_host(lookup, query.host, {query.host, 0, 0, 1});
    return on_part_done(*lookup);
  }
  auto on_services = [this, lookup](Expected<DnsClient::Services, DnsClient::Error> answer) {
    if (answer) {
      lookup->ttl = std::min(lookup->ttl, answer->ttl);
      auto& list = answer->list;
      if (list.size() > kTargetsPerNameMax) list.resize(kTargetsPerNameMax);
      for (const DnsClient::Service& service : list) {
        if (!service.host.empty() && service.port != 0) ask_for_host(lookup, service.host, service);
      }
    } else {
      lookup->error = answer.error().text;
    }
    on_part_done(*lookup);
  };
  client_->find_services(query.host, std::move(on_services));
}

void Resolver::ask_for_host(const std::shared_ptr<Lookup>& lookup, const std::string& host,
                            const DnsClient::Service& service) {
  for (IpFamily family : {IpFamily::ipv4, IpFamily::ipv6}) {
    ++lookup->pending;
    client_->find_addresses(host, family, [this, lookup, part = Part{host, family}, service](const auto& answer) {
      add(*lookup, part, service, answer);
      on_part_done(*lookup);
    });
  }
}

// An answer that fails leaves the last good one to the same question in its place.
void Resolver::add(Lookup& lookup, const Part& part, const DnsClient::Service& service,
                   const Expected<DnsClient::Addresses, DnsClient::Error>& answer) {
  std::vector<IpAddress>& addresses = lookup.good[part];
  if (answer) {
    lookup.has_answer = true;
    lookup.ttl = std::min(lookup.ttl, answer->ttl);
    addresses = answer->list;
  } else if (answer.error().is_empty) {
    addresses.clear();
    if (lookup.error.empty()) lookup.error = answer.error().text;
  } else {
    lookup.error = answer.error().text;
  }
  for (const IpAddress& address : addresses)
    lookup.targets.push_back({address, service.port, service.priority, service.weight});
}

void Resolver::on_part_done(Lookup& lookup) {
  if (--lookup.pending > 0 || is_stopping_) return;
  const auto found = names_.find(lookup.query);
  if (found == names_.end()) return;
  if (drops_answers_) {
    found->second.is_asking = false;
  } else {
    finish(found->second, lookup);
  }
}

void Resolver::finish(Name& name, Lookup& lookup) {
  const TimePoint now = monotonic_now();
  NameReport& report = name.report;
  name.is_asking = false;
  has_changed_ |= !std::exchange(name.has_result, true);
  ++report.lookups;
  std::vector<NameTarget> targets = usable_targets(std::move(lookup.targets));
  const std::string what = lookup.query.host + (lookup.query.is_srv ? " (SRV)" : "");
  if (!lookup.has_answer || targets.empty()) {
    const std::string error = lookup.error.empty() ? "no usable address" : lookup.error;
    ++report.failures;
    ++name.failures;
    if (report.error != error) {
      tell("names: " + what + " cannot be resolved: " + error +
               (name.targets.empty() ? ", it has no server"
                                     : ", its last answer is kept: " + joined(report.targets)),
           false);
    }
    report.error = error;
    name.next_at = now + until_next_lookup(used_, std::nullopt, name.failures);
  } else {
    const bool has_recovered = !report.error.empty();
    name.failures = 0;
    name.good = std::move(lookup.good);
    report.error.clear();
    report.answered_at = now;
    report.ttl = until_next_lookup(used_, lookup.ttl, 0);
    name.next_at = now + report.ttl;
    if (targets != name.targets || has_recovered) {
      has_changed_ |= targets != name.targets;
      report.targets.clear();
      for (const NameTarget& target : targets) report.targets.push_back(text_of(target));
      name.targets = std::move(targets);
      tell("names: " + what + " is " + joined(report.targets), true);
    }
  }
  const std::lock_guard lock(mutex_);
  reports_[lookup.query] = report;
}

void Resolver::tell(std::string_view line, bool is_good) {
  std::uint64_t suppressed = 0;
  if (!log_limit_.allow(monotonic_now(), suppressed)) return;
  std::string text(line);
  if (suppressed > 0) text += " (" + std::to_string(suppressed) + " such lines left out)";
  log::write(is_good ? log::Level::info : log::Level::warn, text);
}

void Resolver::publish() {
  has_changed_ = false;
  NameAnswers answers;
  for (const auto& [query, name] : names_) {
    if (name.has_result) answers[query] = name.targets;
  }
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(reports_, [&](const auto& entry) { return !names_.contains(entry.first); });
    for (const auto& [query, name] : names_) reports_[query] = name.report;
  }
  on_answers_(std::move(answers));
}

}  // namespace vipair::proxy
