// What a parser of labelled text must keep: what parses prints to a text that parses to the same, and that text prints to itself. The input
// comes with a last line that fits as well, for nothing would get past it otherwise.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "vault/labelled_text.h"

namespace strongroom {

template <typename T>
void CheckLabelledText(std::string_view text) {
  const auto parsed = T::Parse(text);
  if (!parsed) return;
  const std::string printed = parsed->Print();
  CHECK(printed.size() <= vault::LabelledReader::kMostBytes);
  const auto again = T::Parse(printed);
  CHECK(again && *again == *parsed && again->Print() == printed);
}

template <typename T>
void CheckLabelled(ByteView input) {
  CheckLabelledText<T>(base::AsText(input));
  CheckLabelledText<T>(vault::WithCheckLine(base::AsText(input)));
}

}  // namespace strongroom
