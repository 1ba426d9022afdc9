// ServiceHouse: a vault in a temporary home, with the Service over it and no socket; and an enemy's hand on its database.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/record.h"
#include "base/config.h"
#include "sql/database.h"
#include "tests/vault/secret_probe.h"
#include "vault/protocol.h"
#include "vault/service.h"

// After our headers: Catch's CHECK then replaces the one of base/result.h.
#include <catch2/catch.hpp>

namespace strongroom::vault {

// TestVaultUrl is the database of the vaults that tests make: empty for vault.db, or, where STRONGROOM_TEST_ENGINE is
// postgres, that of the tests' own server. Cases that are about vault.db or in its words are tagged [sqlite].
std::string TestVaultUrl();

inline constexpr std::string_view kAcmeKey = "sk-ant-acme-0123456789abcdef";
inline constexpr std::string_view kBarcoKey = "sk-barco-fedcba9876543210-xyz";

// Home is a directory that goes with the object. The vault's own is `path`, one level down, not yet there.
struct Home {
  Home();
  ~Home();
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;
  // Init makes the vault; Open connects to its database.
  void Init() const;
  std::unique_ptr<sql::Database> Open() const;
  // AnchorAs makes an anchor of the records that there are, unsigned, as of a log of this name; not while vaultd runs.
  void AnchorAs(const std::string& origin) const;
  std::string root, path;
};

class ServiceHouse {
 public:
  ServiceHouse();
  void Start();
  void Stop() { service_.reset(); }
  Service& service() { return *service_; }
  const std::string& home() const { return home_.path; }
  // Configure puts `key = value` in the place of the line of strongroom.toml that begins so, and starts vaultd anew.
  void Configure(const std::string& key, const std::string& value);
  base::Config config() const;

  // Ask runs one request to its answer, under the roles given.
  Result<Reply> Ask(Operation operation, Bytes body, std::uint8_t roles = 7,
                    std::optional<SecretValue> secret = std::nullopt);
  // AskAs is Ask by somebody of another uid.
  Result<Reply> AskAs(uid_t uid, Operation operation, Bytes body, std::uint8_t roles,
                      std::optional<SecretValue> secret = std::nullopt);
  // RefusalFor is Ask's refusal; the test fails where it was answered.
  Refusal RefusalFor(Operation operation, Bytes body, std::uint8_t roles = 7);

  Result<std::string> AddKey(AddKeyRequest request, std::string_view key);
  // Onboard takes in a key and activates it with a profile; it returns the KEY_REF.
  std::string Onboard(const std::string& customer, const std::string& provider, const std::string& profile,
                      std::string_view key);
  // Rotate puts a new version in the place of a key, and returns its KEY_REF.
  std::string Rotate(const std::string& old_ref, base::Micros grace, std::string_view key = kBarcoKey);
  Result<Reply> Resolve(const std::string& customer, const std::string& profile);
  // Opened resolves and opens: the key, or the refusal wherever it came.
  Result<std::string> Opened(const std::string& customer, const std::string& profile);
  Refusal ResolveRefusal(const std::string& customer, const std::string& profile);
  Result<Reply> MoveKey(const std::string& key_ref, const std::string& move);
  Refusal MoveRefusal(const std::string& key_ref, const std::string& move);

  // Edit is somebody's hand on the vault database, past vaultd; Open their connection.
  std::int64_t Edit(sql::Sql text, std::initializer_list<sql::Parameter> parameters = {});
  std::string Value(sql::Sql text, std::initializer_list<sql::Parameter> parameters = {});
  std::unique_ptr<sql::Database> Open() const;
  // AnchorAs makes an anchor of the records that there are, unsigned, as of a log of this name; not while vaultd runs.
  void AnchorAs(const std::string& origin) const;
  // Last is the newest record of the trail.
  audit::Entry Last();
  std::int64_t Records();

 private:
  Home home_;
  std::unique_ptr<Service> service_;
  std::int64_t resolves_ = 0;  // each asks under a number of its own
};

// MoveBody is the request of an act that is one word, such as "revoke".
Bytes MoveBody(const std::string& ref, const std::string& move, const std::string& reason = "a test");
ResolveRequest Ask1(const std::string& customer, const std::string& profile);

}  // namespace strongroom::vault
