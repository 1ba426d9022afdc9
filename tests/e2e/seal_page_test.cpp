// The page on which a customer without keytool seals a key, in a real browser.
#include <catch2/catch.hpp>

#include "tests/e2e/house.h"

namespace strongroom::e2e {
namespace {

const std::string kCache = std::string(STRONGROOM_BIN) + "/../seal-page";

// RunTool runs a script of the sources, or one that node runs.
Ended RunTool(House& house, const std::string& name, std::vector<std::string> words) {
  const Launch launch{.program = "/usr/bin/env", .arguments = std::move(words), .environment = {{"SEAL_PAGE_CACHE", kCache}}};
  return Run(launch, house.Path(name), 3 * kPatience);
}

std::string Source(const std::string& path) { return std::string(STRONGROOM_SOURCE) + "/" + path; }

}  // namespace

TEST_CASE("tickets: a key that the page has sealed in a browser is accepted") {
  House house;
  house.Ready();
  const Ended made = RunTool(house, "make", {"bash", Source("scripts/make-seal-page"), house.Path("page.html")});
  INFO(made.out << made.err);
  REQUIRE(made.code == 0);
  const Ended invited = house.Act({"invite", "CARGO", "--provider", "anthropic", "--endpoint", house.sim().endpoint(), "--out",
                                   house.Path("ticket"), "--json"});
  REQUIRE(invited.code == 0);
  const Ended sealed = RunTool(house, "browser", {"node", Source("tests/page/seal_in_browser.mjs"), house.Path("page.html"), house.Path("ticket"),
                                                  Field(invited.out, "check_phrase"), house.NewKey("CARGO"), house.Path("blob")});
  INFO(sealed.out << sealed.err);
  REQUIRE(sealed.code == 0);
  const Ended accepted = house.Act({"accept", house.Path("blob"), "--phrase", Lines(sealed.out).at(0), "--model", "claude-sonnet-4-5"});
  INFO(accepted.out << accepted.err);
  REQUIRE(accepted.code == 0);
  REQUIRE(Has(accepted.out, "CARGO/anthropic/default/1  ACTIVE, checked: "));
}

}  // namespace strongroom::e2e
