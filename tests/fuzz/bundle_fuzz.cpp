// The records of an entry bundle (c2sp.org/tlog-tiles), put back behind their lengths, are its bytes; where its lengths fit, no byte is lost.
#include <cstddef>
#include <cstdint>

#include "audit/bundle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strongroom;
  const std::string_view text = base::AsText({data, size});
  if (const auto pruned = audit::ReadPruned(text)) CHECK(pruned->kept.size() <= pruned->pruned.kept.size());
  const auto rows = audit::SplitEntries(text, 256, 256);
  CHECK(rows.size() <= 256);
  std::string again;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Bytes& record = rows[i].record;
    CHECK(rows[i].seq == 256 + static_cast<std::int64_t>(i));
    again += static_cast<char>(record.size() >> 8);
    again += static_cast<char>(record.size() & 0xff);
    again += base::AsText(record);
    bytes += record.size();
  }
  // What does not fit stays in the last record, its length too.
  CHECK(again == text || bytes + 2 * rows.size() >= size || size == 0);
  return 0;
}
