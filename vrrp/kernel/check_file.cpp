// A file that must not be there. inotify on its folder tells at once; every look asks the file system itself, so a
// folder that comes later, goes, or is replaced is no matter.
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "vrrp/kernel/check_probe.h"
#include "vrrp/kernel/watch.h"

namespace vipair::vrrp {
namespace {

class FileProbe final : public Probe {
 public:
  FileProbe(boost::asio::io_context& io, const FileCheck& check, std::function<void()> look_again)
      : path_(check.path),
        folder_(path_.substr(0, path_.rfind('/') + 1)),
        name_(path_.substr(folder_.size())),
        look_again_(std::move(look_again)) {
    UniqueFd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (fd) events_ = WatchedFd(io, std::move(fd));  // without: only each interval
    if (events_) follow();
  }

  void start(Done done) override {
    // Adding again what is watched changes nothing; a folder of the same name that is another one is added.
    if (events_) {
      const int watch =
          ::inotify_add_watch(events_.get(), folder_.c_str(),
                              IN_CREATE | IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
      if (watch_ >= 0 && watch != watch_) (void)::inotify_rm_watch(events_.get(), watch_);
      watch_ = watch;
    }
    struct stat file {};
    if (::lstat(path_.c_str(), &file) == 0) return done({false, path_ + " exists"});
    if (errno == ENOENT || errno == ENOTDIR) return done({true, path_ + " does not exist"});
    done({false, path_ + ": " + std::strerror(errno)});
  }
  std::string give_up() override { return ""; }

 private:
  void follow() {
    events_.when_readable([this] {
      const bool is_ours = read_events();
      follow();
      if (is_ours) look_again_();
    });
  }

  // Reads what there is, once more at the next call; returns whether any of it is of interest.
  bool read_events() const {
    alignas(inotify_event) std::array<char, 4096> buffer{};
    const ssize_t size = ::read(events_.get(), buffer.data(), buffer.size());
    bool is_ours = false;
    for (ssize_t at = 0; at < size;) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* name = buffer.data() + at + sizeof event;
      is_ours |= event.len == 0 || name_ == name;  // without a name: of the folder itself, or events were lost
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
    return is_ours;
  }

  std::string path_, folder_, name_;
  std::function<void()> look_again_;
  WatchedFd events_;
  int watch_ = -1;
};

}  // namespace

std::unique_ptr<Probe> make_file_probe(boost::asio::io_context& io, const FileCheck& check,
                                       std::function<void()> look_again) {
  return std::make_unique<FileProbe>(io, check, std::move(look_again));
}

}  // namespace vipair::vrrp
