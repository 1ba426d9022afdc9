// The inbound queue in the work database: claim, begin, renew, settle. Each function is one step of a transaction that
// its caller holds; work_store.h groups many into one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "sql/database.h"
#include "worker/contract.h"

namespace strongroom::worker {

// Claimed is a message under this owner's lease. Times are wall-clock microseconds.
struct Claimed {
  std::int64_t id = 0;
  std::string message;
  std::int64_t claims = 0;    // this one included
  std::int64_t attempts = 0;  // calls begun for it so far, by whomever
  base::Micros claimed_at = 0;
  std::optional<base::Micros> call_begun_at;
  std::optional<base::Micros> deadline;
};

// Submit puts a message on a queue and returns its id.
Result<std::int64_t> Submit(sql::Database& database, const QueueName& queue, std::string_view message);

// ClaimWaiting leases up to `most` messages nobody holds, oldest first; ClaimExpired those whose lease has run out.
Result<std::vector<Claimed>> ClaimWaiting(sql::Database& database, const QueueName& queue, std::string_view owner,
                                          base::Micros now, base::Micros lease_until, std::int64_t most);
Result<std::vector<Claimed>> ClaimExpired(sql::Database& database, const QueueName& queue, std::string_view owner,
                                          base::Micros now, base::Micros lease_until, std::int64_t most);
// RenewLeases moves every lease of the owner to `lease_until` and returns how many it holds.
Result<std::int64_t> RenewLeases(sql::Database& database, std::string_view owner, base::Micros lease_until);

// Identity is what makes two messages the same request.
struct Identity {
  std::string customer, request_id;
  Bytes content_hash;
};

// Admission is the answer to "may this message's call begin?"
enum class Admission : std::uint8_t {
  kBegun,        // yes; CALL_BEGUN_AT and ATTEMPTS are set
  kLostLease,    // somebody else holds the message now
  kAnswered,     // the same request was answered before: settle by AnswerAgain
  kUnderWay,     // the same request is under way in another message: drop this one
  kOtherContent  // the request_id was used with other content: INVALID_REQUEST
};
// Begin marks, durably once committed, that call number `attempt` may be under way.
Result<Admission> Begin(sql::Database& database, std::int64_t id, std::string_view owner, const Identity& identity,
                        std::int64_t attempt, base::Micros now, base::Micros deadline);
// CallEnded clears the mark: that call's outcome is known, and another may follow.
Result<void> CallEnded(sql::Database& database, std::int64_t id, std::string_view owner);

// Usage is one row of USAGE_LOG.
struct Usage {
  std::string request_id, customer, profile_ref, model, status, version;
  std::optional<std::string> provider, error_code, key_ref;
  std::optional<std::int64_t> tokens_in, tokens_out, latency_ms;
  double cost_usd = 0;
  std::int64_t attempts = 0;
};

// StoredText is a prompt or response that outgrew a message (AI_PROMPTS).
struct StoredText {
  std::string ref, customer, content;
};
Result<void> StoreText(sql::Database& database, const StoredText& text, base::Micros now);
// LoadText is kNotFound unless the row is this customer's.
Result<std::string> LoadText(sql::Database& database, std::string_view ref, std::string_view customer);

// Settlement ends a message: a reply or a dead letter, the usage row, and the acknowledgement, all or nothing.
struct Settlement {
  std::int64_t id = 0;
  std::string owner;
  std::optional<QueueName> reply_to;      // unset: dead letter, with `dead_reason`
  std::string reply;
  std::optional<Identity> identity;       // unset for a broken message, whose reply answers no request
  std::optional<std::string> customer, request_id;  // what could be read of a broken message, to find its reply by
  std::optional<Usage> usage;
  std::optional<StoredText> response_text;
  std::string dead_reason;
};
enum class Settled : std::uint8_t { kSettled, kLostLease, kAnsweredBefore };
// Settle is conditional on the lease and idempotent for (customer, request_id): where a reply exists already, the
// message is acknowledged and the first reply stands.
Result<Settled> Settle(sql::Database& database, const Settlement& settlement, std::int64_t pid, std::string_view worker,
                       base::Micros now);
// Answer is Settle for a message that its caller has removed already: reply, text and usage, unless there is a reply.
Result<Settled> Answer(sql::Database& database, const Settlement& settlement, std::int64_t pid, std::string_view worker,
                       base::Micros now);
// TokensOf is what was settled for a profile in the month that began then, by all workers.
Result<std::int64_t> TokensOf(sql::Database& database, std::string_view profile_ref, base::Micros month);
// AnswerAgain acknowledges a message whose request was answered before; the stored reply goes, once more, to the first
// request's queue. Drop acknowledges one whose request is under way in another message.
Result<void> AnswerAgain(sql::Database& database, std::int64_t id, std::string_view owner, const Identity& identity);
Result<void> Drop(sql::Database& database, std::int64_t id, std::string_view owner);

// Hold leaves a message to nobody until Unhold, or until `until`: what it needs is not to be had for now. It is as if it had not been
// claimed: its deadline has not begun. Only for one whose call was never begun by anybody.
Result<void> Hold(sql::Database& database, std::int64_t id, std::string_view owner, base::Micros until);
// Unhold gives back what any worker holds so, in the order in which it came, and returns how many.
Result<std::int64_t> Unhold(sql::Database& database, const QueueName& queue);
// The owner under which messages are held.
inline constexpr std::string_view kHeldOwner = "held: the key is suspended";

// Release gives a message back unclaimed (a worker that stops before its call began).
Result<void> Release(sql::Database& database, std::int64_t id, std::string_view owner);

}  // namespace strongroom::worker
