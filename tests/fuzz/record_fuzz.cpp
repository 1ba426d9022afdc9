// Parse takes any bytes; what it takes, it must write back as the same bytes and read again.
#include <cstddef>
#include <cstdint>

#include "audit/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strongroom;
  const auto entry = audit::Parse(base::AsText({data, size}));
  if (!entry) return 0;
  const std::string again = audit::Serialize(entry->draft, entry->place);
  CHECK(again == base::AsText({data, size}));
  const auto second = audit::Parse(again);
  CHECK(second && second->bytes == entry->bytes);
  return 0;
}
