#include "keytool/kek.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/process.h"
#include "base/progress.h"
#include "keytool/document.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/session.h"
#include "vault/protocol.h"

namespace strongroom::keytool {
namespace {

constexpr base::Micros kNodesTakeUp = 10 * base::kMicrosPerSecond;

// KekLine is what a rotation has to know of a version.
struct KekLine {
  std::int64_t version = 0, keys = 0;
  std::string status;
  bool held = false;
};

std::int64_t NumberOf(const std::string& text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Outcome<std::vector<KekLine>> ReadKeks(const Session& session) {
  TRY_ASSIGN(const std::string document, session.AskText(vault::Operation::kKekStatus, {}, ""));
  TRY_ASSIGN(const std::vector<base::Row> rows, ReadRows(document, {"kek_version", "keys", "status", "held"}));
  std::vector<KekLine> keks;
  for (const base::Row& row : rows) keks.push_back({NumberOf(row[0]), NumberOf(row[1]), row[2], row[3] == "yes"});
  return keks;
}

// WhyNotDestroyed is the refusal of KEK_MOVE_FORBIDDEN in terms of the version that was named.
Problem WhyNotDestroyed(const Session& session, std::int64_t version, Problem refused) {
  const auto keks = ReadKeks(session);
  if (!keks) return refused;
  const auto kek = std::find_if(keks->begin(), keks->end(), [version](const KekLine& line) { return line.version == version; });
  const std::string name = "KEK " + std::to_string(version) + ": nothing was done: ";
  if (kek == keks->end()) refused.text = name + "there is no such version; `keytool kek status` shows which there are";
  else if (kek->status == "DESTROYED") refused.text = name + "it is DESTROYED already";
  else refused.text = name + "it is " + kek->status + ", and only a RETIRED version is destroyed; `keytool kek rotate` retires the one in use";
  return refused;
}

// Rotation is one `kek rotate`: it looks where things stand, and goes on from there.
class Rotation {
 public:
  Rotation(const Session& session, SecretFiles files, std::string reason)
      : session_(session), files_(std::move(files)), reason_(std::move(reason)) {}

  Outcome<void> Run() {
    TRY_ASSIGN(std::vector<KekLine> keks, ReadKeks(session_));
    const bool begun = std::any_of(keks.begin(), keks.end(), [](const KekLine& kek) { return kek.status == "RETIRING"; });
    if (!begun) {
      if (auto taken = TakeIntoUse(keks); !taken) return std::unexpected(WhyNotTaken(std::move(taken.error())));
      TRY_ASSIGN(keks, ReadKeks(session_));
    }
    for (const KekLine& kek : keks) {
      if (kek.status == "ACTIVE") active_ = kek.version;
      if (kek.status == "RETIRING") total_ += kek.keys;
    }
    TRY(Rewrap());
    for (const KekLine& kek : keks) {
      if (kek.status == "RETIRING") TRY(Retire(kek.version));
    }
    return {};
  }

  // Recovery shares open the new version too; without them its files are all there is.
  std::string AfterWords() const {
    const auto status = session_.AskText(vault::Operation::kStatus, {}, "");
    const auto facts = status ? ReadFacts(*status) : std::unexpected(status.error());
    if (!facts) return "whether recovery shares open it is not known, for vaultd does not answer: `keytool status`, and without shares back up the KEK directory now\n";
    for (const auto& [name, value] : *facts) {
      if (name == "recovery set id") return "the shares of recovery set " + value + " open it; a backup of the KEK directory, if there is one, is to be made anew\n";
    }
    return "there are no recovery shares (`keytool kek backup`): back up the KEK directory now, apart from the databases, and with it whatever opens it (a passphrase, a token, a credential); "
           "without these no key ever opens again\n";
  }

  void Report(bool json) const {
    const double seconds = static_cast<double>(took_) / 1e6;
    if (json) {
      JsonLine line;
      line.Number("kek_version", active_).Number("retired", retired_).Number("rewrapped", rewrapped_);
      Print(line.Number("milliseconds", took_ / base::kMicrosPerMilli).Str() + "\n");
      return;
    }
    const auto rate = static_cast<std::int64_t>(seconds > 0 ? static_cast<double>(rewrapped_) / seconds : 0.0);
    Print("KEK " + std::to_string(active_) + " is in use, KEK " + std::to_string(retired_) + " is retired: " +
          std::to_string(rewrapped_) + " keys rewrapped, " + std::to_string(rate) + " a second\n");
    Print(AfterWords());
  }

 private:
  Outcome<Bytes> Ask(vault::Operation operation, std::int64_t version,
                     std::optional<vault::SecretValue> secret = std::nullopt) const {
    vault::KekRequest request;
    request.version = version;
    request.reason = reason_;
    return session_.Ask(operation, request.Encode(), "", std::move(secret));
  }

  Outcome<Bytes> Prepare() const {
    if (files_.pin.empty()) {
      auto answer = Ask(vault::Operation::kPrepareKek, 0);
      if (answer || answer.error().name != "PASSPHRASE_WANTED") return answer;
    }
    TRY_ASSIGN(vault::SecretValue pin, ReadSecret(kByPin, files_));
    return Ask(vault::Operation::kPrepareKek, 0, std::move(pin));
  }

  Outcome<void> TakeIntoUse(const std::vector<KekLine>& keks) {
    std::int64_t prepared = 0;
    for (const KekLine& kek : keks) {
      if (kek.status == "PREPARED" && kek.held) prepared = kek.version;
    }
    if (prepared == 0) {
      TRY_ASSIGN(const Bytes answer, Prepare());
      const auto version = vault::DecodeNumber(answer);
      if (!version) return Unreadable();
      prepared = *version;
    }
    AwaitNodes(prepared);
    auto activated = Ask(vault::Operation::kActivateKek, prepared);
    if (activated) return {};
    if (activated.error().name == "NODE_LACKS_KEK") activated.error().text += NodesWithout(prepared);
    return std::unexpected(std::move(activated.error()));
  }

  // Another rotation that began in the same moment has moved the versions under this one's hands.
  Problem WhyNotTaken(Problem refused) const {
    // Where another node's has activated its version, this one does not hold it for a moment.
    const bool missing = refused.name == "KEK_MISSING";
    const bool moved = missing || refused.name == "KEK_MOVE_FORBIDDEN" || refused.name == "CONFLICT" || refused.name == "BUSY";
    const auto keks = moved ? ReadKeks(session_) : Outcome<std::vector<KekLine>>();
    const bool begun = keks && std::any_of(keks->begin(), keks->end(), [missing](const KekLine& kek) {
      return kek.status == "RETIRING" || (kek.status == "PREPARED" && !missing);
    });
    if (!begun && refused.name == "BUSY") refused.text = "nothing was done: another rotation, or another act that takes its time, is being prepared; `keytool kek status` shows what came of it";
    if (begun) refused.text = "nothing was done: another rotation is under way; let it finish, `keytool kek status` shows how far it is";
    return refused;
  }

  // The other nodes take it up within two of their ticks, unless they are away or sealed: activating then says so.
  void AwaitNodes(std::int64_t version) const {
    const base::Micros until = base::MonoMicros() + kNodesTakeUp;
    while (!NodesWithout(version).empty() && base::MonoMicros() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  // NodesWithout names the other nodes that do not hold a version.
  std::string NodesWithout(std::int64_t version) const {
    const auto document = session_.AskText(vault::Operation::kListNodes, {}, "");
    if (!document) return "";
    const auto rows = ReadRows(*document, {"status", "node", "host", "kek_versions", "this"});
    if (!rows) return "";
    std::string names;
    for (const base::Row& row : *rows) {
      const bool holds = ("," + row[3] + ",").find("," + std::to_string(version) + ",") != std::string::npos;
      if (row[0] == "MEMBER" && row[4] != "yes" && !holds) names += "; missing at node " + row[1] + " (" + row[2] + ")";
    }
    return names;
  }

  Outcome<void> Rewrap() {
    base::Progress progress(total_, 0);
    const base::Micros begun = base::MonoMicros();
    vault::RewrapRequest request;
    request.run = std::to_string(getpid()) + "/" + std::to_string(base::PidStart(getpid()));
    request.reason = reason_;
    std::int64_t unopened = 0;
    std::string first;
    do {
      TRY_ASSIGN(const Bytes body, session_.Ask(vault::Operation::kRewrapKeys, request.Encode(), ""));
      const auto answer = vault::RewrapAnswer::Decode(body);
      if (!answer || (!answer->next.empty() && answer->next <= request.after)) return Unreadable();
      rewrapped_ += answer->rewrapped;
      if (unopened == 0) first = answer->first_unopened;
      unopened += answer->unopened;
      progress.Show(std::min(rewrapped_ + unopened, total_), unopened);
      request.after = answer->next;
    } while (!request.after.empty());
    took_ = base::MonoMicros() - begun;
    if (unopened == 0) return {};
    return Failed("KEY_TAMPERED", std::to_string(unopened) +
                                      " keys or tickets do not open (the first is " + first +
                                      "), so their rows were changed outside vaultd, or put back from before an earlier rotation; the old KEK is "
                                      "not retired. Restore each row, or give it up (a key by 'keytool compromise' and 'keytool destroy', a ticket by 'keytool invite cancel'), then run this again");
  }

  Outcome<void> Retire(std::int64_t version) {
    retired_ = version;
    const auto retired = Ask(vault::Operation::kRetireKek, version);
    if (retired) return {};
    if (retired.error().name != "KEK_MOVE_FORBIDDEN") return std::unexpected(retired.error());
    // Another rotation may have retired it in between, which is as good.
    TRY_ASSIGN(const std::vector<KekLine> keks, ReadKeks(session_));
    const bool done = std::any_of(keks.begin(), keks.end(), [version](const KekLine& kek) {
      return kek.version == version && kek.status == "RETIRED";
    });
    if (!done) return std::unexpected(retired.error());
    return {};
  }

  const Session& session_;
  const SecretFiles files_;
  const std::string reason_;
  std::int64_t active_ = 0, retired_ = 0, total_ = 0, rewrapped_ = 0;
  base::Micros took_ = 0;
};

}  // namespace

Outcome<void> ShowKeks(const Context& context) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string document, session.AskText(vault::Operation::kKekStatus, {}, ""));
  if (context.json) {
    Print(document + "\n");
    return {};
  }
  TRY_ASSIGN(const std::vector<base::Row> rows,
             ReadRows(document, {"kek_version", "status", "check_value", "held", "matches", "keys", "protectors", "created_at"}));
  if (rows.empty()) {
    Print("no KEKs\n");
    return {};
  }
  Print(base::FormatTable({{"VERSION", true}, {"STATUS"}, {"CHECK VALUE"}, {"HELD"}, {"MATCHES"}, {"KEYS", true},
                           {"PROTECTORS"}, {"CREATED"}},
                          rows));
  return {};
}

Outcome<void> RotateKek(const Context& context, const SecretFiles& files, const std::string& reason) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(std::string why, AskReason(reason));
  Rotation rotation(session, files, std::move(why));
  TRY(rotation.Run());
  rotation.Report(context.json);
  return {};
}

Outcome<void> DestroyKek(const Context& context, std::int64_t version, const std::string& reason) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  vault::KekRequest request;
  request.version = version;
  TRY_ASSIGN(request.reason, AskReason(reason));
  const std::string name = "KEK " + std::to_string(version);
  auto destroyed = session.Ask(vault::Operation::kDestroyKek, request.Encode(), name);
  if (!destroyed && destroyed.error().name == "KEK_MOVE_FORBIDDEN") {
    return std::unexpected(WhyNotDestroyed(session, version, std::move(destroyed.error())));
  }
  TRY(destroyed);
  if (context.json) {
    JsonLine line;
    Print(line.Number("kek_version", version).Text("status", "DESTROYED").Str() + "\n");
  } else {
    Print(name + " is destroyed; copies of its files in backups are not: destroy those too\n");
  }
  return {};
}

}  // namespace strongroom::keytool
