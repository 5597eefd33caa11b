#pragma once
// A regular expression (PCRE2) that cannot hold a worker up: compiled once to machine code where the platform has a
// JIT compiler, and given up when a subject would take too many steps. Matches anywhere in the subject unless it is
// anchored; bytes, not characters. Immutable, used by many threads at once.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/expected.h"

struct pcre2_real_code_8;
struct pcre2_real_match_context_8;

namespace vipair::proxy {

inline constexpr std::size_t kRegexMax = 1024;            // bytes of a pattern
inline constexpr std::uint32_t kRegexStepsMax = 100'000;  // of one match, some milliseconds at most
inline constexpr std::uint32_t kRegexHeapMax = 1024;      // KiB of one match
inline constexpr std::size_t kCaptures = 10;              // the whole match and ${1} to ${9}

class Regex {
 public:
  using Captures = std::array<std::string_view, kCaptures>;  // views into the subject; empty: took no part
  enum class Result : std::uint8_t { no_match, match, given_up };

  static Expected<Regex, std::string> compile(std::string_view pattern);  // the error says what and where
  Result match(std::string_view subject, Captures* captures = nullptr) const;
  std::size_t groups() const { return groups_; }  // that captures can hold: 0 to 9

 private:
  struct FreeCode {
    void operator()(pcre2_real_code_8* code) const;
  };
  struct FreeContext {
    void operator()(pcre2_real_match_context_8* context) const;
  };
  Regex() = default;

  std::unique_ptr<pcre2_real_code_8, FreeCode> code_;
  std::unique_ptr<pcre2_real_match_context_8, FreeContext> context_;  // its limits
  std::size_t groups_ = 0;
};

}  // namespace vipair::proxy
