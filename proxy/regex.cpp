#include "proxy/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <new>

namespace vipair::proxy {

namespace {

struct FreeMatchData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

// What a match works in. One per thread, since a match is over before the next begins; so none allocates.
pcre2_match_data* match_data() {
  thread_local const std::unique_ptr<pcre2_match_data, FreeMatchData> data(
      pcre2_match_data_create(static_cast<std::uint32_t>(kCaptures), nullptr));
  if (data == nullptr) throw std::bad_alloc();
  return data.get();
}

}  // namespace

void Regex::FreeCode::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }
void Regex::FreeContext::operator()(pcre2_real_match_context_8* context) const {
  pcre2_match_context_free(context);
}

Expected<Regex, std::string> Regex::compile(std::string_view pattern) {
  if (pattern.empty() || pattern.size() > kRegexMax) {
    return Unexpected{"expected 1 to " + std::to_string(kRegexMax) + " bytes"};
  }
  Regex regex;
  int error = 0;
  PCRE2_SIZE offset = 0;
  regex.code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                  PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr));
  if (regex.code_ == nullptr) {
    std::array<PCRE2_UCHAR, 256> text{};
    pcre2_get_error_message(error, text.data(), text.size());
    return Unexpected{std::string(reinterpret_cast<const char*>(text.data())) + " at byte " +
                      std::to_string(offset)};
  }
  (void)pcre2_jit_compile(regex.code_.get(), PCRE2_JIT_COMPLETE);  // without it matches are slower, no different
  regex.context_.reset(pcre2_match_context_create(nullptr));
  if (regex.context_ == nullptr) throw std::bad_alloc();
  pcre2_set_match_limit(regex.context_.get(), kRegexStepsMax);
  pcre2_set_depth_limit(regex.context_.get(), kRegexStepsMax);
  pcre2_set_heap_limit(regex.context_.get(), kRegexHeapMax);
  std::uint32_t groups = 0;
  pcre2_pattern_info(regex.code_.get(), PCRE2_INFO_CAPTURECOUNT, &groups);
  regex.groups_ = std::min<std::size_t>(groups, kCaptures - 1);
  return regex;
}

Regex::Result Regex::match(std::string_view subject, Captures* captures) const {
  pcre2_match_data* const data = match_data();
  const int found = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(subject.data()), subject.size(), 0, 0,
                                data, context_.get());
  if (found == PCRE2_ERROR_NOMATCH) return Result::no_match;
  if (found < 0) return Result::given_up;
  if (captures == nullptr) return Result::match;
  // 0: there were more groups than places; those that have one are set.
  const std::size_t set =
      found == 0 ? kCaptures : std::min<std::size_t>(static_cast<std::size_t>(found), kCaptures);
  const PCRE2_SIZE* const offsets = pcre2_get_ovector_pointer(data);
  captures->fill({});
  for (std::size_t i = 0; i < set; ++i) {
    const PCRE2_SIZE begin = offsets[2 * i], end = offsets[2 * i + 1];
    if (begin != PCRE2_UNSET && begin <= end) (*captures)[i] = subject.substr(begin, end - begin);
  }
  return Result::match;
}

}  // namespace vipair::proxy
