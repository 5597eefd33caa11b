#include "common/runtime/control_client.h"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <utility>

#include "common/runtime/listening_socket.h"
#include "common/runtime/spawn.h"

namespace vipair {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;
using Stream = beast::basic_stream<Protocol, asio::io_context::executor_type>;
using asio::redirect_error;
using asio::use_awaitable;

constexpr std::uint64_t kResponseMax = 64u << 20;  // bytes

struct Exchange {
  http::request<http::string_body> request;
  http::response_parser<http::string_body> parser;
  const char* stage = "connect";
  error_code error;
  std::function<bool(std::string_view)> take;  // set: the body is followed
};

// `exchange` outlives the coroutine: the caller runs it to its end.
asio::awaitable<void> perform(Stream stream, Protocol::endpoint endpoint, Exchange* exchange) {
  auto token = redirect_error(use_awaitable, exchange->error);
  co_await stream.async_connect(endpoint, token);
  if (exchange->error) co_return;
  exchange->stage = "send";
  co_await http::async_write(stream, exchange->request, token);
  // a server that refuses early may stop reading: its answer counts
  if (exchange->error && exchange->error != asio::error::broken_pipe) co_return;
  exchange->stage = "receive";
  beast::flat_buffer buffer;
  auto& parser = exchange->parser;
  if (exchange->take) co_await http::async_read_header(stream, buffer, parser, token);
  if (exchange->error) co_return;
  if (!exchange->take || parser.get().result() != http::status::ok) {
    co_await http::async_read(stream, buffer, parser, token);
    co_return;
  }
  stream.expires_never();
  parser.body_limit(boost::none);
  while (!parser.is_done()) {
    co_await http::async_read_some(stream, buffer, parser, token);
    if (exchange->error) co_return;
    const std::string piece = std::exchange(parser.get().body(), {});
    if (!piece.empty() && !exchange->take(piece)) co_return;
  }
  exchange->error = http::error::end_of_stream;
}

Expected<ControlResponse, std::string> run(const std::string& socket_path, Exchange& exchange, Duration timeout) {
  auto address = unix_address(socket_path);
  if (!address) return Unexpected{socket_path + ": " + address.error()};
  exchange.request.version(11);
  exchange.request.set(http::field::host, "localhost");
  exchange.request.keep_alive(false);
  exchange.request.prepare_payload();
  exchange.parser.body_limit(kResponseMax);

  asio::io_context io(1);
  Stream stream(io.get_executor());
  stream.expires_after(timeout);
  spawn(io.get_executor(), "control request",
        perform(std::move(stream), Protocol::endpoint(asio::local::stream_protocol::endpoint(socket_path)),
                &exchange));
  io.run();
  if (exchange.error)
    return Unexpected{socket_path + ": " + exchange.stage + ": " +
                      (exchange.error == beast::error::timeout ? "timed out" : exchange.error.message())};
  ControlResponse response;
  response.status = static_cast<int>(exchange.parser.get().result_int());
  response.content_type = std::string(exchange.parser.get()[http::field::content_type]);
  response.body = std::move(exchange.parser.get().body());
  return response;
}

}  // namespace

Expected<ControlResponse, std::string> control_request(const std::string& socket_path, const std::string& method,
                                                       const std::string& target, const std::string& body,
                                                       Duration timeout) {
  Exchange exchange;
  exchange.request.method_string(method);
  exchange.request.target(target);
  exchange.request.body() = body;
  exchange.parser.skip(method == "HEAD");
  return run(socket_path, exchange, timeout);
}

Expected<ControlResponse, std::string> control_follow(const std::string& socket_path, const std::string& target,
                                                      Duration timeout,
                                                      const std::function<bool(std::string_view)>& take) {
  Exchange exchange;
  exchange.request.method(http::verb::get);
  exchange.request.target(target);
  exchange.take = take;
  return run(socket_path, exchange, timeout);
}

}  // namespace vipair
