#include "vrrp/kernel/checks.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/assert.h"
#include "common/base/overloaded.h"
#include "common/runtime/clock.h"
#include "vrrp/kernel/check_probe.h"
#include "vrrp/kernel/watch.h"

namespace vipair::vrrp {
namespace {

std::string milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) + " ms";
}

bool is_combined(const CheckConfig& check) { return std::holds_alternative<CombinedCheck>(check.what); }

}  // namespace

std::unique_ptr<Probe> make_probe(boost::asio::io_context& io, const CheckConfig& check,
                                  std::function<void()> look_again) {
  return std::visit(
      overloaded{
          [&](const NeighbourCheck& what) { return make_neighbour_probe(io, what); },
          [&](const PingCheck& what) { return make_ping_probe(io, what); },
          [&](const InterfaceCheck& what) { return make_interface_probe(io, what, std::move(look_again)); },
          [&](const HttpCheck& what) { return make_http_probe(io, what); },
          [&](const TcpCheck& what) { return make_tcp_probe(io, what); },
          [&](const ScriptCheck& what) { return make_script_probe(io, what); },
          [&](const ProcessCheck& what) { return make_process_probe(io, what, std::move(look_again)); },
          [&](const FileCheck& what) { return make_file_probe(io, what, std::move(look_again)); },
          [](const CombinedCheck&) {
            VIPAIR_ASSERT(false, "a combined check looks at nothing");
            return std::unique_ptr<Probe>();
          },
      },
      check.what);
}

// One check: runs start at each interval, never two at once. A change that the probe hears of by itself is looked
// at at once, and counts as a result if it is another one; the runs at the intervals go on as if nothing had been.
class Checks::Check {
 public:
  Check(Checks& all, CheckConfig config, TimePoint first_run)
      : all_(all), config_(std::move(config)), next_run_(all.io_), limit_(all.io_), start_at_(first_run) {
    probe_ = make_probe(all.io_, config_, [this] { look_again(); });
    wait();
  }

  bool looks_at_the_same(const CheckConfig& other) const {
    return config_.what == other.what && config_.interval == other.interval && config_.timeout == other.timeout;
  }
  const CheckConfig& config() const { return config_; }
  // To another meaning of the same look. What was made of the former results may be forgotten: the next comes soon.
  void adopt(const CheckConfig& config, TimePoint now) {
    if (config == config_) return;
    config_ = config;
    start_at_ = now;
    wait();
  }
  Probe& probe() { return *probe_; }

 private:
  enum class Cause { interval, change };

  void wait() {
    next_run_.at(start_at_, [this] { on_interval(); });
  }

  void on_interval() {
    start_at_ += config_.interval;
    const TimePoint now = monotonic_now();
    if (start_at_ <= now) start_at_ = now + config_.interval;  // those missed are not made up for
    wait();
    if (is_running_) {
      cause_ = Cause::interval;  // it takes longer than the interval, or a change is being looked at
    } else {
      run(Cause::interval);
    }
  }

  void look_again() {
    if (is_running_) {
      is_changed_ = true;
    } else {
      run(Cause::change);
    }
  }

  void run(Cause cause) {
    is_running_ = true;
    cause_ = cause;
    const TimePoint limit = monotonic_now() + config_.timeout;
    limit_.at(limit, [this, limit] { on_limit(limit); });
    ++all_.counters_.runs;
    probe_->start([this](Observation result) { finish(std::move(result)); });
  }

  void on_limit(TimePoint limit) {
    std::string missing = probe_->give_up();
    if (monotonic_now() - limit > kOverslept) {
      is_running_ = false;
      return run(cause_);
    }
    ++all_.counters_.timeouts;
    if (!missing.empty()) missing = ": " + missing;
    finish({false, "timeout after " + milliseconds(config_.timeout) + missing});
  }

  void finish(Observation result) {
    is_running_ = false;
    limit_.cancel();
    if (!result.success) ++all_.counters_.failures;
    const bool is_news = result.success != last_;
    last_ = result.success;
    if (cause_ == Cause::interval || is_news) all_.told_(config_.name, result.success, std::move(result.reason));
    if (std::exchange(is_changed_, false)) run(Cause::change);
  }

  Checks& all_;
  CheckConfig config_;
  Alarm next_run_, limit_;
  TimePoint start_at_;
  bool is_running_ = false;
  bool is_changed_ = false;  // while it was looking
  Cause cause_ = Cause::interval;
  std::optional<bool> last_;
  std::unique_ptr<Probe> probe_;  // the first to go: it calls the others
};

Checks::Checks(boost::asio::io_context& io, Told told) : io_(io), told_(std::move(told)) {}

Checks::~Checks() = default;

void Checks::configure(const std::vector<CheckConfig>& checks) {
  std::map<std::string, std::unique_ptr<Check>, std::less<>> before = std::exchange(checks_, {});
  std::vector<const CheckConfig*> fresh;
  const TimePoint now = monotonic_now();
  for (const CheckConfig& check : checks) {
    if (is_combined(check)) continue;
    const auto same = before.find(check.name);
    if (same != before.end() && same->second->looks_at_the_same(check)) {
      same->second->adopt(check, now);
      checks_.insert(before.extract(same));
    } else {
      fresh.push_back(&check);
    }
  }
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    const CheckConfig& check = *fresh[i];
    const auto place = static_cast<Duration::rep>(i), places = static_cast<Duration::rep>(fresh.size());
    const Duration spread = std::min(kStartSpread, check.interval) * place / places;
    checks_.emplace(check.name, std::make_unique<Check>(*this, check, now + spread));
  }
}

std::set<std::string> Checks::interfaces() const {
  std::set<std::string> names;
  for (const auto& [name, check] : checks_)
    if (const auto* what = std::get_if<InterfaceCheck>(&check->config().what)) names.insert(what->interface);
  return names;
}

void Checks::on_interface(TimePoint, const InterfaceInfo& interface) {
  for (const auto& [name, check] : checks_) check->probe().on_interface(interface);
}

}  // namespace vipair::vrrp
