// Protectors as vaultd adds and removes them, and what opens a sealed vault.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <nlohmann/json.hpp>

#include "tests/vault/service_house.h"
#include "vault/kek_directory.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view kWords = "correct horse battery staple";

Bytes Named(const std::string& protector, const std::string& with = "") {
  return ProtectorRequest{protector, with, "a test"}.Encode();
}

// Guarded is a house with a key, and hands for its protectors. Its credential is one that systemd would hand over.
struct Guarded : ServiceHouse {
  Guarded() {
    Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
    fs::create_directory(home() + "/credentials");
    const int set = setenv("CREDENTIALS_DIRECTORY", (home() + "/credentials").c_str(), 1);
    REQUIRE(set == 0);
    Restart();
  }
  ~Guarded() { unsetenv("CREDENTIALS_DIRECTORY"); }

  void HandOver(char byte) {
    const std::string path = home() + "/credentials/strongroom-kek";
    fs::remove(path);
    std::ofstream(path) << std::string(32, byte);
    REQUIRE(chmod(path.c_str(), 0400) == 0);
  }
  void Restart() {
    Stop();
    Start();
  }
  Result<Reply> Add(const std::string& protector) { return Ask(Operation::kAddProtector, Named(protector)); }
  Result<Reply> AddWords(std::string_view words = kWords) {
    return Ask(Operation::kAddProtector, Named("passphrase"), 7, SecretProbe::Of(words));
  }
  Result<Reply> Remove(const std::string& protector) { return Ask(Operation::kRemoveProtector, Named(protector)); }
  Result<Reply> RemoveBy(const std::string& protector, std::string_view words) {
    return Ask(Operation::kRemoveProtector, Named(protector, "passphrase"), 7, SecretProbe::Of(words));
  }
  Result<Reply> UnsealWith(std::string_view words) {
    return Ask(Operation::kUnsealWith, Named("passphrase"), 7, SecretProbe::Of(words));
  }
  void Rotate() {
    KekRequest request;
    request.reason = "yearly";
    const auto prepared = Ask(Operation::kPrepareKek, request.Encode());
    REQUIRE(prepared.has_value());
    request.version = DecodeNumber(prepared->body).value();
    REQUIRE(Ask(Operation::kActivateKek, request.Encode()).has_value());
  }
  Json Facts(Operation operation) {
    const auto reply = Ask(operation, Bytes{});
    REQUIRE(reply.has_value());
    return Json::parse(DecodeText(reply->body).value());
  }
  std::string Kinds(std::size_t row = 0) { return Facts(Operation::kKekStatus).at(row).at("protectors").dump(); }
  std::string File(const std::string& name) const { return home() + "/kek/" + name; }
  void CheckOpen() { CHECK(Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey); }
};

Refusal Of(const Result<Reply>& reply) {
  REQUIRE_FALSE(reply.has_value());
  return RefusalOf(reply.error());
}

}  // namespace

TEST_CASE("protectors: what is refused, and each refusal on the trail", "[protectors]") {
  Guarded house;
  CHECK(Of(house.Add("paper")) == Refusal::kFieldInvalid);
  CHECK(Of(house.Add("file")) == Refusal::kProtectorExists);
  CHECK(house.Last().draft.action == "add_protector");
  CHECK(house.Last().draft.reason == "PROTECTOR_EXISTS");
  CHECK(Of(house.Add("passphrase")) == Refusal::kPassphraseWanted);
  CHECK(Of(house.AddWords("eleven byte")) == Refusal::kPassphraseShort);
  CHECK(Of(house.AddWords(std::string(1025, 'x'))) == Refusal::kPassphraseShort);
  CHECK(Of(house.Add("credential")) == Refusal::kCredentialMissing);
  CHECK(Of(house.Remove("file")) == Refusal::kProtectorLast);
  CHECK(Of(house.Remove("passphrase")) == Refusal::kProtectorMissing);
  CHECK(house.Last().draft.action == "remove_protector");
  CHECK(Of(house.Ask(Operation::kAddProtector, ProtectorRequest{"file", "", " "}.Encode())) == Refusal::kReasonMissing);
  CHECK(Of(house.Ask(Operation::kAddProtector, Named("file"), 2)) == Refusal::kNoRole);
  CHECK(Of(house.UnsealWith(kWords)) == Refusal::kNotSealed);
  CHECK(house.Kinds() == R"(["file"])");
}

TEST_CASE("protectors: a passphrase opens a vault whose KEK file is gone, and a rotation needs none", "[protectors]") {
  Guarded house;
  REQUIRE(house.AddWords().has_value());
  CHECK(house.Last().draft.after->at("kek_versions") == "1");
  CHECK(house.Kinds() == R"(["file","passphrase"])");
  CHECK(Of(house.AddWords()) == Refusal::kProtectorExists);
  house.Rotate();
  CHECK(house.Kinds(1) == R"(["file","passphrase"])");
  CHECK(Of(house.Remove("file")) == Refusal::kPassphraseWanted);
  CHECK(Of(house.RemoveBy("file", "wrong horse battery staple")) == Refusal::kPassphraseWrong);
  CHECK(fs::exists(house.File("1.key")));
  REQUIRE(house.RemoveBy("file", kWords).has_value());
  CHECK(house.Last().draft.after->at("kek_2_opens_by") == "passphrase");
  CHECK_FALSE((fs::exists(house.File("1.key")) || fs::exists(house.File("2.key"))));
  CHECK(Of(house.Remove("passphrase")) == Refusal::kProtectorLast);
  house.Restart();
  CHECK(house.Facts(Operation::kStatus).at("unseal_asks") == "passphrase");
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kSealed);
  CHECK(Of(house.Ask(Operation::kUnseal, EncodeText("by itself"))) == Refusal::kUnsealFailed);
  CHECK(Of(house.UnsealWith("wrong horse battery staple")) == Refusal::kPassphraseWrong);
  CHECK(house.Last().draft.reason == "PASSPHRASE_WRONG");
  REQUIRE(house.UnsealWith(kWords).has_value());
  CHECK(house.Last().draft.action == "unseal");
  house.CheckOpen();
  CHECK(house.Facts(Operation::kStatus).at("unseal_asks").is_null());
  // Back to a file: the KEK is in memory, and nothing is asked.
  REQUIRE(house.Add("file").has_value());
  house.Restart();
  house.CheckOpen();
}

TEST_CASE("protectors: a damaged KEK file leaves a vault that has another protector sealed, and not away", "[protectors]") {
  Guarded house;
  REQUIRE(house.AddWords().has_value());
  const std::string file = house.File("1.key"), kept = house.home() + "/kept";
  const auto write = [&file](std::size_t bytes, mode_t mode) {
    std::ofstream(file) << std::string(bytes, 'k');
    REQUIRE(chmod(file.c_str(), mode) == 0);
  };
  const std::vector<std::pair<std::string, std::function<void()>>> damages = {
      {"its size", [&] { write(31, 0600); }},
      {"another vault's", [&] { write(32, 0600); }},
      {"its mode", [&] { fs::copy_file(kept, file); REQUIRE(chmod(file.c_str(), 0644) == 0); }},
      {"a link", [&] { fs::create_symlink(kept, file); }},
      {"a directory", [&] { fs::create_directory(file); }}};
  house.Stop();
  fs::rename(file, kept);
  for (const auto& [name, damage] : damages) {
    INFO(name);
    fs::remove_all(file);
    damage();
    house.Restart();
    const Json status = house.Facts(Operation::kStatus);
    CHECK(status.at("sealed") == true);
    const std::string why = status.at("sealed_because");
    CHECK(why.find("1.key") != std::string::npos);
    CHECK(why.find("--with passphrase") != std::string::npos);
    CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kSealed);
    CHECK_FALSE(house.Ask(Operation::kUnseal, EncodeText("by itself")).has_value());
    REQUIRE(house.UnsealWith(kWords).has_value());
    house.CheckOpen();
    // Nothing else could bring it: somebody has to look at it first.
    house.Stop();
    fs::rename(house.File("1.passphrase"), kept + ".passphrase");
    const auto alone = Service::Open(house.config());
    REQUIRE_FALSE(alone.has_value());
    CHECK(alone.error().text.find("KEK") != std::string::npos);
    fs::rename(kept + ".passphrase", house.File("1.passphrase"));
  }
  fs::remove_all(file);
  fs::rename(kept, file);
  house.Restart();
  house.CheckOpen();
}

TEST_CASE("protectors: another protector that opens by itself stands in for a damaged KEK file", "[protectors]") {
  Guarded house;
  house.HandOver('c');
  REQUIRE(house.Add("credential").has_value());
  house.Stop();
  std::ofstream(house.File("1.key"), std::ios::trunc) << "short";
  house.Start();
  house.CheckOpen();
}

TEST_CASE("protectors: one passphrase is tried at a time", "[protectors]") {
  Guarded house;
  REQUIRE(house.AddWords().has_value());
  REQUIRE(house.Ask(Operation::kSeal, EncodeText("a test")).has_value());
  Peer peer;
  peer.uid = geteuid();
  peer.name = "tester";
  peer.roles = 7;
  std::promise<Result<Reply>> first;
  const auto words = [](std::string_view text) { return std::optional(SecretProbe::Of(text)); };
  house.service().Handle(peer, static_cast<std::uint8_t>(Operation::kUnsealWith), Named("passphrase"), words("wrong, but long enough"),
                         [&first](Result<Reply> reply) { first.set_value(std::move(reply)); });
  CHECK(Of(house.UnsealWith(kWords)) == Refusal::kBusy);
  CHECK(house.Facts(Operation::kStatus).at("sealed") == true);  // meanwhile everything else is answered
  CHECK(Of(first.get_future().get()) == Refusal::kPassphraseWrong);
  REQUIRE(house.UnsealWith(kWords).has_value());
}

TEST_CASE("protectors: a credential opens by itself", "[protectors]") {
  Guarded house;
  house.HandOver('c');
  REQUIRE(house.Add("credential").has_value());
  REQUIRE(house.Remove("file").has_value());  // proved by the credential, with nobody asked
  CHECK(house.Kinds() == R"(["credential"])");
  house.Restart();
  house.CheckOpen();
  house.Rotate();
  house.Restart();
  house.CheckOpen();
  house.HandOver('d');
  house.Restart();
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kSealed);
  house.HandOver('c');
  REQUIRE(house.Ask(Operation::kUnseal, EncodeText("back")).has_value());
  house.CheckOpen();
}

TEST_CASE("protectors: an edited file is no proof, takes no new KEK, and keeps a rotation from going on", "[protectors]") {
  Guarded house;
  house.HandOver('c');
  REQUIRE(house.Add("credential").has_value());
  const auto flip = [&house](std::streamoff at) {
    std::fstream file(house.File("1.credential"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at, std::ios::end);
    const int byte = file.get();
    file.seekp(at, std::ios::end);
    file.put(static_cast<char>(byte ^ 1));
  };
  flip(-1);  // of the MAC: the KEK still opens
  CHECK(Of(house.Remove("file")) == Refusal::kProtectorTampered);
  KekRequest request;
  request.reason = "yearly";
  CHECK(house.RefusalFor(Operation::kPrepareKek, request.Encode()) == Refusal::kKekFile);
  flip(-1);
  const auto prepared = house.Ask(Operation::kPrepareKek, request.Encode());
  REQUIRE(prepared.has_value());
  request.version = 2;
  fs::remove(house.File("2.credential"));
  CHECK(house.RefusalFor(Operation::kActivateKek, request.Encode()) == Refusal::kKekFile);
}

TEST_CASE("protectors: a retired KEK's file is taken away only with another way to open it", "[protectors]") {
  Guarded house;
  house.Rotate();
  REQUIRE(house.Ask(Operation::kRewrapKeys, RewrapRequest{"test", "", "yearly"}.Encode()).has_value());
  REQUIRE(house.Ask(Operation::kRetireKek, KekRequest{1, "yearly"}.Encode()).has_value());
  fs::rename(house.File("1.key"), house.home() + "/away");
  house.HandOver('c');
  REQUIRE(house.Add("credential").has_value());
  fs::rename(house.home() + "/away", house.File("1.key"));
  CHECK(Of(house.Remove("file")) == Refusal::kProtectorLast);  // version 1 missed the credential
  REQUIRE(house.Add("credential").has_value());
  REQUIRE(house.Remove("file").has_value());
  CHECK(house.Kinds(0) == R"(["credential"])");
  CHECK(house.Kinds(1) == R"(["credential"])");
}

TEST_CASE("protectors: one KEK file takes no other beside it", "[protectors]") {
  Guarded house;
  house.Stop();
  REQUIRE(setenv("K3SAI_KEK_PATH", house.File("1.key").c_str(), 1) == 0);
  house.Start();
  unsetenv("K3SAI_KEK_PATH");
  CHECK(Of(house.AddWords()) == Refusal::kKekOneFile);
  CHECK(Of(house.Remove("file")) == Refusal::kKekOneFile);
  house.CheckOpen();
}

}  // namespace strongroom::vault
