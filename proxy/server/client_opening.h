#pragma once
// A client connection between accept and its first request: the TLS handshake, with a time limit. Then the session
// of the protocol that was agreed on takes over. At most tls.handshakes are in progress; when there are more, the
// oldest gives way: it is the likeliest to be no browser's.

#include <memory>

#include "proxy/server/client_info.h"
#include "proxy/server/session.h"
#include "proxy/server/task.h"
#include "proxy/server/tls_context.h"
#include "proxy/server/tls_stream.h"
#include "proxy/server/worker_context.h"

namespace vipair::proxy {

class ClientOpening final : public Session {
 public:
  // The contexts are the current snapshot's, which must have some.
  ClientOpening(WorkerContext& worker, std::unique_ptr<Stream> client, ClientInfo info, bool may_use_http2);
  ~ClientOpening() override;

  void start();  // runs up to its first wait
  void wake() override { waiter_.wake(); }
  bool is_idle() const override { return false; }
  void give_way();  // ends at its next turn

 private:
  Task run();
  static void on_done(void* opening);
  void begin_session();
  template <class AnySession>
  void begin(std::unique_ptr<AnySession> session);
  void on_failure(std::string_view why);

  WorkerContext& worker_;
  ClientInfo info_;
  std::shared_ptr<const TlsContexts> contexts_;
  TlsContexts::Hello hello_;
  std::unique_ptr<TlsStream> stream_;
  Waiter waiter_;
  WorkerContext::OpeningNode node_{*this};
  bool gives_way_ = false;
  Task task_;
};

}  // namespace vipair::proxy
