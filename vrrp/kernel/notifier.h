#pragma once
// Tells a program of the operator's, and the readers of a named pipe, about every change of role. One run at a time
// for each virtual router, in order; a program that falls behind gets the latest state of an instance, and the
// number of changes it did not get. What the program does or fails to do never affects the role. One thread, never
// blocks.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "vrrp/agent/config.h"
#include "vrrp/agent/status.h"
#include "vrrp/kernel/child_process.h"
#include "vrrp/kernel/event_fifo.h"
#include "vrrp/kernel/watch.h"

namespace vipair::vrrp {

class Notifier {
 public:
  static constexpr int kRunsMax = 4;  // of the program at once; the others wait for their turn
  // A planned move waits for the program so long at most, and for the configured time limit if that is shorter.
  static constexpr Duration kReleaseWaitMax = std::chrono::seconds(5);

  explicit Notifier(boost::asio::io_context& io) : io_(io), fifo_(io) {}
  ~Notifier();

  // The error is for the operator; the rest works.
  Expected<void, std::string> configure(const NotifyConfig& config);

  void tell(const JournalEntry& entry);  // what is not a change of role is passed over
  // Tells that these routers' addresses are about to be given up, and calls `then` once every run for it has ended:
  // at once when there is no program or no router. reason: a word; text: for the operator.
  void before_release(TimePoint now, const std::vector<RouterStatus>& routers, const std::string& reason,
                      const std::string& text, std::function<void()> then);

  bool is_idle() const;  // nothing runs or waits

  struct Counters {
    std::uint64_t runs = 0;
    std::uint64_t failures = 0;   // an exit status, a signal, the time limit, no start
    std::uint64_t coalesced = 0;  // changes that were replaced by later ones
  };
  const Counters& counters() const { return counters_; }
  std::uint64_t fifo_dropped() const { return fifo_.dropped(); }

 private:
  struct Notice {
    JournalEntry entry;
    std::uint64_t coalesced = 0;
    std::function<void()> ended;  // for a planned move
  };
  struct Queue {  // of one virtual router, both families
    explicit Queue(boost::asio::io_context& io) : limit(io) {}
    std::deque<Notice> waiting;
    bool is_running = false;
    ChildProcess child;
    Alarm limit;
  };

  void add(Notice notice);
  void run_next();
  void run(const std::string& name, Queue& queue);
  void finish(const std::string& name, const Notice& notice, const std::string& failure);

  boost::asio::io_context& io_;
  NotifyConfig config_;
  EventFifo fifo_;
  std::map<std::string, Queue> queues_;
  std::deque<std::string> turn_;  // queues with something waiting that do not run, in the order of their turn
  int running_ = 0;
  Counters counters_;
};

}  // namespace vipair::vrrp
