// A backup's manifest: what parses prints to the same bytes again.
#include "base/bytes.h"
#include "base/result.h"
#include "vault/manifest.h"

using namespace strongroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = base::AsText(ByteView(data, size));
  const auto manifest = vault::ParseManifest(text);
  if (!manifest) return 0;
  CHECK(manifest->epoch >= 0 && manifest->record >= 0);
  for (const vault::ManifestFile& file : manifest->files) CHECK(file.name.find('/') == std::string::npos);
  CHECK(vault::PrintManifest(*manifest) == text);
  return 0;
}
