#pragma once
// One connection of a client as its worker knows it: what it can be told, and when it may go. Belongs to its
// worker, which destroys it at the end of the turn in which it says that it is finished.

#include "proxy/server/intrusive_list.h"

namespace vipair::proxy {

inline constexpr int kStepsPerTurnMax = 16;  // of one session, then others run: 1 MiB at most

class Session : public ListHook {
 public:
  Session() = default;
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  virtual void wake() = 0;  // the worker's mind changed: look again at what is waited for
  virtual bool is_idle() const = 0;
};

}  // namespace vipair::proxy
