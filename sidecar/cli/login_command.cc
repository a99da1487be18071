// Enrolment of a user's refresh token: by device code, or in a browser.
#include <sys/resource.h>

#include <ostream>
#include <utility>

#include "sidecar/cli/await_redirect.h"
#include "sidecar/cli/daemon_commands.h"
#include "sidecar/cli/device_code.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/loopback_listener.h"
#include "sidecar/cli/terminal.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

int PrintEnrolled(const Console& console, const std::string& credential, const json& body) {
  if (console.json) {
    console.out << body.dump(2) << '\n';
    return kExitDone;
  }
  console.out << Green("enrolled") << "  " << credential << " is consented to "
              << JoinTexts(body["consented"]) << '\n';
  const json excess = body.value("over_consented", json::array());
  if (!excess.empty()) {
    console.out << Yellow("advice")
                << "    its rules will be refused as over_scoped: withdraw consent to "
                << JoinTexts(excess) << " in Entra, or list it in [credential." << credential
                << "] and grant it\n";
  }
  return kExitDone;
}

std::string BrowserPrompt(const std::string& credential, const json& opened, uint16_t port) {
  return "Open this address in a browser, as the user that " + credential + " belongs to:\n\n" +
         Field(opened, "url") + "\n\nWaiting for it on http://localhost:" + std::to_string(port) +
         ". A browser on another machine ends at a page that it cannot\nshow: copy the whole "
         "address "
         "of that page, paste it here (nothing is shown) and press Enter.\n" +
         Field(opened, "advice");
}

int NotLoggedIn(const Console& console, NoRedirect why, const json& opened) {
  switch (why) {
    case NoRedirect::kTimeout:
      return Complain(console.output(), "no browser came back in time; start the login again. " +
                                            Field(opened, "advice"));
    case NoRedirect::kInterrupted:
      return Complain(console.output(), "interrupted: nobody was logged in", kExitInterrupted);
    case NoRedirect::kFailed:
      break;
  }
  return Complain(console.output(), "cannot wait for the browser");
}

}  // namespace

int RunLogin(const Console& console, const std::string& credential) {
  const auto begun =
      console.client.Call("POST", "/v1/credentials/" + credential + "/login", json::object());
  if (const int code = Judge(console, begun)) return code;
  const std::string path = "/v1/logins/" + Field(begun->body, "id");
  const auto done =
      AwaitDeviceCode(console, begun->body, "as the user that " + credential + " belongs to.",
                      [&] { return console.client.Call("GET", path); });
  return done ? PrintEnrolled(console, credential, *done) : done.error();
}

int RunBrowserLogin(const Console& console, const std::string& credential,
                    const std::string& login_hint) {
  // What comes back stands in the arena, which no core file holds; what is made of it does not.
  const rlimit no_core{0, 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0) {
    return Complain(console.output(), "cannot forbid core files");
  }
  auto listener = LoopbackListener::Open();
  if (!listener) return Complain(console.output(), listener.error().detail);
  const std::string path = "/v1/credentials/" + credential + "/login/";
  json ask = {{"port", listener->port()}};
  if (!login_hint.empty()) ask["login_hint"] = login_hint;
  const auto opened = console.client.Call("POST", path + "browser", ask);
  if (const int code = Judge(console, opened)) return code;

  const std::chrono::seconds longest(opened->body.value("expires_in", int64_t{0}));
  const std::string prompt = BrowserPrompt(credential, opened->body, listener->port());
  const auto redirect = AwaitRedirect(std::move(*listener), Field(opened->body, "state"), longest,
                                      {prompt, console.json ? console.err : console.out});
  if (!redirect) return NotLoggedIn(console, redirect.error(), opened->body);

  const auto sealed = SealForBroker(console.client, *redirect);
  if (!sealed) return Judge(console, std::unexpected(sealed.error()));
  const auto done = console.client.Call("POST", path + "redirect",
                                        {{"id", Field(opened->body, "id")}, {"sealed", *sealed}});
  if (const int code = Judge(console, done)) return code;
  return PrintEnrolled(console, credential, done->body);
}

}  // namespace sidecar::cli
