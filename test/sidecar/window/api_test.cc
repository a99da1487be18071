// What is written for agents' authors against what the code does.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "broker/reason.h"
#include "sidecar/window/routes.h"

using broker::AllReasons, broker::ReasonInfo;
using nlohmann::json;
using sidecar::window::Match, sidecar::window::Socket;

namespace {

std::string Read(const std::string& name) {
  std::ifstream in(WINDOW_SOURCE "/" + name);
  return {std::istreambuf_iterator<char>(in), {}};
}

// "GET /healthz": from the answer to an unknown route, which lists them all.
std::set<std::string> ServedBy(Socket socket) {
  std::string list = Match(socket, "GET", "/nowhere").error().hint;
  list = list.substr(list.find(": ") + 2);
  list.pop_back();
  std::set<std::string> routes;
  std::istringstream in(list);
  for (std::string route; std::getline(in >> std::ws, route, ',');) routes.insert(route);
  return routes;
}

std::set<std::string> WrittenIn(const json& document) {
  std::set<std::string> routes;
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      std::string upper;
      for (const char c : method) upper.push_back(static_cast<char>(c - 'a' + 'A'));
      routes.insert(upper + " " + path);
    }
  }
  return routes;
}

}  // namespace

TEST_CASE("Both documents list the reasons that exist, in their order") {
  json names = json::array();
  for (const ReasonInfo& info : AllReasons()) names.push_back(info.name);
  for (const char* file : {"openapi.json", "openapi-admin.json"}) {
    CAPTURE(std::string(file));
    const json document = json::parse(Read(file));
    CHECK(document["components"]["schemas"]["Reason"]["enum"] == names);
  }
}

TEST_CASE("Both documents list every error that a reason has") {
  for (const char* file : {"openapi.json", "openapi-admin.json"}) {
    CAPTURE(std::string(file));
    const json document = json::parse(Read(file));
    const json& known = document["components"]["schemas"]["Error"]["properties"]["error"]["enum"];
    for (const ReasonInfo& info : AllReasons()) {
      CAPTURE(std::string(info.name));
      CHECK(std::ranges::find(known, info.error) != known.end());
    }
  }
}

TEST_CASE("Both documents list the routes that are served, and no other") {
  CHECK(WrittenIn(json::parse(Read("openapi.json"))) == ServedBy(Socket::kAgent));
  CHECK(WrittenIn(json::parse(Read("openapi-admin.json"))) == ServedBy(Socket::kAdmin));
}

TEST_CASE("The token route documents every status that a reason can have") {
  const json document = json::parse(Read("openapi.json"));
  const json& responses = document["paths"]["/v1/token"]["post"]["responses"];
  for (const ReasonInfo& info : AllReasons()) {
    CAPTURE(std::string(info.name));
    CHECK(responses.contains(std::to_string(info.http_status)));
  }
}

TEST_CASE("Every reference in the documents leads somewhere") {
  for (const char* file : {"openapi.json", "openapi-admin.json"}) {
    CAPTURE(std::string(file));
    const json document = json::parse(Read(file));
    const json flat = document.flatten();
    for (const auto& [pointer, value] : flat.items()) {
      if (!pointer.ends_with("/$ref")) continue;
      CAPTURE(pointer);
      const json::json_pointer target(value.get<std::string>().substr(1));
      CHECK(document.contains(target));
    }
  }
}

TEST_CASE("API.md has each reason with its status, retry, action and description") {
  const std::string text = Read("API.md");
  size_t rows = 0;
  for (const ReasonInfo& info : AllReasons()) {
    CAPTURE(std::string(info.name));
    std::ostringstream row;
    row << "| `" << info.name << "` | " << info.http_status << " | "
        << (info.retryable ? "yes" : "no") << " | " << info.action << " | " << info.description
        << " |\n";
    CHECK(text.find(row.str()) != std::string::npos);
  }
  for (size_t at = text.find("\n| `"); at != std::string::npos; at = text.find("\n| `", at + 1))
    ++rows;
  CHECK(rows >= AllReasons().size());
  CHECK(text.find("256 per agent") != std::string::npos);
}
