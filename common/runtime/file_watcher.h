#pragma once
// Tells when one of some files is another than it was: written, replaced, gone or back, by whatever means; an
// editor renames, Kubernetes turns a symbolic link above the file. The folders are watched (inotify); every
// kLookInterval the files are looked at as well, for file systems and links that tell nothing. What changes in
// quick succession, a certificate and its key, is told at once, kSettleTime after the first of it.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/time.h"

namespace vipair {

// A file as it was at some moment. Equal stamps: nobody has touched it in between. All zero: there is none.
struct FileStamp {
  std::uint64_t device = 0, inode = 0, bytes = 0;
  std::int64_t modified = 0, changed = 0;        // nanoseconds
  static FileStamp of(const std::string& path);  // follows symbolic links
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
using FileStamps = std::map<std::string, FileStamp>;  // by path
FileStamps stamps_of(const std::vector<std::string>& paths);

class FileWatcher {
 public:
  static constexpr Duration kSettleTime = std::chrono::milliseconds(500);
  static constexpr Duration kLookInterval = std::chrono::minutes(1);
  using OnChange = std::function<void(const std::vector<std::string>& paths)>;

  FileWatcher(boost::asio::io_context& io, OnChange on_change);

  // These files and no others, as they were when they were read: what has changed since is told, too.
  void watch(FileStamps files);

 private:
  void watch_folders();
  void read_events();
  void look_after(Duration delay);
  void look();

  OnChange on_change_;
  FileStamps files_;
  std::map<std::string, int> folders_;  // by path: its watch
  boost::asio::posix::stream_descriptor inotify_;
  boost::asio::steady_timer timer_;
  bool is_settling_ = false;
  alignas(8) char events_[4096];
};

}  // namespace vipair
