// A checkpoint that is taken begins with what it says of itself.
#include <cstddef>
#include <cstdint>

#include "audit/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strongroom;
  const std::string_view text = base::AsText({data, size});
  const auto checkpoint = audit::Checkpoint::Parse(text);
  if (!checkpoint) return 0;
  CHECK(text.starts_with(checkpoint->Body()) && checkpoint->head.size >= 0 && !checkpoint->origin.empty());
  const auto again = audit::Checkpoint::Parse(checkpoint->Body());
  CHECK(again && *again == *checkpoint);
  return 0;
}
