#include "test/devtenant/device_login.h"

#include <stdexcept>

#include "test/devtenant/encoding.h"
#include "test/devtenant/entra_error.h"
#include "test/devtenant/requested_scopes.h"

namespace devtenant {
namespace {

constexpr size_t kUserCodeLength = 9;                                    // as Entra's
constexpr char kUserCodeLetters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";  // 32, none alike

std::string NewUserCode() {
  std::string code;
  for (const char c : RandomBytes(kUserCodeLength)) {
    code += kUserCodeLetters[static_cast<unsigned char>(c) % 32];
  }
  return code;
}

}  // namespace

nlohmann::json StartDeviceLogin(Tenant& tenant, const Form& form) {
  const Registration* registration = tenant.directory.FindRegistration(Required(form, "client_id"));
  if (registration == nullptr) throw EntraError{.code = 700016};
  if (!registration->enabled) throw EntraError{.code = 7000112};
  const std::string& scope = Required(form, "scope");
  ParseScopes(tenant, scope);
  const std::string value = "D" + ToBase64Url(RandomBytes(120));
  const Settings& settings = tenant.settings;
  const DeviceCode code{
      .client_id = registration->client_id,
      .user_code = NewUserCode(),
      .scope = scope,
      .expires_at = tenant.Now() + static_cast<int64_t>(settings.device_code_lifetime_s),
      .oid = {}};
  tenant.device_codes[value] = code;
  tenant.recorder.Secret("device_code", "issued", "devicecode", value);
  tenant.recorder.Secret("user_code", "issued", "devicecode", code.user_code);
  tenant.device_codes_changed.notify_all();
  const std::string page = tenant.authority + "/devicelogin";
  return {{"user_code", code.user_code},
          {"device_code", value},
          {"verification_uri", page},
          {"expires_in", settings.device_code_lifetime_s},
          {"interval", settings.device_code_interval_s},
          {"message", "To sign in, use a web browser to open the page " + page +
                          " and enter the code " + code.user_code + " to authenticate."}};
}

std::string DecideDeviceLogin(Tenant& tenant, const std::string& user_code, const std::string& user,
                              const std::string& action) {
  if (action != "approve" && action != "decline") {
    throw std::runtime_error("action is approve or decline");
  }
  const User* person = tenant.directory.FindUser(user);
  if (person == nullptr) throw std::runtime_error("unknown user");
  for (auto& [value, code] : tenant.device_codes) {
    if (code.user_code != user_code || code.state != DeviceCode::State::kPending) continue;
    code.oid = person->oid;
    code.state = action == "approve" ? DeviceCode::State::kApproved : DeviceCode::State::kDeclined;
    return action == "approve" ? "You are signed in. You may close this window." : "Declined.";
  }
  throw std::runtime_error("no pending login has this code");
}

std::string DeviceLoginPage() {
  return "<!doctype html><title>Sign in</title><form method=post action=/devicelogin>"
         "<label>Code <input name=user_code></label> <label>User <input name=user></label> "
         "<button name=action value=approve>Approve</button> "
         "<button name=action value=decline>Decline</button></form>\n";
}

}  // namespace devtenant
