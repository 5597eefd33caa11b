#pragma once
// spawn(executor, "control session", coroutine()): starts a coroutine that nobody waits for. When it ends by an
// exception, name and cause are logged: a detached coroutine would lose them without a word.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <string>
#include <utility>

#include "common/runtime/log.h"

namespace vipair {

// name: a string literal
template <class Executor, class AwaitableExecutor>
void spawn(const Executor& executor, const char* name, boost::asio::awaitable<void, AwaitableExecutor> coroutine) {
  boost::asio::co_spawn(executor, std::move(coroutine), [name](std::exception_ptr failure) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& exception) {
      log::error(std::string(name) + " ended: " + exception.what());
    } catch (...) {
      log::error(std::string(name) + " ended by an unknown exception");
    }
  });
}

}  // namespace vipair
