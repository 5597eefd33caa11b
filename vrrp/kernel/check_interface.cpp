// An interface, told by events. A change counts once it has lasted for its delay.
#include <optional>
#include <utility>

#include "common/runtime/clock.h"
#include "vrrp/kernel/check_probe.h"
#include "vrrp/kernel/watch.h"

namespace vipair::vrrp {
namespace {

class InterfaceProbe final : public Probe {
 public:
  InterfaceProbe(boost::asio::io_context& io, InterfaceCheck check, std::function<void()> look_again)
      : check_(std::move(check)), look_again_(std::move(look_again)), settles_(io) {}

  void on_interface(const InterfaceInfo& interface) override {
    if (interface.name != check_.interface) return;
    const Observation seen{interface.is_up, interface.index == 0 ? "there is no interface " + check_.interface
                                            : interface.is_up   ? "up"
                                                                : "down, or without carrier"};
    const bool is_first = !settled_;
    const bool is_change = is_first || settled_->success != seen.success;
    if (!is_change) {  // it came back before it counted, or went on as it was
      settles_.cancel();
      awaited_.reset();
      settled_ = seen;
      return;
    }
    if (awaited_ && awaited_->success == seen.success) {
      awaited_ = seen;
      return;  // the delay runs from the change
    }
    const Duration delay = is_first ? Duration::zero() : seen.success ? check_.up_delay : check_.down_delay;
    if (delay == Duration::zero()) {
      settle(seen);
    } else {
      awaited_ = seen;
      settles_.at(monotonic_now() + delay, [this] { settle(*std::exchange(awaited_, std::nullopt)); });
    }
  }

  void start(Done done) override {
    if (settled_) return done(*settled_);
    done_ = std::move(done);
  }
  std::string give_up() override {
    done_ = nullptr;
    return "nothing is known of " + check_.interface + " yet";
  }

 private:
  void settle(Observation result) {
    settled_ = std::move(result);
    if (auto call = std::exchange(done_, nullptr)) {
      call(*settled_);
    } else {
      look_again_();
    }
  }

  InterfaceCheck check_;
  std::function<void()> look_again_;
  Alarm settles_;
  std::optional<Observation> settled_, awaited_;
  Done done_;
};

}  // namespace

std::unique_ptr<Probe> make_interface_probe(boost::asio::io_context& io, const InterfaceCheck& check,
                                            std::function<void()> look_again) {
  return std::make_unique<InterfaceProbe>(io, check, std::move(look_again));
}

}  // namespace vipair::vrrp
