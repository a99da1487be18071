#include "sidecar/cli/admin_client.h"

#include <curl/curl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <thread>

#include "broker/base/strict_json.h"
#include "broker/reason.h"
#include "sidecar/cli/session_file.h"

namespace sidecar::cli {
namespace {

using broker::ErrorCode, broker::Fail;

// A login or a rotation waits for Entra or the disk behind the broker's own deadlines.
constexpr long kDeadlineMs = 60'000;
constexpr size_t kMaxAnswerBytes = size_t{4} << 20;  // a status with a thousand agents

// Whoever is in no group of [admin] shares a few connections a second with all who may sign in.
constexpr int kTries = 10;
constexpr std::chrono::milliseconds kPause{500};

size_t Collect(char* data, size_t size, size_t count, void* to) {
  auto* text = static_cast<std::string*>(to);
  if (text->size() + size * count > kMaxAnswerBytes) return 0;
  text->append(data, size * count);
  return size * count;
}

struct CurlFree {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::string WhyUnreachable(const std::string& socket_path, CURLcode code) {
  if (code == CURLE_COULDNT_CONNECT && access(socket_path.c_str(), W_OK) != 0 && errno == EACCES) {
    return "cannot reach " + socket_path +
           ": it is open to root and to the groups of [admin]; a group that you were just put into "
           "counts from your next login on";
  }
  return "cannot reach " + socket_path + ": " + curl_easy_strerror(code) + ". Is purserd running?";
}

// What the answer says did not run.
bool HadNoRoom(int status, std::string_view body) {
  const broker::ReasonInfo& row = broker::Describe(broker::Reason::kOverloaded);
  if (status != row.http_status) return false;
  const auto refusal = broker::ParseStrictJson(body);
  return refusal && refusal->is_object() && refusal->value("reason", nlohmann::json()) == row.name;
}

}  // namespace

broker::Result<AdminClient::Bytes> AdminClient::Exchange(const std::string& method,
                                                         const std::string& path,
                                                         const nlohmann::json& body) const {
  const std::unique_ptr<CURL, CurlFree> curl(curl_easy_init());
  if (!curl) return Fail(ErrorCode::kUnavailable, "curl_easy_init failed");
  const std::string sent = body.is_null() ? "" : body.dump();
  std::string received;
  const std::unique_ptr<curl_slist, CurlFree> headers(
      curl_slist_append(nullptr, "Content-Type: application/json"));
  // Each time: who watches signs in meanwhile.
  if (const std::string session = SessionFile().Read(socket_path_); !session.empty()) {
    curl_slist_append(headers.get(), ("Purser-Session: " + session).c_str());
  }
  curl_easy_setopt(curl.get(), CURLOPT_UNIX_SOCKET_PATH, socket_path_.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_URL, ("http://purser" + path).c_str());
  curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, kDeadlineMs);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &Collect);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &received);
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  if (method != "GET") {
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(sent.size()));
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, sent.c_str());
  }
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) return Fail(ErrorCode::kUnavailable, WhyUnreachable(socket_path_, code));
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  return Bytes{static_cast<int>(status), std::move(received)};
}

broker::Result<AdminClient::Bytes> AdminClient::Ask(const std::string& method,
                                                    const std::string& path,
                                                    const nlohmann::json& body) const {
  auto answer = Exchange(method, path, body);
  for (int i = 1; i < kTries && answer && HadNoRoom(answer->status, answer->body); ++i) {
    std::this_thread::sleep_for(kPause);
    answer = Exchange(method, path, body);
  }
  return answer;
}

broker::Result<AdminAnswer> AdminClient::Call(const std::string& method, const std::string& path,
                                              const nlohmann::json& body) const {
  const auto answer = Ask(method, path, body);
  if (!answer) return std::unexpected(answer.error());
  return Parse(*answer);
}

broker::Result<AdminAnswer> AdminClient::GetText(const std::string& path) const {
  auto answer = Ask("GET", path, nullptr);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 200) return Parse(*answer);  // a refusal is JSON
  return AdminAnswer{answer->status, std::move(answer->body)};
}

broker::Result<AdminAnswer> AdminClient::Parse(const Bytes& answer) {
  auto body = broker::ParseStrictJson(answer.body, {.max_depth = 32, .allow_floats = true});
  if (!body) return Fail(ErrorCode::kCorrupt, "the answer is not JSON: " + body.error().detail);
  return AdminAnswer{answer.status, std::move(*body)};
}

}  // namespace sidecar::cli
