// The notes that are found in lines of a log are found again where those lines are written anew.
#include <cstddef>
#include <cstdint>

#include "audit/log_line.h"
#include "base/bytes.h"
#include "base/log.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strongroom;
  const auto notes = audit::NotesIn(base::AsText({data, size}));
  if (!notes) return 0;
  CHECK(!notes->empty() && notes->size() <= audit::kMostNotes);
  std::string again;
  for (const std::string& note : *notes) {
    again += R"({"note":)";
    base::AppendJsonString(again, note);
    again += R"(,"event":"checkpoint"})" "\n";
  }
  const auto found = audit::NotesIn(again);
  CHECK(found && *found == *notes);
  return 0;
}
