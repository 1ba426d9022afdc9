// A KEK on a PKCS#11 token, as an admin meets it: through keytool and vaultd, with SoftHSM for a token.
#include "tests/e2e/house.h"
#include "tests/e2e/tokened.h"

#include <catch2/catch.hpp>
#include <filesystem>

namespace strongroom::e2e {
namespace {

namespace fs = std::filesystem;
using vault::SoftToken;

std::string KekStatus(House& house) { return house.Keytool({"kek", "status", "--json"}).out; }
std::string Status(House& house, const std::string& name) { return Field(house.Keytool({"status", "--json"}).out, name); }
bool Served(House& house, const std::string& request_id) {
  return Field(house.Ask(request_id, "Hello"), "status") == "success";
}

}  // namespace

TEST_CASE("pkcs11: a vault under a token alone starts sealed, opens with its PIN, and rotates with it") {
  const SoftToken token;
  House house;
  const auto environment = Tokened(house, token);
  const std::string pin = PinFile(house, "pin", SoftToken::kPin), wrong = PinFile(house, "wrong", "12345678");
  CHECK(house.Act({"kek", "add-protector", "pkcs11"}).code == 2);  // no terminal to ask for the PIN on
  const Ended refused = house.Act({"kek", "add-protector", "pkcs11", "--pin-file", wrong});
  CHECK(refused.code == 1);
  CHECK(Has(refused.err, "does not take the PIN, and may lock"));
  REQUIRE_FALSE(fs::exists(house.home() + "/kek/1.pkcs11"));
  REQUIRE(house.Act({"kek", "add-protector", "pkcs11", "--pin-file", pin}).code == 0);
  CHECK(house.Act({"kek", "remove-protector", "file", "--pin-file", wrong}).code == 1);
  REQUIRE(fs::exists(house.home() + "/kek/1.key"));
  REQUIRE(house.Act({"kek", "remove-protector", "file", "--pin-file", pin}).code == 0);
  REQUIRE_FALSE(fs::exists(house.home() + "/kek/1.key"));
  REQUIRE(Has(KekStatus(house), R"("protectors":["pkcs11"])"));
  const Ended last = house.Act({"kek", "remove-protector", "pkcs11"});
  CHECK(Has(last.err, "no other protector"));
  REQUIRE(Served(house, "r-1"));
  CHECK(house.vaultd().Stop().code == 0);  // the module has left nothing that breaks the end

  house.StartVaultd(environment);
  REQUIRE(Status(house, "sealed") == "true");
  const Ended told = house.Keytool({"status"});
  CHECK(told.code == 0);
  CHECK(Has(told.err, "Sealed because: KEK version 1 does not open by itself (it is under: pkcs11)"));
  CHECK(house.Act({"unseal", "--pin-file", wrong}).code == 1);
  const Ended unsealed = house.Command("keytool", {"unseal", "--with", "pkcs11", "--pin-file", "-", "--reason", "morning"},
                                       std::string(SoftToken::kPin) + "\n");
  INFO(unsealed.err);
  REQUIRE(unsealed.code == 0);
  CHECK(house.Act({"kek", "rotate"}).code == 2);
  REQUIRE(house.Act({"kek", "rotate", "--pin-file", pin}).code == 0);
  REQUIRE(fs::exists(house.home() + "/kek/2.pkcs11"));
  REQUIRE_FALSE(fs::exists(house.home() + "/kek/2.key"));
  REQUIRE(house.Act({"seal"}).code == 0);
  CHECK(Status(house, "sealed_because") == "keytool seal");
  token.Unplug();
  const Ended away = house.Act({"unseal", "--pin-file", pin});
  CHECK(away.code == 1);
  CHECK(Has(away.err, "the PKCS#11 token that pkcs11_uri names is not there"));
  token.Plug();
  REQUIRE(house.Act({"unseal", "--pin-file", pin}).code == 0);
  REQUIRE(Served(house, "r-2"));
  // The retired version has no other protector, and stays until it is destroyed.
  REQUIRE(house.Act({"kek", "add-protector", "file"}).code == 0);
  CHECK(Has(house.Act({"kek", "remove-protector", "pkcs11"}).err, "no other protector"));
  CHECK_FALSE(Has(house.vaultd().Err(), SoftToken::kPin));
  REQUIRE(house.Auditlog({"verify"}).code == 0);
}

TEST_CASE("pkcs11: with its PIN kept a token opens a vault by itself, and without the token the vault is sealed and says why") {
  const SoftToken token;
  House house;
  const auto environment = Tokened(house, token, true);
  REQUIRE(house.Act({"kek", "add-protector", "pkcs11"}).code == 0);
  REQUIRE(house.Act({"kek", "remove-protector", "pkcs11"}).code == 0);
  REQUIRE_FALSE(fs::exists(house.home() + "/kek/1.pkcs11"));
  REQUIRE(house.Act({"kek", "add-protector", "pkcs11"}).code == 0);
  REQUIRE(house.Act({"kek", "remove-protector", "file"}).code == 0);
  REQUIRE(house.Act({"kek", "rotate"}).code == 0);
  house.vaultd().Stop();
  house.StartVaultd(environment);
  REQUIRE(Served(house, "r-1"));
  // The token has gone: a rotation is refused, and changes nothing.
  token.Unplug();
  const Ended refused = house.Act({"kek", "rotate"});
  CHECK(refused.code == 1);
  CHECK(Has(refused.err, "the PKCS#11 token that pkcs11_uri names is not there"));
  CHECK_FALSE((fs::exists(house.home() + "/kek/3.key") || fs::exists(house.home() + "/kek/3.pkcs11")));
  REQUIRE(Served(house, "r-2"));
  house.vaultd().Stop();
  house.StartVaultd(environment);
  REQUIRE(Status(house, "sealed") == "true");
  CHECK(Has(house.Keytool({"status"}).err, "the PKCS#11 token that pkcs11_uri names is not there"));
  token.Plug();
  REQUIRE(house.Act({"unseal"}).code == 0);
  house.vaultd().Stop();
  // The PIN has been changed on the token, so to say.
  WriteWhole(house.home() + "/pin", "12345678");
  house.StartVaultd(environment);
  REQUIRE(Status(house, "sealed") == "true");
  CHECK(Has(house.Keytool({"status"}).err, "does not take the PIN"));
  REQUIRE(house.Act({"unseal", "--pin-file", PinFile(house, "pin", SoftToken::kPin)}).code == 0);
  REQUIRE(Served(house, "r-3"));
}

TEST_CASE("pkcs11: a module that does not answer delays a start and an unseal no longer than it may, and no stop") {
  const SoftToken token;
  House house;
  const auto environment = Tokened(house, token, true);
  REQUIRE(house.Act({"kek", "add-protector", "pkcs11"}).code == 0);
  REQUIRE(house.Act({"kek", "remove-protector", "file"}).code == 0);
  house.vaultd().Stop();
  house.SetConfig("pkcs11_module", std::string("\"") + STRONGROOM_FAULTY_TOKEN + "\"\npkcs11_timeout_ms = 500");
  const std::string fault = token.Configuration() + ".fault";
  WriteWhole(fault, "wait:" + token.Path("never"));
  house.StartVaultd(environment);
  REQUIRE(Status(house, "sealed") == "true");
  CHECK(Has(house.Keytool({"status"}).err, "did not answer within pkcs11_timeout_ms"));
  const Ended refused = house.Act({"unseal"});
  CHECK(refused.code == 1);
  CHECK(Has(refused.err, "start vaultd anew"));
  // The module has not come back, and never will.
  CHECK(house.vaultd().Stop().code == 0);
  fs::remove(fault);
  house.SetConfig("pkcs11_timeout_ms", "600000");
  house.StartVaultd(environment);
  REQUIRE(Served(house, "r-1"));
  WriteWhole(fault, "wait:" + token.Path("never"));
  fs::remove(token.Path("never.asked"));
  Process rotation = house.Spawn("keytool", {"kek", "rotate", "--reason", "yearly"});
  REQUIRE(Eventually([&] { return fs::exists(token.Path("never.asked")); }));
  REQUIRE(Served(house, "r-2"));
  CHECK(house.vaultd().Stop().code == 0);
  const Ended rotated = rotation.Wait();
  CHECK(rotated.code == 1);
  CHECK(Has(rotated.err, "vaultd was sealed or stopped while it was asked"));
  fs::remove(fault);
  house.StartVaultd(environment);
  REQUIRE(Served(house, "r-3"));
  REQUIRE(house.Auditlog({"verify"}).code == 0);
}

}  // namespace strongroom::e2e
