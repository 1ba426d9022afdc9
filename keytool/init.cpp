#include "keytool/init.h"

#include "base/table.h"
#include "keytool/output.h"
#include "keytool/program.h"

namespace strongroom::keytool {
namespace {

// Two databases with their schemas on a slow disk; nothing in it waits for anybody.
constexpr base::Micros kPatience = 120 * base::kMicrosPerSecond;

}  // namespace

Outcome<std::string> RunVaultd(const std::vector<std::string>& arguments) {
  TRY_ASSIGN(const std::string vaultd, FindProgram("vaultd"));
  TRY_ASSIGN(Finished finished, RunProgram(vaultd, arguments, kPatience));
  if (finished.exit_code == 0) return std::move(finished.output);
  const int code = finished.exit_code > 0 ? finished.exit_code : kExitRefused;
  // vaultd's own line is on standard error already.
  return std::unexpected(Problem{code, "INIT_REFUSED", "", ""});
}

Outcome<void> Init(const Context& context, const std::string& vault_database, const std::string& organization) {
  std::vector<std::string> arguments{"--init", "--home", context.home};
  if (!organization.empty()) arguments.insert(arguments.end(), {"--organization", organization});
  if (!vault_database.empty()) arguments.insert(arguments.end(), {"--vault-database", vault_database});
  TRY_ASSIGN(const std::string output, RunVaultd(arguments));
  if (context.json) {
    Print(JsonLine().Text("home", context.home).Str() + "\n");
    return {};
  }
  Print(output + "made " + context.home + "\n" +
        base::FormatFacts({{"  strongroom.toml", "the configuration"},
                           {"  kek/", "the KEK, without which no key ever opens again: `keytool kek backup` now; never back it up with the databases"},
                           {"  node", "this home's id: it names its log in the trail"},
                           {vault_database.empty() ? "  vault.db" : "  (the vault database)",
                            "keys (sealed), profiles, rates and the trail; vaultd's alone"},
                           {"  strongroom.db", "queue, replies and usage"}}));
  Print("next: " + Command(context, {"vaultd"}) + ", then " +
        Command(context, {"keytool onboard CUSTOMER --provider anthropic --model MODEL"}) + "\n");
  return {};
}

}  // namespace strongroom::keytool
