#pragma once
// Network namespaces for tests of what only a kernel can show. A test body runs in a process of its own, inside a
// fresh namespace; where that is not permitted the test is skipped. Further namespaces are made within, and all of
// them vanish with the process.
//
//   TEST(Relay, DoesSomething) {
//     in_new_network([] {
//       run("ip link add v0 type veth peer name v1");
//       EXPECT_TRUE(...);
//     });
//   }

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "common/runtime/unique_fd.h"

namespace vipair::test {

// Runs a shell command that must succeed.
inline void run(const std::string& command) {
  EXPECT_EQ(std::system(command.c_str()), 0) << command;  // NOLINT
}
inline bool succeeds(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

inline std::string output_of(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  char buffer[4096];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, size);
  ::pclose(pipe);
  return output;
}

// The kernel tells of a new link's carrier when it gets round to it, up to a second later; what is sent before is
// lost.
inline void wait_for_carrier(const std::string& interface) {
  for (int i = 0; i < 500; ++i) {
    if (output_of("ip link show dev " + interface).find("state UP") != std::string::npos) return;
    ::poll(nullptr, 0, 10);
  }
  ADD_FAILURE() << interface << " has no carrier";
}

template <class Body>
void in_new_network(Body&& body) {
  constexpr int kSkipped = 77;
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    if (::unshare(CLONE_NEWNET) != 0) ::_exit(errno == EPERM ? kSkipped : 1);
    run("ip link set lo up");
    body();
    std::fflush(nullptr);
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == kSkipped) {
    GTEST_SKIP() << "network namespaces are not permitted here";
  }
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "see the failures above; wait status " << status;
}

// A further namespace; the calling thread stays where it is, and moves there and back with In.
class Namespace {
 public:
  Namespace() {
    const UniqueFd here = current();
    EXPECT_EQ(::unshare(CLONE_NEWNET), 0) << std::strerror(errno);
    fd_ = current();
    run("ip link set lo up");
    EXPECT_EQ(::setns(here.get(), CLONE_NEWNET), 0);
  }
  // For `ip link … netns PATH`.
  std::string path() const { return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_.get()); }

  static UniqueFd current() { return UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)); }

 private:
  friend class In;
  UniqueFd fd_;
};

// While it lives, the calling thread (and what it starts) is in that namespace.
class In {
 public:
  explicit In(const Namespace& there) : before_(Namespace::current()) {
    EXPECT_EQ(::setns(there.fd_.get(), CLONE_NEWNET), 0) << std::strerror(errno);
  }
  ~In() { EXPECT_EQ(::setns(before_.get(), CLONE_NEWNET), 0); }
  In(const In&) = delete;
  In& operator=(const In&) = delete;

 private:
  UniqueFd before_;
};

// One established TCP connection of the node itself to one of its addresses.
class Connection {
 public:
  explicit Connection(const char* address) {
    listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    client_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(8080);
    EXPECT_EQ(::inet_pton(AF_INET, address, &to.sin_addr), 1);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    EXPECT_EQ(::connect(client_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    served_ = UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  UniqueFd listener_, client_, served_;
};

}  // namespace vipair::test
