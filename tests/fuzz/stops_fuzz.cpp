// A line of the file of stops: what parses prints to the same bytes again, and stands for a row that vaultd could write.
#include "base/bytes.h"
#include "base/result.h"
#include "vault/stop_line.h"

using namespace strongroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = base::AsText(ByteView(data, size));
  const auto line = vault::ParseStopLine(text);
  if (!line) return 0;
  CHECK(line->epoch > 0);
  CHECK(!line->stop || vault::IsRecordable(*line->stop));
  CHECK(vault::PrintStopLine(*line) == text);
  CHECK(vault::ParseStopLine(vault::PrintStopLine(*line)) == line);
  return 0;
}
