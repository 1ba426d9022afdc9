// A proof that is taken is written back as the same bytes, save its extra line, and can be held against any tree.
#include <cstddef>
#include <cstdint>

#include "audit/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strongroom;
  const std::string_view text = base::AsText({data, size});
  const auto proof = audit::RecordProof::Parse(text);
  if (!proof) return 0;
  const std::string printed = proof->Print();
  CHECK(printed.size() == text.size() || text.find("\nextra ") != std::string_view::npos);
  const auto again = audit::RecordProof::Parse(printed);
  CHECK(again && again->Print() == printed);
  audit::Head head;
  if (const auto checkpoint = audit::Checkpoint::Parse(proof->checkpoint.text)) head = checkpoint->head;
  static_cast<void>(audit::VerifyInclusion(proof->index, head, audit::HashLeaf("record"), proof->path));
  static_cast<void>(audit::VerifyConsistency({proof->index, audit::HashLeaf("old")}, head, proof->path));
  return 0;
}
