#pragma once
// The content coding of a response on its way (response_coding.h decides whether): gzip by zlib, br by brotli. An
// encoder holds a window and tables of a quarter of a megabyte and more, so a worker keeps a few of them to use
// again, and gives out a limited number.

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "proxy/http/buffer.h"
#include "proxy/http/compression.h"

namespace vipair::proxy {

class BodyEncoder {
 public:
  virtual ~BodyEncoder() = default;
  BodyEncoder(const BodyEncoder&) = delete;
  BodyEncoder& operator=(const BodyEncoder&) = delete;

  enum class Flush : std::uint8_t {
    none,  // more is coming at once
    sync,  // the source is silent: the client shall be able to read all that was said
    end,
  };
  // Appends to `ready`. False: out of memory; the response cannot be completed.
  [[nodiscard]] virtual bool encode(std::string_view input, Flush flush) = 0;
  http::Coding coding() const { return coding_; }

  http::Buffer ready;  // what is encoded, until its reader clears it

 protected:
  explicit BodyEncoder(http::Coding coding) : coding_(coding) {}

 private:
  friend class EncoderPool;
  virtual bool start(int level) = 0;  // a new stream
  const http::Coding coding_;
};

// One thread; outlives what it gives out.
class EncoderPool {
 public:
  static constexpr std::size_t kKeptMax = 16;
  static constexpr std::size_t kUsedMax = 512;  // at once; whoever comes then gets his response as it is

  struct GiveBack {
    EncoderPool* pool = nullptr;
    void operator()(BodyEncoder* encoder) const { pool->give_back(std::unique_ptr<BodyEncoder>(encoder)); }
  };
  using Encoder = std::unique_ptr<BodyEncoder, GiveBack>;  // goes back by itself

  EncoderPool() { free_.reserve(kKeptMax); }
  Encoder take(http::Coding coding, int level);  // nullptr: none left, or no memory
  std::size_t used() const { return used_; }

 private:
  void give_back(std::unique_ptr<BodyEncoder> encoder);

  // gzip's: one of brotli that is not in use would hold its memory for nothing.
  std::vector<std::unique_ptr<BodyEncoder>> free_;
  std::size_t used_ = 0;
};

}  // namespace vipair::proxy
