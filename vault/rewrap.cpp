#include "vault/rewrap.h"

#include <system_error>
#include <utility>

#include "vault/field_rules.h"
#include "vault/kek_acts.h"
#include "vault/notice.h"
#include "vault/operations.h"
#include "vault/proven_key.h"
#include "vault/proven_ticket.h"

namespace strongroom::vault {
namespace {

// Each resolve waits for one chunk at most. Beside others' acts a chunk keeps the writer for half a millisecond, or for one where
// each row is a way to a database server and back; where nobody has asked for anything for a while it is as large as pays.
constexpr std::int64_t kChunkBeside = 32, kChunkBesideOnServer = 8, kChunkAlone = 512;
constexpr base::Micros kOthersForgotten = 5 * base::kMicrosPerSecond;
constexpr base::Micros kFirstLook = 200 * base::kMicrosPerMilli;
// So many chunks are one request: the way to keytool and back would otherwise take a third of the time.
constexpr int kChunksARequest = 16;
constexpr base::Micros kMostARequest = base::kMicrosPerSecond;
constexpr base::Micros kRunForgotten = 5 * base::kMicrosPerSecond;
constexpr std::size_t kMostRun = 64;
// Behind the last KEY_REF a run goes on with tickets, by their ids: `next` is this and an id. No KEY_REF sorts behind it.
constexpr std::string_view kTickets = "~";

class RewrapKeys final : public Act {
 public:
  RewrapKeys(OpenVault& vault, RewrapRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  bool GoesOn() override;
  Reply Answer(audit::Receipt&) override { return Reply(answer_.Encode()); }

 private:
  Result<void> TakeTurn();
  Result<std::int64_t> Retiring(Store& store) const;
  Result<void> MoveChunk(Store& store, const std::shared_ptr<const VaultKeys>& keys, std::int64_t version);
  Result<bool> Write(Store& store, const VaultKeys& keys, const RewrapChunk::Move& move);
  Result<void> MoveTickets(Store& store, const VaultKeys& keys, std::int64_t version, std::string_view after);
  Result<void> MoveAgain(Store& store, const VaultKeys& keys, const RewrapChunk::Move& move);
  // Leave counts a key, or a ticket, that stays where it is.
  void Leave(const std::string& name) {
    if (chunk_.unopened++ == 0) chunk_.first_unopened = name;
  }

  OpenVault& vault_;
  const RewrapRequest request_;
  RewrapAnswer chunk_;   // of the transaction at hand
  RewrapAnswer answer_;  // of all that are durable
  int chunks_ = 0;
  const base::Micros begun_ = base::MonoMicros();
};

Result<void> RewrapKeys::TakeTurn() {
  Rewrapper& at_work = vault_.rewrapper;
  const base::Micros now = base::MonoMicros();
  const bool another = !at_work.run.empty() && at_work.run != request_.run && now - at_work.seen < kRunForgotten;
  if (another) return Refuse(Refusal::kRewrapUnderWay);
  // A new run looks for others for a moment first.
  if (at_work.run != request_.run) at_work = {request_.run, now, 0, now - kOthersForgotten + kFirstLook};
  at_work.seen = now;
  return {};
}

// Retiring is the oldest version that still has to be emptied, 0 where there is none.
Result<std::int64_t> RewrapKeys::Retiring(Store& store) const {
  TRY_ASSIGN(const std::vector<KekRow> rows, store.ListKeks());
  for (const KekRow& row : rows) {
    if (row.status == kKekRetiring) return row.version;
  }
  return 0;
}

Result<void> RewrapKeys::MoveChunk(Store& store, const std::shared_ptr<const VaultKeys>& keys, std::int64_t version) {
  const std::string& after = chunks_ == 0 ? request_.after : answer_.next;
  if (after.starts_with(kTickets)) return MoveTickets(store, *keys, version, std::string_view(after).substr(kTickets.size()));
  const bool beside = base::MonoMicros() - vault_.rewrapper.others < kOthersForgotten;
  const std::int64_t smallest = vault_.nodes == nullptr ? kChunkBeside : kChunkBesideOnServer;
  const std::int64_t most = beside ? smallest : kChunkAlone;
  auto chunk = vault_.ahead.Take(keys, version, after);
  if (!chunk) {
    TRY_ASSIGN(chunk, PrepareRewrap(vault_, store, *keys, version, after, most));
  }
  // Once vaultd stops nothing is begun that nobody will take: its connection would be the last to the database.
  if (!chunk->next.empty() && !vault_.stopping.load()) vault_.ahead.Start(keys, version, chunk->next, most);
  for (const std::string& key_ref : chunk->unopened) Leave(key_ref);
  for (const RewrapChunk::Move& move : chunk->moves) {
    TRY_ASSIGN(const bool written, Write(store, *keys, move));
    if (!written) TRY(MoveAgain(store, *keys, move));
  }
  chunk_.next = std::move(chunk->next);
  if (!chunk_.next.empty()) return {};
  return MoveTickets(store, *keys, version, "");
}

// Tickets are few beside keys, and only the writer's thread writes them: no chunk of theirs is prepared ahead.
Result<void> RewrapKeys::MoveTickets(Store& store, const VaultKeys& keys, std::int64_t version, std::string_view after) {
  TRY_ASSIGN(std::vector<TicketRow> rows, store.TicketsUnder(version, after, kChunkBeside));
  if (std::ssize(rows) == kChunkBeside) chunk_.next = std::string(kTickets) + rows.back().ticket_id;
  for (TicketRow& row : rows) {
    std::string name = "ticket " + row.ticket_id;
    auto moved = RewrappedTicket(keys, vault_.vault_id, std::move(row));
    if (moved) {
      TRY(store.UpdateTicketWrap(*moved, version));
    } else if (RefusalOf(moved.error()) == Refusal::kTicketTampered) {
      Leave(name);
    } else {
      return std::unexpected(moved.error());
    }
  }
  return {};
}

// Write is false where the row is no longer what was read.
Result<bool> RewrapKeys::Write(Store& store, const VaultKeys& keys, const RewrapChunk::Move& move) {
  const auto written = store.UpdateWrap(move.row, move.row_version, move.kek_version);
  if (!written && written.error().code() == Code::kConflict) return false;
  if (!written) return std::unexpected(written.error());
  TRY(CarryNotice(vault_, keys, store, move.row, move.row_version));
  ++chunk_.rewrapped;
  return true;
}

// MoveAgain is for a row that was written since it was read. As a rule that wrapped it under the ACTIVE KEK.
Result<void> RewrapKeys::MoveAgain(Store& store, const VaultKeys& keys, const RewrapChunk::Move& move) {
  TRY_ASSIGN(auto row, store.FindKey(move.row.key_ref));
  if (row && (row->kek_version != move.kek_version || row->sealed.dek.ciphertext.empty())) return {};
  bool written = false;
  if (row) {
    RewrapChunk::Move again{{}, row->row_version, row->kek_version};
    auto moved = ProvenKey::Rewrapped(vault_, keys, std::move(*row));
    if (!moved && RefusalOf(moved.error()) != Refusal::kKeyTampered) return std::unexpected(moved.error());
    if (moved) {
      again.row = std::move(*moved);
      TRY_ASSIGN(written, Write(store, keys, again));
    }
  }
  // Nobody else writes in this transaction: a row that is not found again has a KEY_REF that is no text.
  if (!written) Leave(move.row.key_ref);
  return {};
}

Result<void> RewrapKeys::Decide(Store& store, base::Micros, audit::Draft& record) {
  TRY(TakeReason(request_.reason, record));
  if (!IsText(request_.run, kMostRun)) return Refuse(Refusal::kFieldInvalid);
  TRY_ASSIGN(const auto keys, vault_.Keys());  // first: a run that a seal has ended takes no turn
  TRY(TakeTurn());
  chunk_ = {};
  TRY(CheckWraps(store, *keys));
  TRY_ASSIGN(const std::int64_t version, Retiring(store));
  if (version != 0) TRY(MoveChunk(store, keys, version));
  if (chunk_.next.empty()) {
    // No KEK that is held opens these, whatever version they say they are under: none may be given up before somebody has looked.
    TRY_ASSIGN(const auto outside, store.NamesOutside(keys->wrap_version, version));
    for (const std::string& name : outside) Leave(name);
    TRY(RewrapSecrets(vault_, store, *keys));
    vault_.rewrapper = {};
    vault_.ahead.Stop();
  }
  record.after = audit::Facts{{"kek_version", std::to_string(keys->wrap_version)},
                              {"from_kek_version", std::to_string(version)},
                              {"rewrapped", std::to_string(chunk_.rewrapped)},
                              {"unopened", std::to_string(chunk_.unopened)}};
  if (chunk_.unopened > 0) (*record.after)["first_unopened"] = chunk_.first_unopened;
  return {};
}

bool RewrapKeys::GoesOn() {
  Rewrapper& at_work = vault_.rewrapper;
  const std::int64_t seq = vault_.log->last_seq();
  if (at_work.seq != 0 && seq > at_work.seq + 1) at_work.others = base::MonoMicros();
  at_work.seq = seq;
  if (answer_.unopened == 0) answer_.first_unopened = chunk_.first_unopened;
  answer_.unopened += chunk_.unopened;
  answer_.rewrapped += chunk_.rewrapped;
  answer_.next = chunk_.next;
  return ++chunks_ < kChunksARequest && base::MonoMicros() - begun_ < kMostARequest && !answer_.next.empty();
}

}  // namespace

// A row that does not open was changed outside vaultd, and would not open under the new KEK either. It is left for
// somebody to look at, and keeps its KEK version from being retired.
Result<RewrapChunk> PrepareRewrap(const OpenVault& vault, Store& store, const VaultKeys& keys, std::int64_t version,
                                  std::string_view after, std::int64_t most) {
  TRY_ASSIGN(std::vector<KeyRow> rows, store.KeysUnder(version, after, most));
  RewrapChunk chunk;
  if (std::ssize(rows) == most) chunk.next = rows.back().key_ref;
  chunk.moves.reserve(rows.size());
  for (KeyRow& row : rows) {
    RewrapChunk::Move move{{}, row.row_version, row.kek_version};
    std::string key_ref = row.key_ref;
    auto moved = ProvenKey::Rewrapped(vault, keys, std::move(row));
    if (moved) {
      move.row = std::move(*moved);
      chunk.moves.push_back(std::move(move));
    } else if (RefusalOf(moved.error()) == Refusal::kKeyTampered) {
      chunk.unopened.push_back(std::move(key_ref));
    } else {
      return std::unexpected(moved.error());
    }
  }
  return chunk;
}

void RewrapAhead::Start(std::shared_ptr<const VaultKeys> keys, std::int64_t version, std::string after,
                        std::int64_t most) {
  Await();
  keys_ = keys;
  version_ = version;
  after_ = std::move(after);
  try {
    // The share goes with the work: what is kept for its outcome would keep it as well.
    chunk_ = std::async(std::launch::async, [this, most, keys = std::move(keys)]() mutable {
      const auto used = std::move(keys);
      return Prepare(*used, most);
    });
  } catch (const std::system_error&) {
    chunk_ = {};  // no thread to be had: the writer does it
  }
}

Result<RewrapChunk> RewrapAhead::Prepare(const VaultKeys& keys, std::int64_t most) {
  if (reader_ == nullptr) {
    TRY_ASSIGN(reader_, OpenReader(vault_.config, vault_.node_id));
  }
  Store store(*reader_);
  auto chunk = PrepareRewrap(vault_, store, keys, version_, after_, most);
  if (!chunk) reader_.reset();
  return chunk;
}

std::optional<RewrapChunk> RewrapAhead::Take(const std::shared_ptr<const VaultKeys>& keys, std::int64_t version,
                                             std::string_view after) {
  if (!chunk_.valid()) return std::nullopt;
  auto chunk = chunk_.get();
  const bool asked_for = keys_.lock() == keys && version_ == version && after_ == after;
  if (!chunk || !asked_for) return std::nullopt;
  // A stop since then is looked for once more, in the row as it was: an older row may have been put back meanwhile.
  std::erase_if(chunk->moves, [&](RewrapChunk::Move& move) {
    std::swap(move.row.row_version, move.row_version);
    const bool allowed = vault_.stops->Allows(move.row);
    std::swap(move.row.row_version, move.row_version);
    if (!allowed) chunk->unopened.push_back(move.row.key_ref);
    return !allowed;
  });
  return std::move(*chunk);
}

void RewrapAhead::Await() const {
  if (chunk_.valid()) chunk_.wait();
}

void RewrapAhead::Stop() {
  Await();
  chunk_ = {};
  reader_.reset();
}

MadeAct MakeRewrapKeys(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(RewrapRequest request, RewrapRequest::Decode(body));
  return std::make_unique<RewrapKeys>(vault, std::move(request));
}

}  // namespace strongroom::vault
