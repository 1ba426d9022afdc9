// A sealed key's file: what parses prints to a text that parses to the same, and a text that was printed prints to itself. The input
// comes with a last line that fits as well, for nothing would get past it otherwise.
#include "base/bytes.h"
#include "base/result.h"
#include "vault/key_blob.h"
#include "vault/labelled_text.h"

using namespace strongroom;

namespace {

void Check(std::string_view text) {
  const auto blob = vault::KeyBlob::Parse(text);
  if (!blob) return;
  const std::string printed = blob->Print();
  CHECK(printed.size() <= vault::LabelledReader::kMostBytes);
  const auto again = vault::KeyBlob::Parse(printed);
  CHECK(again && *again == *blob && again->Print() == printed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = base::AsText(ByteView(data, size));
  Check(text);
  Check(vault::WithCheckLine(text));
  return 0;
}
