#include "tests/audit/published.h"

#include <openssl/evp.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "audit/anchor.h"
#include "audit/tree.h"
#include "base/config.h"

namespace strongroom::audit {
namespace {

// The key pair of RFC 8032 §7.1, test 1.
constexpr const char* kSeed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
constexpr const char* kPublic = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
constexpr const char* kOrigin = "strongroom/5f0c2a9e7d3b4816a0c9e2f1b7d45a60/audit";

Bytes Sign(std::string_view text) {
  const Bytes seed = *base::Unhex(kSeed);
  EVP_PKEY* key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size());
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  Bytes signature(kEd25519Bytes);
  std::size_t size = signature.size();
  REQUIRE(EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key) == 1);
  REQUIRE(EVP_DigestSign(context, signature.data(), &size, base::AsBytes(text).data(), text.size()) == 1);
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  return signature;
}

}  // namespace

std::string ReadWhole(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

Ran RunShell(const std::string& arguments, const std::string& before) {
  const std::string complaints = (std::filesystem::temp_directory_path() / ("auditlog-" + std::to_string(getpid()))).string();
  const std::string command = before + STRONGROOM_AUDITLOG " " + arguments + " 2>" + complaints;
  std::FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  Ran ran;
  std::array<char, 4096> buffer{};
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) ran.out.append(buffer.data(), count);
  ran.status = WEXITSTATUS(pclose(pipe));
  ran.complaints = ReadWhole(complaints);
  std::filesystem::remove(complaints);
  return ran;
}

Published::Published(int records) {
  std::ofstream(trail.directory() / "strongroom.toml") << base::DefaultConfigText("root");
  const Bytes public_key = *base::Unhex(kPublic);
  key = *VerifierKey::Of(kOrigin, SignatureType::kEd25519, public_key);
  REQUIRE(trail.Open()->Execute("INSERT INTO VAULT (VAULT_ID, EPOCH, CREATED_AT, TRAIL_PUBLIC_KEY) VALUES ('v', 1, 1, ?1)",
                                {ByteView(public_key)}));
  if (records == 0) return;
  trail.Fill(records);
  Anchor();
}

void Published::Anchor(bool with_signature) const {
  const std::string path = (trail.directory() / "anchor").string();
  std::filesystem::remove(path);
  REQUIRE(audit::Anchor::Create(path, {kOrigin, Head()}));
  const auto sign = [this, with_signature](std::string_view body) {
    return with_signature ? SignatureLine(key, Sign(body)) : std::string();
  };
  const auto anchor = audit::Anchor::Open(path, sign);
  REQUIRE(anchor);
  const auto database = trail.Open();
  const auto head = StoredTree(*database).StoredHead();
  REQUIRE((head && *head));
  REQUIRE((*anchor)->Keep(**head));
}

}  // namespace strongroom::audit
