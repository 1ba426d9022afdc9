// auditlog. Only this file knows vaultd, which records that its trail is read and signs its head: audit_cli is whole without it.
#include <chrono>
#include <cstdio>
#include <future>
#include <optional>

#include "audit/cli.h"
#include "audit/live.h"
#include "base/process.h"
#include "vault/client.h"

namespace strongroom {
namespace {

constexpr base::Micros kPatience = 10 * base::kMicrosPerSecond;
constexpr std::chrono::seconds kQuiet{1};  // then who waits is told for what

class Vaultd final : public audit::Live {
 public:
  std::expected<void, Problem> NoteRead(const base::Config& config, const std::string& question) override {
    // Whoever must look into a vault that cannot write any more, its disk being full, reads it as if vaultd were away.
    const auto answer = Ask(config, vault::Operation::kNoteRead, vault::EncodeText(question), Code::kUnavailable);
    return answer ? std::expected<void, Problem>() : std::unexpected(answer.error());
  }

  std::expected<std::string, Problem> Checkpoint(const base::Config& config) override {
    const auto answer = Ask(config, vault::Operation::kSignCheckpoint, {});
    if (!answer) return std::unexpected(answer.error());
    auto note = vault::DecodeText(*answer);
    if (!note) return std::unexpected(Problem{"vaultd's answer cannot be read: are both of one build?", true});
    return std::move(*note);
  }

 private:
  // `as_away` is the code of refusals that are no more than a vaultd that is away.
  static std::expected<Bytes, Problem> Ask(const base::Config& config, vault::Operation operation, Bytes body, std::optional<Code> as_away = {}) {
    const auto options = vault::ClientOptionsFrom(config);
    if (!options) return std::unexpected(Problem{options.error().Message(), false});
    auto asking = std::async(std::launch::async, [&] { return vault::AskOnce(*options, operation, std::move(body), kPatience); });
    if (asking.wait_for(kQuiet) != std::future_status::ready) {
      std::fprintf(stderr, "auditlog: waiting for vaultd, which does not answer: at most %lld s\n", static_cast<long long>(kPatience / base::kMicrosPerSecond));
    }
    auto answer = asking.get();
    if (answer) return std::move(answer->body);
    return std::unexpected(Problem{answer.error().Message(), answer.error().refusal() != 0 && !(as_away && answer.error().code() == *as_away)});
  }
};

}  // namespace
}  // namespace strongroom

int main(int argc, char** argv) {
  strongroom::base::HardenProcess();
  strongroom::Vaultd vaultd;
  return strongroom::audit::RunAuditlog(argc, argv, &vaultd);
}
