// A program that says how things are by its exit status.
#include <utility>

#include "vrrp/kernel/check_probe.h"
#include "vrrp/kernel/child_process.h"

namespace vipair::vrrp {
namespace {

class ScriptProbe final : public Probe {
 public:
  ScriptProbe(boost::asio::io_context& io, const ScriptCheck& check)
      : io_(io), program_{check.command, check.user} {}

  void start(Done done) override {
    // even SIGKILL waits for a process that waits for a disk
    if (child_.is_running())
      return done({false, "process " + std::to_string(child_.pid()) +
                              " of an earlier run cannot be ended: it hangs in the kernel"});
    auto child = ChildProcess::start(io_, run_program(program_), "", [this](const ChildEnd& end) {
      if (auto call = std::exchange(done_, nullptr)) call({end.succeeded(), end.reason()});
    });
    if (!child) return done({false, child.error()});
    child_ = std::move(*child);
    done_ = std::move(done);
  }

  std::string give_up() override {
    done_ = nullptr;
    child_.kill();
    return "still running, killed";
  }

 private:
  boost::asio::io_context& io_;
  Program program_;
  ChildProcess child_;
  Done done_;
};

}  // namespace

std::unique_ptr<Probe> make_script_probe(boost::asio::io_context& io, const ScriptCheck& check) {
  return std::make_unique<ScriptProbe>(io, check);
}

}  // namespace vipair::vrrp
