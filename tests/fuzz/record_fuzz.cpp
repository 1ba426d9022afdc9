// Parse takes any bytes; what it takes, it must write back as the same bytes and read again.
#include <cstddef>
#include <cstdint>

#include "audit/prune.h"
#include "audit/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strongroom;
  const auto entry = audit::Parse(base::AsText({data, size}));
  if (!entry) return 0;
  const std::string again = audit::Serialize(entry->draft, entry->place);
  CHECK(again == base::AsText({data, size}));
  const auto second = audit::Parse(again);
  CHECK(second && second->bytes == entry->bytes);
  // What says that records were pruned says it in one way alone.
  if (const auto pruned = audit::PrunedBy(*entry)) {
    audit::Facts said;
    for (const char* name : {"days", "first", "kept", "root"}) said[name] = entry->draft.after->at(name);
    CHECK(audit::PruneFacts(*pruned) == said);
  }
  return 0;
}
