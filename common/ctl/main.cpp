// vipairctl: shows and steers both daemons of this node over their control sockets.

#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "common/ctl/command_line.h"
#include "common/ctl/commands.h"

namespace {

// Ctrl-C is what ends `watch`, so that it is no failure: it waits for the next pause.
std::function<bool(vipair::Duration)> wait_unless_interrupted() {
  sigset_t stops;
  ::sigemptyset(&stops);
  ::sigaddset(&stops, SIGINT);
  ::sigaddset(&stops, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &stops, nullptr);
  return [stops](vipair::Duration duration) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
    const timespec pause{seconds.count(), (duration - seconds).count()};
    return ::sigtimedwait(&stops, nullptr, &pause) < 0;
  };
}

}  // namespace

int main(int argc, char** argv) {
  using namespace vipair::ctl;
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const auto line = parse_command_line(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
    if (!line) {
      std::cerr << "vipairctl: " << line.error() << ", see --help\n";
      return kExitUsage;
    }
    int status = 0;
    if (line->print) {
      std::cout << *line->print;
    } else {
      std::error_code ignored;
      const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
      Surroundings surroundings{self.parent_path().string(), std::cout, std::cerr};
      winsize size{};
      if (::isatty(STDOUT_FILENO) && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        surroundings.columns = size.ws_col;
        surroundings.lines = size.ws_row;
      }
      if (line->command == Command::watch) surroundings.wait = wait_unless_interrupted();
      status = run(*line, surroundings);
    }
    std::cout.flush();
    if (!std::cout && status == 0) {
      std::cerr << "vipairctl: the output could not be written\n";
      return kExitFailed;
    }
    return status;
  } catch (const std::exception& exception) {
    std::cerr << "vipairctl: " << exception.what() << "\n";
    return kExitFailed;
  }
}
