// Store: the vault database's rows and the statements that read and write them. It knows columns, not rules: what a
// row is worth is proved elsewhere (vault/proven_key.h, vault/profile_mac.h).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "sql/database.h"
#include "vault/envelope.h"
#include "vault/keyring.h"
#include "vault/protocol.h"

namespace strongroom::vault {

// KeyRow is KEY_VAULT as stored: nothing in it may be believed before ProvenKey has proved it. Rows are equal where
// every column is.
struct KeyRow {
  std::string key_ref, customer, provider;
  std::int64_t key_version = 0;
  Sealed sealed;  // ENCRYPTED_KEY, NONCE_KEY, ENCRYPTED_DEK, NONCE_DEK
  std::int64_t kek_version = 0;
  std::string status;
  base::Micros created_at = 0;
  std::optional<base::Micros> last_used_at, revoked_at;
  std::string label, origin, hosted;
  std::int64_t row_version = 0;
  std::optional<base::Micros> grace_until;
  base::Micros state_changed_at = 0;
  std::string fingerprint;
  bool operator==(const KeyRow&) const = default;
};

// BoundProfile is what of AI_PROFILE decides whose key goes where: all that VAULT_MAC covers, VAULT_MAC itself, and
// STATUS.
struct BoundProfile {
  std::string profile_ref, customer, mode, provider, endpoint;
  std::optional<std::string> key_ref;
  Bytes vault_mac;
  std::string status;
  bool operator==(const BoundProfile&) const = default;
};

// ProfileRow is AI_PROFILE as stored; VAULT_MAC says whether it may be believed.
struct ProfileRow : BoundProfile {
  std::string profile_name, model;
  std::int64_t default_max_tokens = 1024;
  std::optional<std::int64_t> default_temp_tenths;
  std::optional<std::string> system_prompt;
  std::optional<std::int64_t> rpm, tpm, quota;
  std::optional<std::string> models_allowed, api_version;
  std::optional<std::string> notes;
  base::Micros created_at = 0, updated_at = 0;
};

struct VaultRow {
  std::string vault_id;
  std::int64_t epoch = 0;
  base::Micros created_at = 0;
};

struct KekRow {
  std::int64_t version = 0;
  Bytes check_value;
  std::string status;  // PREPARED, ACTIVE, RETIRING, RETIRED, DESTROYED
  base::Micros created_at = 0, changed_at = 0;
};

// Store lends a connection for as long as one act or question takes. Errors are sql::Database's own.
class Store {
 public:
  explicit Store(sql::Database& database) : database_(database) {}

  // Keys. Insert is kAlreadyExists where the KEY_REF is taken.
  Result<std::optional<KeyRow>> FindKey(std::string_view key_ref);
  // ListKeys is at most `most` rows after the KEY_REF `after`, in its order; an empty customer or status is any.
  Result<std::vector<KeyRow>> ListKeys(std::string_view customer, std::string_view status, std::string_view after,
                                       std::int64_t most);
  Result<std::int64_t> NewestVersion(std::string_view customer, std::string_view provider, std::string_view label);
  Result<void> InsertKey(const KeyRow& row);
  // UpdateKey writes what may change of a row, where it still has ROW_VERSION `expected`; kConflict where it has not.
  Result<void> UpdateKey(const KeyRow& row, std::int64_t expected);
  // KeysUnder is what a rewrap needs (no payload) of up to `most` rows whose wraps are under a KEK version, in the order
  // of KEY_REF and behind `after`. A destroyed row has no wrap.
  Result<std::vector<KeyRow>> KeysUnder(std::int64_t kek_version, std::string_view after, std::int64_t most);
  // UpdateWrap writes ENCRYPTED_DEK, NONCE_DEK, KEK_VERSION and ROW_VERSION alone, where the row still has ROW_VERSION
  // `expected` and KEK_VERSION `expected_kek`; kConflict where it has not.
  Result<void> UpdateWrap(const KeyRow& row, std::int64_t expected, std::int64_t expected_kek);
  // CountOutside is the census: every wrap, of keys and of the vault's own secrets, that is not under the ACTIVE version.
  // It goes by what is there, not by what a row's STATUS says.
  Result<std::int64_t> CountOutside(std::int64_t active);
  // LastUsed is when the trail last saw the key go out.
  Result<std::optional<base::Micros>> LastUsed(std::string_view key_ref);
  Result<std::map<std::string, std::int64_t>> CountKeysByStatus();
  // CountKeysByKek leaves out what is destroyed: it has no wrap.
  Result<std::map<std::int64_t, std::int64_t>> CountKeysByKek();

  // Profiles. Insert and Update are kAlreadyExists where (CUSTOMER, PROFILE_NAME) is taken.
  Result<std::optional<ProfileRow>> FindProfile(std::string_view profile_ref);
  Result<std::optional<BoundProfile>> FindBoundProfile(std::string_view profile_ref);
  Result<std::vector<ProfileRow>> ListProfiles(std::string_view customer, std::string_view status,
                                               std::string_view after, std::int64_t most);
  Result<std::vector<ProfileRow>> ProfilesOfKey(std::string_view key_ref);
  Result<void> InsertProfile(const ProfileRow& row);
  Result<void> UpdateProfile(const ProfileRow& row);
  Result<std::int64_t> CountProfiles();

  // DataVersion is sql::Database's.
  Result<std::int64_t> DataVersion() { return database_.DataVersion(); }

  // The vault itself. FindVault is kCorrupt where there is not exactly one row.
  Result<VaultRow> FindVault();
  Result<void> InsertVault(const VaultRow& row);
  // MoveEpoch adds one, and returns the new epoch.
  Result<std::int64_t> MoveEpoch();
  Result<std::vector<KekRow>> ListKeks();
  Result<void> InsertKek(const KekRow& row);
  // MoveKek sets STATUS where it was `from`; kConflict where it was not.
  Result<void> MoveKek(std::int64_t version, std::string_view from, std::string_view to, base::Micros now);
  Result<std::optional<WrappedSecret>> FindSecret(std::string_view name);
  Result<void> InsertSecret(std::string_view name, const WrappedSecret& secret);
  Result<std::vector<std::string>> ListSecrets();
  // UpdateSecret writes a new wrap where the old one is still under KEK `expected`; kConflict where it is not.
  Result<void> UpdateSecret(std::string_view name, const WrappedSecret& secret, std::int64_t expected);
  // FirstRecord is the bytes of the trail's record 0.
  Result<std::optional<std::string>> FirstRecord();

  // Rates. CurrentRates is the newest row of each model and provider that is in force at `now`: by model and provider, at
  // most `most` after the one that `after` names.
  Result<std::vector<Rate>> CurrentRates(base::Micros now, const RatesRequest& after = {}, std::int64_t most = INT64_MAX);
  Result<void> InsertRate(const Rate& rate);

 private:
  sql::Database& database_;
};

}  // namespace strongroom::vault
