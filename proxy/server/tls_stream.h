#pragma once
// A Stream that carries TLS over another one (RFC 8446, RFC 5246), with OpenSSL. It keeps the promise of a Stream:
// no system call is made that is known to find nothing. OpenSSL's records are read and written through the carrier
// itself, so nothing is buffered twice; a request that came in one piece costs one receive, and its response, head
// and body in one record, one send.
//
//   end      close_notify is sent by shutdown_write(), and by the destructor unless the stream was aborted. The
//            peer's close_notify is an end of file; a carrier that ends without one is an error (ECONNRESET): what
//            came before may have been cut off.
//   writing  after would_block the next write begins with the same bytes (OpenSSL has sealed some of them).
//   bounds   a peer that sends messages of the handshake on and on (KeyUpdate, renegotiation) is cut off.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "proxy/server/openssl.h"
#include "proxy/server/stream.h"

namespace vipair::proxy {

class TlsStream final : public Stream {
 public:
  static constexpr std::size_t kRecordMax = 16384;  // payload
  // Steps of OpenSSL's state machine after the handshake, some four for each message; one more per so much payload.
  static constexpr unsigned kControlStepsMax = 128;
  static constexpr std::uint64_t kBytesPerControlStep = 256 * 1024;

  // `ssl` is fresh, made for one side. A client drives its handshake by itself and then becomes writable, or
  // broken; a server's is driven by handshake(). on_failure is told of a handshake that failed for another reason
  // than the carrier's.
  using OnFailure = std::function<void(const std::string& why)>;
  // `preface` goes to the carrier in front of everything, as it is.
  TlsStream(std::unique_ptr<Stream> carrier, SslPtr ssl, OnFailure on_failure = {}, std::string preface = {});
  ~TlsStream() override;

  enum class Handshake : std::uint8_t { done, waiting, failed };
  Handshake handshake();  // goes as far as it can; again when woken
  // Why the handshake failed, or the stream broke.
  const std::string& failure() const { return failure_; }
  SSL* ssl() const { return ssl_.get(); }

  IoResult try_read(std::span<char> buffer) override;
  IoResult try_write(std::span<const iovec> pieces) override;
  void shutdown_write() override;
  void abort_on_close() override;
  int connect_result() override;

  // For contexts: what a context must be set to for its streams.
  static void prepare(SSL_CTX* context);

 private:
  friend struct TlsStreamBio;
  void on_carrier_ready(std::uint8_t flags) override;
  IoResult on_no_bytes(bool is_read);  // after an SSL_read or SSL_write that moved nothing
  void fail(int error, std::string why);
  bool may_have_more() const;
  bool is_flooded() const;
  void send_close_notify();
  static void on_info(const SSL* ssl, int where, int value);

  std::unique_ptr<Stream> carrier_;
  SslPtr ssl_;
  OnFailure on_failure_;
  std::string failure_;
  std::string preface_;    // what is left of it
  int error_ = 0;          // errno; set once broken
  int carrier_error_ = 0;  // errno of the last failed call
  bool is_established_ = false;
  bool carrier_ended_ = false;
  bool was_aborted_ = false;
  bool close_notify_sent_ = false;
  bool close_notify_waits_ = false;  // for room in the carrier
  bool read_wants_write_ = false, write_wants_read_ = false;
  unsigned control_steps_ = 0;
  std::uint64_t bytes_ = 0;  // payload, both ways
};

}  // namespace vipair::proxy
