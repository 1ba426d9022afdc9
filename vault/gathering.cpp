#include "vault/gathering.h"

#include <algorithm>

#include "base/printable.h"
#include "vault/ceremony_terminal.h"
#include "vault/cipher.h"
#include "vault/recovery.h"
#include "vault/sealed_box.h"

namespace strongroom::vault {
namespace {

std::unexpected<VaultProblem> Problem(std::string text) { return std::unexpected(VaultProblem{std::move(text)}); }

}  // namespace

std::size_t Gathering::made() const { return set_.digests.size() / kDigestBytes; }

std::string Gathering::NameOf(std::size_t index) const {
  std::string_view names = set_.custodians;
  for (std::size_t i = 1; i < index && !names.empty(); ++i) {
    const std::size_t end = names.find('\n');
    names.remove_prefix(end == std::string_view::npos ? names.size() : end + 1);
  }
  const std::string name = base::Printable(names.substr(0, names.find('\n')));
  return "share " + std::to_string(index) + (name.empty() ? "" : " (" + name + ")");
}

std::string Gathering::Judge(const Share& share) const {
  const ShareFacts& facts = share.facts;
  if (facts.set_id != set_.set_id) {
    const auto old = std::find_if(earlier_.begin(), earlier_.end(),
                                  [&facts](const RecoverySetRow& set) { return set.set_id == facts.set_id; });
    return "it is of set " + facts.set_id +
           (old == earlier_.end() ? ", which this vault does not know" : ", which was replaced and opens nothing any more") +
           "; shares of set " + set_.set_id + " are wanted";
  }
  const auto index = static_cast<std::size_t>(facts.index);
  const auto digest = Shares::DigestOf(share);
  if (!digest) return digest.error().Message();
  if (facts.shares != static_cast<std::int64_t>(made()) || facts.threshold != set_.threshold ||
      !Cipher::Equal(*digest, ByteView(set_.digests).subspan((index - 1) * kDigestBytes, kDigestBytes))) {
    return "it says that it is " + NameOf(index) + " of this set and is well copied, but it is not the one that was made";
  }
  const bool twice = std::any_of(shares_.begin(), shares_.end(), [&](const Share& taken) { return taken.facts.index == facts.index; });
  return twice ? "it is " + NameOf(index) + ", which was given already" : "";
}

std::expected<void, VaultProblem> Gathering::FromFiles(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    auto share = Shares::ReadFile(file);
    if (!share) return Problem(file + ": " + share.error().text);
    if (const std::string wrong = Judge(*share); !wrong.empty()) return Problem(file + ": " + wrong);
    shares_.push_back(std::move(*share));
  }
  return {};
}

std::expected<void, VaultProblem> Gathering::FromTerminal(std::size_t wanted) {
  auto terminal = CeremonyTerminal::Open();
  if (!terminal) return Problem(terminal.error().Message());
  while (shares_.size() < wanted) {
    const std::string question = "Share " + std::to_string(shares_.size() + 1) + " of " + std::to_string(wanted) +
                                 " that are wanted of set " + set_.set_id + ".";
    auto share = (*terminal)->Read(question, [this](const Share& read) { return Judge(read); });
    if (!share) return Problem(share.error().Message());
    shares_.push_back(std::move(*share));
  }
  return {};
}

std::expected<SecretValue, VaultProblem> Gathering::PrivateKey() const {
  CHECK(shares_.size() >= needed());
  auto key = Shares::Combine(shares_);
  if (!key) return Problem(key.error().Message());
  const auto public_key = SealedBox::PublicOf(key->View());
  if (public_key && Cipher::Equal(*public_key, set_.public_key) && SetIdOf(*public_key) == set_.set_id) return std::move(*key);
  return Problem("the shares do not make the key of set " + set_.set_id + ": its row was changed outside vaultd");
}

}  // namespace strongroom::vault
