// A vault whose KEKs are under a PKCS#11 token: added, rotated, opened, and closed when the token or its PIN is not there.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "tests/vault/service_house.h"
#include "tests/vault/soft_token.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view kWrong = "123456";

Bytes Named(const std::string& protector, const std::string& with = "") {
  return ProtectorRequest{protector, with, "a test"}.Encode();
}

// Tokened is a house with a key, and a token in its configuration. Its PIN may be kept in HOME/pin.
struct Tokened : ServiceHouse {
  Tokened() {
    Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
    Configure("single_user", "true\npkcs11_module = \"" + SoftToken::Module() + "\"\npkcs11_uri = \"" + SoftToken::kUri +
                                 "\"\npkcs11_pin_file = \"pin\"");
  }
  void Restart() {
    Stop();
    Start();
  }
  void Keep(std::string_view pin) { REQUIRE(base::WriteFileAtomic(home() + "/pin", pin, 0600).has_value()); }
  static std::optional<SecretValue> Pin(std::string_view pin) {
    return pin.empty() ? std::nullopt : std::optional(SecretProbe::Of(pin));
  }
  Result<Reply> Add(std::string_view pin = SoftToken::kPin) {
    return Ask(Operation::kAddProtector, Named("pkcs11"), 7, Pin(pin));
  }
  Result<Reply> Remove(const std::string& protector, std::string_view pin = "") {
    return Ask(Operation::kRemoveProtector, Named(protector, pin.empty() ? "" : "pkcs11"), 7, Pin(pin));
  }
  Result<Reply> Unseal(std::string_view pin) {
    if (pin.empty()) return Ask(Operation::kUnseal, EncodeText("a test"));
    return Ask(Operation::kUnsealWith, Named("pkcs11"), 7, Pin(pin));
  }
  Result<Reply> Prepare(std::string_view pin) {
    return Ask(Operation::kPrepareKek, KekRequest{0, "yearly"}.Encode(), 7, Pin(pin));
  }
  Json Facts(Operation operation) {
    const auto reply = Ask(operation, Bytes{});
    REQUIRE(reply.has_value());
    return Json::parse(DecodeText(reply->body).value());
  }
  std::string Kinds(std::size_t row = 0) { return Facts(Operation::kKekStatus).at(row).at("protectors").dump(); }
  std::string SealedBecause() { return Facts(Operation::kStatus).at("sealed_because").get<std::string>(); }
  std::string File(const std::string& name) const { return home() + "/kek/" + name; }
  void CheckOpen() { CHECK(Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey); }
  SoftToken token;
};

Refusal Of(const Result<Reply>& reply) {
  REQUIRE_FALSE(reply.has_value());
  return RefusalOf(reply.error());
}

bool Mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("token: a vault under a token alone asks for its PIN, and rotates with it", "[token]") {
  Tokened house;
  CHECK(Of(house.Add("")) == Refusal::kPassphraseWanted);
  CHECK(Of(house.Add(kWrong)) == Refusal::kPinWrong);
  CHECK(house.Last().draft.reason == "PIN_WRONG");
  CHECK(house.Kinds() == R"(["file"])");
  REQUIRE(house.Add().has_value());
  CHECK(house.Last().draft.after->at("protector") == "pkcs11");
  CHECK(house.Kinds() == R"(["file","pkcs11"])");
  CHECK(Of(house.Add()) == Refusal::kProtectorExists);
  CHECK(Of(house.Remove("file")) == Refusal::kPassphraseWanted);
  CHECK(Of(house.Remove("file", kWrong)) == Refusal::kPinWrong);
  REQUIRE(fs::exists(house.File("1.key")));
  REQUIRE(house.Remove("file", SoftToken::kPin).has_value());
  CHECK(house.Last().draft.after->at("kek_1_opens_by") == "pkcs11");
  CHECK(house.Kinds() == R"(["pkcs11"])");
  CHECK(Of(house.Remove("pkcs11")) == Refusal::kProtectorLast);

  house.Restart();
  CHECK(house.Facts(Operation::kStatus).at("unseal_asks") == "pkcs11");
  CHECK(Mentions(house.SealedBecause(), "it is under: pkcs11"));
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kSealed);
  CHECK(Of(house.Unseal("")) == Refusal::kUnsealFailed);
  CHECK(Of(house.Unseal(kWrong)) == Refusal::kPinWrong);
  REQUIRE(house.Unseal(SoftToken::kPin).has_value());
  CHECK(house.Facts(Operation::kStatus).at("sealed_because").is_null());
  house.CheckOpen();

  CHECK(Of(house.Prepare("")) == Refusal::kPassphraseWanted);
  CHECK(Of(house.Prepare(kWrong)) == Refusal::kPinWrong);
  const auto prepared = house.Prepare(SoftToken::kPin);
  REQUIRE(prepared.has_value());
  REQUIRE(house.Ask(Operation::kActivateKek, KekRequest{DecodeNumber(prepared->body).value(), "yearly"}.Encode()).has_value());
  CHECK(house.Kinds(1) == R"(["pkcs11"])");
  house.Restart();
  REQUIRE(house.Unseal(SoftToken::kPin).has_value());
  house.CheckOpen();
  // Back to a file: the KEK is in memory, and nothing is asked; then the token's protector may go.
  REQUIRE(house.Ask(Operation::kAddProtector, Named("file")).has_value());
  REQUIRE(house.Remove("pkcs11").has_value());
  CHECK(house.Kinds(1) == R"(["file"])");
  house.Restart();
  house.CheckOpen();
}

TEST_CASE("token: with its PIN kept a token opens by itself, and a vault without it is sealed and says why", "[token]") {
  Tokened house;
  house.Keep(std::string(SoftToken::kPin) + "\n");
  REQUIRE(house.Add("").has_value());
  REQUIRE(house.Remove("file").has_value());
  house.Restart();
  house.CheckOpen();
  REQUIRE(house.Prepare("").has_value());
  REQUIRE(house.Ask(Operation::kActivateKek, KekRequest{2, "yearly"}.Encode()).has_value());

  house.token.Unplug();
  CHECK(Of(house.Prepare("")) == Refusal::kKekMoveForbidden);  // one rotation at a time
  house.Restart();
  CHECK(Mentions(house.SealedBecause(), "the PKCS#11 token that pkcs11_uri names is not there"));
  CHECK(house.Facts(Operation::kStatus).at("unseal_asks").is_null());
  CHECK(Of(house.Unseal("")) == Refusal::kTokenMissing);
  CHECK(house.Last().draft.reason == "TOKEN_MISSING");
  house.token.Plug();
  REQUIRE(house.Unseal("").has_value());
  house.CheckOpen();

  house.Keep(kWrong);
  house.Restart();
  CHECK(Mentions(house.SealedBecause(), "the PKCS#11 token does not take the PIN"));
  CHECK(Of(house.Unseal("")) == Refusal::kPinWrong);
  REQUIRE(house.Unseal(SoftToken::kPin).has_value());
  house.CheckOpen();
  fs::remove(house.home() + "/pin");
  house.Restart();
  CHECK(house.Facts(Operation::kStatus).at("unseal_asks") == "pkcs11");
  house.Configure("pkcs11_module", "\"/nowhere/module.so\"");
  CHECK(Of(house.Unseal(SoftToken::kPin)) == Refusal::kPkcs11Module);
}

TEST_CASE("token: a rotation without the token is refused, and no protector is left out", "[token]") {
  Tokened house;
  REQUIRE(house.Add().has_value());
  house.token.Unplug();
  CHECK(Of(house.Prepare(SoftToken::kPin)) == Refusal::kTokenMissing);
  CHECK_FALSE((fs::exists(house.File("2.key")) || fs::exists(house.File("2.pkcs11"))));
  house.token.Plug();
  REQUIRE(house.Prepare(SoftToken::kPin).has_value());
  fs::remove(house.File("2.pkcs11"));
  CHECK(house.RefusalFor(Operation::kActivateKek, KekRequest{2, "yearly"}.Encode()) == Refusal::kKekFile);
  // With the file there, the vault starts whether or not the token is.
  house.token.Unplug();
  house.Restart();
  house.CheckOpen();
}

TEST_CASE("token: another key in the place of the one that wrapped, or an edited file, opens nothing", "[token]") {
  Tokened house;
  house.Keep(SoftToken::kPin);
  REQUIRE(house.Add("").has_value());
  const std::string path = house.File("1.pkcs11");
  const std::string right = base::ReadPrivate(path, 4096).value();
  for (std::size_t i = right.size(); i > 0; i -= std::min<std::size_t>(i, 7)) {
    std::string edited = right;
    edited[i - 1] = static_cast<char>(edited[i - 1] ^ 1);
    REQUIRE(base::WriteFileAtomic(path, edited, 0600).has_value());
    INFO(i);
    CHECK(Of(house.Remove("file")) == Refusal::kProtectorTampered);
  }
  REQUIRE(base::WriteFileAtomic(path, right, 0600).has_value());
  REQUIRE(house.token.DestroyKeys("kek") == 1);
  CHECK(Of(house.Remove("file")) == Refusal::kTokenKeyMissing);
  house.token.MakeKey("kek", {});
  CHECK(Of(house.Remove("file")) == Refusal::kProtectorTampered);
  REQUIRE(house.token.DestroyKeys("kek") == 1);
  house.token.MakeKey("kek", {.extractable = true});
  CHECK(Of(house.Remove("file")) == Refusal::kTokenKeyExposed);
  REQUIRE(fs::exists(house.File("1.key")));
}

TEST_CASE("token: one that fails while a protector is added is logged out, and serves the next ceremony", "[token]") {
  Tokened house;
  house.Configure("pkcs11_module", "\"" + std::string(STRONGROOM_FAULTY_TOKEN) + "\"");
  SoftToken::Fail("encrypt");
  CHECK(Of(house.Add()) == Refusal::kTokenMissing);
  SoftToken::Fail("");
  CHECK(house.Kinds() == R"(["file"])");
  CHECK(house.Add().has_value());
  CHECK(house.Remove("file", SoftToken::kPin).has_value());
  house.CheckOpen();
}

TEST_CASE("token: a vault whose token takes its time goes on serving", "[token]") {
  Tokened house;
  REQUIRE(house.Add().has_value());
  house.Configure("pkcs11_module", "\"" STRONGROOM_FAULTY_TOKEN "\"");
  SoftToken::Fail("wait:" + house.token.Path("go"));
  Peer peer;
  peer.uid = geteuid();
  peer.name = "tester";
  peer.roles = 7;
  std::promise<Result<Reply>> prepared;
  house.service().Handle(peer, static_cast<std::uint8_t>(Operation::kPrepareKek), KekRequest{0, "yearly"}.Encode(),
                         Tokened::Pin(SoftToken::kPin), [&prepared](Result<Reply> reply) { prepared.set_value(std::move(reply)); });
  house.CheckOpen();
  CHECK(house.Kinds() == R"(["file","pkcs11"])");
  CHECK(Of(house.Prepare(SoftToken::kPin)) == Refusal::kBusy);
  std::ofstream(house.token.Path("go")) << "go";
  const auto reply = prepared.get_future().get();
  REQUIRE(reply.has_value());
  CHECK(DecodeNumber(reply->body).value() == 2);
  CHECK(house.Kinds(1) == R"(["file","pkcs11"])");
}

}  // namespace strongroom::vault
