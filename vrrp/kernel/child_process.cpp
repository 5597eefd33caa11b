#include "vrrp/kernel/child_process.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include "common/runtime/readable.h"
#include "common/runtime/unique_fd.h"
#include "vrrp/kernel/watch.h"

namespace vipair::vrrp {

namespace asio = boost::asio;

namespace {

constexpr int kCannotRun = 126;  // as a shell says it
constexpr int kLinksMax = 40;    // symbolic links on the way to a program, as the kernel counts

std::string error_text(int error) { return std::strerror(error); }

// A file in memory, so that the reader can take its time and nobody has to write.
UniqueFd file_with(std::string_view input) {
  if (input.empty()) return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  UniqueFd file(::memfd_create("input", MFD_CLOEXEC));
  while (file && !input.empty()) {
    const ssize_t written = ::write(file.get(), input.data(), input.size());
    if (written <= 0) return UniqueFd();
    input.remove_prefix(static_cast<std::size_t>(written));
  }
  if (file) (void)::lseek(file.get(), 0, SEEK_SET);
  return file;
}

// The child's first steps; all signals are blocked until the handlers, which would talk to the parent, are gone.
[[noreturn]] void become_child(int input, int output, pid_t parent, const std::function<int()>& body) {
  for (int signal = 1; signal < NSIG; ++signal) (void)std::signal(signal, SIG_DFL);
  bool is_ready =
      ::dup2(input, STDIN_FILENO) >= 0 && ::dup2(output, STDOUT_FILENO) >= 0 && ::dup2(output, STDERR_FILENO) >= 0;
  // before anything that may block: a dead parent's descriptors must not live on here
  is_ready = is_ready && ::syscall(SYS_close_range, 3U, ~0U, 0U) == 0;
  if (!is_ready) ::_exit(kCannotRun);
  (void)::setsid();
  sigset_t none;
  ::sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
  const sched_param normal{};
  (void)::sched_setscheduler(0, SCHED_OTHER, &normal);
  (void)::setpriority(PRIO_PROCESS, 0, 0);
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kCannotRun);
  ::_exit(body());
}

}  // namespace

// ---- the parent's side ----

// Kept alive by the wait for the child's end, so that a child whose owner has gone is collected all the same.
struct ChildProcess::State {
  pid_t pid = 0;  // 0: collected
  asio::posix::stream_descriptor exit;
  WatchedFd output;
  ChildEnd end;
  std::function<void(const ChildEnd&)> ended;

  State(asio::io_context& io, pid_t the_pid, UniqueFd exit_fd, UniqueFd output_fd)
      : pid(the_pid), exit(io, exit_fd.release()), output(io, std::move(output_fd)) {}

  void kill() const {
    if (pid == 0) return;
    (void)::kill(-pid, SIGKILL);
    (void)::kill(pid, SIGKILL);  // it may not have its own group yet
  }

  // Returns whether there may be more.
  bool read_output() {
    std::array<char, 4096> buffer;
    for (;;) {
      const ssize_t size = ::read(output.get(), buffer.data(), buffer.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && errno == EAGAIN) return true;
      if (size <= 0) return false;
      const std::size_t room = kChildOutputMax - end.output.size();
      end.output.append(buffer.data(), std::min(room, static_cast<std::size_t>(size)));
      if (end.output.size() == kChildOutputMax) return false;
    }
  }

  static void follow_output(const std::shared_ptr<State>& state) {
    state->output.when_readable([weak = std::weak_ptr<State>(state)] {
      const auto self = weak.lock();
      if (!self) return;
      if (self->read_output()) {
        follow_output(self);
      } else {
        self->output.reset();
      }
    });
  }

  static void await_end(const std::shared_ptr<State>& state) {
    state->exit.async_wait(asio::posix::stream_descriptor::wait_read, [state](boost::system::error_code error) {
      if (error) return;
      if (!is_readable(state->exit.native_handle())) return await_end(state);  // it runs
      state->collect();
    });
  }

  void collect() {
    kill();  // the others of its group; its number is taken until it is collected
    if (output) (void)read_output();
    output.reset();
    while (::waitpid(pid, &end.wait_status, 0) < 0 && errno == EINTR) {
    }
    pid = 0;
    if (auto call = std::exchange(ended, nullptr)) call(end);
  }
};

Expected<ChildProcess, std::string> ChildProcess::start(boost::asio::io_context& io,
                                                        const std::function<int()>& body, std::string_view input,
                                                        std::function<void(const ChildEnd&)> ended) {
  const auto no_child = [](const char* what) {
    return Unexpected{std::string("cannot start a process: ") + what + ": " + error_text(errno)};
  };
  const UniqueFd standard_input = file_with(input);
  if (!standard_input) return no_child("standard input");
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return no_child("pipe");
  UniqueFd read_end(pipe[0]);
  const UniqueFd write_end(pipe[1]);
  (void)::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);

  sigset_t all, before;
  ::sigfillset(&all);
  (void)::sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become_child(standard_input.get(), write_end.get(), parent, body);
  const int fork_error = errno;
  (void)::sigprocmask(SIG_SETMASK, &before, nullptr);
  errno = fork_error;
  if (pid < 0) return no_child("fork");

  UniqueFd exit(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
  if (!exit) {
    auto problem = no_child("pidfd_open");
    (void)::kill(pid, SIGKILL);
    (void)::waitpid(pid, nullptr, 0);
    return problem;
  }
  auto state = std::make_shared<State>(io, pid, std::move(exit), std::move(read_end));
  state->ended = std::move(ended);
  State::follow_output(state);
  State::await_end(state);
  return ChildProcess(std::move(state));
}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(state_, other.state_);
  ChildProcess former(std::move(other));
  return *this;
}

ChildProcess::~ChildProcess() {
  if (!state_) return;
  state_->ended = nullptr;
  state_->kill();
}

bool ChildProcess::is_running() const { return state_ && state_->pid != 0; }
pid_t ChildProcess::pid() const { return state_ ? state_->pid : 0; }
void ChildProcess::kill() {
  if (state_) state_->kill();
}

std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  if (const auto newline = text.rfind('\n'); newline != text.npos) text.remove_prefix(newline + 1);
  std::string line(text.substr(0, kChildReasonMax));
  for (char& character : line)
    if (character < 0x20 || character > 0x7e) character = '?';
  return line;
}

std::string ChildEnd::reason() const {
  std::string text;
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    text = "killed by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
  } else {
    const int status = WEXITSTATUS(wait_status);
    if (const std::string line = last_line(output); status == kCannotRun && line.starts_with("cannot run "))
      return line;
    text = "exit status " + std::to_string(status);
  }
  if (output.size() == kChildOutputMax) return text + ", after more output than is read";
  if (const std::string line = last_line(output); !line.empty()) text += ": " + line;
  return text;
}

// ---- programs ----

namespace {

// Walks a path as the kernel does, so that each link on the way is seen.
class PathWalk {
 public:
  explicit PathWalk(bool trusted_only) : trusted_only_(trusted_only) {}

  Expected<void, std::string> walk(const std::string& path) {
    if (auto root = judge("/"); !root) return root;
    std::string rest = path;
    while (!rest.empty()) {
      const auto slash = rest.find('/');
      const std::string name = rest.substr(0, slash);
      rest = slash == std::string::npos ? "" : rest.substr(slash + 1);
      if (name.empty() || name == ".") continue;
      if (name == "..") {
        here_.resize(here_.empty() ? 0 : here_.rfind('/'));
        continue;
      }
      const std::string next = here_ + "/" + name;
      if (auto judged = judge(next); !judged) return judged;
      if (!S_ISLNK(last_.st_mode)) {
        here_ = next;
        continue;
      }
      if (++links_ > kLinksMax) return Unexpected{next + ": too many symbolic links"};
      std::array<char, PATH_MAX> target;
      const ssize_t size = ::readlink(next.c_str(), target.data(), target.size());
      if (size < 0) return Unexpected{next + ": " + error_text(errno)};
      const std::string link(target.data(), static_cast<std::size_t>(size));
      if (link.starts_with('/')) here_.clear();
      rest = link + "/" + rest;
    }
    if (!S_ISREG(last_.st_mode)) return Unexpected{std::string("not a regular file")};
    return {};
  }

 private:
  Expected<void, std::string> judge(const std::string& path) {
    if (::lstat(path.c_str(), &last_) != 0) return Unexpected{path + ": " + error_text(errno)};
    if (!trusted_only_) return {};
    if (last_.st_uid != 0) return Unexpected{path + " does not belong to root, as whom it would run"};
    const bool is_sticky = S_ISDIR(last_.st_mode) && (last_.st_mode & S_ISVTX);
    const bool is_group_trusted = last_.st_gid == 0;
    const mode_t others = is_group_trusted ? S_IWOTH : S_IWGRP | S_IWOTH;
    if (!S_ISLNK(last_.st_mode) && !is_sticky && (last_.st_mode & others))
      return Unexpected{path +
                        " can be changed by others than root, as whom it would run: chmod go-w it, or set user"};
    return {};
  }

  bool trusted_only_;
  std::string here_;  // without a trailing slash; empty: the root
  struct stat last_ {};
  int links_ = 0;
};

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name, home;
};

Expected<Account, std::string> find_account(const std::string& user) {
  errno = 0;
  const passwd* entry = user.empty() ? ::getpwuid(::geteuid()) : ::getpwnam(user.c_str());
  if (entry) return Account{entry->pw_uid, entry->pw_gid, entry->pw_name, entry->pw_dir};
  if (user.empty()) return Account{::geteuid(), ::getegid(), "", "/"};
  return Unexpected{"there is no user " + user + ": create it, or name another one with user = \"…\""};
}

// Returns the error.
std::string become(const Account& account, const std::string& user) {
  if (!user.empty()) {
    if (::geteuid() != account.uid || ::geteuid() == 0) {
      if (::initgroups(account.name.c_str(), account.gid) != 0 ||
          ::setresgid(account.gid, account.gid, account.gid) != 0 ||
          ::setresuid(account.uid, account.uid, account.uid) != 0)
        return "cannot become user " + user + ": " + error_text(errno) + " (needs CAP_SETUID and CAP_SETGID)";
    }
    (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return "no_new_privs: " + error_text(errno);
  // a change of user has forgotten it; somebody who died before that will not come back
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return "";
}

std::string exec(const Program& program) {
  const auto account = find_account(program.user);
  if (!account) return account.error();
  const std::string& path = program.command.front();
  if (auto checked = check_program_path(path, account->uid == 0); !checked) return checked.error();
  if (std::string problem = become(*account, program.user); !problem.empty()) return problem;

  (void)::umask(022);
  if (::chdir("/") != 0) return "/: " + error_text(errno);
  std::vector<std::string> settings = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                       "USER=" + account->name, "LOGNAME=" + account->name,
                                       "HOME=" + account->home};
  std::vector<std::string> words = program.command;
  const auto pointers = [](std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (std::string& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
  };
  ::execve(path.c_str(), pointers(words).data(), pointers(settings).data());
  return error_text(errno);
}

}  // namespace

Expected<void, std::string> check_program_path(const std::string& path, bool trusted_only) {
  if (!path.starts_with('/')) return Unexpected{std::string("not an absolute path")};
  if (auto walked = PathWalk(trusted_only).walk(path); !walked) return walked;
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return Unexpected{error_text(errno)};
  if ((file.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0) return Unexpected{std::string("not executable")};
  return {};
}

std::function<int()> run_program(Program program) {
  return [program = std::move(program)] {
    const std::string path = program.command.empty() ? "an empty command" : program.command.front();
    const std::string problem = program.command.empty() ? "name a program" : exec(program);
    const std::string text = "cannot run " + path + ": " + problem + "\n";
    (void)!::write(STDERR_FILENO, text.data(), text.size());
    return kCannotRun;
  };
}

}  // namespace vipair::vrrp
