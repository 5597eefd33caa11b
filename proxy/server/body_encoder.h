#pragma once
// The content coding of a response on its way (proxy/http/compression.h decides whether): gzip by zlib, br by
// brotli. An encoder holds a window and tables of a quarter of a megabyte and more, so a worker keeps a few of them
// to use again, and gives out a limited number.

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "proxy/http/buffer.h"
#include "proxy/http/compression.h"

namespace vipair::proxy {

inline constexpr int kGzipLevelMax = 9;
inline constexpr int kBrotliLevelMax = 11;

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
  // Appends to `out` what is ready. False: out of memory; the response cannot be completed.
  [[nodiscard]] virtual bool encode(std::string_view input, Flush flush, http::Buffer& out) = 0;
  http::Coding coding() const { return coding_; }

 protected:
  explicit BodyEncoder(http::Coding coding) : coding_(coding) {}

 private:
  friend class EncoderPool;
  virtual bool start(int level) = 0;  // a new stream
  const http::Coding coding_;
};

class EncoderPool {
 public:
  static constexpr std::size_t kKeptMax = 16;   // of each coding
  static constexpr std::size_t kUsedMax = 512;  // at once; whoever comes then gets his response as it is

  std::unique_ptr<BodyEncoder> take(http::Coding coding, int level);  // nullptr: none left, or no memory
  void give_back(std::unique_ptr<BodyEncoder> encoder);
  std::size_t used() const { return used_; }

 private:
  std::array<std::vector<std::unique_ptr<BodyEncoder>>, 3> free_;  // by coding
  std::size_t used_ = 0;
};

}  // namespace vipair::proxy
