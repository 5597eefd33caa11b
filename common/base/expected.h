#pragma once
// Expected<T, E>: a value, or the reason why there is none. For the "no" that is part of normal life: a peer, the
// network, a file's content. Broken invariants are VIPAIR_ASSERT, a task that cannot go on throws.

#include <optional>
#include <utility>
#include <variant>

#include "common/base/assert.h"

namespace vipair {

template <class E>
struct Unexpected {
  E error;
};
template <class E>
Unexpected(E) -> Unexpected<E>;

template <class T, class E>
class [[nodiscard]] Expected {
 public:
  Expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Expected(Unexpected<E> unexpected) : state_(std::in_place_index<1>, std::move(unexpected.error)) {}

  explicit operator bool() const { return has_value(); }
  bool has_value() const { return state_.index() == 0; }

  T& value() & { return checked_value(*this); }
  const T& value() const& { return checked_value(*this); }
  T&& value() && { return std::move(checked_value(*this)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const E& error() const& {
    VIPAIR_ASSERT(state_.index() == 1, "error() of an Expected that has a value");
    return *std::get_if<1>(&state_);
  }
  E&& error() && {
    VIPAIR_ASSERT(state_.index() == 1, "error() of an Expected that has a value");
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  template <class Self>
  static auto& checked_value(Self& self) {
    VIPAIR_ASSERT(self.state_.index() == 0, "value() of an Expected that has none");
    return *std::get_if<0>(&self.state_);
  }
  std::variant<T, E> state_;
};

template <class E>
class [[nodiscard]] Expected<void, E> {
 public:
  Expected() = default;
  Expected(Unexpected<E> unexpected) : error_(std::move(unexpected.error)) {}
  explicit operator bool() const { return has_value(); }
  bool has_value() const { return !error_; }
  const E& error() const {
    VIPAIR_ASSERT(error_.has_value(), "error() of an Expected that has a value");
    return *error_;
  }

 private:
  std::optional<E> error_;
};

}  // namespace vipair
