#include "common/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace vipair {

void assertion_failed(const char* condition, const char* why, const char* file, int line) {
  std::fprintf(stderr, "broken invariant: %s (%s) at %s:%d\n", why, condition, file, line);
  std::abort();
}

}  // namespace vipair
