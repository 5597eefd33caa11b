#include "common/runtime/file_watcher.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "common/runtime/log.h"

namespace vipair {

namespace {
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |
                                  IN_MOVE_SELF | IN_DELETE_SELF;

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}
}  // namespace

FileStamp FileStamp::of(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return {};
  auto nanoseconds = [](const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; };
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

FileStamps stamps_of(const std::vector<std::string>& paths) {
  FileStamps stamps;
  for (const std::string& path : paths) stamps.emplace(path, FileStamp::of(path));
  return stamps;
}

FileWatcher::FileWatcher(boost::asio::io_context& io, OnChange on_change)
    : on_change_(std::move(on_change)), inotify_(io), timer_(io) {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) {
    log::warn("files are only looked at once a minute: the kernel gives no inotify instance");
    return;
  }
  inotify_.assign(fd);
  read_events();
}

void FileWatcher::watch(FileStamps files) {
  files_ = std::move(files);
  watch_folders();
  look_after(kSettleTime);
}

void FileWatcher::watch_folders() {
  if (!inotify_.is_open()) return;
  std::set<std::string> wanted;
  for (const auto& entry : files_) wanted.insert(folder_of(entry.first));
  std::erase_if(folders_, [&](const auto& entry) {
    if (wanted.contains(entry.first)) return false;
    (void)::inotify_rm_watch(inotify_.native_handle(), entry.second);
    return true;
  });
  for (const std::string& folder : wanted) {
    if (folders_.contains(folder)) continue;
    // A folder that is not there, or one watch too many: the look once a minute remains.
    const int watch = ::inotify_add_watch(inotify_.native_handle(), folder.c_str(), kEvents);
    if (watch >= 0) folders_.emplace(folder, watch);
  }
}

void FileWatcher::read_events() {
  inotify_.async_read_some(
      boost::asio::buffer(events_), [this](boost::system::error_code error, std::size_t bytes) {
        if (error == boost::asio::error::operation_aborted) return;
        if (error) {
          log::warn("files are only looked at once a minute: inotify: " + error.message());
          inotify_.close();
          return;
        }
        for (std::size_t at = 0; at + sizeof(inotify_event) <= bytes;) {
          const auto* event = reinterpret_cast<const inotify_event*>(events_ + at);
          // A folder that went takes its watch with it; it may come back.
          if ((event->mask & (IN_IGNORED | IN_MOVE_SELF)) != 0) {
            std::erase_if(folders_, [&](const auto& entry) { return entry.second == event->wd; });
          }
          at += sizeof(inotify_event) + event->len;
        }
        if (!is_settling_) look_after(kSettleTime);
        read_events();
      });
}

void FileWatcher::look_after(Duration delay) {
  is_settling_ = delay == kSettleTime;
  timer_.expires_after(delay);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) look();
  });
}

void FileWatcher::look() {
  std::vector<std::string> changed;
  for (auto& [path, stamp] : files_) {
    const FileStamp now = FileStamp::of(path);
    if (now != stamp) changed.push_back(path);
    stamp = now;
  }
  watch_folders();
  look_after(kLookInterval);
  if (!changed.empty()) on_change_(changed);  // which may watch() other files
}

}  // namespace vipair
