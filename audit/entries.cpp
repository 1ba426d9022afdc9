#include "audit/entries.h"

namespace strongroom::audit {

Result<void> EachEntry(sql::Statement& rows, const TakeEntry& take) {
  while (true) {
    TRY_ASSIGN(const bool more, rows.Next());
    if (!more) return {};
    if (const auto entry = Parse(base::AsText(rows.Blob(0)))) take(*entry);
  }
}

}  // namespace strongroom::audit
