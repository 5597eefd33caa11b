#pragma once
// One HTTP/2 connection (RFC 9113): frames in and out, flow control, the table of its streams, and what a peer may
// not do. The same for a client's connection and an upstream's; h2_session.h and h2_upstream.h say what a new
// stream is and when the connection ends.
//
// All frames of a turn leave in one write. Everything is bounded: what the peer may have us hold (windows), what it
// may have us send (while our output is not taken, nothing is read), what it may have us do (FloodGuard), and a
// stream counts until whoever works for it has stopped.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "proxy/http/h2_fields.h"
#include "proxy/http/h2_flood.h"
#include "proxy/http/h2_frame.h"
#include "proxy/http/h2_head.h"
#include "proxy/server/h2_hpack.h"
#include "proxy/server/h2_output.h"
#include "proxy/server/h2_stream.h"
#include "proxy/server/worker_context.h"

namespace vipair::proxy {

class H2Connection {
 public:
  enum class Role : std::uint8_t { server, client };  // we to the peer

  static constexpr std::uint32_t kReceiveWindow = 1024 * 1024;  // of the connection: unread bodies of all streams
  static constexpr std::size_t kOutputMax = 256 * 1024;         // then streams wait; nothing is read either
  static constexpr int kContinuationsMax = 16;                  // CONTINUATION frames of one header block
  static constexpr std::size_t kBlockFactor = 4;                // decoded bytes of one block, in head limits
  static constexpr std::size_t kSettingsMax = 32;               // entries of one SETTINGS frame
  static constexpr std::size_t kClosedKept = 128;               // streams we remember how they ended

  virtual ~H2Connection();
  H2Connection(const H2Connection&) = delete;
  H2Connection& operator=(const H2Connection&) = delete;

  WorkerContext& worker() { return worker_; }
  TimePoint now() const { return worker_.scheduler.now(); }
  Role role() const { return role_; }

  // ---- for its streams -----------------------------------------------------------------------
  virtual bool may_send_head(H2Stream& stream);            // opens it, on an upstream's connection
  void send_head(std::uint32_t stream, bool ends_stream);  // of `lines`
  std::size_t data_room() const;                           // payload that may be sent now, of all streams
  char* send_data(H2Stream& stream, std::string_view payload, bool ends_stream);  // the frame, until the next one
  void wait_for_room(H2Stream& stream) { blocked_.push_back(stream); }
  void on_read(H2Stream& stream, std::size_t payload);  // by the session
  void on_end_sent(H2Stream& stream);
  void reset(H2Stream& stream, http::h2::ErrorCode code);
  void attach(H2Stream& stream) { attached_.push_back(&stream); }
  void on_gone(H2Stream& stream);  // destroyed
  http::h2::FieldLines& lines() { return worker_.h2_lines; }
  virtual std::string_view scheme() const { return "http"; }

 protected:
  H2Connection(WorkerContext& worker, std::unique_ptr<Stream> transport, Role role, const http::HeadLimits& limits);

  // ---- what the two kinds do ---------------------------------------------------------------
  // A stream for a new request, or nullptr: refused.
  virtual H2Stream* accept_stream() = 0;
  // `stream` is over in both directions and whoever uses it wants to go on.
  virtual void on_free(H2Stream& stream) = 0;
  virtual void on_goaway(std::uint32_t last_stream) = 0;
  virtual void on_settings_applied() {}

  void start(const http::h2::SettingValue* settings, std::size_t count);  // the first frames
  bool step();   // reads once, acts, writes once; false: nothing moved
  bool flush();  // one write
  bool is_writing() const { return !output_.empty(); }
  bool is_over() const { return is_over_; }  // nothing can be read or written any more
  bool has_failed() const { return has_failed_; }
  bool input_ended() const { return input_ended_; }
  bool is_in_block() const { return block_stream_ != 0; }
  std::size_t open_streams() const { return open_.size(); }
  H2Stream* find(std::uint32_t id);
  void take_already_read(std::string_view bytes);
  void process_all();  // what has been read
  void send_goaway(std::uint32_t last_stream, http::h2::ErrorCode code);
  void fail(http::h2::ErrorCode code);  // the connection: GOAWAY, then its end
  void wake() { waiter_.wake(); }
  void detach_all(int error);
  std::size_t attached() const { return attached_.size(); }  // streams in use, open or not
  template <class Visit>
  void for_each_attached(Visit visit) {
    for (H2Stream* stream : attached_) visit(*stream);
  }
  void open_own(H2Stream& stream, std::uint32_t id);  // an upstream's connection
  void resume_blocked();
  void close_stream(H2Stream& stream);  // forgets it

  WorkerContext& worker_;
  std::unique_ptr<Stream> transport_;
  Waiter waiter_;
  H2Output output_;
  std::size_t preface_seen_ = 0;  // bytes of the client's preface
  std::size_t busy_ = 0;          // streams for which somebody works
  std::uint32_t highest_ = 0;     // of the streams the peer opened (server) or we did (client)
  std::uint32_t streams_max_ = 100;
  std::uint32_t accept_until_ = http::h2::kStreamIdMost;  // what our last GOAWAY named
  std::optional<TimePoint> stalled_since_;                // the peer takes nothing of what waits
  TimePoint block_since_{};                               // of a header block that is not whole
  bool saw_settings_ = false;
  bool is_over_ = false;
  bool has_response_ = false;  // of an upstream

 private:
  struct Open {
    std::uint32_t id;
    H2Stream* stream;
  };
  enum class Ended : std::uint8_t { never, regularly, by_us, by_peer };
  struct Closed {
    std::uint32_t id = 0;
    Ended how = Ended::never;
  };

  bool read();
  bool process();  // what is in in_
  bool read_preface();
  void begin_frame(const http::h2::FrameHeader& header);
  void on_frame(const http::h2::FrameHeader& header, std::string_view payload);
  void begin_data(const http::h2::FrameHeader& header);
  void on_data(std::string_view payload);
  void end_data();
  void on_headers(const http::h2::FrameHeader& header, std::string_view payload);
  void on_continuation(const http::h2::FrameHeader& header, std::string_view payload);
  void on_block(std::string_view block, bool is_last);
  void end_block();
  void on_new_request(std::uint32_t id);
  void answer_too_large(std::uint32_t id);
  void on_rst_stream(const http::h2::FrameHeader& header, std::string_view payload);
  void on_settings(const http::h2::FrameHeader& header, std::string_view payload);
  bool apply(http::h2::Setting setting, std::uint32_t value);
  void on_window_update(const http::h2::FrameHeader& header, std::string_view payload);
  void stream_error(std::uint32_t id, http::h2::ErrorCode code);
  std::string_view websocket_key(RequestId& id);
  bool is_idle_id(std::uint32_t id) const;  // never used so far
  Ended how_ended(std::uint32_t id) const;
  bool spend(http::h2::Flood kind);  // false: the connection has failed
  void reset_id(std::uint32_t id, http::h2::ErrorCode code);
  void credit_connection(std::size_t bytes);

  const Role role_;
  const http::HeadLimits head_limits_;
  InputBuffer in_;
  HpackDecoder decoder_;
  HpackEncoder encoder_;
  http::h2::FloodGuard guard_;
  std::vector<Open> open_;           // by id
  std::vector<H2Stream*> attached_;  // all that know this connection, unused ones too
  IntrusiveList<H2Stream> blocked_;
  std::array<Closed, kClosedKept> closed_;

  std::int64_t send_window_ = http::h2::kInitialWindow;
  std::int64_t initial_send_window_ = http::h2::kInitialWindow;
  std::int64_t receive_window_ = kReceiveWindow;
  std::uint32_t credit_ = 0;
  std::uint32_t encoder_table_ = HpackEncoder::kTableBytes;

  // the header block that is being read
  http::h2::H2HeadText head_;
  http::Buffer head_text_;
  std::uint32_t block_stream_ = 0;
  bool block_ends_stream_ = false;
  bool block_counts_ = false;  // it is a message of a stream that lives; else only HPACK has to see it
  bool block_is_new_ = false;
  int continuations_ = 0;

  // the DATA frame that is being read
  bool in_data_ = false;
  bool data_ends_stream_ = false;
  std::uint32_t data_stream_ = 0, data_left_ = 0, padding_left_ = 0;

  bool read_was_full_ = false;
  bool has_failed_ = false;
  bool input_ended_ = false;
};

}  // namespace vipair::proxy
