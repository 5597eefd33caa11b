// vipairctl: shows and steers both daemons of this node over their control sockets.

#include <csignal>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "common/ctl/command_line.h"
#include "common/ctl/commands.h"

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
      status = run(*line, self.parent_path().string(), std::cout, std::cerr);
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
