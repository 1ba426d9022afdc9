// The simulator's own little authority: a CA and a server certificate for loopback, made where they are
// missing.
#pragma once

#include <string>

#include "base/result.h"

namespace strongroom::sim {

// CertificatePaths are the PEM files in --tls-dir. The keys are 0600; ca.pem is what clients put into
// ca_file.
struct CertificatePaths {
  std::string ca;
  std::string ca_key;
  std::string server;
  std::string server_key;
};

// EnsureCertificates makes the directory, the CA and a server certificate (EC P-256; DNS:localhost,
// IP:127.0.0.1, IP:::1) where they are missing, and a new server certificate where the old one has run out or
// is not the CA's. kRefused where ca.pem is there without the ca-key.pem that a new server certificate needs.
Result<CertificatePaths> EnsureCertificates(const std::string& directory);

}  // namespace strongroom::sim
