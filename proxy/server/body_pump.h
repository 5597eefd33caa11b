#pragma once
// One direction of an exchange after its head: takes bytes from a source, finds the end of the body, frames it anew
// and gives it to a sink, with one bounded buffer between them. What the sink does not take is not read from the
// source.
//
// Long bodies that need no framing go through a pipe when both streams can splice: nothing is copied to us.
//
// A body that leaves in another content coding goes through an encoder, whose output is what is framed then.
//
// Chunked bodies are always framed anew (RFC 9112 section 7.1): chunk extensions go, trailers stay, and what leaves
// can have no other reading than ours.

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "proxy/http/body.h"
#include "proxy/server/body_encoder.h"
#include "proxy/server/buffer_pool.h"
#include "proxy/server/output.h"

namespace vipair::proxy {

class BodyPump {
 public:
  enum class End : std::uint8_t {
    none,           // still running
    complete,       // every byte, framing included, was given to the sink
    bad_framing,    // framing_error()
    too_large,      // more payload than allowed
    source_closed,  // it closed before the body ended
    source_failed,  // error_number()
    sink_failed,    // error_number()
    encoder_failed,
  };

  // `output` may hold the head already, which then leaves together with the first of the body.
  explicit BodyPump(Output& output) : output_(output) {}

  // `buffer` holds what the source sent after its head; what follows the body stays in it.
  void start(InputBuffer& buffer, http::BodyFraming framing, bool chunked_out, std::uint64_t payload_max,
             TimePoint now);
  // After start(): the payload leaves encoded.
  void encode_with(EncoderPool::Encoder encoder) { encoder_ = std::move(encoder); }
  // Forgets what the sink did not take: what is left in the buffer then is what followed the body, never a part of
  // it.
  void drop_unsent();
  // Moves what can be moved now, at most one read and one write. True: something moved, or the end is new.
  bool pump(Stream& source, Stream& sink, TimePoint now);

  End end() const { return end_; }
  http::BodyError framing_error() const { return framing_error_; }
  int error_number() const { return error_number_; }
  std::uint64_t payload_bytes() const { return decoder_.payload_bytes(); }
  std::uint64_t payload_bytes_out() const { return is_encoded() ? encoded_bytes_ : payload_bytes(); }
  bool is_encoded() const { return encoder_ != nullptr; }
  std::uint64_t sent_bytes() const { return sent_bytes_; }  // to the sink, head and framing included
  bool waits_for_sink() const { return !output_.empty() || !pipe_.empty(); }
  // The last pump() moved much and did not look whether there is more: others first, then again.
  bool has_spliced() const { return has_spliced_; }
  // The last pump() was work for the processor: the same.
  bool has_encoded() const { return has_encoded_; }
  bool source_is_complete() const { return decoder_.is_complete(); }
  TimePoint last_read() const { return last_read_; }
  TimePoint last_write() const { return last_write_; }

 private:
  bool flush(Stream& sink, TimePoint now);
  bool read(Stream& source, TimePoint now);
  bool read_ended(const IoResult& result);
  bool frame();
  void add_chunk_line(std::size_t payload);
  void add_end();
  bool pump_encoded(Stream& source, Stream& sink, TimePoint now);
  bool encode();
  void leave_encoded();
  bool may_splice(const Stream& source, const Stream& sink) const;
  bool splice(Stream& source, Stream& sink, TimePoint now);
  void finish(End end) { end_ = end; }

  InputBuffer* buffer_ = nullptr;
  Output& output_;
  http::BodyDecoder decoder_{http::BodyFraming{}};
  bool chunked_out_ = false;
  bool is_until_close_ = false;
  bool is_bulk_ = false;      // without a length: the source gives more at once than a large buffer holds
  bool last_framed_ = false;  // the end of the body is in the output
  bool read_was_full_ = false;
  bool has_spliced_ = false;
  Pipe pipe_;                     // while bytes are in it
  EncoderPool::Encoder encoder_;  // nullptr: the payload leaves as it came
  bool has_encoded_ = false;
  bool holds_back_ = false;  // the encoder has been given what it has not told yet
  bool is_leaving_ = false;  // the output refers to what is encoded
  std::uint64_t encoded_bytes_ = 0;
  std::size_t framed_bytes_ = 0;  // of the buffer, referred to by the output
  std::uint64_t payload_max_ = 0;
  std::uint64_t expected_ = 0;  // content-length bodies
  std::uint64_t sent_bytes_ = 0;
  End end_ = End::none;
  http::BodyError framing_error_{};
  int error_number_ = 0;
  TimePoint last_read_{}, last_write_{};
  std::array<char, 20> chunk_size_;
};

}  // namespace vipair::proxy
