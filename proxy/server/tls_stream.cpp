#include "proxy/server/tls_stream.h"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/assert.h"

namespace vipair::proxy {

// How OpenSSL reaches the carrier.
struct TlsStreamBio {
  static TlsStream& stream(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* bytes, std::size_t size, std::size_t* got) {
    TlsStream& self = stream(bio);
    BIO_clear_retry_flags(bio);
    *got = 0;
    if (self.is_flooded()) {
      self.carrier_error_ = EPROTO;
      return 0;
    }
    if (!self.carrier_->can_read()) {
      BIO_set_retry_read(bio);
      return 0;
    }
    const IoResult result = self.carrier_->try_read({bytes, size});
    *got = result.bytes;
    if (result.status == IoResult::Status::would_block) BIO_set_retry_read(bio);
    if (result.status == IoResult::Status::eof) self.carrier_ended_ = true;
    if (result.status == IoResult::Status::error) self.carrier_error_ = result.error;
    return result.status == IoResult::Status::ok ? 1 : 0;
  }

  static int write(BIO* bio, const char* bytes, std::size_t size, std::size_t* sent) {
    TlsStream& self = stream(bio);
    BIO_clear_retry_flags(bio);
    *sent = 0;
    if (!self.carrier_->can_write()) {
      BIO_set_retry_write(bio);
      return 0;
    }
    std::array<iovec, 2> pieces;
    std::size_t count = 0;
    std::string& preface = self.preface_;
    if (!preface.empty()) pieces[count++] = {preface.data(), preface.size()};
    pieces[count++] = {const_cast<char*>(bytes), size};
    const IoResult result = self.carrier_->try_write({pieces.data(), count});
    const std::size_t of_preface = std::min(result.bytes, preface.size());
    if (of_preface > 0) preface.erase(0, of_preface);
    *sent = result.bytes - of_preface;
    const bool is_refused = result.status == IoResult::Status::error;
    if (is_refused) self.carrier_error_ = result.error;
    if (*sent == 0 && !is_refused) BIO_set_retry_write(bio);
    return *sent > 0 ? 1 : 0;
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) return stream(bio).carrier_ended_ ? 1 : 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* const table = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
      VIPAIR_ASSERT(made != nullptr, "there is memory for a table of functions");
      BIO_meth_set_read_ex(made, &read);
      BIO_meth_set_write_ex(made, &write);
      BIO_meth_set_ctrl(made, &control);
      return made;
    }();
    return table;
  }
};

void TlsStream::prepare(SSL_CTX* context) {
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // An end without close_notify is told apart by us; for OpenSSL it would be the end of writing as well.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_info_callback(context, &TlsStream::on_info);
}

TlsStream::TlsStream(std::unique_ptr<Stream> carrier, SslPtr ssl, OnFailure on_failure, std::string preface)
    : carrier_(std::move(carrier)),
      ssl_(std::move(ssl)),
      on_failure_(std::move(on_failure)),
      preface_(std::move(preface)) {
  BIO* bio = BIO_new(TlsStreamBio::method());
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_ex_data(ssl_.get(), 0, this);
  carry(*carrier_);
  if (!SSL_is_server(ssl_.get()) && carrier_->can_write()) (void)handshake();
}

TlsStream::~TlsStream() {
  if (is_established_ && !was_aborted_ && error_ == 0) send_close_notify();
  SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // else its session could not be resumed
  ERR_clear_error();
}

// Called by OpenSSL while it works. Once established, every message of the handshake is one too many in the end.
void TlsStream::on_info(const SSL* ssl, int where, int) {
  auto* self = static_cast<TlsStream*>(SSL_get_ex_data(ssl, 0));
  if (self == nullptr || !self->is_established_) return;
  if ((where & SSL_CB_LOOP) != 0 || where == SSL_CB_WRITE_ALERT) ++self->control_steps_;
}

bool TlsStream::is_flooded() const { return control_steps_ > kControlStepsMax + bytes_ / kBytesPerControlStep; }

TlsStream::Handshake TlsStream::handshake() {
  if (is_established_) return Handshake::done;
  if (error_ != 0) return Handshake::failed;
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    is_established_ = true;
    ERR_clear_error();
    no_longer(kReadable | kWritable);
    std::uint8_t flags = kWritable;
    if (may_have_more()) flags |= kReadable;
    if (carrier_->peer_closed()) flags |= kPeerClosed;
    became_ready(flags);
    return Handshake::done;
  }
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return Handshake::waiting;
    case SSL_ERROR_SSL: {
      const long verified = SSL_get_verify_result(ssl_.get());
      std::string why = openssl_error();
      if (verified != X509_V_OK) why += std::string(", ") + X509_verify_cert_error_string(verified);
      if (on_failure_) on_failure_(why);
      fail(verified != X509_V_OK ? EKEYREJECTED : EPROTO, std::move(why));
      return Handshake::failed;
    }
    default:
      fail(carrier_error_ != 0 ? carrier_error_ : ECONNRESET,
           carrier_error_ != 0 ? std::strerror(carrier_error_) : "the peer closed the connection");
      return Handshake::failed;
  }
}

void TlsStream::fail(int error, std::string why) {
  ERR_clear_error();
  error_ = error;
  failure_ = std::move(why);
  became_ready(kBroken | kReadable | kWritable);
}

bool TlsStream::may_have_more() const { return carrier_->can_read() || SSL_has_pending(ssl_.get()) == 1; }

void TlsStream::on_carrier_ready(std::uint8_t flags) {
  if (!is_established_) {
    if (SSL_is_server(ssl_.get())) return became_ready(flags);
    if ((flags & kBroken) != 0) {
      const int error = carrier_->connect_result();
      return fail(error != 0 ? error : ECONNRESET, "the connection failed");
    }
    // To be writable is to be connected: until the handshake is over, nobody is told.
    if (carrier_->can_write()) (void)handshake();
    return;
  }
  if ((flags & kWritable) != 0 && read_wants_write_) flags |= kReadable;
  if ((flags & kReadable) != 0 && write_wants_read_) flags |= kWritable;
  if ((flags & kWritable) != 0 && close_notify_waits_) shutdown_write();
  became_ready(flags);
}

IoResult TlsStream::try_read(std::span<char> buffer) {
  if (error_ != 0) return {IoResult::Status::error, 0, error_};
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    std::size_t got = 0;
    if (SSL_read_ex(ssl_.get(), buffer.data() + filled, buffer.size() - filled, &got) != 1) {
      if (filled > 0 && SSL_get_error(ssl_.get(), 0) != SSL_ERROR_WANT_READ) {
        ERR_clear_error();
        break;  // the next call finds it again
      }
      const IoResult result = on_no_bytes(true);
      if (filled == 0) return result;
      break;
    }
    filled += got;
    bytes_ += got;
    if (!may_have_more()) {
      no_longer(kReadable);
      break;
    }
  }
  return {IoResult::Status::ok, filled, 0};
}

IoResult TlsStream::on_no_bytes(bool is_read) {
  switch (SSL_get_error(ssl_.get(), 0)) {
    case SSL_ERROR_WANT_READ:
      if (is_read) {
        no_longer(kReadable);
      } else {
        no_longer(kWritable);
        write_wants_read_ = true;
      }
      return {IoResult::Status::would_block, 0, 0};
    case SSL_ERROR_WANT_WRITE:
      if (is_read) {
        no_longer(kReadable);
        read_wants_write_ = true;
      } else {
        no_longer(kWritable);
      }
      return {IoResult::Status::would_block, 0, 0};
    case SSL_ERROR_ZERO_RETURN:
      if (carrier_ended_) return {IoResult::Status::error, 0, ECONNRESET};  // no close_notify: a truncation
      if (!peer_closed()) became_ready(kPeerClosed);
      return {IoResult::Status::eof, 0, 0};
    case SSL_ERROR_SSL:
      fail(EPROTO, openssl_error());
      break;
    default:
      fail(carrier_error_ != 0 ? carrier_error_ : ECONNRESET,
           is_flooded() ? "too many messages of the handshake" : "the connection failed");
      break;
  }
  return {IoResult::Status::error, 0, error_};
}

IoResult TlsStream::try_write(std::span<const iovec> pieces) {
  if (error_ != 0) return {IoResult::Status::error, 0, error_};
  std::array<char, kRecordMax> record;
  std::size_t written = 0;
  std::size_t offset = 0;  // in pieces.front()
  while (!pieces.empty()) {
    const char* bytes = static_cast<const char*>(pieces.front().iov_base) + offset;
    std::size_t size = pieces.front().iov_len - offset;
    if (size < kRecordMax && pieces.size() > 1) {
      // One record, one send: a head leaves together with what there is of its body.
      std::size_t gathered = 0;
      for (std::size_t i = 0; i < pieces.size() && gathered < kRecordMax; ++i) {
        const std::size_t skipped = i == 0 ? offset : 0;
        const std::size_t part = std::min(pieces[i].iov_len - skipped, kRecordMax - gathered);
        std::memcpy(record.data() + gathered, static_cast<const char*>(pieces[i].iov_base) + skipped, part);
        gathered += part;
      }
      bytes = record.data();
      size = gathered;
    }
    std::size_t sent = 0;
    if (size > 0 && SSL_write_ex(ssl_.get(), bytes, size, &sent) != 1) {
      const IoResult result = on_no_bytes(false);
      if (written == 0) return result;
      break;  // an error is found again by the next call
    }
    written += sent;
    bytes_ += sent;
    for (offset += sent; !pieces.empty() && offset >= pieces.front().iov_len; pieces = pieces.subspan(1)) {
      offset -= pieces.front().iov_len;
    }
  }
  return {IoResult::Status::ok, written, 0};
}

void TlsStream::send_close_notify() {
  if (close_notify_sent_) return;
  const int result = SSL_shutdown(ssl_.get());
  close_notify_waits_ = result < 0 && SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_WRITE;
  close_notify_sent_ = !close_notify_waits_;
  ERR_clear_error();
}

void TlsStream::shutdown_write() {
  if (is_established_ && error_ == 0) send_close_notify();
  if (!close_notify_waits_) carrier_->shutdown_write();
}

void TlsStream::abort_on_close() {
  was_aborted_ = true;
  carrier_->abort_on_close();
}

int TlsStream::connect_result() { return error_; }

}  // namespace vipair::proxy
