#include "vault/node_key.h"

#include <algorithm>
#include <array>

#include "vault/cipher.h"
#include "vault/digest.h"
#include "vault/kek_file.h"
#include "vault/sealed_box.h"
#include "vault/share_code.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kFingerprintDomain = "strongroom/node-phrase/v1";
constexpr std::string_view kSecretInfo = "strongroom/node/phrase-secret/v1";
using Half = std::span<const std::uint8_t, kLineBytes>;

Bytes FingerprintOf(std::string_view vault_id, std::string_view node_id, ByteView public_key, ByteView secret) {
  base::ByteWriter writer;
  writer.Field(kFingerprintDomain).Field(vault_id).Field(node_id).Field(public_key).Field(secret);
  Bytes digest = Sha256(writer.bytes());
  digest.resize(kLineBytes);
  return digest;
}

Bytes GatherHalf(std::span<const std::uint8_t, kLineData> symbols) {
  std::array<std::uint8_t, kLineSymbols> line{};
  std::ranges::copy(symbols, line.begin());
  Bytes bytes(kLineBytes);
  GatherLine(line, std::span<std::uint8_t, kLineBytes>(bytes));
  return bytes;
}

}  // namespace

CheckPhrase CheckPhrase::Make(std::string_view vault_id, std::string_view node_id, ByteView public_key, Bytes secret) {
  Bytes fingerprint = FingerprintOf(vault_id, node_id, public_key, secret);
  return {std::move(secret), std::move(fingerprint)};
}

std::string CheckPhrase::Print() const { return PrintSetId(Half(secret)) + "-" + PrintSetId(Half(fingerprint)); }

std::optional<CheckPhrase> CheckPhrase::Parse(std::string_view text) {
  std::array<std::uint8_t, 2 * kLineData> symbols{};
  std::size_t count = 0;
  for (const char c : text) {
    if (c == '-' || c == ' ') continue;
    const auto symbol = SymbolOf(static_cast<std::uint8_t>(c));
    if (!symbol || count == symbols.size()) return std::nullopt;
    symbols[count++] = *symbol;
  }
  if (count != symbols.size()) return std::nullopt;
  const std::span<const std::uint8_t, 2 * kLineData> all(symbols);
  return CheckPhrase{GatherHalf(all.first<kLineData>()), GatherHalf(all.last<kLineData>())};
}

bool CheckPhrase::IsOf(std::string_view vault_id, std::string_view node_id, ByteView public_key) const {
  return Cipher::Equal(FingerprintOf(vault_id, node_id, public_key, secret), fingerprint);
}

Result<NodeKey> NodeKey::Open(const std::string& home) {
  const std::string path = home + "/node.key";
  auto read = KekFile::ReadSecret(path);
  if (!read && read.error().code() == Code::kNotFound) {
    TRY_ASSIGN(const SealedBox::KeyPair pair, SealedBox::Generate());
    TRY(KekFile::WriteSecret(path, pair.private_key.View()));
    read = KekFile::ReadSecret(path);
  }
  if (!read) return std::unexpected(read.error());
  TRY_ASSIGN(Bytes public_key, SealedBox::PublicOf(read->View()));
  TRY_ASSIGN(Bytes phrase_secret, Cipher::DerivePublic(read->View(), kSecretInfo, kLineBytes));
  return NodeKey(std::move(*read), std::move(public_key), std::move(phrase_secret));
}

CheckPhrase NodeKey::Phrase(std::string_view vault_id, std::string_view node_id) const {
  return CheckPhrase::Make(vault_id, node_id, public_key_, phrase_secret_);
}

}  // namespace strongroom::vault
