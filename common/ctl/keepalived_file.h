#pragma once
// The syntax of keepalived.conf, without its meaning: text → statements and blocks with their places. Pure: what
// `include` names is read by the caller. Input is anybody's: size, files, depth are bounded, and what this does not
// read (conditional lines, definitions, sequences) is an error, never skipped.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/expected.h"

namespace vipair::ctl {

inline constexpr std::size_t kKeepalivedSizeMax = 4u << 20;  // bytes of all files together
inline constexpr std::size_t kKeepalivedFilesMax = 1000;
inline constexpr int kIncludeDepthMax = 8;
inline constexpr int kBlockDepthMax = 16;

struct Place {
  std::string file;
  int line = 0;
  std::string to_string() const { return file + ":" + std::to_string(line); }
};

// Something to tell about a line of the file.
struct Remark {
  Place place;
  std::string text;
  std::string to_string() const { return place.to_string() + ": " + text; }
};

// "priority 100", or "vrrp_instance VI_1 { … }". Words are without their quotes; there is at least one, or a block.
struct Statement {
  std::vector<std::string> words;
  Place place;
  bool is_block = false;
  std::vector<Statement> block;

  const std::string& keyword() const { return words.front(); }
};

struct SourceText {
  std::string path;
  std::string text;
};
// The files that a pattern names, as written in `including_file`; the error says why they cannot be read.
using ReadIncluded = std::function<Expected<std::vector<SourceText>, std::string>(
    const std::string& pattern, const std::string& including_file)>;

std::vector<Statement> parse_keepalived(const SourceText& source, const ReadIncluded& read,
                                        std::vector<Remark>& errors);

}  // namespace vipair::ctl
