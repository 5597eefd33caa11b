#include "proxy/http/scan.h"

#include <array>

#include "common/base/assert.h"
#include "proxy/http/chars.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace vipair::http {
namespace {

constexpr std::uint8_t kNotToken = 1;
constexpr std::uint8_t kControl = 2;

constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    auto c = static_cast<char>(byte);
    classes[byte] = static_cast<std::uint8_t>((is_token_char(c) ? 0 : kNotToken) | (is_control(c) ? kControl : 0));
  }
  return classes;
}();

void classify_portable(const char* bytes, std::size_t blocks, BlockMasks* out) {
  for (std::size_t block = 0; block < blocks; ++block, bytes += kBlockBytes) {
    BlockMasks masks;
    for (std::size_t i = 0; i < kBlockBytes; ++i) {
      std::uint64_t classes = kClasses[static_cast<unsigned char>(bytes[i])];
      masks.not_token |= (classes & 1) << i;
      masks.control |= (classes >> 1) << i;
    }
    out[block] = masks;
  }
}

#if defined(__x86_64__)

// A byte is no tchar when low[its low nibble] and high[its high nibble] share a bit: one bit per row of the ASCII
// table, rows from 8 on (which hold no tchar) share the bit of row 0 (which holds none either).
struct alignas(16) NibbleTables {
  std::array<std::uint8_t, 16> low{};
  std::array<std::uint8_t, 16> high{};
};
constexpr NibbleTables kNotTokenNibbles = [] {
  NibbleTables tables;
  for (unsigned row = 0; row < 16; ++row) {
    tables.high[row] = static_cast<std::uint8_t>(row < 8 ? 1U << row : 1U);
    for (unsigned column = 0; row < 8 && column < 16; ++column) {
      if (!is_token_char(static_cast<char>(row << 4 | column)))
        tables.low[column] = static_cast<std::uint8_t>(tables.low[column] | 1U << row);
    }
  }
  return tables;
}();

[[gnu::target("ssse3")]] void classify_ssse3(const char* bytes, std::size_t blocks, BlockMasks* out) {
  const __m128i low = _mm_load_si128(reinterpret_cast<const __m128i*>(kNotTokenNibbles.low.data()));
  const __m128i high = _mm_load_si128(reinterpret_cast<const __m128i*>(kNotTokenNibbles.high.data()));
  const __m128i nibble = _mm_set1_epi8(0x0f);
  const __m128i last_control = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (std::size_t block = 0; block < blocks; ++block) {
    BlockMasks masks;
    for (unsigned part = 0; part < kBlockBytes; part += 16, bytes += 16) {
      const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
      const __m128i row = _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi16(v, 4), nibble));
      const __m128i column = _mm_shuffle_epi8(low, _mm_and_si128(v, nibble));
      const __m128i token = _mm_cmpeq_epi8(_mm_and_si128(row, column), _mm_setzero_si128());
      const __m128i below_space = _mm_cmpeq_epi8(_mm_min_epu8(v, last_control), v);
      const __m128i control =
          _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(v, tab), below_space), _mm_cmpeq_epi8(v, del));
      const auto not_token_bits = static_cast<std::uint16_t>(~_mm_movemask_epi8(token));
      const auto control_bits = static_cast<std::uint16_t>(_mm_movemask_epi8(control));
      masks.not_token |= static_cast<std::uint64_t>(not_token_bits) << part;
      masks.control |= static_cast<std::uint64_t>(control_bits) << part;
    }
    out[block] = masks;
  }
}

[[gnu::target("avx2")]] void classify_avx2(const char* bytes, std::size_t blocks, BlockMasks* out) {
  const __m256i low =
      _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(kNotTokenNibbles.low.data())));
  const __m256i high =
      _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(kNotTokenNibbles.high.data())));
  const __m256i nibble = _mm256_set1_epi8(0x0f);
  const __m256i last_control = _mm256_set1_epi8(0x1f);
  const __m256i tab = _mm256_set1_epi8('\t');
  const __m256i del = _mm256_set1_epi8(0x7f);
  for (std::size_t block = 0; block < blocks; ++block) {
    BlockMasks masks;
    for (unsigned part = 0; part < kBlockBytes; part += 32, bytes += 32) {
      const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
      const __m256i row = _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble));
      const __m256i column = _mm256_shuffle_epi8(low, _mm256_and_si256(v, nibble));
      const __m256i token = _mm256_cmpeq_epi8(_mm256_and_si256(row, column), _mm256_setzero_si256());
      const __m256i below_space = _mm256_cmpeq_epi8(_mm256_min_epu8(v, last_control), v);
      const __m256i control =
          _mm256_or_si256(_mm256_andnot_si256(_mm256_cmpeq_epi8(v, tab), below_space), _mm256_cmpeq_epi8(v, del));
      const auto not_token_bits = ~static_cast<std::uint32_t>(_mm256_movemask_epi8(token));
      const auto control_bits = static_cast<std::uint32_t>(_mm256_movemask_epi8(control));
      masks.not_token |= static_cast<std::uint64_t>(not_token_bits) << part;
      masks.control |= static_cast<std::uint64_t>(control_bits) << part;
    }
    out[block] = masks;
  }
}

#endif

}  // namespace

bool is_available(VectorUnit unit) {
  switch (unit) {
    case VectorUnit::portable:
      return true;
#if defined(__x86_64__)
    case VectorUnit::ssse3:
      return __builtin_cpu_supports("ssse3") != 0;
    case VectorUnit::avx2:
      return __builtin_cpu_supports("avx2") != 0;
#else
    case VectorUnit::ssse3:
    case VectorUnit::avx2:
      return false;
#endif
  }
  return false;
}

Classifier classifier(VectorUnit unit) {
  VIPAIR_ASSERT(is_available(unit), "the caller asked whether the CPU has it");
#if defined(__x86_64__)
  if (unit == VectorUnit::avx2) return classify_avx2;
  if (unit == VectorUnit::ssse3) return classify_ssse3;
#endif
  return classify_portable;
}

Classifier best_classifier() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return classify_avx2;
  if (__builtin_cpu_supports("ssse3")) return classify_ssse3;
#endif
  return classify_portable;
}

}  // namespace vipair::http
