// The key that KEKs travel under, and the phrase that people compare.
#include "vault/node_key.h"

#include <filesystem>

#include "base/files.h"
#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;

}  // namespace

TEST_CASE("node phrase: what is printed is read back, in any case and spacing, and nothing else is", "[nodes]") {
  const Bytes secret{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, key(32, 7);
  const CheckPhrase phrase = CheckPhrase::Make("vault", "node", key, secret);
  const std::string text = phrase.Print();
  CHECK(text.size() == 39);
  std::string loose = text;
  for (char& c : loose) c = c == '-' ? ' ' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  for (const std::string& form : {text, loose, "  " + text + " "}) {
    const auto parsed = CheckPhrase::Parse(form);
    REQUIRE(parsed.has_value());
    CHECK(parsed->secret == secret);
    CHECK(parsed->fingerprint == phrase.fingerprint);
    CHECK(parsed->Print() == text);
    CHECK(parsed->IsOf("vault", "node", key));
    CHECK_FALSE(parsed->IsOf("other", "node", key));
    CHECK_FALSE(parsed->IsOf("vault", "other", key));
    CHECK_FALSE(parsed->IsOf("vault", "node", Bytes(32, 8)));
  }
  for (const std::string& wrong : {std::string(), text.substr(1), text + "q", text.substr(0, 38) + "b", text.substr(0, 38) + "\n",
                                   std::string(39, '-'), text + text, std::string(32, '\xff')}) {
    CHECK_FALSE(CheckPhrase::Parse(wrong).has_value());
  }
  // One character that is another is not taken, wherever it is.
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '-') continue;
    std::string slip = text;
    slip[i] = slip[i] == 'q' ? 'p' : 'q';
    CHECK_FALSE(CheckPhrase::Parse(slip)->IsOf("vault", "node", key));
  }
}

TEST_CASE("node key: it is made once, for its owner's eyes, and a file that is not one is refused", "[nodes]") {
  const Home home;
  REQUIRE(base::CreateDirectory(home.path, 0700).has_value());
  const auto made = NodeKey::Open(home.path), again = NodeKey::Open(home.path);
  REQUIRE(made.has_value());
  REQUIRE(again.has_value());
  CHECK(made->public_key() == again->public_key());
  CHECK(made->Phrase("v", "n").Print() == again->Phrase("v", "n").Print());
  const std::string path = home.path + "/node.key";
  CHECK((fs::status(path).permissions() & fs::perms::mask) == (fs::perms::owner_read | fs::perms::owner_write));
  fs::permissions(path, fs::perms::owner_read | fs::perms::group_read);
  CHECK(NodeKey::Open(home.path).error().code() == Code::kPermissionDenied);
  fs::remove(path);
  REQUIRE(base::WriteFileAtomic(path, "short", 0600).has_value());
  CHECK_FALSE(NodeKey::Open(home.path).has_value());
}

}  // namespace strongroom::vault
