#include "proxy/server/client_opening.h"

#include "common/runtime/log.h"
#include "proxy/server/client_session.h"
#include "proxy/server/h2_session.h"

namespace vipair::proxy {

ClientOpening::ClientOpening(WorkerContext& worker, std::unique_ptr<Stream> client, ClientInfo info,
                             bool may_use_http2)
    : worker_(worker),
      info_(std::move(info)),
      contexts_(worker.current().snapshot->files.tls),
      stream_((hello_.may_use_http2 = may_use_http2,
               std::make_unique<TlsStream>(std::move(client), contexts_->accept(hello_)))),
      waiter_(worker.scheduler) {
  ++worker_.session_count;
  worker_.counters.connections.add();
  stream_->set_waiter(&waiter_);
  worker_.openings.push_back(node_);
  if (++worker_.opening_count > worker_.current().snapshot->handshakes_per_worker) {
    worker_.openings.pop_front()->owner.give_way();
  }
}

ClientOpening::~ClientOpening() {
  --worker_.opening_count;
  --worker_.session_count;
  worker_.counters.connections.subtract();
}

void ClientOpening::start() {
  task_ = run();
  task_.start({&ClientOpening::on_done, this});
}

void ClientOpening::on_done(void* opening) {
  auto* self = static_cast<ClientOpening*>(opening);
  self->worker_.finish(*self, self->task_, "a new connection");
}

void ClientOpening::give_way() {
  gives_way_ = true;
  waiter_.wake();
}

Task ClientOpening::run() {
  const Duration patience = worker_.current().snapshot->config.tls.handshake_timeout;
  const TimePoint deadline = worker_.scheduler.now() + patience;
  for (;;) {
    const TlsStream::Handshake handshake = stream_->handshake();
    if (handshake == TlsStream::Handshake::done) break;
    if (handshake == TlsStream::Handshake::failed) {
      worker_.counters.tls.failed.add();
      on_failure(stream_->failure());
      co_return;
    }
    const bool is_late = co_await waiter_.activity(deadline);
    if (gives_way_) {
      worker_.counters.tls.gave_way.add();
      on_failure("too many handshakes at once");
      co_return;
    }
    if (is_late && stream_->handshake() == TlsStream::Handshake::waiting) {
      worker_.counters.tls.timed_out.add();
      on_failure("timed out");
      co_return;
    }
  }
  begin_session();
}

template <class AnySession>
void ClientOpening::begin(std::unique_ptr<AnySession> session) {
  worker_.sessions.push_back(*session);
  session.release()->start();  // owned by the list from now on
}

void ClientOpening::begin_session() {
  auto tls = std::make_shared<TlsInfo>(TlsContexts::info(stream_->ssl(), hello_));
  (tls->is_resumed ? worker_.counters.tls.resumed : worker_.counters.tls.full).add();
  info_.is_tls = true;
  info_.tls = std::move(tls);
  if (info_.tls->is_http2) {
    begin(std::make_unique<H2Session>(worker_, std::move(stream_), info_));
  } else {
    begin(std::make_unique<ClientSession>(worker_, std::move(stream_), info_));
  }
}

void ClientOpening::on_failure(std::string_view why) {
  if (!log::is_enabled(log::Level::debug)) return;
  std::string line = "client " + info_.address_text + ", TLS handshake";
  if (!hello_.server_name.empty()) line += " for " + hello_.server_name;
  log::debug(line + ": " + std::string(why));
}

}  // namespace vipair::proxy
