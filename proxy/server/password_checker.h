#pragma once
// Checks passwords against their hashes in a thread of its own: one check takes as long as a thousand requests,
// which is what makes the hashes worth something. What was right once is remembered under a keyed digest of user,
// password and hash, so that a browser that sends its password with every request costs a check only once, and a
// changed hash is asked again.
//
// The queue is bounded. A password is nowhere written but in the queue, and wiped when it has been checked.

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace vipair::proxy {

class PasswordChecker {
 public:
  static constexpr std::size_t kQueueMax = 64;
  static constexpr std::size_t kRemembered = 4096;       // one gives way to another that falls on its place
  using OnChecked = std::function<void(bool is_right)>;  // in the checker's thread

  PasswordChecker();
  ~PasswordChecker() { stop(); }
  PasswordChecker(const PasswordChecker&) = delete;
  PasswordChecker& operator=(const PasswordChecker&) = delete;

  void stop();  // ends the thread; what still waits is not answered, and nobody is checked any more

  // From any thread, at once. True: this very password was checked against this very hash before, and was right.
  bool remembers(std::string_view user, std::string_view password, std::string_view hash) const;
  // False: too many wait already. An empty hash stands for a user who does not exist: that takes as long and fails.
  [[nodiscard]] bool check(std::string_view user, std::string_view password, std::string_view hash,
                           OnChecked on_checked);

 private:
  struct Job {
    std::string user, password, hash;
    OnChecked on_checked;
  };
  using Digest = std::array<std::uint64_t, 2>;
  struct Place {
    std::atomic<std::uint64_t> first{0}, second{0};
  };
  Digest digest_of(std::string_view user, std::string_view password, std::string_view hash) const;
  void run();

  std::array<unsigned char, 32> key_;
  std::unique_ptr<Place[]> remembered_;
  std::mutex mutex_;
  std::condition_variable is_wanted_;
  std::deque<Job> jobs_;  // under mutex_
  bool is_stopping_ = false;
  std::thread thread_;  // from the first check on
};

}  // namespace vipair::proxy
