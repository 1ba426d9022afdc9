#include "provider-sim/certificates.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/file.h>

#include <array>
#include <memory>
#include <string_view>

#include "base/files.h"

namespace strongroom::sim {
namespace {

constexpr long kDay = 86'400;
constexpr long kCaDays = 3650;
constexpr long kServerDays = 820;
constexpr std::size_t kMaxPem = 64UL * 1024;

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Bio = std::unique_ptr<BIO, Freer<BIO_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;

struct Pair {
  Key key;
  Certificate certificate;
};

// Read returns null where the file is missing or no PEM: both mean that it has to be made.
Bio ReadPem(const std::string& path) {
  const auto text = base::ReadFile(path, kMaxPem);
  if (!text) return nullptr;
  Bio bio(BIO_new(BIO_s_mem()));
  if (bio) BIO_write(bio.get(), text->data(), static_cast<int>(text->size()));
  return bio;
}

Pair ReadPair(const std::string& certificate_path, const std::string& key_path) {
  Pair pair;
  if (const Bio bio = ReadPem(certificate_path)) {
    pair.certificate.reset(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  }
  if (const Bio bio = ReadPem(key_path)) {
    pair.key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  }
  return pair;
}

std::string TextOf(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

Result<void> WritePair(const Pair& pair, const std::string& certificate_path, const std::string& key_path) {
  const Bio key_text(BIO_new(BIO_s_mem()));
  const Bio certificate_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PrivateKey(key_text.get(), pair.key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(certificate_text.get(), pair.certificate.get()) != 1) {
    return Fail(Code::kInternal, "OpenSSL cannot write a certificate");
  }
  // The key goes first: whoever finds a certificate finds its key too.
  TRY(base::WriteFileAtomic(key_path, TextOf(key_text), 0600));
  return base::WriteFileAtomic(certificate_path, TextOf(certificate_text), 0644);
}

bool AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool SetRandomSerial(X509* certificate) {
  std::array<unsigned char, 16> serial{};
  if (RAND_bytes(serial.data(), static_cast<int>(serial.size())) != 1) return false;
  serial[0] = (serial[0] & 0x3FU) | 0x40U;  // positive, and of one length
  const std::unique_ptr<BIGNUM, Freer<BN_free>> number(
      BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

// MakeBlank makes a key pair and a certificate for it that still lacks extensions and signature.
Pair MakeBlank(const char* common_name, long days) {
  Pair pair;
  pair.key.reset(EVP_EC_gen("P-256"));
  pair.certificate.reset(X509_new());
  X509* certificate = pair.certificate.get();
  if (!pair.key || certificate == nullptr || !SetRandomSerial(certificate)) return {};
  X509_set_version(certificate, X509_VERSION_3);
  // A day back: clocks of containers differ.
  X509_gmtime_adj(X509_getm_notBefore(certificate), -kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate), days * kDay);
  const auto* name = reinterpret_cast<const unsigned char*>(common_name);
  if (X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, name, -1, -1, 0) !=
          1 ||
      X509_set_pubkey(certificate, pair.key.get()) != 1) {
    return {};
  }
  return pair;
}

Result<Pair> MakeCa() {
  Pair ca = MakeBlank("provider-sim test CA", kCaDays);
  X509* certificate = ca.certificate.get();
  if (certificate == nullptr || X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) != 1 ||
      !AddExtension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !AddExtension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !AddExtension(certificate, certificate, NID_subject_key_identifier, "hash") ||
      X509_sign(certificate, ca.key.get(), EVP_sha256()) == 0) {
    return Fail(Code::kInternal, "OpenSSL cannot make a CA");
  }
  return ca;
}

Result<Pair> MakeServer(const Pair& ca) {
  Pair server = MakeBlank("localhost", kServerDays);
  X509* certificate = server.certificate.get();
  X509* issuer = ca.certificate.get();
  if (certificate == nullptr || X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) != 1 ||
      !AddExtension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
      !AddExtension(certificate, issuer, NID_key_usage, "critical,digitalSignature") ||
      !AddExtension(certificate, issuer, NID_ext_key_usage, "serverAuth") ||
      !AddExtension(certificate, issuer, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") ||
      !AddExtension(certificate, issuer, NID_authority_key_identifier, "keyid") ||
      X509_sign(certificate, ca.key.get(), EVP_sha256()) == 0) {
    return Fail(Code::kInternal, "OpenSSL cannot make a server certificate");
  }
  return server;
}

bool RunsOut(const X509* certificate) {
  int days = 0;
  int seconds = 0;
  return ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate)) != 1 || days < 1;
}

bool Belong(const Pair& pair) {
  return pair.key && pair.certificate && X509_check_private_key(pair.certificate.get(), pair.key.get()) == 1;
}

bool IsUsableServer(const Pair& server, X509* ca) {
  EVP_PKEY* ca_key = ca == nullptr ? nullptr : X509_get0_pubkey(ca);
  return Belong(server) && ca_key != nullptr && X509_verify(server.certificate.get(), ca_key) == 1 &&
         !RunsOut(server.certificate.get());
}

// LockDirectory makes two simulators that start at once take turns. It waits for the other.
Result<base::UniqueFd> LockDirectory(const std::string& directory) {
  base::UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || flock(fd.get(), LOCK_EX) != 0) {
    return Fail(Code::kUnavailable, "the directory of --tls-dir cannot be opened", errno);
  }
  return fd;
}

}  // namespace

Result<CertificatePaths> EnsureCertificates(const std::string& directory) {
  const auto created = base::CreateDirectory(directory, 0755);
  if (!created && created.error().code() != Code::kAlreadyExists) return Fail(created.error());
  TRY_ASSIGN(const base::UniqueFd lock, LockDirectory(directory));
  CertificatePaths paths = {directory + "/ca.pem", directory + "/ca-key.pem", directory + "/server.pem",
                            directory + "/server-key.pem"};
  Pair ca = ReadPair(paths.ca, paths.ca_key);
  const bool ca_is_good = ca.certificate && !RunsOut(ca.certificate.get());
  if (ca_is_good && IsUsableServer(ReadPair(paths.server, paths.server_key), ca.certificate.get()))
    return paths;
  if (ca_is_good && !Belong(ca)) {
    return Fail(Code::kRefused,
                "--tls-dir has a ca.pem but no ca-key.pem for it: remove ca.pem to have both made anew");
  }
  if (!ca_is_good) {
    TRY_ASSIGN(ca, MakeCa());
    TRY(WritePair(ca, paths.ca, paths.ca_key));
  }
  TRY_ASSIGN(const Pair server, MakeServer(ca));
  TRY(WritePair(server, paths.server, paths.server_key));
  return paths;
}

}  // namespace strongroom::sim
