#include "keytool/due.h"

#include <algorithm>
#include <map>

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {
namespace {

constexpr base::Micros kDay = base::kMicrosPerDay;
const base::Micros kNow = base::ParseTime("2026-11-27T12:00:00Z").value();

std::string At(base::Micros ago) { return "\"" + base::FormatTime(kNow - ago) + "\""; }

std::string Key(const std::string& ref, const std::string& status, const std::string& more) {
  return R"({"key_ref":")" + ref + R"(","customer":")" + ref.substr(0, ref.find('/')) + R"(","status":")" + status + "\"," + more + "}";
}

// Asked is what is due of one key, "DUE: COMMAND", and the reasons.
struct Asked {
  std::vector<std::string> due;
  std::string why;
};

Asked Ask(const std::string& key, std::map<std::string, std::int64_t> customers = {}, const std::vector<std::string>& profiles = {"ACME_DEFAULT"}, std::int64_t days = 365) {
  DueQuestion question;
  question.policy.days = days;
  question.policy.customers = std::move(customers);
  question.now = kNow;
  question.profiles_of = [profiles](const std::string&) { return profiles; };
  question.instead = [](const std::string&) { return std::string("ACME/openai/default/2"); };
  const auto found = FindDue("[" + key + "]", question);
  REQUIRE(found.has_value());
  Asked asked;
  for (const Due& one : *found) {
    asked.due.push_back(one.due + ": " + one.command.text());
    asked.why += one.why + "\n";
  }
  return asked;
}

using Dues = std::vector<std::string>;
const std::string kRef = "ACME/openai/default/1";

}  // namespace

TEST_CASE("due: a key past its customer's rotation age, and not a day before") {
  const auto aged = [](std::int64_t days) { return Key(kRef, "ACTIVE", "\"created_at\":" + At(days * kDay) + ",\"last_used_at\":" + At(kDay)); };
  CHECK(Ask(aged(364)).due.empty());
  CHECK(Ask(aged(365)).due == Dues{"rotation: keytool rotate " + kRef});
  CHECK(Ask(aged(365)).why == "365 days old, the customer's limit is 365\n");
  CHECK(Ask(aged(89), {{"ACME", 90}}).due.empty());
  CHECK(Ask(aged(90), {{"ACME", 90}}).due.size() == 1);
  CHECK(Ask(aged(90), {{"BARCO", 90}}).due.empty());
  CHECK(Ask(aged(4000), {{"ACME", 0}}).due.empty());
  CHECK(Ask(aged(4000), {}, {}, 0).due.empty());
}

TEST_CASE("due: a key that nobody uses is suspended where a profile names it, and revoked where none does") {
  const std::string created = "\"created_at\":" + At(200 * kDay);
  CHECK(Ask(Key(kRef, "ACTIVE", created + ",\"last_used_at\":" + At(89 * kDay))).due.empty());
  const std::string idle = Key(kRef, "ACTIVE", created + ",\"last_used_at\":" + At(91 * kDay));
  CHECK(Ask(idle).due == Dues{"unused: keytool suspend " + kRef + " --reason unused"});
  CHECK(Ask(idle, {}, {}).due == Dues{"unused: keytool revoke " + kRef + " --reason unused"});
  CHECK(Ask(Key(kRef, "ACTIVE", created + ",\"last_used_at\":null")).why == "never used, since 200 days, profile ACME_DEFAULT\n");
  CHECK(Ask(Key(kRef, "ACTIVE", "\"created_at\":" + At(kDay) + ",\"last_used_at\":null")).due.empty());
}

TEST_CASE("due: a grace that ends soon, by who still uses the key") {
  const auto ends = [](base::Micros in) { return Key(kRef, "ROTATED", "\"grace_until\":" + At(-in)); };
  CHECK(Ask(ends(8 * kDay)).due.empty());
  CHECK(Ask(ends(6 * kDay), {}, {}).due == Dues{"grace: keytool test " + kRef});
  CHECK(Ask(ends(6 * kDay), {}, {}).why == "REVOKED by itself at 2026-12-03T12:00:00Z; revoke it at its provider, and see\n");
  CHECK(Ask(ends(6 * kDay), {}, {"Team A, B", "ACME_B"}).due == Dues{"grace: keytool profile set 'Team A, B' --key-ref ACME/openai/default/2"});
  CHECK(Ask(ends(-kDay)).due == Dues{"grace: keytool status"});
}

TEST_CASE("due: what was left behind PENDING, what is SUSPENDED, what may be destroyed") {
  const auto since = [](const std::string& status, base::Micros ago) { return Key(kRef, status, "\"state_changed_at\":" + At(ago)); };
  CHECK(Ask(since("PENDING", kDay / 2)).due.empty());
  CHECK(Ask(since("PENDING", kDay)).due == Dues{"pending: keytool revoke " + kRef + " --reason \"not taken\""});
  CHECK(Ask(since("SUSPENDED", 0)).due == Dues{"suspended: keytool resume " + kRef});
  CHECK(Ask(since("SUSPENDED", 0), {}, {}).due == Dues{"suspended: keytool revoke " + kRef + " --reason unused"});
  CHECK(Ask(since("REVOKED", 7 * kDay - 1), {}, {}).due.empty());
  CHECK(Ask(since("REVOKED", 7 * kDay), {}, {}).due == Dues{"destruction: keytool destroy " + kRef});
  CHECK(Ask(since("REVOKED", 7 * kDay)).due == Dues{"recovery: keytool recover " + kRef});
  CHECK(Ask(since("REVOKED", 0)).why == "REVOKED 0 days ago, profile ACME_DEFAULT waits for another key\n");
  CHECK(Ask(since("COMPROMISED", 0)).due == Dues{"recovery: keytool recover " + kRef});
  CHECK(Ask(since("COMPROMISED", 0), {}, {}).due == Dues{"destruction: keytool destroy " + kRef});
  CHECK(Ask(since("DESTROYED", 400 * kDay), {}, {}).due.empty());
  CHECK(Ask(since("DESTROYED", 400 * kDay)).due == Dues{"recovery: keytool recover " + kRef});
}

TEST_CASE("due: an answer that is no list is said to be unreadable, and a row without its times is passed over") {
  CHECK_FALSE(FindDue("{}", {}).has_value());
  CHECK_FALSE(FindDue("[1]", {}).has_value());
  CHECK_FALSE(FindDue("", {}).has_value());
  CHECK(Ask(Key(kRef, "ACTIVE", "\"created_at\":\"soon\"")).due.empty());
  CHECK(Ask(Key(kRef, "ROTATED", "\"grace_until\":null")).due.empty());
}

}  // namespace strongroom::keytool
