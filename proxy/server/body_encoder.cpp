#include "proxy/server/body_encoder.h"

#include <brotli/encode.h>
#include <zlib.h>

#include <array>
#include <utility>

#include "common/base/assert.h"

namespace vipair::proxy {

namespace {

constexpr std::size_t kPieceBytes = 16 * 1024;     // of output at a time
constexpr std::size_t kReadyKeptMax = 128 * 1024;  // of an encoder that waits for its next response

class GzipEncoder final : public BodyEncoder {
 public:
  GzipEncoder() : BodyEncoder(http::Coding::gzip) {}
  ~GzipEncoder() override {
    if (is_open_) (void)deflateEnd(&stream_);
  }

  bool encode(std::string_view input, Flush flush) override {
    constexpr int kFlush[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = static_cast<uInt>(input.size());
    std::array<char, kPieceBytes> piece;
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(piece.data());
      stream_.avail_out = static_cast<uInt>(piece.size());
      const int result = deflate(&stream_, kFlush[static_cast<std::size_t>(flush)]);
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return false;
      ready.append({piece.data(), piece.size() - stream_.avail_out});
    } while (stream_.avail_out == 0);
    return true;
  }

 private:
  bool start(int level) override {
    if (is_open_ && level == level_) return deflateReset(&stream_) == Z_OK;
    if (is_open_) (void)deflateEnd(&stream_);
    constexpr int kGzipWindow = 15 + 16;  // the largest window, and a gzip header instead of a zlib one
    constexpr int kMemoryLevel = 8;
    level_ = level;
    is_open_ = deflateInit2(&stream_, level, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK;
    return is_open_;
  }

  z_stream stream_{};
  bool is_open_ = false;
  int level_ = 0;
};

class BrotliEncoder final : public BodyEncoder {
 public:
  BrotliEncoder() : BodyEncoder(http::Coding::brotli) {}
  ~BrotliEncoder() override { BrotliEncoderDestroyInstance(state_); }

  bool encode(std::string_view input, Flush flush) override {
    constexpr BrotliEncoderOperation kOperation[] = {BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_FLUSH,
                                                     BROTLI_OPERATION_FINISH};
    // The library says what it has before it goes on: a flush along with input might not be carried out.
    if (flush != Flush::none && !input.empty()) {
      if (!encode(input, Flush::none)) return false;
      input = {};
    }
    const auto* next = reinterpret_cast<const std::uint8_t*>(input.data());
    std::size_t left = input.size(), room = 0;
    do {
      if (!BrotliEncoderCompressStream(state_, kOperation[static_cast<std::size_t>(flush)], &left, &next, &room,
                                       nullptr, nullptr)) {
        return false;
      }
      while (BrotliEncoderHasMoreOutput(state_)) {
        std::size_t size = 0;
        const auto* bytes = reinterpret_cast<const char*>(BrotliEncoderTakeOutput(state_, &size));
        ready.append({bytes, size});
      }
    } while (left > 0);
    return true;
  }

 private:
  bool start(int level) override {             // the library knows no reset
    constexpr std::uint32_t kWindowBits = 18;  // 256 KiB: what a page gains from, at a bounded price
    constexpr std::uint32_t kBlockBits = 16;   // 64 KiB: what is compressed in one go, while the others wait
    BrotliEncoderDestroyInstance(state_);
    state_ = BrotliEncoderCreateInstance(nullptr, nullptr, nullptr);
    return state_ != nullptr &&
           BrotliEncoderSetParameter(state_, BROTLI_PARAM_QUALITY, static_cast<std::uint32_t>(level)) &&
           BrotliEncoderSetParameter(state_, BROTLI_PARAM_LGWIN, kWindowBits) &&
           BrotliEncoderSetParameter(state_, BROTLI_PARAM_LGBLOCK, kBlockBits);
  }

  BrotliEncoderState* state_ = nullptr;
};

}  // namespace

EncoderPool::Encoder EncoderPool::take(http::Coding coding, int level) {
  VIPAIR_ASSERT(coding != http::Coding::identity, "identity needs no encoder");
  if (used_ >= kUsedMax) return {};
  std::unique_ptr<BodyEncoder> encoder;
  if (coding == http::Coding::brotli) {
    encoder = std::make_unique<BrotliEncoder>();
  } else if (free_.empty()) {
    encoder = std::make_unique<GzipEncoder>();
  } else {
    encoder = std::move(free_.back());
    free_.pop_back();
  }
  if (!encoder->start(level)) return {};
  ++used_;
  return Encoder(encoder.release(), GiveBack{this});
}

void EncoderPool::give_back(std::unique_ptr<BodyEncoder> encoder) {
  --used_;
  if (encoder->coding() != http::Coding::gzip || free_.size() == kKeptMax) return;
  encoder->ready.clear();
  if (encoder->ready.capacity() > kReadyKeptMax) encoder->ready.release();
  free_.push_back(std::move(encoder));
}

}  // namespace vipair::proxy
