#include "common/runtime/control_message.h"

namespace vipair {

void ControlLater::answer(ControlResponse response) {
  if (std::exchange(is_answered_, true)) return;
  response_ = std::make_unique<ControlResponse>(std::move(response));
  if (wake_) wake_();
}

void ControlStream::write(std::string_view text) {
  if (has_ended_) return;
  was_cut_ = text.size() > kControlBacklogMax - backlog_.size();
  backlog_ += was_cut_ ? std::string_view(farewell_) : text;
  if (was_cut_) has_ended_ = true;
  if (wake_) wake_();
}

void ControlStream::end() {
  has_ended_ = true;
  if (wake_) wake_();
}

}  // namespace vipair
