#include "vault/node_id.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/files.h"
#include "vault/cipher.h"

namespace strongroom::vault {
namespace {

constexpr std::size_t kBytes = 8;

}  // namespace

Result<std::string> MakeNodeId(const std::string& home) {
  Bytes random = Cipher::RandomNonce();
  random.resize(kBytes);
  std::string id = base::Hex(random);
  TRY(base::WriteFileAtomic(home + "/node", id + '\n', 0600));
  return id;
}

Result<std::string> ReadNodeId(const std::string& home) {
  const std::string path = home + "/node";
  TRY(base::OpenPrivate(path));
  TRY_ASSIGN(std::string text, base::ReadFile(path, 64));
  const bool whole = text.size() == kBytes * 2 + 1 && text.ends_with('\n');
  text.resize(std::min(text.size(), kBytes * 2));
  const bool hex = std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!whole || !hex) return Fail(Code::kCorrupt, "it holds no node id");
  return text;
}

}  // namespace strongroom::vault
