// accept: a key that a customer has sealed to a ticket goes to the vault, which alone can open it, and then the way of onboard or rotate.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/onboard.h"
#include "keytool/problem.h"
#include "keytool/ticket_files.h"

namespace strongroom::keytool {

// AcceptOptions: of `onboard`, customer is empty or whose ticket it has to be; provider, key_file and key_ref are not used. An empty grace was
// not given. With go_on an accept that ended behind the ticket's use is finished.
struct AcceptOptions {
  std::string blob, grace;
  PhraseCheck check;
  OnboardOptions onboard;
  bool go_on = false;
};

Outcome<void> Accept(const Context& context, const AcceptOptions& options);

}  // namespace strongroom::keytool
