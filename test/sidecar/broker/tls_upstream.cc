#include "test/sidecar/broker/tls_upstream.h"

#include <doctest/doctest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace {

/// A self-signed certificate for `host`, that is its own root.
X509* SelfSigned(EVP_PKEY* key, const std::string& host) {
  X509* cert = X509_new();
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
  X509_set_pubkey(cert, key);
  X509_NAME* name = X509_get_subject_name(cert);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("upstream of a test"), -1, -1,
                             0);
  X509_set_issuer_name(cert, name);
  const std::string san = "DNS:" + host;
  for (const auto& [nid, value] : {std::pair<int, const char*>{NID_subject_alt_name, san.c_str()},
                                   {NID_basic_constraints, "critical,CA:TRUE"}}) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(cert, key, EVP_sha256());
  return cert;
}

bool ReadExactly(int fd, unsigned char* into, size_t size) {
  for (size_t got = 0; got < size;) {
    const ssize_t n = read(fd, into + got, size - got);
    if (n <= 0) return false;
    got += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

TlsUpstream::TlsUpstream(Script script) : script_(std::move(script)) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* cert = SelfSigned(key, script_.host);
  context_ = SSL_CTX_new(TLS_server_method());
  if (script_.max_tls != 0) {
    SSL_CTX_set_security_level(context_, 0);
    SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_, script_.max_tls);
  }
  REQUIRE(SSL_CTX_use_certificate(context_, cert) == 1);
  REQUIRE(SSL_CTX_use_PrivateKey(context_, key) == 1);
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, cert);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  ca_pem_.assign(text, static_cast<size_t>(size));
  BIO_free(bio);
  X509_free(cert);
  EVP_PKEY_free(key);
}

TlsUpstream::~TlsUpstream() {
  {
    const std::scoped_lock lock(mutex_);
    for (const int fd : fds_) shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
  for (const int fd : fds_) close(fd);
  for (const pid_t child : children_) {  // each ends when its stream is closed
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  SSL_CTX_free(context_);
}

broker::Result<int> TlsUpstream::Open() {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return broker::Fail(broker::ErrorCode::kUnavailable, "socketpair");
  }
  ++streams_;
  if (script_.in_other_process) {
    const pid_t child = fork();
    if (child == 0) {
      close(pair[0]);
      Serve(pair[1]);
      _exit(0);
    }
    children_.push_back(child);
    close(pair[1]);
    return pair[0];
  }
  const std::scoped_lock lock(mutex_);
  fds_.push_back(pair[1]);
  threads_.emplace_back([this, fd = pair[1]] { Serve(fd); });
  return pair[0];
}

std::string TlsUpstream::asked_for() {
  const std::scoped_lock lock(mutex_);
  return asked_for_;
}

// RFC 1928: no authentication, CONNECT, a domain name.
bool TlsUpstream::Socks(int fd) {
  std::array<unsigned char, 262> in{};
  if (!ReadExactly(fd, in.data(), 2) || !ReadExactly(fd, in.data() + 2, in[1])) return false;
  if (write(fd, "\x05\x00", 2) != 2) return false;
  if (!ReadExactly(fd, in.data(), 5) || in[3] != 3) return false;
  const size_t length = in[4];
  if (!ReadExactly(fd, in.data(), length + 2)) return false;
  {
    const std::scoped_lock lock(mutex_);
    asked_for_.assign(reinterpret_cast<const char*>(in.data()), length);
    asked_for_ += ":" + std::to_string(in[length] << 8 | in[length + 1]);
  }
  const std::array<unsigned char, 10> reply = {5, script_.socks_reply, 0, 1, 0, 0, 0, 0, 0, 0};
  return write(fd, reply.data(), reply.size()) == 10 && script_.socks_reply == 0;
}

bool TlsUpstream::AnswerOne(SSL* ssl) {
  std::string request;
  std::array<char, 4096> buffer{};
  size_t wanted = std::string::npos;
  while (request.size() < wanted) {
    const int n = SSL_read(ssl, buffer.data(), static_cast<int>(buffer.size()));
    if (n <= 0) return false;
    request.append(buffer.data(), static_cast<size_t>(n));
    const size_t head = request.find("\r\n\r\n");
    if (head == std::string::npos) continue;
    const size_t at = request.find("Content-Length: ");
    wanted = head + 4 + (at < head ? std::stoul(request.substr(at + 16)) : 0);
  }
  if (script_.silent) return SSL_read(ssl, buffer.data(), 1) > 0;  // until the client gives up
  const std::string answer = script_.answer(request);
  return SSL_write(ssl, answer.data(), static_cast<int>(answer.size())) > 0 &&
         !script_.close_after_answer;
}

void TlsUpstream::Serve(int fd) {
  if (!Socks(fd)) {
    shutdown(fd, SHUT_RDWR);
    return;
  }
  if (script_.plain) {  // one small request, and gone
    std::array<char, 4096> buffer{};
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    const std::string answer =
        script_.answer({buffer.data(), static_cast<size_t>(std::max<ssize_t>(got, 0))});
    send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    shutdown(fd, SHUT_RDWR);
    return;
  }
  SSL* ssl = SSL_new(context_);
  SSL_set_fd(ssl, fd);
  if (SSL_accept(ssl) == 1) {
    while (AnswerOne(ssl)) {
    }
    SSL_shutdown(ssl);
  }
  SSL_free(ssl);
  shutdown(fd, SHUT_RDWR);
}
