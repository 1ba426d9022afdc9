#include "worker/transport_easy.h"

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "worker/splice.h"
#include "worker/transport.h"
#include "worker/wiping.h"

namespace strongroom::worker {
namespace {

// Half of curl's default, and 4 µs a call faster; also what one TLS record holds, which the splice needs.
constexpr long kUploadBufferBytes = 16 << 10;
constexpr long kMostIdleSeconds = kMostIdle / base::kMicrosPerSecond;

// The built-in providers' own hosts: a private CA may never speak for them.
constexpr std::string_view kPublicHosts[] = {"api.anthropic.com", "api.openai.com"};

std::shared_ptr<X509_STORE> Share(X509_STORE* store) {
  return {store, X509_STORE_free};
}

// The system's directory of authorities is looked up by name when a certificate needs it: no bundle of 140 is
// parsed, neither at start nor for each connection. No environment variable is asked.
std::shared_ptr<X509_STORE> SystemStore() {
  auto store = Share(X509_STORE_new());
  if (store == nullptr || X509_STORE_load_path(store.get(), X509_get_default_cert_dir()) != 1) return nullptr;
  return store;
}

CURLcode OnTlsContext(CURL*, void* context, void* aim) {
  const auto* const at = static_cast<const Aim*>(aim);
  SSL_CTX_set1_cert_store(static_cast<SSL_CTX*>(context), at->store);
  return Splice::BindContext(context, at->origin) ? CURLE_OK : CURLE_SSL_CONNECT_ERROR;
}

template <typename Value>
bool Set(CURL* easy, CURLoption option, Value value) {
  return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

bool SetProtocol(CURL* easy) {
  return Set(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
         Set(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1}) &&
         Set(easy, CURLOPT_FOLLOWLOCATION, 0L) && Set(easy, CURLOPT_PROXY, "") &&
         Set(easy, CURLOPT_NOPROXY, "*") && Set(easy, CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
}

// Without CAINFO and CAPATH curl trusts nobody: OnTlsContext brings the store. A curl without that callback
// would therefore connect to nobody.
bool SetTls(CURL* easy) {
  return Set(easy, CURLOPT_SSL_VERIFYPEER, 1L) && Set(easy, CURLOPT_SSL_VERIFYHOST, 2L) &&
         Set(easy, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2}) &&
         Set(easy, CURLOPT_CAINFO, static_cast<const char*>(nullptr)) &&
         Set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr)) &&
         Set(easy, CURLOPT_SSL_CTX_FUNCTION, &OnTlsContext);
}

bool SetConnection(CURL* easy) {
  return Set(easy, CURLOPT_NOSIGNAL, 1L) && Set(easy, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBufferBytes) &&
         Set(easy, CURLOPT_MAXAGE_CONN, kMostIdleSeconds) && Set(easy, CURLOPT_TCP_KEEPALIVE, 1L) &&
         Set(easy, CURLOPT_TCP_NODELAY, 1L);
}

}  // namespace

void EasyFreer::operator()(void* easy) const {
  curl_easy_cleanup(easy);
}

Result<EasyHandle> MakeEasy() {
  // Its buffers hold what providers sent.
  static const bool started = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, WipeAndFree, WipingRealloc,
                                                   strdup, calloc) == CURLE_OK;
  EasyHandle easy(started ? curl_easy_init() : nullptr);
  if (easy == nullptr) return Fail(Code::kResourceExhausted, "libcurl does not start");
  if (!SetProtocol(easy.get()) || !SetTls(easy.get()) || !SetConnection(easy.get())) {
    return Fail(Code::kInternal, "this libcurl lacks an option that safe sending needs");
  }
  return easy;
}

Result<Trust> Trust::Load(const std::string& ca_file) {
  Trust trust;
  trust.system_ = SystemStore();
  trust.all_ = ca_file.empty() ? trust.system_ : SystemStore();
  if (trust.system_ == nullptr || trust.all_ == nullptr) {
    return Fail(Code::kResourceExhausted, "OpenSSL cannot make a certificate store");
  }
  if (!ca_file.empty()) {
    const bool loaded = X509_STORE_load_file(trust.all_.get(), ca_file.c_str()) == 1;
    ERR_clear_error();
    if (!loaded) return Fail(Code::kInvalidArgument, "ca_file cannot be read or holds no PEM certificate");
    // A private file may hold an intermediate authority without its root.
    X509_STORE_set_flags(trust.all_.get(), X509_V_FLAG_PARTIAL_CHAIN);
  }
  return trust;
}

Trust Trust::OfStore(x509_store_st* store) {
  X509_STORE_up_ref(store);
  Trust trust;
  trust.system_ = trust.all_ = Share(store);
  return trust;
}

x509_store_st* Trust::StoreFor(const std::string& host) const {
  for (const std::string_view known : kPublicHosts) {
    if (host == known) return system_.get();
  }
  return all_.get();
}

void AimAt(void* easy, const Aim& aim) {
  // curl takes data pointers without const; OnTlsContext only reads.
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, const_cast<Aim*>(&aim));
}

}  // namespace strongroom::worker
