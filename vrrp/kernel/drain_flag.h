#pragma once
// A drain outlives the agent's process: a file beside the control socket says that there is one. Its text is for
// people; that it exists is what counts.

#include <string>
#include <utility>

#include "common/base/expected.h"

namespace vipair::vrrp {

class DrainFlag {
 public:
  explicit DrainFlag(std::string path) : path_(std::move(path)) {}

  bool is_set() const;
  // The errors are texts for the operator.
  Expected<void, std::string> set(const std::string& since) const;
  Expected<void, std::string> clear() const;

 private:
  std::string path_;
};

}  // namespace vipair::vrrp
