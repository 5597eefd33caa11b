#pragma once
// Carries out a command line: asks the daemons, writes the answer to `out` and what went wrong to `err`, and
// returns the exit status. Each daemon is asked on its own: the one that does not answer keeps nobody from seeing
// the other.

#include <iosfwd>
#include <string>

#include "common/ctl/command_line.h"

namespace vipair::ctl {

// program_folder: where the daemons' programs are looked for first (`check` runs them), then in $PATH.
int run(const CommandLine& line, const std::string& program_folder, std::ostream& out, std::ostream& err);

}  // namespace vipair::ctl
