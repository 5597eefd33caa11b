#include "vrrp/kernel/notifier.h"

#include <algorithm>
#include <utility>

#include "common/runtime/clock.h"
#include "common/runtime/log.h"
#include "vrrp/kernel/report.h"

namespace vipair::vrrp {
namespace {

constexpr const char* kPreRelease = "pre_release";

bool is_before_release(const JournalEntry& entry) { return entry.change->phase == kPreRelease; }

// What is being told, for the log.
std::string title_of(const JournalEntry& entry) {
  const RoleChange& change = *entry.change;
  return "notify program for " + entry.router + ", " +
         (is_before_release(entry) ? std::string("before the release") : change.from + " → " + change.to);
}

JournalEntry release_of(const RouterStatus& router, const std::string& reason, const std::string& text,
                        TimePoint now) {
  JournalEntry entry;
  entry.at = now;
  entry.router = router.name + "/" + to_string(router.family);
  entry.event = "planned";
  entry.text = text;
  RoleChange& change = entry.change.emplace();
  change.router = router.name;
  change.family = router.family;
  change.interface = router.interface;
  change.vrid = router.vrid;
  change.from = router.state;
  change.to = "backup";
  change.reason = reason;
  change.text = text;
  change.phase = kPreRelease;
  change.addresses = router.addresses;
  change.peer = router.peer;
  return entry;
}

// A planned move that waits for its runs.
struct Move {
  Move(boost::asio::io_context& io, std::function<void()> the_then) : limit(io), then(std::move(the_then)) {}
  void go_on() {
    limit.cancel();
    if (auto call = std::exchange(then, nullptr)) call();
  }
  Alarm limit;
  std::function<void()> then;
  std::size_t awaited = 0;
};

}  // namespace

Notifier::~Notifier() = default;

Expected<void, std::string> Notifier::configure(const NotifyConfig& config) {
  config_ = config;
  if (config_.command.empty()) {
    turn_.clear();
    for (auto& [name, queue] : queues_) {
      for (const Notice& notice : std::exchange(queue.waiting, {}))
        if (notice.ended) notice.ended();
    }
  }
  return fifo_.use(config_.fifo);
}

void Notifier::tell(const JournalEntry& entry) {
  if (entry.change) add({entry, 0, nullptr});
}

void Notifier::before_release(TimePoint now, const std::vector<RouterStatus>& routers, const std::string& reason,
                              const std::string& text, std::function<void()> then) {
  const auto move = std::make_shared<Move>(io_, std::move(then));
  move->awaited = 1;  // ourselves, until all are queued
  const auto one_less = [move] {
    if (--move->awaited == 0) move->go_on();
  };
  if (!routers.empty() && !config_.command.empty())
    move->limit.at(now + std::min(config_.timeout, kReleaseWaitMax), [move] { move->go_on(); });
  for (const RouterStatus& router : routers) {
    ++move->awaited;
    add({release_of(router, reason, text, now), 0, one_less});
  }
  one_less();
}

bool Notifier::is_idle() const { return running_ == 0 && turn_.empty(); }

void Notifier::add(Notice notice) {
  if (!config_.fifo.empty()) fifo_.write(notice_json(notice.entry, 0, {monotonic_now(), wall_now()}));
  if (config_.command.empty()) {
    if (notice.ended) notice.ended();
    return;
  }
  const std::string name = notice.entry.change->router;
  Queue& queue = queues_.try_emplace(name, io_).first->second;
  const auto same = std::find_if(queue.waiting.begin(), queue.waiting.end(), [&](const Notice& waiting) {
    return waiting.entry.router == notice.entry.router && !is_before_release(waiting.entry);
  });
  if (!is_before_release(notice.entry) && same != queue.waiting.end()) {
    notice.entry.change->from = same->entry.change->from;
    notice.coalesced = same->coalesced + 1;
    ++counters_.coalesced;
    queue.waiting.erase(same);
  }
  queue.waiting.push_back(std::move(notice));
  if (!queue.is_running && std::find(turn_.begin(), turn_.end(), name) == turn_.end()) turn_.push_back(name);
  run_next();
}

void Notifier::run_next() {
  while (running_ < kRunsMax && !turn_.empty()) {
    const std::string name = std::move(turn_.front());
    turn_.pop_front();
    run(name, queues_.at(name));
  }
}

void Notifier::run(const std::string& name, Queue& queue) {
  const auto notice = std::make_shared<const Notice>(std::move(queue.waiting.front()));
  queue.waiting.pop_front();
  queue.is_running = true;
  ++running_;
  ++counters_.runs;
  const std::string input = notice_json(notice->entry, notice->coalesced, {monotonic_now(), wall_now()}) + "\n";
  auto child = ChildProcess::start(
      io_, run_program({config_.command, config_.user}), input,
      [this, name, notice](const ChildEnd& end) { finish(name, *notice, end.succeeded() ? "" : end.reason()); });
  if (child) queue.child = std::move(*child);
  // a failure to start ends on the next turn of the loop like any other
  const bool has_started = queue.child.is_running();
  const Duration limit = has_started ? config_.timeout : Duration::zero();
  const std::string failure =
      has_started
          ? "still running after " +
                std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(limit).count()) + " ms, killed"
          : child.error();
  queue.limit.at(monotonic_now() + limit, [this, name, notice, failure] { finish(name, *notice, failure); });
}

// failure: empty when there was none
void Notifier::finish(const std::string& name, const Notice& notice, const std::string& failure) {
  if (!failure.empty()) {
    ++counters_.failures;
    log::warn(title_of(notice.entry) + ": " + failure);
  }
  Queue& queue = queues_.at(name);
  queue.limit.cancel();
  queue.child = ChildProcess();
  queue.is_running = false;
  --running_;
  if (!queue.waiting.empty()) turn_.push_back(name);
  if (notice.ended) notice.ended();
  run_next();
}

}  // namespace vipair::vrrp
