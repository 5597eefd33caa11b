#pragma once
// Short-lived child processes: what may block, or is not ours, happens there. A child is a fork with nothing of the
// agent about it but its memory: its own session and process group, no descriptors but the three standard ones,
// ordinary scheduling, default signals. What it runs cannot hold up the loop, not even with a path on a file system
// that hangs: looking up the user, checking the path and exec() happen in the child.
//
// One thread; the agent is single-threaded, so the child may do anything after the fork.

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/expected.h"

namespace vipair::vrrp {

inline constexpr std::size_t kChildOutputMax = 64 * 1024;  // bytes; beyond it the child writes into a closed pipe
inline constexpr std::size_t kChildReasonMax = 200;        // bytes of its last line that get into a reason

struct ChildEnd {
  int wait_status = 0;  // as of waitpid
  std::string output;   // standard output and error, at most kChildOutputMax

  bool succeeded() const { return wait_status == 0; }
  // For the operator: "exit status 3: the last line that it wrote".
  std::string reason() const;
};

class ChildProcess {
 public:
  // Runs body() in a child whose exit status it returns; `input` is its standard input. `ended` is called once,
  // from the io_context. The error says why there is no child. Nothing of the child's process group outlives it.
  static Expected<ChildProcess, std::string> start(boost::asio::io_context& io, const std::function<int()>& body,
                                                   std::string_view input,
                                                   std::function<void(const ChildEnd&)> ended);

  ChildProcess() = default;  // none
  ChildProcess(ChildProcess&&) = default;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();  // kills it and tells nobody; it is still collected when it ends

  bool is_running() const;
  pid_t pid() const;  // 0: none
  void kill();        // it and its process group; its end is told as ever

 private:
  struct State;
  explicit ChildProcess(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

// A program of the operator's.
struct Program {
  std::vector<std::string> command;  // absolute path and arguments, no shell
  std::string user;                  // whom it runs as, with that user's groups; empty: our own
};

// The body of a child that becomes the program, with no privileges to gain and a small environment. Returns only if
// it cannot, with the reason written to standard error.
std::function<int()> run_program(Program program);

// Whether the path may be run: absolute, a regular executable file. `trusted_only`: and nobody but root can change
// what it names: the file, every directory and every symbolic link on the way belong to root and are writable by
// nobody else (a directory with the sticky bit counts as such, since what is in it is checked as well).
Expected<void, std::string> check_program_path(const std::string& path, bool trusted_only);

// The last line of a text that strangers wrote, at most kChildReasonMax printable ASCII characters of it.
std::string last_line(std::string_view text);

}  // namespace vipair::vrrp
