// vipair-proxyd: options, configuration, signals; the rest is ProxyServer's.

#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <exception>

#include "common/runtime/daemon.h"
#include "common/runtime/log.h"
#include "proxy/config.h"
#include "proxy/server/server.h"

namespace {

using namespace vipair;

constexpr int kExitUsage = 64;    // EX_USAGE
constexpr int kExitFailure = 71;  // EX_OSERR: the system does not give what the configuration asks for

// A connection needs a descriptor, a proxied request two.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) log::warn("the limit of open files could not be raised");
}

void on_signals(boost::asio::signal_set& signals, proxy::ProxyServer& server) {
  signals.async_wait([&signals, &server](boost::system::error_code error, int number) {
    if (error) return;
    switch (number) {
      case SIGHUP:
        (void)server.reload();  // it logs what is wrong
        break;
      case SIGUSR1:
        server.reopen_log();
        break;
      default:
        server.stop();  // the second one stops at once
    }
    on_signals(signals, server);
  });
}

int serve(const std::string& config_path, proxy::Config config) {
  boost::asio::io_context io(1);
  boost::asio::signal_set signals(io, SIGHUP, SIGUSR1);
  signals.add(SIGTERM);
  signals.add(SIGINT);
  auto server = proxy::ProxyServer::start(io, std::move(config), config_path, [&io] { io.stop(); });
  if (!server) {
    log::error("cannot start: " + server.error());
    return kExitFailure;
  }
  on_signals(signals, **server);
  for (const IpEndpoint& endpoint : (*server)->endpoints()) log::info("listening on " + endpoint.to_string());
  sd_notify("READY=1");
  io.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  auto options = parse_daemon_options("vipair-proxyd", "HTTP reverse proxy, one half of a pair",
                                      "/etc/vipair/proxy.conf", {argv + 1, argv + argc});
  if (!options) {
    std::fprintf(stderr, "vipair-proxyd: %s\n", options.error().c_str());
    return kExitUsage;
  }
  if (options->print) {
    std::fputs(options->print->c_str(), stdout);
    return 0;
  }
  log::init("vipair-proxyd", options->debug ? log::Level::debug : log::Level::info);
  auto config = proxy::load_config(options->config_path);
  if (!config) {
    for (const ConfigError& error : config.error()) log::error(error.to_string());
    return kExitConfig;
  }
  if (options->check_only) {
    if (auto checked = proxy::ProxyServer::check_files(*config); !checked) {
      for (const ConfigError& error : checked.error()) log::error(error.to_string());
      return kExitConfig;
    }
    std::printf("%s: ok\n", options->config_path.c_str());
    return 0;
  }
  try {
    raise_descriptor_limit();
    return serve(options->config_path, std::move(config).value());
  } catch (const std::exception& exception) {
    log::error(std::string("cannot go on: ") + exception.what());
    return kExitFailure;
  }
}
