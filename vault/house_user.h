// HouseUser: the one user that a home's vaultd and its ceremonies run as.
#pragma once

#include <string>

#include "base/config.h"

namespace strongroom::vault {

// WrongUser is the problem with the uid this runs under, empty where there is none. `who` is what runs ("vaultd").
std::string WrongUser(const base::Config& config, const std::string& who);

}  // namespace strongroom::vault
