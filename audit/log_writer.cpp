#include "audit/log_writer.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <iterator>
#include <utility>

#include "base/log.h"

namespace strongroom::audit {
namespace {

constexpr base::Micros kFirstBackoff = 20 * base::kMicrosPerMilli;
constexpr base::Micros kMostBackoff = base::kMicrosPerSecond;

Error Unavailable(base::Literal text, const Error& cause) {
  return cause.has_number() ? Error(Code::kUnavailable, text, cause.number()) : Error(Code::kUnavailable, text);
}

// WriteError is what the callers of a group hear: always kUnavailable, because no key may go out on it.
Error WriteError(const Error& cause) {
  constexpr base::Literal kDamaged = "the trail cannot be written: the vault database is damaged";
  constexpr base::Literal kAway = "the trail cannot be written: the vault database is busy, full or away";
  return Unavailable(cause.code() == Code::kCorrupt ? kDamaged : kAway, cause);
}

Error AnchorError(const Error& cause) {
  return Unavailable("the trail's head cannot be kept: its anchor file cannot be written", cause);
}

Error Hangs() { return Error(Code::kUnavailable, "the trail cannot be written: the disk or the database's server does not answer"); }

void Tell(std::vector<Job>& group, const Error& error) {
  for (Job& job : group) job.done(std::unexpected(error));
}

}  // namespace

LogWriter::LogWriter(std::unique_ptr<sql::Database> database, std::unique_ptr<sql::Database> checkpointer,
                     std::string log, std::string boot, Options options)
    : database_(std::move(database)),
      options_(options),
      wal_(std::move(checkpointer), options.checkpoint_every),
      anchoring_(options.keep_head, [this] {
        { const std::lock_guard lock(mutex_); }
        wake_.notify_all();
      }) {
  place_.log = std::move(log);
  place_.boot = std::move(boot);
}

Result<std::unique_ptr<LogWriter>> LogWriter::Start(std::unique_ptr<sql::Database> database,
                                                    std::unique_ptr<sql::Database> checkpointer, std::string log,
                                                    std::string boot, Options options) {
  if (!IsPlainName(log) || !IsPlainName(boot)) {
    return Fail(Code::kInvalidArgument, "a log's id and its boot must be plain names of at most 128 characters");
  }
  CHECK(options.most_group > 0);
  std::unique_ptr<LogWriter> writer(new LogWriter(std::move(database), std::move(checkpointer), std::move(log),
                                                  std::move(boot), options));
  TRY_ASSIGN(writer->tail_, writer->ReadTail());
  TRY_ASSIGN(writer->tree_, GrowingTree::Load(*writer->database_, writer->tail_.seq + 1));
  writer->written_ = writer->tree_.head();
  writer->last_seq_ = writer->tail_.seq;
  writer->last_time_ = writer->tail_.time;
  writer->thread_ = std::thread([raw = writer.get()] { raw->Run(); });
  return writer;
}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool LogWriter::hangs() const {
  const base::Micros latest = base::MonoMicros() - options_.most_wait;
  const auto too_long = [latest](base::Micros since) { return since != 0 && since < latest; };
  return too_long(serving_since_.load()) || too_long(anchoring_.keeping_since());
}

void LogWriter::Watch() {
  CHECK(std::this_thread::get_id() != thread_.get_id());
  if (!hangs()) {
    hang_told_ = false;
    return;
  }
  if (!hang_told_.exchange(true)) base::LogError("trail_write_hangs", Hangs());
  std::vector<Job> refused;
  {
    const std::lock_guard lock(mutex_);
    while (!waiting_.empty()) std::ranges::move(waiting_.Take(options_.most_group), std::back_inserter(refused));
  }
  Tell(refused, Hangs());
}

Result<void> LogWriter::Submit(Job job) {
  CHECK(job.decide && job.done);
  // What was handed over to a disk that hangs may yet happen; nothing more is.
  if (hangs() && std::this_thread::get_id() != thread_.get_id()) {
    Watch();
    return std::unexpected(Hangs());
  }
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= options_.most_waiting) {
      return Fail(Code::kUnavailable, "too many acts wait for the trail: try again shortly");
    }
    waiting_.Push(std::move(job));
    if (waiting_.size() > 1) return {};
  }
  wake_.notify_all();
  return {};
}

Result<Receipt> LogWriter::Append(Draft record, std::function<void(sql::Database&)> also) {
  CHECK(std::this_thread::get_id() != thread_.get_id());
  const auto promise = std::make_shared<std::promise<Result<Receipt>>>();
  auto receipt = promise->get_future();
  Job job;
  job.alone = also != nullptr;
  job.decide = [record = std::move(record), also = std::move(also)](sql::Database& database, base::Micros) {
    if (also) also(database);
    return Decision{record, false};
  };
  job.done = [promise](Result<Receipt> result) { promise->set_value(std::move(result)); };
  TRY(Submit(std::move(job)));
  return receipt.get();
}

Result<LogWriter::Tail> LogWriter::ReadTail() {
  TRY_ASSIGN(sql::Statement * row,
             database_->QueryOne("SELECT SEQ, RECORD FROM AUDIT_LOG ORDER BY SEQ DESC LIMIT 1"));
  Tail tail;
  if (row == nullptr && options_.new_log) return tail;
  if (row == nullptr) {
    return Fail(Code::kCorrupt, "every record of the trail was deleted, its first one too: restore the database");
  }
  tail.seq = row->Int64(0);
  const Bytes bytes = row->Blob(1);
  row->Reset();
  const auto entry = Parse(base::AsText(bytes));
  if (!entry || entry->place.seq != tail.seq) {
    return Fail(Code::kCorrupt, "the trail's last record is not what was written: run auditlog verify", tail.seq);
  }
  if (entry->place.log != place_.log) {
    return Fail(Code::kCorrupt, "the trail in this database belongs to another log: run auditlog verify", tail.seq);
  }
  tail.prev = LeafHash(entry->bytes);
  tail.time = entry->place.time;
  return tail;
}

// NextGroup waits for jobs, or until the tick is due: it is then empty.
std::vector<Job> LogWriter::NextGroup() {
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return stopping_ || !waiting_.empty() || anchoring_.has_failed(); };
  if (options_.tick) {
    const base::Micros left = std::max<base::Micros>(tick_at_ - base::MonoMicros(), 0);
    wake_.wait_for(lock, std::chrono::microseconds(left), ready);
  } else {
    wake_.wait(lock, ready);
  }
  return waiting_.Take(options_.most_group);
}

void LogWriter::Run() {
  while (true) {
    std::vector<Job> group = NextGroup();
    TellFailed();
    if (!group.empty()) {
      const bool alone = group.front().alone;
      serving_since_ = base::MonoMicros();
      Serve(std::move(group));
      serving_since_ = 0;
      if (alone) tick_at_ = 0;
    } else if (const std::lock_guard lock(mutex_); stopping_ && waiting_.empty()) {
      break;
    }
    if (options_.tick && base::MonoMicros() >= tick_at_) {
      serving_since_ = base::MonoMicros();
      RunTick();
      serving_since_ = 0;
    }
  }
  anchoring_.Finish();
  TellFailed();
}

// Serve writes a group and has its callers told. One that ran alone is told on this thread, behind every other, because what it did
// counts for whatever is decided next; so is any where nothing is to be done meanwhile.
void LogWriter::Serve(std::vector<Job> group) {
  auto receipts = Write(group);
  if (!receipts) return Tell(group, WriteError(receipts.error()));
  if (!options_.keep_head || group.front().alone || NothingToDo()) {
    const auto kept = anchoring_.Now(tree_.head());
    if (!kept) {
      Failed(kept.error());
      return Tell(group, AnchorError(kept.error()));
    }
    for (std::size_t i = 0; i < group.size(); ++i) group[i].done(std::move((*receipts)[i]));
    return;
  }
  anchoring_.Later({std::move(group), std::move(*receipts), tree_.head()});
}

bool LogWriter::NothingToDo() {
  if (!anchoring_.idle()) return false;
  const std::lock_guard lock(mutex_);
  return waiting_.empty();
}

void LogWriter::TellFailed() {
  for (Anchoring::Failure& failure : anchoring_.TakeFailed()) {
    Failed(failure.error);
    Tell(failure.jobs, AnchorError(failure.error));
  }
}

void LogWriter::RunTick() {
  const auto there = broken_ ? Recover() : Result<void>();
  const auto next = options_.tick(there ? database_.get() : nullptr);
  if (there && broken_ && next) Succeeded(tail_);
  if (!next) Failed(next.error());
  tick_at_ = next ? *next : base::MonoMicros() + kFirstBackoff;
}

Result<std::vector<Receipt>> LogWriter::Write(std::vector<Job>& group) {
  if (broken_) TRY(Recover());
  const auto hold = wal_.HoldForWriting();
  auto receipts = WriteOnce(group);
  if (receipts || !options_.on_full || !sql::IsDiskFull(receipts.error())) return receipts;
  options_.on_full();
  retry_at_ = 0;  // there is room now
  if (!group.front().alone) return receipts;
  // Whoever stops a key must not have to ask twice. Where the trail has grown, the act was done after all.
  const std::int64_t before = tail_.seq;
  TRY(Recover());
  return tail_.seq == before ? WriteOnce(group) : std::move(receipts);
}

Result<std::vector<Receipt>> LogWriter::WriteOnce(std::vector<Job>& group) {
  Tail tail = tail_;
  auto receipts = WriteTransaction(group, tail);
  if (receipts) {
    Succeeded(tail);
  } else {
    // Whether a failed COMMIT took effect is not known: the tail is read anew before the next group.
    static_cast<void>(database_->Rollback());
    Failed(receipts.error());
  }
  return receipts;
}

Result<std::vector<Receipt>> LogWriter::WriteTransaction(std::vector<Job>& group, Tail& tail) {
  std::vector<Receipt> receipts;
  receipts.reserve(group.size());
  std::size_t bytes = 0;
  TRY(database_->Begin());
  for (Job& job : group) {
    const base::Micros now = std::max(base::WallMicros(), tail.time);
    Decision decision = job.decide(*database_, now);
    CHECK(job.alone || !decision.undo);
    if (decision.undo) {
      TRY(database_->Rollback());
      TRY(database_->Begin());
    }
    Fit(decision.record);
    TRY_ASSIGN(const std::size_t size, Insert(decision.record, now, tail));
    bytes += size;
    receipts.push_back({tail.seq, tail.time, std::move(decision.record)});
  }
  TRY(tree_.PutHead(*database_));
  TRY(database_->Commit());
  wal_.Committed(bytes);
  return receipts;
}

Result<std::size_t> LogWriter::Insert(const Draft& record, base::Micros now, Tail& tail) {
  // An engine that ran into a full disk may have ended the transaction by itself; a row written after that would
  // stand without the rows before it.
  if (!database_->in_transaction()) return Fail(Code::kUnavailable, "the transaction was ended by the database");
  place_.seq = tail.seq + 1;
  place_.prev.swap(tail.prev);
  place_.time = now;
  place_.mono_us = base::MonoMicros();
  const std::string bytes = SerializeFitted(record, place_);
  TRY(database_->Execute("INSERT INTO AUDIT_LOG (SEQ, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, REQUEST_ID) "
                         "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                         {place_.seq, base::AsBytes(bytes), now, std::string_view(record.action),
                          OutcomeName(record.outcome), std::string_view(record.actor.name),
                          sql::Optional(record.customer), sql::Optional(record.key_ref),
                          sql::Optional(record.request_id)}));
  const Hash leaf = HashLeaf(bytes);
  TRY(tree_.Append(*database_, leaf));
  tail = {place_.seq, base::Hex(leaf), now};
  return bytes.size();
}

// A longer trail must have grown out of the one that was written: another one, put in its place meanwhile, must not be signed.
Result<void> LogWriter::CheckGrown() {
  StoredTree stored(*database_);
  const auto edge = EdgeAt(stored, written_.size);
  if (!edge && edge.error().code() != Code::kNotFound) return std::unexpected(edge.error());
  if (edge && edge->head() == written_) return {};
  return Fail(Code::kCorrupt, "the trail is another one than was written: run auditlog verify", written_.size);
}

Result<void> LogWriter::Recover() {
  constexpr base::Literal kStopping = "the trail could not be written and its writer is stopping";
  {
    std::unique_lock lock(mutex_);
    const base::Micros wait = std::max<base::Micros>(retry_at_ - base::MonoMicros(), 0);
    wake_.wait_for(lock, std::chrono::microseconds(wait), [this] { return stopping_; });
    if (stopping_ && std::exchange(tried_last_, true)) return Fail(Code::kUnavailable, kStopping);
  }
  const auto connected = database_->Reconnect();
  auto ready = connected ? ReadTail() : Fail(connected.error());
  if (ready && (ready->seq < tail_.seq || (ready->seq == tail_.seq && ready->prev != tail_.prev))) {
    // Records whose durability was told are gone: writing on would hide that under a chain that looks whole.
    ready = Fail(Code::kCorrupt, "the trail has lost records it had: run auditlog verify", ready->seq);
  }
  auto tree = ready ? GrowingTree::Load(*database_, ready->seq + 1) : Fail(ready.error());
  if (tree) {
    if (const auto same = CheckGrown(); !same) tree = Fail(same.error());
  }
  if (!tree) {
    Failed(tree.error());
    return Fail(tree.error());
  }
  tree_ = std::move(*tree);
  ready->time = std::max(ready->time, tail_.time);
  tail_ = std::move(*ready);
  written_ = tree_.head();
  if (const auto kept = anchoring_.Now(tree_.head()); !kept) {
    Failed(kept.error());
    return std::unexpected(kept.error());
  }
  return {};
}

void LogWriter::Failed(const Error& error) {
  if (healthy_.exchange(false)) base::LogError("trail_write_failed", error);
  broken_ = true;
  backoff_ = std::clamp(backoff_ * 2, kFirstBackoff, kMostBackoff);
  retry_at_ = base::MonoMicros() + backoff_;
}

void LogWriter::Succeeded(const Tail& tail) {
  tail_ = tail;
  written_ = tree_.head();
  last_seq_ = tail.seq;
  last_time_ = tail.time;
  broken_ = false;
  backoff_ = 0;
  if (!healthy_.exchange(true)) base::Log(base::Level::kInfo, "trail_write_recovered", {{"seq", tail.seq}});
}

}  // namespace strongroom::audit
