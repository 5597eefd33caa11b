// A process of a name. One that was found is held by a descriptor and tells its end at once; then, and at each
// interval while there is none, /proc is read, a slice at a time: a machine may have thousands of processes, the
// loop has none of that time. Every process that /proc shows counts, those of containers on this node too.
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <climits>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "common/runtime/clock.h"
#include "vrrp/kernel/check_probe.h"
#include "vrrp/kernel/watch.h"

namespace vipair::vrrp {
namespace {

constexpr int kSlice = 64;                // processes looked at in one go, some 10 µs each
constexpr std::size_t kCommandName = 15;  // bytes of a name that the kernel keeps

std::string read_small(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> buffer;
  const ssize_t size = file ? ::read(file.get(), buffer.data(), buffer.size()) : 0;
  return std::string(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(0, size)));
}

// As the kernel calls it, or by its executable's file name, which is whole; and not a zombie.
bool is_called(const std::string& pid, const std::string& name) {
  const std::string folder = "/proc/" + pid;
  const std::string stat = read_small(folder + "/stat");  // "pid (comm) state …", any character within comm
  const auto open = stat.find('('), close = stat.rfind(')');
  if (open == stat.npos || close == stat.npos || close + 2 >= stat.size()) return false;
  const char state = stat[close + 2];
  if (state == 'Z' || state == 'X') return false;
  const std::string_view command = std::string_view(stat).substr(open + 1, close - open - 1);
  if (command == name) return true;
  std::array<char, PATH_MAX> target;
  const ssize_t size = ::readlink((folder + "/exe").c_str(), target.data(), target.size());
  if (size <= 0) return command == name.substr(0, kCommandName) && name.size() > kCommandName;
  std::string_view executable(target.data(), static_cast<std::size_t>(size));
  constexpr std::string_view kReplaced = " (deleted)";  // by an update; it runs on
  if (executable.ends_with(kReplaced)) executable.remove_suffix(kReplaced.size());
  return executable.substr(executable.rfind('/') + 1) == name;
}

class ProcessProbe final : public Probe {
 public:
  ProcessProbe(boost::asio::io_context& io, const ProcessCheck& check, std::function<void()> look_again)
      : io_(io), name_(check.process), look_again_(std::move(look_again)), next_slice_(io) {}

  void start(Done done) override {
    if (process_) return done({true, running()});
    done_ = std::move(done);
    folder_.reset(::opendir("/proc"));
    scan();
  }

  std::string give_up() override {
    done_ = nullptr;
    folder_.reset();
    next_slice_.cancel();
    return "/proc could not be read to its end";
  }

 private:
  struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };

  void scan() {
    for (int looked_at = 0; looked_at < kSlice; ++looked_at) {
      const dirent* entry = folder_ ? ::readdir(folder_.get()) : nullptr;
      if (!entry) return finish({false, "no process " + name_});
      if (!std::isdigit(static_cast<unsigned char>(entry->d_name[0]))) continue;
      if (is_called(entry->d_name, name_) && hold(entry->d_name)) return finish({true, running()});
    }
    next_slice_.at(monotonic_now(), [this] { scan(); });
  }

  bool hold(const std::string& number) {
    const pid_t pid = std::atoi(number.c_str());
    UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
    if (!fd || !is_called(number, name_)) return false;  // it went, and the number may be another's by now
    pid_ = pid;
    process_ = WatchedFd(io_, std::move(fd));
    process_.when_readable([this] {
      process_.reset();
      look_again_();
    });
    return true;
  }

  void finish(Observation result) {
    folder_.reset();
    if (auto call = std::exchange(done_, nullptr)) call(std::move(result));
  }

  std::string running() const { return "process " + std::to_string(pid_) + " runs"; }

  boost::asio::io_context& io_;
  std::string name_;
  std::function<void()> look_again_;
  Alarm next_slice_;
  std::unique_ptr<DIR, CloseFolder> folder_;
  WatchedFd process_;
  pid_t pid_ = 0;
  Done done_;
};

}  // namespace

std::unique_ptr<Probe> make_process_probe(boost::asio::io_context& io, const ProcessCheck& check,
                                          std::function<void()> look_again) {
  return std::make_unique<ProcessProbe>(io, check, std::move(look_again));
}

}  // namespace vipair::vrrp
