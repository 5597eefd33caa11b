#pragma once
// The files whose content is a part of the configuration: password files, error pages and the secrets of sticky
// cookies. They may change without the configuration that names them.

#include <string>
#include <vector>

#include "common/base/expected.h"
#include "proxy/config.h"

namespace vipair::proxy {

std::vector<std::string> content_files(const Config& config);  // sorted, each once

// Takes their content over as it is now; on any error nothing of it can be used.
Expected<Config, ConfigErrors> with_files_read_again(Config config);

}  // namespace vipair::proxy
