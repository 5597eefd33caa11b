#pragma once
// Objects that are not in use at the moment, for those who want one next: the last one given back is taken first,
// while it is warm. Bounded, and what nobody wanted for a while can be given back to the heap. One thread.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace vipair::proxy {

template <class Pointer>  // owns: a std::unique_ptr
class FreeList {
 public:
  static constexpr std::size_t kMax = 1024;  // more go back to the heap at once
  static constexpr std::size_t kMin = 8;     // never trimmed

  Pointer take() {  // nullptr: there is none
    if (free_.empty()) return Pointer();
    Pointer object = std::move(free_.back());
    free_.pop_back();
    unused_ = std::min(unused_, free_.size());
    return object;
  }
  void give_back(Pointer object) {
    if (free_.size() < kMax) free_.push_back(std::move(object));
  }
  std::size_t size() const { return free_.size(); }

  // Frees those that were here all the time since the last call; how many.
  std::size_t trim() {
    const std::size_t surplus = unused_ > kMin ? unused_ - kMin : 0;
    free_.erase(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(surplus));
    unused_ = free_.size();
    return surplus;
  }

 private:
  std::vector<Pointer> free_;
  std::size_t unused_ = 0;  // the fewest there were since the last trim()
};

}  // namespace vipair::proxy
