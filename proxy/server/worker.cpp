#include "proxy/server/worker.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <new>

#include "common/runtime/clock.h"
#include "proxy/server/admission.h"
#include "proxy/server/client_opening.h"
#include "proxy/server/client_session.h"
#include "proxy/server/h2_opening.h"
#include "proxy/server/proxy_opening.h"
#include "proxy/server/tcp_stream.h"
#include "proxy/server/tunnel_session.h"

namespace vipair::proxy {

namespace {
constexpr Duration kSweepInterval = std::chrono::seconds(1);

Connector tcp_connector(Reactor& reactor) {
  return [&reactor](const IpEndpoint& endpoint, int& error) -> std::unique_ptr<Stream> {
    return TcpStream::connect(reactor, endpoint, error);
  };
}
}  // namespace

Worker::Worker(const Settings& settings, std::shared_ptr<const Snapshot> snapshot,
               std::function<void()> on_finished)
    : settings_(settings),
      context_(reactor_.scheduler(), settings.index, tcp_connector(reactor_), RequestIds()),
      on_finished_(std::move(on_finished)) {
  context_.access_log = settings.access_log;
  context_.begin_session = [this](std::unique_ptr<Stream> client, const ClientInfo& info) {
    begin_session(std::move(client), info);
  };
  context_.passwords = settings.passwords;
  context_.post = [this](std::function<void()> function) { reactor_.post(std::move(function)); };
  context_.wake_elsewhere = settings.wake_elsewhere;
  context_.set_wall_time(wall_now());
  context_.use(std::move(snapshot));
}

Worker::~Worker() {
  stop();
  join();
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::start() {
  // Signals are the main thread's: blocked here before the thread exists, so there is no moment in between.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  const std::string name = "worker-" + std::to_string(settings_.index);
  pthread_setname_np(thread_.native_handle(), name.c_str());
}

void Worker::run() {
  while (!is_stopping_) {
    reactor_.turn();
    context_.end_turn();
    if (context_.scheduler.now() >= next_tick_) tick();
    if (context_.is_draining && context_.sessions.empty()) break;
  }
  acceptors_.clear();
  while (Session* session = context_.sessions.pop_front()) delete session;
  is_finished_.store(true, std::memory_order_release);
  on_finished_();
}

void Worker::tick() {
  const TimePoint now = context_.scheduler.now();
  next_tick_ = now + Scheduler::kTick;
  context_.set_wall_time(wall_now());
  for (auto& acceptor : acceptors_) acceptor->on_tick(now);
  if (now >= next_sweep_) {
    context_.sweep(now);
    next_sweep_ = now + kSweepInterval;
  }
}

template <class AnySession>
void Worker::begin(std::unique_ptr<AnySession> session) {
  context_.sessions.push_back(*session);
  session.release()->start();  // owned by the list from now on
}

void Worker::accept(UniqueFd fd, ClientInfo client) {
  try {
    if (!admit_connection(context_, client)) return;
    std::unique_ptr<TcpStream> stream = TcpStream::accepted(reactor_, std::move(fd));
    if (stream == nullptr) {
      context_.counters.accept.failed.add();
      return;
    }
    const Snapshot& snapshot = *context_.current().snapshot;
    if (snapshot.wants_proxy_header(client.listening)) {
      begin(std::make_unique<ProxyOpening>(context_, std::move(stream), client));
    } else {
      begin_session(std::move(stream), client);
    }
  } catch (const std::bad_alloc&) {
    context_.counters.accept.failed.add();  // it costs this client, not the others
  }
}

void Worker::begin_session(std::unique_ptr<Stream> stream, const ClientInfo& client) {
  const Snapshot& snapshot = *context_.current().snapshot;
  if (const auto tcp = snapshot.tcp_listeners.find(client.listening); tcp != snapshot.tcp_listeners.end()) {
    begin(std::make_unique<TunnelSession>(context_, std::move(stream), client, tcp->second));
    return;
  }
  const Listener* listener = snapshot.listener(client.listening);
  if (listener != nullptr && listener->tls) {
    begin(std::make_unique<ClientOpening>(context_, std::move(stream), client, listener->http2));
  } else if (listener != nullptr && listener->http2) {
    begin(std::make_unique<H2Opening>(context_, std::move(stream), client));
  } else {
    begin(std::make_unique<ClientSession>(context_, std::move(stream), client));
  }
}

// ---- commands --------------------------------------------------------------------------------

void Worker::listen(UniqueFd listener, const IpEndpoint& endpoint) {
  auto shared = std::make_shared<UniqueFd>(std::move(listener));
  reactor_.post([this, shared, endpoint] {
    acceptors_.push_back(std::make_unique<Acceptor>(
        reactor_, std::move(*shared), endpoint, context_.counters.accept,
        [this] { return context_.session_count < context_.current().snapshot->connections_per_worker; },
        [this, endpoint](UniqueFd fd, const IpEndpoint& client) {
          ClientInfo info(client, endpoint);
          if (context_.current().snapshot->tells_addresses) {
            const auto local = bound_endpoint(fd);
            info.local = local ? *local : endpoint;
          }
          accept(std::move(fd), info);
        }));
  });
}

void Worker::unlisten(const IpEndpoint& endpoint) {
  reactor_.post([this, endpoint] {
    for (auto& acceptor : acceptors_) {
      if (acceptor->endpoint() == endpoint) acceptor->drain();
    }
    std::erase_if(acceptors_, [&](const auto& acceptor) { return acceptor->endpoint() == endpoint; });
  });
}

void Worker::use(std::shared_ptr<const Snapshot> snapshot) {
  reactor_.post([this, snapshot = std::move(snapshot)] { context_.use(snapshot); });
}

void Worker::announce_close(bool on) {
  reactor_.post([this, on] { context_.announces_close = on; });
}

void Worker::drain() {
  reactor_.post([this] {
    for (auto& acceptor : acceptors_) acceptor->drain();
    acceptors_.clear();
    context_.begin_drain();
  });
}

void Worker::wake_waiting(std::shared_ptr<UpstreamNumbers> numbers, std::shared_ptr<Server> server) {
  reactor_.post([this, numbers = std::move(numbers), server = std::move(server)] {
    context_.wake_waiting(*numbers, *server);
  });
}

void Worker::stop() {
  reactor_.post([this] { is_stopping_ = true; });
}

}  // namespace vipair::proxy
