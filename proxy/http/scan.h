#pragma once
// The vector half of the head parser: classifies bytes 64 at a time into bit masks; the parser then walks over set
// bits and never over bytes. One kernel per instruction set, all with the same result; the best one the CPU has is
// taken at run time.

#include <cstddef>
#include <cstdint>

namespace vipair::http {

inline constexpr std::size_t kBlockBytes = 64;

struct BlockMasks {             // bit i tells of byte i of the block
  std::uint64_t not_token = 0;  // not a tchar (RFC 9110 section 5.6.2)
  std::uint64_t control = 0;    // a control character other than HTAB, or DEL
};

enum class VectorUnit : std::uint8_t { portable, ssse3, avx2 };
bool is_available(VectorUnit unit);

// Reads exactly `blocks` * 64 bytes.
using Classifier = void (*)(const char* bytes, std::size_t blocks, BlockMasks* out);
Classifier classifier(VectorUnit unit);  // of a unit that is available
Classifier best_classifier();

}  // namespace vipair::http
