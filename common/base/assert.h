#pragma once
// VIPAIR_ASSERT(condition, "why it must hold"): our own invariants, on in release builds too. A broken one prints
// one line to standard error and aborts; a supervisor or the peer takes over from there.

namespace vipair {

[[noreturn]] void assertion_failed(const char* condition, const char* why, const char* file, int line);

}  // namespace vipair

#define VIPAIR_ASSERT(condition, why) \
  (static_cast<bool>(condition) ? void(0) : ::vipair::assertion_failed(#condition, why, __FILE__, __LINE__))
