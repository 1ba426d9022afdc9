#include "keytool/offboard.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/table.h"
#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/session.h"
#include "keytool/statement.h"
#include "keytool/stopped.h"
#include "vault/key_state.h"

namespace strongroom::keytool {
namespace {

// Thing is a key, a profile or a ticket of the customer's, with its state.
struct Thing {
  std::string ref, status;
  bool stopped = false;
};

// Holding is all that the vault has of a customer.
struct Holding {
  std::vector<Thing> keys, profiles, tickets;
  bool is_nothing() const { return keys.empty() && profiles.empty() && tickets.empty(); }
  bool is_stopped() const {
    const auto stopped = [](const std::vector<Thing>& things) { return std::ranges::all_of(things, &Thing::stopped); };
    return stopped(keys) && stopped(profiles) && stopped(tickets);
  }
};

// Of a key whose row somebody has deleted.
constexpr std::string_view kGone = "GONE";

// What was done, for both ways to say it.
struct Done {
  Holding before;
  std::optional<vault::StoppedAnswer> stopped;  // nullopt: there was nothing left to stop
  std::string destroyable_from;
};

Outcome<std::vector<Thing>> List(const Session& session, vault::Operation operation, const std::string& customer, const std::string& name,
                                 const std::vector<std::string>& stopped) {
  TRY_ASSIGN(const std::string document, session.AskList(operation, customer, ""));
  TRY_ASSIGN(const auto rows, ReadRows(document, {name, "status"}));
  std::vector<Thing> things;
  for (const base::Row& row : rows) things.push_back({row[0], row[1], std::ranges::find(stopped, row[1]) != stopped.end()});
  return things;
}

// AddGone: keys of the customer's that a profile names and that have no row. vaultd stops them all the same, so that a row which is put back does not
// open; whether it has done so before it alone knows.
Outcome<void> AddGone(const Session& session, const std::string& customer, std::vector<Thing>& keys) {
  TRY_ASSIGN(const std::string document, session.AskList(vault::Operation::kListProfiles, customer, ""));
  TRY_ASSIGN(const auto rows, ReadRows(document, {"key_ref"}));
  for (const base::Row& row : rows) {
    const bool theirs = row[0].starts_with(customer + "/");
    if (theirs && std::ranges::find(keys, row[0], &Thing::ref) == keys.end()) keys.push_back({row[0], std::string(kGone), false});
  }
  return {};
}

Outcome<Holding> Hold(const Session& session, const std::string& customer) {
  Holding holding;
  TRY_ASSIGN(holding.keys, List(session, vault::Operation::kListKeys, customer, "key_ref", {"REVOKED", "COMPROMISED", "DESTROYED"}));
  TRY(AddGone(session, customer, holding.keys));
  TRY_ASSIGN(holding.profiles, List(session, vault::Operation::kListProfiles, customer, "profile_ref", {"TERMINATED"}));
  TRY_ASSIGN(holding.tickets, List(session, vault::Operation::kListTickets, customer, "ticket", {"USED", "CANCELLED", "EXPIRED"}));
  return holding;
}

std::string Lines(const std::vector<Thing>& things, const std::string& kind, const std::string& end) {
  std::string lines;
  for (const Thing& thing : things) {
    if (!thing.stopped) lines += "  " + kind + "  " + thing.ref + "  " + thing.status + " -> " + end + "\n";
  }
  return lines;
}

// The question and what it is about go to standard error, as every prompt does.
Outcome<void> Confirm(const OffboardOptions& options, const Holding& holding) {
  if (options.yes) return {};
  if (isatty(STDIN_FILENO) != 1) return Usage("give --yes: this stops every profile and key of " + options.customer + " for good, and nobody is there to be asked");
  std::fputs(("For good, of " + options.customer + ":\n" + Lines(holding.profiles, "profile", "TERMINATED") + Lines(holding.keys, "key    ", "REVOKED") +
              Lines(holding.tickets, "ticket ", "CANCELLED")).c_str(),
             stderr);
  if (AskTyped("Type " + options.customer + " to go on: ") == options.customer) return {};
  return Failed("NOT_CONFIRMED", "nothing was done: the customer's name was not typed");
}

Outcome<vault::StoppedAnswer> Stop(const Session& session, const OffboardOptions& options) {
  vault::MoveRequest request;
  request.ref = options.customer;
  request.move = "offboard";
  TRY_ASSIGN(request.reason, AskReason(options.reason));
  TRY_ASSIGN(const Bytes answer, session.Ask(vault::Operation::kOffboard, request.Encode(), options.customer));
  return ReadStopped(answer);
}

// DestroyableFrom is when the last of the customer's keys may be destroyed; empty where none is left to be.
Outcome<std::string> DestroyableFrom(const Session& session, const std::string& customer) {
  TRY_ASSIGN(const std::string document, session.AskList(vault::Operation::kListKeys, customer, "REVOKED"));
  TRY_ASSIGN(const auto rows, ReadRows(document, {"state_changed_at"}));
  base::Micros last = 0;
  for (const base::Row& row : rows) {
    if (const auto at = base::ParseTime(row.front())) last = std::max(last, *at + vault::kRevokedKept);
  }
  return last == 0 ? std::string() : ShownTime(base::FormatTime(last));
}

std::string JsonList(const std::vector<Thing>& things, bool stopped) {
  std::string list;
  for (const Thing& thing : things) {
    if (thing.stopped != stopped) continue;
    list += list.empty() ? "" : ",";
    base::AppendJsonString(list, thing.ref);
  }
  return "[" + list + "]";
}

void PrintJson(const OffboardOptions& options, const Done& done, const std::vector<StatementLine>& statement) {
  JsonLine line;
  line.Text("customer", options.customer).Raw("keys_revoked", JsonList(done.before.keys, false));
  line.Raw("profiles_terminated", JsonList(done.before.profiles, false)).Raw("tickets_cancelled", JsonList(done.before.tickets, false));
  line.OptionalText("destroyable_from", done.destroyable_from).Raw("statement", StatementJson(statement));
  if (!done.stopped) return Print(line.Str() + "\n");
  ReportMove(true, std::move(line), options.customer, "OFFBOARDED", *done.stopped);
}

std::string Words(const Context& context, const OffboardOptions& options, const Done& done) {
  const auto count = [](const std::vector<Thing>& things) { return std::to_string(std::ranges::count(things, false, &Thing::stopped)); };
  const std::string tickets = count(done.before.tickets);
  std::string words = options.customer + " was offboarded before: nothing is left to stop\n";
  if (done.stopped) {
    words = options.customer + " is offboarded: " + count(done.before.profiles) + " profiles TERMINATED, " + count(done.before.keys) +
            " keys REVOKED on every node" + (done.stopped->unheard.empty() ? "" : " that answered") +
            (tickets == "0" ? "" : ", " + tickets + " tickets cancelled") + ", after " +
            std::to_string(done.stopped->took / base::kMicrosPerMilli) + " ms\n";
    if (const auto gone = std::ranges::count(done.before.keys, kGone, &Thing::status); gone > 0) {
      Warn(std::to_string(gone) + " of these keys have no row in the vault database any more: somebody has deleted it; they do not open where it is put back");
    }
    for (const std::string& node : done.stopped->unheard) {
      Warn("node " + node + " did not answer; its lease has run out, and it releases nothing until it has heard of this");
    }
  }
  if (done.destroyable_from.empty()) return words;
  return words + "next: revoke the keys at their providers; from " + done.destroyable_from + " on they can be destroyed: " +
         Command(context, {"keytool due --customer", options.customer}) + " has the commands\n";
}

}  // namespace

Outcome<void> Offboard(const Context& context, const OffboardOptions& options) {
  TRY(CheckCustomer(options.customer));
  if (options.csv && context.json) return Usage("--csv and --json are two forms of one statement: give one of them");
  TRY_ASSIGN(const Session session, Session::Open(context));
  Done done;
  TRY_ASSIGN(done.before, Hold(session, options.customer));
  if (done.before.is_nothing()) {
    return Failed("CUSTOMER_UNKNOWN", "no key, profile or ticket is of " + options.customer + "; " + Command(context, {"keytool profile list"}) + " shows whose there are");
  }
  if (!done.before.is_stopped()) {
    TRY(Confirm(options, done.before));
    TRY_ASSIGN(done.stopped, Stop(session, options));
  }
  TRY_ASSIGN(done.destroyable_from, DestroyableFrom(session, options.customer));
  const std::string words = Words(context, options, done);
  auto statement = ReadStatement(context, options.customer);
  if (!statement) {
    Problem problem = std::move(statement.error());
    problem.text = "all of " + options.customer + " is stopped, but the statement cannot be made: " + problem.text + "; mend that, then run this again";
    return std::unexpected(std::move(problem));
  }
  if (context.json) {
    PrintJson(options, done, *statement);
  } else if (options.csv) {
    std::fputs(words.c_str(), stderr);
    Print(StatementCsv(*statement));
  } else {
    Print(words + (statement->empty() ? "no calls were logged for " + options.customer + "\n" : StatementTable(*statement)));
  }
  return {};
}

}  // namespace strongroom::keytool
