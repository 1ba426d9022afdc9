#include "audit/syslog.h"

#include <algorithm>

namespace strongroom::audit {
namespace {

constexpr int kLogAudit = 13;
constexpr int kError = 3, kWarning = 4, kInformational = 6;
constexpr std::string_view kNil = "-";
constexpr std::string_view kBom = "\xef\xbb\xbf";
constexpr std::size_t kMostHost = 255, kMostProcess = 128, kMostMessageId = 32;

int Severity(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk: return kInformational;
    case Outcome::kDenied: return kWarning;
    case Outcome::kError: break;
  }
  return kError;
}

// Word is a header's field: PRINTUSASCII, at most so long, "-" where there is nothing.
std::string Word(std::string_view text, std::size_t most) {
  std::string word(text.substr(0, most));
  std::ranges::replace_if(word, [](char c) { return c <= ' ' || c > '~'; }, '?');
  return word.empty() ? std::string(kNil) : word;
}

// A control character is legal there, but would break a file of lines: the record itself has it escaped.
void AppendParameter(std::string& out, std::string_view name, std::string_view value) {
  out += ' ';
  out += name;
  out += "=\"";
  for (const char c : value) {
    if (c == '"' || c == '\\' || c == ']') out += '\\';
    const bool control = (c >= 0 && c < ' ') || c == '\x7f';
    out += control ? '?' : c;
  }
  out += '"';
}

std::string StructuredData(const Entry& entry) {
  const Draft& draft = entry.draft;
  std::string out = "[strongroom@32473";
  AppendParameter(out, "seq", std::to_string(entry.place.seq));
  AppendParameter(out, "leaf", LeafHash(entry.bytes));
  AppendParameter(out, "log", entry.place.log);
  AppendParameter(out, "outcome", OutcomeName(draft.outcome));
  AppendParameter(out, "actor", draft.actor.name);
  AppendParameter(out, "uid", std::to_string(draft.actor.uid));
  if (!draft.actor.role.empty()) AppendParameter(out, "role", draft.actor.role);
  if (draft.customer) AppendParameter(out, "customer", *draft.customer);
  if (draft.key_ref) AppendParameter(out, "key_ref", *draft.key_ref);
  if (draft.request_id) AppendParameter(out, "request_id", *draft.request_id);
  if (draft.reason) AppendParameter(out, "reason", *draft.reason);
  return out + "]";
}

}  // namespace

Result<Hosts> ReadHosts(sql::Database& database) {
  Hosts hosts;
  TRY_ASSIGN(sql::Statement * row, database.Query("SELECT NODE_ID, HOST FROM NODE"));
  while (true) {
    TRY_ASSIGN(const bool more, row->Next());
    if (!more) return hosts;
    hosts[row->Text(0)] = row->Text(1);
  }
}

std::string SyslogMessage(const Entry& entry, const Hosts& hosts) {
  const Place& place = entry.place;
  const auto host = hosts.find(place.log.substr(place.log.rfind('/') + 1));
  std::string out = "<" + std::to_string(kLogAudit * 8 + Severity(entry.draft.outcome)) + ">1 " + base::FormatTime(place.time);
  out += " " + Word(host == hosts.end() ? std::string_view() : host->second, kMostHost);
  out += " vaultd " + Word(place.boot, kMostProcess);
  out += " " + Word(entry.draft.action, kMostMessageId);
  out += " " + StructuredData(entry) + " ";
  out += kBom;
  return out + entry.bytes;
}

}  // namespace strongroom::audit
