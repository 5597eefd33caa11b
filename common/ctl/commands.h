#pragma once
// Carries out a command line: asks the daemons, writes the answer to `out` and what went wrong to `err`, and
// returns the exit status. Each daemon is asked on its own: the one that does not answer keeps nobody from seeing
// the other.

#include <functional>
#include <iosfwd>
#include <string>

#include "common/ctl/command_line.h"

namespace vipair::ctl {

// Where vipairctl runs.
struct Surroundings {
  std::string
      program_folder;  // where the daemons' programs are looked for first (`check` runs them), then in $PATH
  std::ostream& out;
  std::ostream& err;
  // What `out` is when it is a terminal, in characters; zero when it is none.
  int columns = 0;
  int lines = 0;
  std::function<bool(Duration)> wait =
      nullptr;  // between two looks of `watch`; false: the operator has seen enough
};

int run(const CommandLine& line, const Surroundings& surroundings);

}  // namespace vipair::ctl
