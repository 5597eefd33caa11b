#pragma once
// A key for the two nodes of a pair: 256 bits of the kernel's random source as 64 hexadecimal digits, a line of a
// key file.

#include <string>

namespace vipair::ctl {

std::string make_key();  // without the line's end; throws std::system_error when the kernel has no random bytes

}  // namespace vipair::ctl
