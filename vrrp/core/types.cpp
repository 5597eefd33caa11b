#include "vrrp/core/types.h"

#include "common/base/overloaded.h"

namespace vipair::vrrp {

const char* name_of(const State& state) {
  return std::visit(overloaded{
                        [](const Initialize&) { return "initialize"; },
                        [](const Backup&) { return "backup"; },
                        [](const Active&) { return "active"; },
                        [](const Yielding&) { return "yielding"; },
                    },
                    state);
}

}  // namespace vipair::vrrp
