#include "vault_adapters/pkcs12_cost.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include <memory>

namespace vault {
namespace {

constexpr int kMaxDepth = 4;

struct Freed {
  void operator()(STACK_OF(PKCS7) * safes) const { sk_PKCS7_pop_free(safes, PKCS7_free); }
  void operator()(STACK_OF(PKCS12_SAFEBAG) * bags) const {
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
  }
  void operator()(PBE2PARAM* pbes2) const { PBE2PARAM_free(pbes2); }
  void operator()(PBKDF2PARAM* pbkdf2) const { PBKDF2PARAM_free(pbkdf2); }
  void operator()(PBEPARAM* pbe) const { PBEPARAM_free(pbe); }
};
template <class T>
std::unique_ptr<T, Freed> Unpacked(const ASN1_ITEM* item, const X509_ALGOR* algorithm) {
  return std::unique_ptr<T, Freed>(
      static_cast<T*>(ASN1_TYPE_unpack_sequence(item, algorithm->parameter)));
}

// Counts down what is left; below zero once it was too much.
class Budget {
 public:
  [[nodiscard]] bool left() const { return left_ >= 0; }
  void Spend(const ASN1_INTEGER* iterations) {
    int64_t count = 0;
    const bool read = iterations != nullptr && ASN1_INTEGER_get_int64(&count, iterations) == 1;
    left_ = !read || count < 0 || count > left_ ? -1 : left_ - count;
  }
  // RFC 8018 §6.2 (PBES2) and RFC 7292 appendix C (the older ones).
  void Spend(const X509_ALGOR* algorithm) {
    if (OBJ_obj2nid(algorithm->algorithm) != NID_pbes2) {
      const auto pbe = Unpacked<PBEPARAM>(ASN1_ITEM_rptr(PBEPARAM), algorithm);
      return Spend(pbe ? pbe->iter : nullptr);
    }
    const auto pbes2 = Unpacked<PBE2PARAM>(ASN1_ITEM_rptr(PBE2PARAM), algorithm);
    const bool known = pbes2 && OBJ_obj2nid(pbes2->keyfunc->algorithm) == NID_id_pbkdf2;
    const auto pbkdf2 =
        known ? Unpacked<PBKDF2PARAM>(ASN1_ITEM_rptr(PBKDF2PARAM), pbes2->keyfunc) : nullptr;
    Spend(pbkdf2 ? pbkdf2->iter : nullptr);
  }
  void Spend(const STACK_OF(PKCS12_SAFEBAG) * bags, int depth) {
    if (bags == nullptr || depth > kMaxDepth) left_ = -1;
    for (int i = 0; left() && i < sk_PKCS12_SAFEBAG_num(bags); ++i) {
      const PKCS12_SAFEBAG* bag = sk_PKCS12_SAFEBAG_value(bags, i);
      const int kind = PKCS12_SAFEBAG_get_nid(bag);
      if (kind == NID_safeContentsBag) Spend(PKCS12_SAFEBAG_get0_safes(bag), depth + 1);
      if (kind != NID_pkcs8ShroudedKeyBag) continue;
      const X509_ALGOR* algorithm = nullptr;
      X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, nullptr);
      Spend(algorithm);
    }
  }

 private:
  int64_t left_ = kMaxPkcs12Iterations;
};

// With either way of having no password; what neither opens PKCS12_parse will not open either.
std::unique_ptr<STACK_OF(PKCS12_SAFEBAG), Freed> Open(PKCS7* safe) {
  if (!PKCS7_type_is_encrypted(safe)) {
    return std::unique_ptr<STACK_OF(PKCS12_SAFEBAG), Freed>(PKCS12_unpack_p7data(safe));
  }
  auto* bags = PKCS12_unpack_p7encdata(safe, "", 0);
  if (bags == nullptr) bags = PKCS12_unpack_p7encdata(safe, nullptr, 0);
  return std::unique_ptr<STACK_OF(PKCS12_SAFEBAG), Freed>(bags);
}

}  // namespace

bool OpensSoon(const PKCS12* file) {
  Budget budget;
  const ASN1_INTEGER* iterations = nullptr;  // null: one
  if (PKCS12_mac_present(file) == 1) PKCS12_get0_mac(nullptr, nullptr, nullptr, &iterations, file);
  if (iterations != nullptr) budget.Spend(iterations);
  const std::unique_ptr<STACK_OF(PKCS7), Freed> safes(PKCS12_unpack_authsafes(file));
  for (int i = 0; safes && budget.left() && i < sk_PKCS7_num(safes.get()); ++i) {
    PKCS7* safe = sk_PKCS7_value(safes.get(), i);
    const bool encrypted = PKCS7_type_is_encrypted(safe);
    if (encrypted && safe->d.encrypted == nullptr) continue;  // its content may be absent
    if (encrypted) budget.Spend(safe->d.encrypted->enc_data->algorithm);
    if (!budget.left()) break;
    if (const auto bags = Open(safe)) budget.Spend(bags.get(), 0);
  }
  ERR_clear_error();
  return budget.left();
}

}  // namespace vault
