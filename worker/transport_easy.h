// How one libcurl handle is set up, and whom it trusts. Shared by transport and the splice's self-test, so
// that what is tested is what runs.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "vault/origin.h"

struct x509_store_st;

namespace strongroom::worker {

// EasyHandle is a CURL*, set up by MakeEasy.
struct EasyFreer {
  void operator()(void* easy) const;
};
using EasyHandle = std::unique_ptr<void, EasyFreer>;

// MakeEasy gives a handle everything that no call may change: HTTP/1.1, no proxy, no redirect, certificates
// checked, and no certificate authority until AimAt. kResourceExhausted where curl has none.
Result<EasyHandle> MakeEasy();

// Trust is two sets of certificate authorities: the system's, and those with the private CA beside them.
class Trust {
 public:
  // Load reads ca_file where it is not empty; kInvalidArgument where it cannot be read or holds no
  // certificate.
  static Result<Trust> Load(const std::string& ca_file);
  // OfStore trusts what is in an OpenSSL X509_STORE and nothing else, for every host; it takes a reference.
  static Trust OfStore(x509_store_st* store);
  // StoreFor never gives the built-in providers' hosts more than the system's authorities.
  x509_store_st* StoreFor(const std::string& host) const;

 private:
  Trust() = default;
  std::shared_ptr<x509_store_st> system_, all_;
};

// Aim is where a handle's next connections lead. It must outlive the transfer.
struct Aim {
  vault::Origin origin;
  x509_store_st* store;
};

// AimAt makes the handle's new TLS connections be bound to the aim's origin and verified against its store.
void AimAt(void* easy, const Aim& aim);

}  // namespace strongroom::worker
