#include "audit/key_list.h"

#include <algorithm>

namespace strongroom::audit {
namespace {

std::string Days(base::Micros span) { return std::to_string(span / base::kMicrosPerDay); }

std::string When(const std::optional<base::Micros>& at) { return at ? base::FormatTime(*at) : ""; }

Result<std::optional<base::Micros>> LastUse(const std::vector<Log>& logs, std::string_view key_ref) {
  std::optional<base::Micros> last;
  for (const Log& log : logs) {
    TRY_ASSIGN(sql::Statement * row,
               log.database->QueryOne("SELECT AT FROM AUDIT_LOG WHERE KEY_REF = ?1 AND OUTCOME = 'ok' AND ACTION IN ('resolve', 'probe', 'probe_suspect') "
                                      "ORDER BY AT DESC LIMIT 1", {key_ref}));
    if (row == nullptr) continue;
    last = std::max(last.value_or(0), row->Int64(0));
    row->Reset();
  }
  return last;
}

}  // namespace

Result<std::vector<ListedKey>> ListKeys(const std::vector<Log>& logs) {
  TRY_ASSIGN(sql::Statement * row, logs.front().database->Query("SELECT KEY_REF, CUSTOMER, PROVIDER, STATUS, KEK_VERSION, CREATED_AT "
                                                                "FROM KEY_VAULT ORDER BY KEY_REF"));
  std::vector<ListedKey> keys;
  while (true) {
    TRY_ASSIGN(const bool more, row->Next());
    if (!more) break;
    keys.push_back({row->Text(0), row->Text(1), row->Text(2), row->Text(3), row->Int64(4), row->Int64(5), std::nullopt});
  }
  for (ListedKey& key : keys) {
    TRY_ASSIGN(key.last_used, LastUse(logs, key.key_ref));
  }
  return keys;
}

Result<Section> Unused(const std::vector<Log>& logs, std::int64_t days, base::Micros now) {
  Section section{"unused",
                  "keys that may still be released (not REVOKED, COMPROMISED or DESTROYED) and had no successful resolve or probe in the " +
                      std::to_string(days) + " days before " + base::FormatTime(now),
                  {{"KEY"}, {"CUSTOMER"}, {"PROVIDER"}, {"STATUS"}, {"CREATED"}, {"LAST USED"}, {"DAYS UNUSED", true}},
                  {},
                  {}};
  TRY_ASSIGN(const std::vector<ListedKey> keys, ListKeys(logs));
  for (const ListedKey& key : keys) {
    const base::Micros idle = now - key.last_used.value_or(key.created_at);
    if (!key.may_open() || idle < days * base::kMicrosPerDay) continue;
    section.rows.push_back({key.key_ref, key.customer, key.provider, key.status, base::FormatTime(key.created_at), When(key.last_used),
                            Days(idle)});
  }
  section.notes.push_back(std::to_string(keys.size()) + " keys in all; of a key that was never used the days since it was added");
  return section;
}

Section Inventory(const std::vector<ListedKey>& keys, base::Micros now) {
  Section section{"keys",
                  "every row of KEY_VAULT, with its last successful resolve or probe by the trail",
                  {{"KEY"}, {"CUSTOMER"}, {"PROVIDER"}, {"STATUS"}, {"CREATED"}, {"AGE DAYS", true}, {"LAST USED"}, {"KEK", true}},
                  {},
                  {}};
  for (const ListedKey& key : keys) {
    section.rows.push_back({key.key_ref, key.customer, key.provider, key.status, base::FormatTime(key.created_at),
                            Days(now - key.created_at), When(key.last_used), std::to_string(key.kek_version)});
  }
  return section;
}

Result<Section> Overdue(const std::vector<Log>& logs, const std::vector<ListedKey>& keys, std::int64_t days, base::Micros now) {
  Section section{"overdue",
                  "keys that are ACTIVE, and the KEK in force, that are older than " + std::to_string(days) + " days",
                  {{"KIND"}, {"NAME"}, {"STATUS"}, {"CREATED"}, {"AGE DAYS", true}},
                  {},
                  {}};
  const base::Micros most = days * base::kMicrosPerDay;
  for (const ListedKey& key : keys) {
    if (key.status != "ACTIVE" || now - key.created_at < most) continue;
    section.rows.push_back({"key", key.key_ref, key.status, base::FormatTime(key.created_at), Days(now - key.created_at)});
  }
  TRY_ASSIGN(sql::Statement * row, logs.front().database->Query("SELECT KEK_VERSION, CREATED_AT FROM KEK WHERE STATUS = 'ACTIVE'"));
  while (true) {
    TRY_ASSIGN(const bool more, row->Next());
    if (!more) return section;
    const base::Micros created = row->Int64(1);
    if (now - created < most) continue;
    section.rows.push_back({"kek", std::to_string(row->Int64(0)), "ACTIVE", base::FormatTime(created), Days(now - created)});
  }
}

}  // namespace strongroom::audit
