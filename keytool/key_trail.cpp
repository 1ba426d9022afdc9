#include "keytool/key_trail.h"

#include <nlohmann/json.hpp>
#include <tuple>

#include "keytool/document.h"
#include "vault/key_trail.h"

namespace strongroom::keytool {
namespace {

using Json = nlohmann::json;

std::string TextIn(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Outcome<base::Micros> EachTrailRow(const Session& session, const TrailQuestion& question, const std::function<Outcome<void>(const std::string& row)>& take) {
  vault::ReadKeyTrailRequest request;
  request.key_ref = question.key_ref;
  request.what = question.what;
  request.since = question.since;
  request.checkpoint = question.checkpoint;
  for (;;) {
    TRY_ASSIGN(const Bytes body, session.Ask(vault::Operation::kReadKeyTrail, request.Encode(), question.key_ref));
    const auto page = vault::ReadKeyTrailAnswer::Decode(body);
    if (!page) return Unreadable();
    for (const std::string& row : page->rows) TRY(take(row));
    if (!page->more) return page->held_from;
    // A page that leads back to itself would never end.
    if (std::tuple(page->after_at, page->after_seq) <= std::tuple(request.after_at, request.after_seq)) return Unreadable();
    request.after_at = page->after_at;
    request.after_seq = page->after_seq;
  }
}

Outcome<TrailEntry> ReadTrailRow(const std::string& row) {
  const Json outer = Json::parse(row, nullptr, false);
  if (!outer.is_object()) return Unreadable();
  TrailEntry entry;
  const auto seq = outer.find("seq");
  if (seq == outer.end() || !seq->is_number_integer()) return Unreadable();
  entry.seq = seq->get<std::int64_t>();
  entry.fault = TextIn(outer, "fault");
  const Json record = Json::parse(TextIn(outer, "record"), nullptr, false);
  if (!record.is_object()) return entry;
  const auto actor = record.find("actor");
  if (actor != record.end()) {
    entry.actor = TextIn(*actor, "name");
    entry.role = TextIn(*actor, "role");
    const auto pid = actor->is_object() ? actor->find("pid") : actor->end();
    if (entry.role == "worker" && pid != actor->end() && pid->is_number_integer()) entry.actor += ":" + std::to_string(pid->get<std::int64_t>());
  }
  entry.time = TextIn(record, "time");
  entry.action = TextIn(record, "action");
  entry.outcome = TextIn(record, "outcome");
  entry.customer = TextIn(record, "customer");
  entry.request_id = TextIn(record, "request_id");
  const std::string reason = TextIn(record, "reason"), purpose = TextIn(record, "purpose");
  entry.why = reason + (reason.empty() || purpose.empty() ? "" : ": ") + purpose;
  // What a move did says more than that there was one.
  if (const auto after = record.find("after"); after != record.end() && !TextIn(*after, "status").empty()) entry.action += " → " + TextIn(*after, "status");
  return entry;
}

Outcome<std::string> OtherNodes(const Session& session) {
  TRY_ASSIGN(const std::string document, session.AskText(vault::Operation::kListNodes, {}, "nodes"));
  TRY_ASSIGN(const auto rows, ReadRows(document, {"node", "host", "status", "this"}));
  std::string others;
  for (const base::Row& row : rows) {
    if (row[3] == "yes" || row[2] == "JOINING") continue;
    others += (others.empty() ? "" : ", ") + row[0] + " (" + row[1] + ")";
  }
  return others;
}

}  // namespace strongroom::keytool
