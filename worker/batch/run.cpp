#include "worker/batch/run.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

#include "base/files.h"
#include "base/process.h"
#include "base/progress.h"
#include "vault/digest.h"
#include "worker/contract.h"

namespace strongroom::worker {
namespace {

constexpr auto kPollEvery = std::chrono::milliseconds(5);
constexpr std::int64_t kMostTaken = 256;
constexpr int kGiveUpFactor = 3;  // × timeout_ms: INTERFACES §3
constexpr base::Micros kGiveUpLookEvery = base::kMicrosPerSecond;
constexpr int kMostDatabaseFailures = 60;

std::atomic<bool> stop_asked{false};
void AskStop(int) { stop_asked.store(true); }

enum class RowState : std::uint8_t { kWaiting, kSent, kDone };

// Run is one pass over one batch.
class Run {
 public:
  Run(sql::Database& database, const base::Config& config, BatchRecord batch, Input& input, Replay replay)
      : database_(database),
        inbound_{config.worker.inbound_library, config.worker.inbound_queue},
        replies_{"BATCH", batch.batch_id},
        batch_(std::move(batch)),
        input_(input),
        replay_(replay),
        rows_(input.rows(), RowState::kWaiting) {}

  BatchEnd Go();

 private:
  struct Sent {
    std::int64_t message_id = 0;
    base::Micros give_up_at = 0;  // MonoMicros
  };

  Result<void> LookForReplies();
  Result<void> Step();
  Result<bool> SendMore();
  Result<bool> TakeMore();
  Result<void> GiveUpLate();
  Result<void> TellOfHold();
  Result<void> TakeRefusalsBack();
  Result<void> GiveUp(std::size_t index);
  Usage UsageOf(const Request& request, const Failure& failure) const;
  Result<void> WithdrawUnclaimed();
  Result<void> WriteOutput();
  Result<Request> MakeRequest(std::size_t index);
  Result<std::optional<std::string>> ReplyTo(std::size_t index);
  void Count(std::size_t index, std::string_view reply);
  std::string RequestId(std::size_t index) const { return batch_.batch_id + "-" + std::to_string(index + 1); }
  std::optional<std::size_t> IndexOf(std::string_view request_id) const;
  bool AllDone() const { return batch_.processed + batch_.failed == batch_.total; }

  sql::Database& database_;
  QueueName inbound_, replies_;
  BatchRecord batch_;
  Input& input_;
  const Replay replay_;
  std::int64_t replayed_ = 0;
  bool told_of_hold_ = false;
  std::vector<RowState> rows_;
  std::map<std::size_t, Sent> sent_;
  std::size_t next_ = 0;
  base::Micros looked_late_ = 0;
  std::int64_t seen_version_ = -1;  // of the database, when there was no reply to take
  std::optional<std::map<std::string, std::string>> broken_;  // replies to broken messages, once they were looked for
  std::string problem_;  // with the file's name, where the input changed
};

std::optional<std::size_t> Run::IndexOf(std::string_view request_id) const {
  const std::string prefix = batch_.batch_id + "-";
  if (!request_id.starts_with(prefix)) return std::nullopt;
  const std::string_view digits = request_id.substr(prefix.size());
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size() || number == 0 || number > rows_.size()) {
    return std::nullopt;
  }
  return number - 1;
}

void Run::Count(std::size_t index, std::string_view reply) {
  if (rows_[index] == RowState::kDone) return;
  rows_[index] = RowState::kDone;
  sent_.erase(index);
  const Result<ReplyView> view = ParseReply(reply);
  (view && view->success ? batch_.processed : batch_.failed) += 1;
}

// The same row always makes the same bytes: a message sent twice is then one request, not two.
Result<Request> Run::MakeRequest(std::size_t index) {
  auto row = input_.Row(index);
  if (!row) {
    problem_ = row.error();
    return Fail(Code::kCorrupt, "the input file cannot be read again");
  }
  Request request;
  request.version = "1.0";
  request.request_id = RequestId(index);
  request.customer = batch_.customer;
  request.profile_ref = batch_.profile_ref;
  request.reply_queue = replies_;
  request.prompt = std::move(row->prompt);
  request.system_prompt = std::move(row->system_prompt);
  request.max_tokens = row->max_tokens;
  request.timeout_ms = batch_.timeout_ms;
  return request;
}

// A worker may have answered a row as broken, say one of another version: that reply counts where there is no other.
Result<std::optional<std::string>> Run::ReplyTo(std::size_t index) {
  TRY_ASSIGN(const std::optional<std::string> reply, FindReply(database_, batch_.customer, RequestId(index)));
  if (reply) return reply;
  if (!broken_) {
    TRY_ASSIGN(broken_, BrokenReplies(database_, replies_, batch_.customer));
  }
  const auto found = broken_->find(RequestId(index));
  return found == broken_->end() ? std::nullopt : std::optional(found->second);
}

Result<void> Run::LookForReplies() {
  for (std::size_t index = 0; index < rows_.size(); ++index) {
    TRY_ASSIGN(const std::optional<std::string> reply, ReplyTo(index));
    if (reply) Count(index, *reply);
  }
  return {};
}

Result<void> Run::TakeRefusalsBack() {
  TRY_ASSIGN(sql::Transaction transaction, sql::Transaction::Start(database_));
  for (std::size_t index = 0; index < rows_.size(); ++index) {
    TRY_ASSIGN(const std::optional<std::string> reply, FindReply(database_, batch_.customer, RequestId(index)));
    if (!reply) continue;
    const Result<ReplyView> view = ParseReply(*reply);
    if (!view || view->error_code != ErrorCodeName(ErrorCode::kProviderAuth)) continue;
    TRY(TakeReplyBack(database_, batch_.customer, RequestId(index)));
    ++replayed_;
  }
  return transaction.Commit();
}

Result<bool> Run::SendMore() {
  const auto room = static_cast<std::size_t>(batch_.in_flight) - std::min(sent_.size(), static_cast<std::size_t>(batch_.in_flight));
  std::vector<std::pair<std::size_t, Request>> fresh;
  for (std::size_t at = next_; at < rows_.size() && fresh.size() < room; ++at) {
    if (rows_[at] != RowState::kWaiting) continue;
    TRY_ASSIGN(Request request, MakeRequest(at));
    fresh.emplace_back(at, std::move(request));
  }
  if (fresh.empty()) return false;
  TRY_ASSIGN(sql::Transaction transaction, sql::Transaction::Start(database_));
  std::vector<std::int64_t> ids;
  for (auto& [index, request] : fresh) {
    std::string message = SerializeRequest(request);
    if (message.size() > kMostMessageBytes) {
      const StoredText text{"prompt/" + batch_.customer + "/" + request.request_id, batch_.customer, *request.prompt};
      TRY(StoreText(database_, text, base::WallMicros()));
      request.prompt_ref = text.ref;
      request.prompt.reset();
      message = SerializeRequest(request);
    }
    TRY_ASSIGN(const std::int64_t id, Submit(database_, inbound_, message));
    ids.push_back(id);
  }
  TRY(transaction.Commit());
  const base::Micros give_up = base::MonoMicros() + kGiveUpFactor * batch_.timeout_ms * base::kMicrosPerMilli;
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    rows_[fresh[i].first] = RowState::kSent;
    sent_[fresh[i].first] = Sent{ids[i], give_up};
    next_ = fresh[i].first + 1;
  }
  return true;
}

Result<bool> Run::TakeMore() {
  // A writing transaction only where somebody has committed: an idle poll must not hold the workers up.
  TRY_ASSIGN(const std::int64_t version, database_.DataVersion());
  if (version != 0 && version == seen_version_) return false;
  TRY_ASSIGN(sql::Transaction transaction, sql::Transaction::Start(database_));
  TRY_ASSIGN(const std::vector<TakenReply> taken, TakeReplies(database_, replies_, base::WallMicros(), kMostTaken));
  if (taken.empty()) {
    seen_version_ = version;
    return false;
  }
  TRY(transaction.Commit());
  for (const TakenReply& reply : taken) {
    if (const auto index = IndexOf(reply.request_id)) Count(*index, reply.message);
  }
  TRY(UpdateBatch(database_, batch_));
  return true;
}

Result<void> Run::GiveUpLate() {
  const base::Micros now = base::MonoMicros();
  if (now - looked_late_ < kGiveUpLookEvery) return {};
  looked_late_ = now;
  TRY(TellOfHold());
  std::vector<std::size_t> late;
  for (const auto& [index, sent] : sent_) {
    if (sent.give_up_at <= now) late.push_back(index);
  }
  for (const std::size_t index : late) TRY(GiveUp(index));
  return {};
}

// The oldest row stands for all: they are of one profile.
Result<void> Run::TellOfHold() {
  if (sent_.empty()) return {};
  TRY_ASSIGN(const bool held, IsHeld(database_, sent_.begin()->second.message_id));
  if (held && !told_of_hold_) {
    std::fprintf(stderr, "\nbatch: %zu rows wait: their key is SUSPENDED, for its provider refuses it; 'keytool resume' or 'keytool rotate' lets them go "
                         "on. To stop here: Ctrl-C, later batch resume %s\n", sent_.size(), batch_.batch_id.c_str());
  }
  told_of_hold_ = held;
  return {};
}

Result<void> Run::GiveUp(std::size_t index) {
  TRY_ASSIGN(const Request request, MakeRequest(index));
  const std::string message = SerializeRequest(request);
  Settlement settlement;
  settlement.identity = {batch_.customer, request.request_id, vault::Sha256(base::AsBytes(message))};
  settlement.reply_to = replies_;
  const base::Micros now = base::WallMicros();
  TRY_ASSIGN(sql::Transaction transaction, sql::Transaction::Start(database_));
  TRY_ASSIGN(const std::optional<std::int64_t> begun,
             CancelUnclaimed(database_, sent_.at(index).message_id, *settlement.identity, now));
  if (!begun) return {};
  Failure failure;
  failure.code = ErrorCode::kTimeout;
  failure.message = *begun == 0 ? "no worker took the request in time; it was cancelled"
                                : "its worker stopped while a call may have been under way, and no other took it in time";
  failure.attempts = *begun;
  settlement.reply = FailureReply(request.request_id, "", failure);
  if (*begun > 0) settlement.usage = UsageOf(request, failure);
  TRY(Answer(database_, settlement, getpid(), base::HostName() + ":" + std::to_string(getpid()), now));
  TRY_ASSIGN(const std::optional<std::string> stored, FindReply(database_, batch_.customer, request.request_id));
  TRY(transaction.Commit());
  Count(index, stored.value_or(settlement.reply));
  return {};
}

// A call that was begun has a usage row, whoever ends it.
Usage Run::UsageOf(const Request& request, const Failure& failure) const {
  Usage usage;
  usage.request_id = request.request_id;
  usage.customer = batch_.customer;
  usage.profile_ref = batch_.profile_ref;
  usage.version = request.version;
  usage.status = "error";
  usage.error_code = std::string(ErrorCodeName(failure.code));
  usage.attempts = failure.attempts;
  return usage;
}

Result<void> Run::WithdrawUnclaimed() {
  TRY_ASSIGN(sql::Transaction transaction, sql::Transaction::Start(database_));
  for (const auto& [index, sent] : sent_) TRY(Withdraw(database_, sent.message_id, base::WallMicros()));
  TRY(UpdateBatch(database_, batch_));
  return transaction.Commit();
}

Result<void> Run::WriteOutput() {
  broken_.reset();  // there may be more by now
  const std::string part = batch_.output_file + ".part";
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  for (std::size_t index = 0; index < rows_.size(); ++index) {
    const auto row = input_.Row(index);
    if (!row) {
      problem_ = row.error();
      return Fail(Code::kCorrupt, "the input file cannot be read again");
    }
    TRY_ASSIGN(const std::optional<std::string> reply, ReplyTo(index));
    if (!reply) return Fail(Code::kCorrupt, "a reply that was there is gone");
    const Result<ReplyView> view = ParseReply(*reply);
    std::optional<std::string> response;
    if (view && view->response_ref) {
      TRY_ASSIGN(response, LoadText(database_, *view->response_ref, batch_.customer));
    }
    out << OutputLine(row->text, *reply, response) << '\n';
  }
  out.close();
  if (!out) return Fail(Code::kUnavailable, "cannot write the output file: disk full, or no right to");
  // COMPLETE in AI_BATCH must not outlive the output it speaks of.
  return base::PutInPlace(part, batch_.output_file);
}

Result<void> Run::Step() {
  TRY_ASSIGN(const bool sent, SendMore());
  TRY_ASSIGN(const bool taken, TakeMore());
  TRY(GiveUpLate());
  if (!sent && !taken) std::this_thread::sleep_for(kPollEvery);
  return {};
}

BatchEnd Run::Go() {
  BatchEnd end;
  batch_.total = static_cast<std::int64_t>(rows_.size());
  batch_.processed = batch_.failed = 0;
  batch_.status = "running";
  batch_.notes.clear();
  if (!batch_.started_at) {
    batch_.started_at = base::WallMicros();
    broken_.emplace();  // a batch that never ran has no replies to look for
  }
  Result<void> state = replay_ == Replay::kRefused ? TakeRefusalsBack() : Result<void>();
  if (state) state = LookForReplies();
  if (state) state = UpdateBatch(database_, batch_);
  int failures = 0;
  if (state) {
    base::Progress progress(batch_.total, batch_.processed + batch_.failed);
    while (!AllDone() && !stop_asked.load()) {
      state = Step();
      // A busy database is waited for; one that stays away ends the run, and resume takes it up.
      if (!state && (state.error().code() != Code::kUnavailable || ++failures > kMostDatabaseFailures)) break;
      if (state) failures = 0;
      else std::this_thread::sleep_for(std::chrono::milliseconds(500));
      progress.Show(batch_.processed + batch_.failed, batch_.failed);
    }
  }
  end.interrupted = state.has_value() && !AllDone();
  if (state && AllDone()) {
    batch_.status = "complete";
    batch_.completed_at = base::WallMicros();
    state = WriteOutput();
    if (state) state = UpdateBatch(database_, batch_);
  }
  if (!state || end.interrupted) {
    batch_.status = "failed";
    batch_.notes = end.interrupted ? "interrupted; continue with: batch resume " + batch_.batch_id
                                   : state.error().Message();
    if (const Result<void> withdrawn = WithdrawUnclaimed(); !withdrawn && state) state = withdrawn;
  }
  if (!state) end.error = problem_.empty() ? state.error().Message() : problem_;
  end.batch = batch_;
  end.replayed = replayed_;
  return end;
}

}  // namespace

BatchEnd RunBatch(sql::Database& database, const base::Config& config, BatchRecord batch, Input& input, Replay replay) {
  stop_asked.store(false);
  struct sigaction action {};
  action.sa_handler = AskStop;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return Run(database, config, std::move(batch), input, replay).Go();
}

}  // namespace strongroom::worker
