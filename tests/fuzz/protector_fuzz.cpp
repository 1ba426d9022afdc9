// A protector's file: what parses prints to the same bytes again, and asks for no more than the machine has.
#include <algorithm>

#include "base/bytes.h"
#include "base/result.h"
#include "vault/protector_file.h"

using namespace strongroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(data, size);
  const std::int64_t version = vault::VersionOfFileName(base::AsText(bytes));
  CHECK(version >= 0);
  const auto file = vault::ProtectorFile::Decode(bytes);
  if (!file) return 0;
  CHECK(size <= vault::ProtectorFile::kMostBytes);
  CHECK(file->kek_version > 0 && vault::ProtectorNamed(vault::ProtectorName(file->kind())) == file->kind());
  if (const auto* lock = std::get_if<vault::PassphraseLock>(&file->lock)) {
    CHECK(lock->cost.passes <= vault::ProtectorFile::kMostCost.passes);
    CHECK(lock->cost.memory <= vault::ProtectorFile::kMostCost.memory);
  }
  if (file->kind() != vault::ProtectorKind::kPassphrase) {
    CHECK(file->wrapped.size() == vault::Kek::kBytes + vault::Cipher::kTagBytes && !file->WrapAad().empty());
  }
  const Bytes again = file->Encode();
  CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
  return 0;
}
