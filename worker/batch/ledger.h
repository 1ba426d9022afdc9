// Ledger: a batch as the work database holds it: its AI_BATCH row, its messages on the queue, its replies.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "sql/database.h"
#include "worker/queue/queue.h"

namespace strongroom::worker {

// BatchRecord is one AI_BATCH row. Times are microseconds.
struct BatchRecord {
  std::string batch_id, status, customer, profile_ref, input_file, input_sha256, output_file, initiated_by;
  std::int64_t total = 0, processed = 0, failed = 0, in_flight = 64, timeout_ms = 60'000;
  base::Micros initiated_at = 0;
  std::optional<base::Micros> started_at, completed_at;
  std::string notes;
};

// NewBatchId is "B", the UTC time to the second, and four random characters.
std::string NewBatchId(base::Micros now);
// IsBatchId is whether NewBatchId could have made it.
bool IsBatchId(std::string_view text);

Result<void> InsertBatch(sql::Database& database, const BatchRecord& batch);
// FindBatch is kNotFound where there is none of that id.
Result<BatchRecord> FindBatch(sql::Database& database, const std::string& batch_id);
Result<std::vector<BatchRecord>> ListBatches(sql::Database& database, std::int64_t most);
// UpdateBatch writes status, counts, times and notes.
Result<void> UpdateBatch(sql::Database& database, const BatchRecord& batch);

// TakenReply is a reply taken from the batch's reply queue.
struct TakenReply {
  std::string request_id, message;
};
// TakeReplies marks up to `most` waiting replies of a reply queue as taken and returns them.
Result<std::vector<TakenReply>> TakeReplies(sql::Database& database, const QueueName& queue, base::Micros now,
                                            std::int64_t most);
// FindReply returns the stored reply of a request, taken or not; nullopt where there is none. See BrokenReplies.
Result<std::optional<std::string>> FindReply(sql::Database& database, const std::string& customer,
                                             const std::string& request_id);
// BrokenReplies are the replies on a queue that a worker gave without taking the message for a request, by request id.
// They are not what a repeated request is answered from, so FindReply, which has an index, does not see them; this walks
// all replies.
Result<std::map<std::string, std::string>> BrokenReplies(sql::Database& database, const QueueName& queue,
                                                         const std::string& customer);
// CancelUnclaimed removes the messages of a request that nobody holds, where there are any, and returns how many calls
// were begun for it. nullopt where a worker holds one: its reply will come; roll back then. In the same transaction the
// request is to be answered.
Result<std::optional<std::int64_t>> CancelUnclaimed(sql::Database& database, std::int64_t id, const Identity& identity,
                                                    base::Micros now);
// TakeReplyBack forgets the reply of a request, and its usage row, so that it can be sent again: for one that ended in PROVIDER_AUTH.
Result<void> TakeReplyBack(sql::Database& database, const std::string& customer, const std::string& request_id);
// IsHeld: the message waits for its key (queue.h, Hold).
Result<bool> IsHeld(sql::Database& database, std::int64_t id);
// Withdraw removes a message that nobody holds, without a reply: a batch that was interrupted sends it again.
Result<bool> Withdraw(sql::Database& database, std::int64_t id, base::Micros now);

}  // namespace strongroom::worker
