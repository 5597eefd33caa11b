#pragma once
// What an import has to tell its reader, in the order it was found: errors, each of which refuses the whole, and
// notes. Pure.

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/ctl/keepalived_file.h"

namespace vipair::ctl {

class Remarks {
 public:
  void error(const Place& place, std::string text) { errors_.push_back({place, std::move(text)}); }
  // What is said once need not be said of every virtual router.
  void note(const Place& place, std::string text) {
    if (told_.insert(text).second) notes_.push_back({place, std::move(text)});
  }

  std::vector<Remark>& errors() { return errors_; }
  std::vector<Remark>& notes() { return notes_; }

 private:
  std::vector<Remark> errors_, notes_;
  std::set<std::string> told_;
};

}  // namespace vipair::ctl
