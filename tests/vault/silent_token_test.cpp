// A PKCS#11 module that does not answer: it holds up neither the start, nor the stop, nor a seal, nor the next ceremony, and what it
// answers in the end is nobody's.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/files.h"
#include "tests/vault/service_house.h"
#include "tests/vault/soft_token.h"
#include "vault/arena.h"
#include "vault/token_thread.h"

namespace strongroom::vault {
namespace {

using Json = nlohmann::json;

Bytes Named(const std::string& protector) { return ProtectorRequest{protector, "", "a test"}.Encode(); }

Refusal Of(const Result<Reply>& reply) {
  REQUIRE_FALSE(reply.has_value());
  return RefusalOf(reply.error());
}

// Silenced is a house with a key, under a token whose module may hang. A call of it is waited for as long as `timeout_ms`.
struct Silenced : ServiceHouse {
  explicit Silenced(const std::string& timeout_ms) {
    Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
    Configure("single_user", "true\npkcs11_module = \"" STRONGROOM_FAULTY_TOKEN "\"\npkcs11_uri = \"" + std::string(SoftToken::kUri) +
                                 "\"\npkcs11_pin_file = \"pin\"\npkcs11_timeout_ms = " + timeout_ms);
    REQUIRE(Ask(Operation::kAddProtector, Named("pkcs11"), 7, Pin()).has_value());
  }
  ~Silenced() { Answer(); }
  static std::optional<SecretValue> Pin() { return SecretProbe::Of(SoftToken::kPin); }
  // Hang has the module hang in the call that `fault` names; Answer lets it go on, and waits for it.
  void Hang(const std::string& fault) {
    std::filesystem::remove(token.Path("go.asked"));
    Fault(fault + ":" + token.Path("go"));
  }
  // By the file, not the variable: the module reads it on a thread that setenv knows nothing of.
  void Fault(const std::string& fault) { REQUIRE(base::WriteFileAtomic(token.Configuration() + ".fault", fault, 0600).has_value()); }
  void AwaitHung() {
    CHECK(Becomes([this] { return std::filesystem::exists(token.Path("go.asked")); }));
  }
  static bool Becomes(const std::function<bool()>& condition) {
    const auto deadline = base::MonoMicros() + 30 * base::kMicrosPerSecond;
    while (!condition() && base::MonoMicros() < deadline) usleep(1000);
    return condition();
  }
  void Answer() {
    Fault("");
    std::ofstream(token.Path("go")) << "go";
    CHECK(Becomes([] { return !Cipher::TokenThread::Unanswered(); }));
    std::filesystem::remove(token.Path("go"));
  }
  std::future<Result<Reply>> Begin(Operation operation, Bytes body, std::optional<SecretValue> secret) {
    Peer peer;
    peer.uid = geteuid();
    peer.name = "tester";
    peer.roles = 7;
    const auto promise = std::make_shared<std::promise<Result<Reply>>>();
    service().Handle(peer, static_cast<std::uint8_t>(operation), std::move(body), std::move(secret),
                     [promise](Result<Reply> reply) { promise->set_value(std::move(reply)); });
    return promise->get_future();
  }
  Result<Reply> Prepare() { return Ask(Operation::kPrepareKek, KekRequest{0, "yearly"}.Encode(), 7, Pin()); }
  Result<Reply> Unseal() { return Ask(Operation::kUnsealWith, Named("pkcs11"), 7, Pin()); }
  Result<Reply> Seal() { return Ask(Operation::kSeal, EncodeText("somebody broke in")); }
  void RemoveFile() {
    const auto removed = Ask(Operation::kRemoveProtector, ProtectorRequest{"file", "pkcs11", "a test"}.Encode(), 7, Pin());
    REQUIRE(removed.has_value());
  }
  // FreeSlots is how many secrets there is room for, once a sealed vault's writer has nothing in hand; 0 under sanitizers.
  std::size_t FreeSlots() {
    CHECK(Of(Seal()) == Refusal::kSealed);
    std::vector<SecretValue> taken;
    if (Arena::Process().protection() == Protection::kNone) return 0;
    for (auto slot = SecretValue::Allocate(32); slot; slot = SecretValue::Allocate(32)) taken.push_back(std::move(*slot));
    return taken.size();
  }
  Json Status() { return Json::parse(DecodeText(Ask(Operation::kStatus, Bytes{}).value().body).value()); }
  void CheckOpen() { CHECK(Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey); }
  SoftToken token;
};

constexpr const char* kSoon = "300";
constexpr const char* kNever = "600000";  // far longer than a test may take

}  // namespace

TEST_CASE("token: a module that does not answer is given up in time, and asked again once it has", "[token]") {
  Silenced house(kSoon);
  for (const char* const call : {"wait_start", "wait", "wait_encrypt"}) {
    INFO(call);
    house.Hang(call);
    CHECK(Of(house.Prepare()) == Refusal::kTokenSilent);
    CHECK(house.Last().draft.reason == "TOKEN_SILENT");
    // Until the module comes back nobody waits for it again; what needs no token goes on.
    CHECK(Cipher::TokenThread::Unanswered());
    CHECK(Of(house.Prepare()) == Refusal::kTokenSilent);
    REQUIRE(house.Ask(Operation::kAddProtector, Named("passphrase"), 7, SecretProbe::Of("twelve letters")).has_value());
    REQUIRE(house.Ask(Operation::kRemoveProtector, Named("passphrase")).has_value());
    house.CheckOpen();
    house.Answer();
  }
  CHECK_FALSE(std::filesystem::exists(house.home() + "/kek/2.pkcs11"));
  CHECK(house.Prepare().has_value());
}

TEST_CASE("token: what a module answers too late is wiped", "[token]") {
  Silenced house(kSoon);
  house.RemoveFile();
  REQUIRE(house.Seal().has_value());
  const std::size_t slots = house.FreeSlots();
  house.Hang("wait_decrypt");
  CHECK(Of(house.Unseal()) == Refusal::kTokenSilent);
  house.Answer();
  CHECK(house.FreeSlots() == slots);
  CHECK(house.Status().at("sealed") == true);
  REQUIRE(house.Unseal().has_value());
  house.CheckOpen();
}

TEST_CASE("token: a vaultd whose token does not answer starts sealed, and says what to do", "[token]") {
  Silenced house(kSoon);
  house.RemoveFile();
  {
    const std::string path = house.home() + "/pin";
    std::ofstream(path) << SoftToken::kPin;
    std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  house.Stop();
  house.Hang("wait");
  house.Start();
  CHECK(house.Status().at("sealed") == true);
  CHECK(house.Status().at("sealed_because").get<std::string>().find("did not answer within pkcs11_timeout_ms") != std::string::npos);
  CHECK(Of(house.Ask(Operation::kUnseal, EncodeText("back"))) == Refusal::kTokenSilent);
  house.Answer();
  REQUIRE(house.Ask(Operation::kUnseal, EncodeText("back")).has_value());
  house.CheckOpen();
}

TEST_CASE("token: a vaultd that stops does not wait for it", "[token]") {
  Silenced house(kNever);
  house.Hang("wait");
  auto prepared = house.Begin(Operation::kPrepareKek, KekRequest{0, "yearly"}.Encode(), Silenced::Pin());
  house.AwaitHung();
  house.Stop();
  CHECK(Of(prepared.get()) == Refusal::kTokenSilent);
  CHECK(Cipher::TokenThread::Unanswered());
  house.Answer();
  house.Start();
  CHECK(house.Value("SELECT COUNT(*) FROM AUDIT_LOG WHERE ACTION = 'vaultd_stop'") == "2");
  house.CheckOpen();
}

TEST_CASE("token: a seal ends a ceremony that waits for it, and the KEKs that it has", "[token]") {
  Silenced house(kNever);
  REQUIRE(house.Seal().has_value());
  const std::size_t slots = house.FreeSlots();
  REQUIRE(house.Unseal().has_value());
  house.Hang("wait_encrypt");
  auto prepared = house.Begin(Operation::kPrepareKek, KekRequest{0, "yearly"}.Encode(), Silenced::Pin());
  house.AwaitHung();
  REQUIRE(house.Seal().has_value());
  CHECK(Of(prepared.get()) == Refusal::kSealed);
  house.Answer();
  CHECK(std::filesystem::exists(house.token.Path("go.wiped")));  // what the module was lent, while it hung
  CHECK(house.FreeSlots() == slots);
  CHECK_FALSE(std::filesystem::exists(house.home() + "/kek/2.key"));
}

TEST_CASE("token: a seal wins over an unseal under way", "[token]") {
  Silenced house(kNever);
  house.RemoveFile();
  REQUIRE(house.Seal().has_value());
  CHECK(Of(house.Seal()) == Refusal::kSealed);
  house.Hang("wait");
  auto unsealed = house.Begin(Operation::kUnsealWith, Named("pkcs11"), Silenced::Pin());
  house.AwaitHung();
  REQUIRE(house.Seal().has_value());
  CHECK(Of(unsealed.get()) == Refusal::kSealed);
  CHECK(house.Status().at("sealed") == true);
  CHECK(Of(house.Seal()) == Refusal::kSealed);
  house.Answer();
  CHECK(house.Status().at("sealed") == true);
  REQUIRE(house.Unseal().has_value());
  house.CheckOpen();
}

}  // namespace strongroom::vault
