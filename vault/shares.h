// Shares of a recovery key: its private half split among custodians, and the text in which each keeps a piece.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "vault/secret.h"

namespace strongroom::vault {

// ShareFacts is what anybody may know of a share. The custodian is a label for people: nothing checks it.
struct ShareFacts {
  std::string set_id;  // PrintSetId (vault/share_code.h)
  std::int64_t index = 0, shares = 0, threshold = 0;
  std::string custodian;  // one printable line, empty for none
  bool operator==(const ShareFacts&) const = default;
};

struct Share {
  Share(ShareFacts its_facts, SecretValue its_value) : facts(std::move(its_facts)), value(std::move(its_value)) {}
  ShareFacts facts;
  SecretValue value;  // kShareBytes
};
inline constexpr std::size_t kShareBytes = 32;
inline constexpr std::int64_t kLeastThreshold = 2, kMostShares = 32;
inline constexpr std::size_t kMostCustodian = 60;

// IsShareFacts is true where a share may say this of itself; IsCustodian looks at the name alone.
bool IsShareFacts(const ShareFacts& facts);
bool IsCustodian(std::string_view name);

// ShareProblem is why a text is no share: one line for a person, with the place, and none of the share's characters.
struct ShareProblem {
  std::string text;
};

// Shares is one of the friends of SecretAccess. A share's text is as secret as the share, so it stays in a SecretValue.
class Shares {
 public:
  static constexpr std::uint8_t kLines = 5;

  // Print is the text of vault/PROTOCOL.md. The facts must be IsShareFacts.
  static Result<SecretValue> Print(const Share& share);
  // Parse reads what Print writes; spaces around a line, empty lines and the case of a share's characters do not matter.
  static std::expected<Share, ShareProblem> Parse(SecretView text);

  // DigestOf is 32 public bytes that a share is known by: SHA-256 of what its lines hold. A share has 256 bits that nobody
  // can guess.
  static Result<Bytes> DigestOf(const Share& share);

  // Typed takes a share line by line, as a person types it.
  class Typed {
   public:
    static Result<Typed> Start();
    // Take reads the next line, with its number in front or without.
    std::expected<void, ShareProblem> Take(SecretView line);
    std::uint8_t next() const { return static_cast<std::uint8_t>(taken_ + 1); }
    bool whole() const { return taken_ == kLines; }
    // Finish is the share of the lines taken, which has no custodian.
    std::expected<Share, ShareProblem> Finish() &&;

   private:
    friend class Shares;
    std::expected<void, ShareProblem> TakeBytes(ByteView line);
    explicit Typed(SecretValue payload) : payload_(std::move(payload)) {}
    SecretValue payload_;
    std::uint8_t taken_ = 0;
  };

  // Split makes as many pieces of the 32 bytes as `facts` says, each with its index; any `threshold` of them make the bytes
  // again, fewer say nothing. By libgfshare, which works in memory of its own: for a short-lived process, never vaultd's.
  static Result<std::vector<Share>> Split(SecretView value, const ShareFacts& facts);
  // Combine makes the bytes from the first `threshold` shares, which must be of one set and have different indexes. Of shares
  // that are not what Split made it makes other bytes.
  static Result<SecretValue> Combine(const std::vector<Share>& shares);

  // ReadFile reads a share from a file that its owner alone may read.
  static std::expected<Share, ShareProblem> ReadFile(const std::string& path);
  // WriteFile makes a new file, 0600 and durable; kAlreadyExists where the name is taken.
  static Result<void> WriteFile(const std::string& path, const Share& share);
  // WriteTo writes a share's text to a terminal. ReadLine reads one line from it, its end included: at most kMostLine bytes.
  static constexpr std::size_t kMostLine = 1024;
  static Result<void> WriteTo(int fd, const Share& share);
  static Result<SecretValue> ReadLine(int fd);
  // IsPath is true of a typed line that has a slash, which no share has; PathOf is its text.
  static bool IsPath(SecretView line);
  static std::string PathOf(SecretView line);

 private:
  class Text;
};

}  // namespace strongroom::vault
