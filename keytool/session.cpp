#include "keytool/session.h"

#include <cerrno>
#include <cstring>

#include "keytool/document.h"
#include "vault/client.h"

namespace strongroom::keytool {
namespace {

// An act waits for the trail's group commit and, at worst, for SQLite's busy timeout of 10 s; a rewrap goes on for a second.
constexpr base::Micros kPatience = 30 * base::kMicrosPerSecond;

}  // namespace

Outcome<Session> Session::Open(const Context& context) {
  auto config = base::LoadConfig(context.home);
  if (!config) return Failed("NO_HOME", config.error().text);
  return Session(context, std::move(*config));
}

Problem Session::Explain(const Error& error, const std::string& about) const {
  Problem problem;
  problem.name = base::CodeName(error.code());
  const std::string socket = config_.vault.socket;
  if (error.refusal() != 0) {
    problem.name = vault::RefusalName(vault::RefusalOf(error));
    problem.text = (about.empty() ? "" : about + ": ") + error.Message();
    problem.answered = true;
  } else if (error.code() == Code::kUnavailable && error.has_number()) {
    const int number = static_cast<int>(error.number());
    problem.name = "VAULTD_AWAY";
    problem.text = "vaultd does not answer at " + socket + ": " + std::strerror(number) + "; ";
    problem.text += number == EACCES ? "only members of its group may connect (group strongroom)"
                                     : "start it with " + Command({context_.home, true, false}, {"vaultd"});
  } else {
    problem.text = socket + ": " + error.Message();
    if (error.code() == Code::kDeadlineExceeded) problem.text += " What was asked for may still be done: look before you ask again";
  }
  return problem;
}

Outcome<Bytes> Session::Ask(vault::Operation operation, Bytes body, const std::string& about,
                            std::optional<vault::SecretValue> secret) const {
  const auto options = vault::ClientOptionsFrom(config_);
  if (!options) {
    return FailedBy(options.error(), config_.home + "/strongroom.toml: vault.user \"" + config_.vault.user + "\"");
  }
  auto answer = vault::AskOnce(*options, operation, body, kPatience, std::move(secret));
  if (answer) return std::move(answer->body);
  const Error& error = answer.error();
  const bool two_people = error.refusal() != 0 && vault::RefusalOf(error) == vault::Refusal::kTwoPeople;
  return std::unexpected(two_people ? Propose(operation, body, about) : Explain(error, about));
}

Problem Session::Propose(vault::Operation operation, ByteView body, const std::string& about) const {
  vault::ProposeRequest request;
  request.operation = static_cast<std::int64_t>(operation);
  request.body = base::Hex(body);
  auto proposed = AskText(vault::Operation::kProposeAct, request.Encode(), about);
  if (!proposed) return std::move(proposed.error());
  const std::string id = ReadMember(*proposed, "approval");
  Problem problem;
  problem.name = vault::RefusalName(vault::Refusal::kTwoPeople);
  problem.text = ReadMember(*proposed, "act") + " waits for a second person: " + id + ", expires " +
                 ReadMember(*proposed, "expires_at") + "; another admin runs " + Command({context_.home, context_.home_named, false}, {"keytool approvals approve", id}) +
                 ", then run this again, with the same reason";
  return problem;
}

Outcome<std::string> Session::AskText(vault::Operation operation, Bytes body, const std::string& about,
                                      std::optional<vault::SecretValue> secret) const {
  TRY_ASSIGN(const Bytes answer, Ask(operation, std::move(body), about, std::move(secret)));
  auto text = vault::DecodeText(answer);
  if (!text) return Unreadable();
  return std::move(*text);
}

Outcome<std::string> Session::AskList(vault::Operation operation, const std::string& customer,
                                      const std::string& status) const {
  vault::ListRequest request{customer, status, ""};
  std::string list;
  for (;;) {
    TRY_ASSIGN(const Bytes body, Ask(operation, request.Encode(), ""));
    const auto page = vault::ListAnswer::Decode(body);
    // A page that leads back to itself would never end.
    if (!page || (!page->next.empty() && page->next <= request.after)) return Unreadable();
    for (const std::string& row : page->rows) list += (list.empty() ? "" : ",") + row;
    if (page->next.empty()) return "[" + list + "]";
    request.after = page->next;
  }
}

Outcome<void> Session::CheckAnswers() const {
  TRY(Ask(vault::Operation::kStatus, {}, ""));
  return {};
}

}  // namespace strongroom::keytool
