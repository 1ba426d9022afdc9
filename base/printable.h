// Stored text, made safe to show to a person.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace strongroom::base {

// Printable replaces control characters, direction marks, invisible characters and bytes that are no UTF-8 by '?', so that
// what is stored cannot steer the terminal of whoever looks at it, or hide from them.
std::string Printable(std::string_view text);

// WidthOf counts the characters of text that is UTF-8.
std::size_t WidthOf(std::string_view text);

}  // namespace strongroom::base
