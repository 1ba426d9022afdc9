#include "tests/worker/work_house.h"

namespace strongroom::worker {
namespace {

constexpr base::Micros kNow = 1'800'000'000'000'000;

Usage UsageOf(const std::string& request_id) {
  Usage usage;
  usage.request_id = request_id;
  usage.customer = "ACME";
  usage.profile_ref = "ACME_DEFAULT";
  usage.model = "claude-sonnet-4-6";
  usage.status = "success";
  usage.version = "1.0";
  usage.provider = "anthropic";
  usage.key_ref = "ACME/anthropic/default/1";
  usage.tokens_in = 11;
  usage.tokens_out = 22;
  usage.latency_ms = 333;
  usage.cost_usd = 0.000363;
  usage.attempts = 2;
  return usage;
}

// Claimed message of owner "a", ready to be settled.
Settlement Ready(sql::Database& database, const std::string& request_id) {
  Settlement settlement;
  const auto id = Submit(database, kInbound, "message of " + request_id);
  REQUIRE(id);
  settlement.id = *id;
  settlement.owner = "a";
  REQUIRE(ClaimWaiting(database, kInbound, "a", kNow, kNow + 1000, 1));
  settlement.reply_to = kReplies;
  settlement.reply = "reply to " + request_id;
  settlement.identity = IdentityOf(request_id);
  settlement.usage = UsageOf(request_id);
  return settlement;
}

Settled Run(sql::Database& database, const Settlement& settlement) {
  const auto settled = Settle(database, settlement, 4242, "host:4242", kNow + 5);
  REQUIRE(settled);
  return *settled;
}

std::int64_t Messages(sql::Database& database) { return Number(database, "SELECT COUNT(*) FROM QUEUE_MESSAGE"); }
std::int64_t Replies(sql::Database& database) { return Number(database, "SELECT COUNT(*) FROM REPLY_MESSAGE"); }
std::int64_t Usages(sql::Database& database) { return Number(database, "SELECT COUNT(*) FROM USAGE_LOG"); }
std::int64_t Dead(sql::Database& database) { return Number(database, "SELECT COUNT(*) FROM DEAD_LETTER"); }

}  // namespace

TEST_CASE("settle: reply, usage and acknowledgement, each once") {
  WorkHouse house;
  const auto database = house.Connect();
  CHECK(Run(*database, Ready(*database, "r")) == Settled::kSettled);
  CHECK(Messages(*database) == 0);
  CHECK(Text(*database, "SELECT LIBRARY || '/' || NAME || '/' || CUSTOMER || '/' || REQUEST_ID || '/' || MESSAGE "
                        "FROM REPLY_MESSAGE WHERE TAKEN_AT IS NULL") ==
        "ACME_5DTA/RPLY_000001/ACME/r/reply to r");
  CHECK(Number(*database, "SELECT LENGTH(CONTENT_HASH) FROM REPLY_MESSAGE") == 32);
  CHECK(Text(*database, "SELECT WORKER_PID || '/' || REQUEST_ID || '/' || CUSTOMER || '/' || PROFILE_REF || '/' || "
                        "PROVIDER || '/' || MODEL || '/' || STATUS || '/' || TOKENS_IN || '/' || TOKENS_OUT || '/' || "
                        "LATENCY_MS || '/' || ATTEMPTS || '/' || KEY_REF || '/' || WORKER_ID || '/' || VERSION "
                        "FROM USAGE_LOG WHERE ERROR_CODE IS NULL AND ABS(COST_BASIS_USD - 0.000363) < 1e-12") ==
        "4242/r/ACME/ACME_DEFAULT/anthropic/claude-sonnet-4-6/success/11/22/333/2/ACME/anthropic/default/1/host:4242/1.0");
  CHECK(Number(*database, "SELECT LOGGED_AT FROM USAGE_LOG") == kNow + 5);
}

TEST_CASE("settle: a month's tokens are counted with each settled request, once, by profile, month and worker") {
  WorkHouse house;
  const auto database = house.Connect();
  const base::Micros month = base::MonthOf(kNow + 5);
  const auto tokens = [&](const char* profile, base::Micros of) { return TokensOf(*database, profile, of).value(); };
  CHECK(tokens("ACME_DEFAULT", month) == 0);
  CHECK(Run(*database, Ready(*database, "r1")) == Settled::kSettled);
  CHECK(Run(*database, Ready(*database, "r2")) == Settled::kSettled);
  CHECK(tokens("ACME_DEFAULT", month) == 66);
  const Settlement again = Ready(*database, "r2");
  CHECK(Run(*database, again) == Settled::kAnsweredBefore);
  CHECK(tokens("ACME_DEFAULT", month) == 66);
  // Another worker has a row of its own.
  REQUIRE(Settle(*database, Ready(*database, "r3"), 1, "host:1", kNow + 5).value() == Settled::kSettled);
  CHECK(Number(*database, "SELECT COUNT(*) FROM MONTH_USAGE") == 2);
  CHECK(tokens("ACME_DEFAULT", month) == 99);
  REQUIRE(Settle(*database, Ready(*database, "r4"), 1, "host:1", base::MonthAfter(kNow)).value() == Settled::kSettled);
  CHECK(tokens("ACME_DEFAULT", month) == 99);
  CHECK(tokens("ACME_DEFAULT", base::MonthAfter(kNow)) == 33);
  Settlement failed = Ready(*database, "r5");
  failed.usage->tokens_in.reset();
  failed.usage->tokens_out.reset();
  CHECK(Run(*database, failed) == Settled::kSettled);
  Settlement rubbish = Ready(*database, "r6");
  rubbish.usage->tokens_in = -1000;
  CHECK(Run(*database, rubbish) == Settled::kSettled);
  CHECK(tokens("ACME_DEFAULT", month) == 121);
  CHECK(tokens("BARCO_DEFAULT", month) == 0);
}

TEST_CASE("settle: what the provider did not say stays null") {
  WorkHouse house;
  const auto database = house.Connect();
  Settlement settlement = Ready(*database, "r");
  settlement.usage->provider.reset();
  settlement.usage->key_ref.reset();
  settlement.usage->tokens_in.reset();
  settlement.usage->tokens_out.reset();
  settlement.usage->latency_ms.reset();
  settlement.usage->error_code = "TIMEOUT";
  CHECK(Run(*database, settlement) == Settled::kSettled);
  CHECK(Number(*database, "SELECT COUNT(*) FROM USAGE_LOG WHERE PROVIDER IS NULL AND KEY_REF IS NULL AND "
                          "TOKENS_IN IS NULL AND TOKENS_OUT IS NULL AND LATENCY_MS IS NULL AND ERROR_CODE = 'TIMEOUT'") == 1);
}

TEST_CASE("settle: who lost the lease writes nothing at all") {
  WorkHouse house;
  const auto database = house.Connect();
  Settlement settlement = Ready(*database, "r");
  settlement.response_text = StoredText{"response/ACME/r", "ACME", "long"};
  REQUIRE(ClaimExpired(*database, kInbound, "b", kNow + 2000, kNow + 9000, 1).value().size() == 1);
  CHECK(Run(*database, settlement) == Settled::kLostLease);
  settlement.reply_to.reset();
  settlement.dead_reason = "broken";
  CHECK(Run(*database, settlement) == Settled::kLostLease);
  CHECK(Messages(*database) == 1);
  CHECK(Replies(*database) + Usages(*database) + Dead(*database) == 0);
  CHECK(Number(*database, "SELECT COUNT(*) FROM AI_PROMPTS") == 0);
  // Its new holder settles it.
  settlement.owner = "b";
  settlement.reply_to = kReplies;
  settlement.reply = "by b";
  CHECK(Run(*database, settlement) == Settled::kSettled);
  CHECK(Text(*database, "SELECT MESSAGE FROM REPLY_MESSAGE") == "by b");
}

TEST_CASE("settle: twice is once") {
  WorkHouse house;
  const auto database = house.Connect();
  const Settlement settlement = Ready(*database, "r");
  CHECK(Run(*database, settlement) == Settled::kSettled);
  CHECK(Run(*database, settlement) == Settled::kLostLease);
  CHECK(Replies(*database) == 1);
  CHECK(Usages(*database) == 1);
}

TEST_CASE("settle: the first reply of a request stands, and the second message is acknowledged") {
  WorkHouse house;
  const auto database = house.Connect();
  CHECK(Run(*database, Ready(*database, "r")) == Settled::kSettled);
  REQUIRE(database->Execute("UPDATE REPLY_MESSAGE SET TAKEN_AT = 9"));
  Settlement second = Ready(*database, "r");
  second.reply = "another reply";
  second.response_text = StoredText{"response/ACME/r", "ACME", "long"};
  second.usage->tokens_in = 99;
  CHECK(Run(*database, second) == Settled::kAnsweredBefore);
  CHECK(Messages(*database) == 0);
  CHECK(Text(*database, "SELECT MESSAGE FROM REPLY_MESSAGE") == "reply to r");
  CHECK(Number(*database, "SELECT TAKEN_AT FROM REPLY_MESSAGE") == 9);
  CHECK(Number(*database, "SELECT TOKENS_IN FROM USAGE_LOG") == 11);
  CHECK(Number(*database, "SELECT COUNT(*) FROM AI_PROMPTS") == 0);
  // The same id of another customer has a reply of its own.
  Settlement other = Ready(*database, "r");
  other.identity = IdentityOf("r", "BETA");
  other.usage->customer = "BETA";
  CHECK(Run(*database, other) == Settled::kSettled);
  CHECK(Replies(*database) == 2);
}

TEST_CASE("settle: broken messages are answered each for itself, and no request's reply is in their way") {
  WorkHouse house;
  const auto database = house.Connect();
  for (int i = 0; i < 2; ++i) {
    Settlement settlement = Ready(*database, "r");
    settlement.identity.reset();
    settlement.usage.reset();
    CHECK(Run(*database, settlement) == Settled::kSettled);
  }
  CHECK(Number(*database, "SELECT COUNT(*) FROM REPLY_MESSAGE WHERE CUSTOMER IS NULL AND REQUEST_ID IS NULL") == 2);
  CHECK(Run(*database, Ready(*database, "r")) == Settled::kSettled);
  CHECK(Replies(*database) == 3);
  CHECK(Usages(*database) == 1);
}

TEST_CASE("settle: a message that nobody can be answered for goes to the dead letters whole") {
  WorkHouse house;
  const auto database = house.Connect();
  Settlement settlement = Ready(*database, "r");
  settlement.reply_to.reset();
  settlement.identity.reset();
  settlement.usage.reset();
  settlement.dead_reason = "reply_queue is missing";
  CHECK(Run(*database, settlement) == Settled::kSettled);
  CHECK(Messages(*database) == 0);
  CHECK(Replies(*database) == 0);
  CHECK(Text(*database, "SELECT LIBRARY || '/' || NAME || '/' || MESSAGE || '/' || REASON || '/' || DEAD_AT "
                        "FROM DEAD_LETTER") ==
        "K3SAI/AIOUTQ/message of r/reply_queue is missing/" + std::to_string(kNow + 5));
}

TEST_CASE("settle: a usage row that is there already is kept, and the reply still goes out") {
  WorkHouse house;
  const auto database = house.Connect();
  CHECK(Run(*database, Ready(*database, "r")) == Settled::kSettled);
  REQUIRE(database->Execute("DELETE FROM REPLY_MESSAGE"));  // replies may be purged, usage is kept
  Settlement again = Ready(*database, "r");
  again.usage->tokens_out = 1;
  CHECK(Run(*database, again) == Settled::kSettled);
  CHECK(Replies(*database) == 1);
  CHECK(Usages(*database) == 1);
  CHECK(Number(*database, "SELECT TOKENS_OUT FROM USAGE_LOG") == 22);
}

TEST_CASE("settle: a response that outgrew its message is stored with it") {
  WorkHouse house;
  const auto database = house.Connect();
  Settlement settlement = Ready(*database, "r");
  settlement.response_text = StoredText{"response/ACME/r", "ACME", std::string(200'000, 'x')};
  CHECK(Run(*database, settlement) == Settled::kSettled);
  CHECK(LoadText(*database, "response/ACME/r", "ACME").value().size() == 200'000);
  CHECK(LoadText(*database, "response/ACME/r", "BETA").error().code() == Code::kNotFound);
}

TEST_CASE("settle: when a step fails, everything before it is rolled back with it") {
  WorkHouse house;
  const auto database = house.Connect();
  const char* const kStep = GENERATE("usage", "reply", "text", "delete", "dead letter");
  const std::string step = kStep;
  Settlement settlement = Ready(*database, "r");
  settlement.response_text = StoredText{"response/ACME/r", "ACME", "long"};
  if (step == "usage") {
    REQUIRE(database->Execute("CREATE TRIGGER T BEFORE INSERT ON USAGE_LOG BEGIN SELECT RAISE(ABORT, 'no'); END"));
  } else if (step == "reply") {
    REQUIRE(database->Execute("CREATE TRIGGER T BEFORE INSERT ON REPLY_MESSAGE BEGIN SELECT RAISE(ABORT, 'no'); END"));
  } else if (step == "text") {
    REQUIRE(database->Execute("CREATE TRIGGER T BEFORE INSERT ON AI_PROMPTS BEGIN SELECT RAISE(ABORT, 'no'); END"));
  } else if (step == "delete") {
    REQUIRE(database->Execute("CREATE TRIGGER T BEFORE DELETE ON QUEUE_MESSAGE BEGIN SELECT RAISE(ABORT, 'no'); END"));
  } else {
    settlement.reply_to.reset();
    REQUIRE(database->Execute("CREATE TRIGGER T BEFORE DELETE ON QUEUE_MESSAGE BEGIN SELECT RAISE(ABORT, 'no'); END"));
  }
  {
    auto transaction = sql::Transaction::Start(*database);
    REQUIRE(transaction);
    const auto failed = Settle(*database, settlement, 1, "a", kNow);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code() == Code::kRefused);
  }
  const auto other = house.Connect();
  CHECK(Number(*other, "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE LEASE_OWNER = 'a'") == 1);
  CHECK(Replies(*other) + Usages(*other) + Dead(*other) == 0);
  CHECK(Number(*other, "SELECT COUNT(*) FROM AI_PROMPTS") == 0);
  REQUIRE(database->Execute("DROP TRIGGER T"));
  CHECK(Run(*database, settlement) == Settled::kSettled);
}

TEST_CASE("settle: of two workers with the same request in two messages, one settles it") {
  WorkHouse house;
  const auto one = house.Connect();
  const auto two = house.Connect();
  const Settlement first = Ready(*one, "r");
  Settlement second = Ready(*one, "r");
  second.reply = "the other's";
  auto transaction = sql::Transaction::Start(*two);
  REQUIRE(transaction);
  CHECK(Run(*two, second) == Settled::kSettled);
  REQUIRE(transaction->Commit());
  CHECK(Run(*one, first) == Settled::kAnsweredBefore);
  CHECK(Text(*one, "SELECT MESSAGE FROM REPLY_MESSAGE") == "the other's");
  CHECK(Messages(*one) == 0);
}

}  // namespace strongroom::worker
