#pragma once
// One HTTP/2 stream as a Stream that speaks HTTP/1.1 text, so that whoever talks to it need not know of HTTP/2. On
// a client's connection it reads as requests and takes responses; on an upstream's it takes a request and reads as
// its response. Bodies without a length are chunked on this side, with their trailers.
//
// On a client's connection one object serves one stream after the other, as a kept-alive connection would; on an
// upstream's it is used once. Owned by the session that reads and writes it; the connection knows it while it is
// open and tells it when it goes first.
//
// Flow control is back-pressure: the peer may send again what the session has read (RFC 9113 section 5.2), and
// nothing is taken from the session that the peer's windows do not allow.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/http/body.h"
#include "proxy/http/buffer.h"
#include "proxy/http/h2_frame.h"
#include "proxy/http/h2_head.h"
#include "proxy/server/buffer_pool.h"
#include "proxy/server/intrusive_list.h"
#include "proxy/server/stream.h"

namespace vipair::proxy {

class H2Connection;

class H2Stream final : public Stream, public ListHook {
 public:
  static constexpr std::uint32_t kReceiveWindow = http::h2::kInitialWindow;  // a block of the pool holds it

  explicit H2Stream(H2Connection& connection);
  ~H2Stream() override;

  // ---- for the session ---------------------------------------------------------------------
  IoResult try_read(std::span<char> buffer) override;
  IoResult try_write(std::span<const iovec> pieces) override;
  void shutdown_write() override;
  void abort_on_close() override {}  // what is not complete when this goes is reset anyway
  int connect_result() override { return is_open() ? 0 : error_; }

  // ---- for the connection ------------------------------------------------------------------
  std::uint32_t id() const { return id_; }  // 0: none, on an upstream's connection until the request's head is sent
  bool is_open() const { return connection_ != nullptr && !is_reset_; }
  bool end_received() const { return end_received_; }
  bool end_sent() const { return end_sent_; }
  bool has_final_head() const { return has_final_head_; }  // of a response
  bool is_in_use() const { return waiter() != nullptr; }   // somebody still listens

  void begin(std::uint32_t id, std::int64_t send_window);
  // `text` is swapped with a used buffer.
  void receive_head(http::Buffer& text, const http::h2::H2HeadText& head, bool ends_stream);
  [[nodiscard]] std::optional<http::h2::ErrorCode> receive_data(std::string_view payload, bool ends_stream);
  [[nodiscard]] std::optional<http::h2::ErrorCode> receive_trailers(std::string_view lines);
  // The stream is over for the peer. ECONNREFUSED: the request was not acted on (RFC 9113 section 8.7).
  void receive_reset(int error);
  void detach(int error);           // the connection goes first
  void may_use_connection();        // an upstream's: it is established
  bool widen(std::int64_t amount);  // the peer's window for us; false: beyond the most there can be
  void resume();                    // there is room again
  bool takes(std::size_t bytes) { return (receive_window_ -= static_cast<std::int64_t>(bytes)) >= 0; }
  void regain(std::uint32_t bytes) { receive_window_ += bytes; }
  bool wants_window() const { return send_window_ <= 0; }
  http::Method request_method() const { return request_method_; }
  bool is_tunnel() const { return is_tunnel_; }

 private:
  friend class H2Connection;

  // inbound
  bool has_unread() const;
  bool may_read_body() const;
  bool next_piece();  // makes the next pending piece of text; false: nothing more at the moment
  std::size_t take(std::span<char> room);

  // outbound
  std::size_t write(std::string_view bytes);
  std::size_t write_head(std::string_view bytes);
  std::size_t write_body(std::string_view bytes);
  std::size_t write_raw(std::string_view bytes);
  void end_output();

  H2Connection* connection_;
  std::uint32_t id_ = 0;
  int error_ = 0;  // once reset or detached
  bool is_reset_ = false;
  bool is_tunnel_ = false;
  http::Method request_method_ = http::Method::get;

  // inbound: a head, then pieces: chunk lines and trailers that we write, runs of payload
  http::Buffer head_in_;
  std::size_t head_read_ = 0;
  InputBuffer body_in_;
  std::string_view piece_;
  std::size_t run_left_ = 0;  // of payload in the chunk whose line was given away
  http::Buffer trailers_in_;
  std::array<char, 20> chunk_line_;
  std::optional<std::uint64_t> length_in_;
  std::uint64_t received_ = 0;
  std::int64_t receive_window_ = 0;
  std::uint32_t credit_ = 0;  // read by the session, not yet told to the peer
  bool is_chunked_in_ = false;
  bool closes_chunk_ = false;
  bool has_no_content_ = false, has_final_head_ = false;  // of a response
  bool end_received_ = false;
  bool last_chunk_given_ = false;

  // outbound
  enum class Out : std::uint8_t { head, body, raw, ended };
  Out out_ = Out::head;
  http::Buffer head_out_;  // of a head that comes in pieces
  http::BodyDecoder body_out_{http::BodyFraming{}};
  std::int64_t send_window_ = 0;
  bool end_sent_ = false;
  bool persists_ = true;       // the session wants another request after this one
  char* last_data_ = nullptr;  // the frame header of the DATA written last, while it cannot have moved
};

}  // namespace vipair::proxy
