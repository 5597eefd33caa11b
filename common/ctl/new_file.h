#pragma once
// A file that is made and never overwritten: for keys, passwords and configurations that a command writes.

#include <sys/types.h>

#include <string>

#include "common/base/expected.h"

namespace vipair::ctl {

// Complete and of that mode when it returns; an error, told in words, leaves no file. An existing one is an error.
// A folder of ours whose group new files inherit (set-group-ID) is there to share: its group may read the file as
// well. So it is with /etc/vipair and its secrets, where root writes for the daemons.
Expected<void, std::string> write_new_file(const std::string& path, const std::string& content, mode_t mode);

}  // namespace vipair::ctl
