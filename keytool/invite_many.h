// invite --from: a ticket for each line of a table, each in a file of its own.
#pragma once

#include "keytool/context.h"
#include "keytool/invite.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

// InviteMany reads lines "customer,provider[,endpoint]" under such a heading, and writes --out DIR/CUSTOMER.provider.ticket. The whole table is
// checked before the first ticket is made; a file that is there already stays, so that a run that was interrupted goes on.
Outcome<void> InviteMany(const Context& context, const InviteOptions& options);

}  // namespace strongroom::keytool
