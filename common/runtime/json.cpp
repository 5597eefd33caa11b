// Boost.JSON is used without its library: this is the one translation unit that holds its code. Everybody else
// includes <boost/json.hpp> and links common_runtime.
#include <boost/json/src.hpp>
