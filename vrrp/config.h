#pragma once
// node.conf → vrrp::Config, validated whole: either every setting is right, or every mistake of the file is
// reported at once with file, line, setting and what would be right. What is right but may surprise is a warning of
// the Config. Checking and loading are this one path; it reads the file and the secrets that it names, looks
// whether programs and users exist, and changes nothing.

#include <string>

#include "common/base/expected.h"
#include "common/runtime/config_file.h"
#include "vrrp/agent/config.h"

namespace vipair::vrrp {

Expected<Config, ConfigErrors> load_config(const std::string& path);

// The same from text that stands for the file `name`; key files are still read from disk.
Expected<Config, ConfigErrors> parse_config(const std::string& text, const std::string& name);

}  // namespace vipair::vrrp
