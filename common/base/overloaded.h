#pragma once
// overloaded{lambdas...}: one visitor for std::visit.

namespace vipair {

template <class... Ts>
struct overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
overloaded(Ts...) -> overloaded<Ts...>;

}  // namespace vipair
