#pragma once
// `vipairctl import`: the files around the import of a keepalived.conf. Nothing is overwritten, and nothing is
// written when anything is refused.

#include <iosfwd>

#include "common/ctl/command_line.h"
#include "common/ctl/keepalived_file.h"

namespace vipair::ctl {

// Files by a pattern of glob(3) with braces, relative to the folder of the including file. A name without wildcards
// must exist.
Expected<std::vector<SourceText>, std::string> read_included(const std::string& pattern,
                                                             const std::string& including_file);

// The exit status.
int run_import(const CommandLine& line, std::ostream& out, std::ostream& err);

}  // namespace vipair::ctl
