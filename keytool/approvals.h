// approvals list, approve, deny, require: what one admin has proposed and another allows.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

Outcome<void> ListApprovals(const Context& context);
Outcome<void> ApproveAct(const Context& context, const std::string& approval_id, const std::string& reason);
Outcome<void> DenyAct(const Context& context, const std::string& approval_id, const std::string& reason);

// RequireTwoPeople turns the demand for a second person on or off; turning it off needs two people itself.
Outcome<void> RequireTwoPeople(const Context& context, bool on, const std::string& reason);

}  // namespace strongroom::keytool
