// Rotating a credential, and what is known of it.
#include <optional>
#include <utility>

#include "broker/policy/config_values.h"
#include "sidecar/broker/admin_service.h"

namespace sidecar::broker_role {
namespace {

using broker::Reason, broker::Refuse, broker::Rotation;
using nlohmann::json;
using Outcome = AdminService::Outcome;

struct Order {
  bool dry_run = false;
  Rotation::Ask ask;
};

// Absent is empty; nothing for what is no GUID.
std::optional<std::string> GuidOf(const json& body, const char* name) {
  const json value = body.value(name, json(""));
  if (!value.is_string()) return std::nullopt;
  auto text = value.get<std::string>();
  if (!text.empty() && !broker::policy::IsGuid(text)) return std::nullopt;
  return text;
}

std::expected<Order, broker::Refusal> Parse(const json& body) {
  Order order;
  const json dry_run = body.value("dry_run", json(false));
  const json client_secret = body.value("client_secret", json(false));
  if (!client_secret.is_boolean()) return Refuse(Reason::kWrongType);
  order.ask.client_secret = client_secret.get<bool>();
  const json grace = body.value("grace", json(order.ask.grace.count()));
  if (!dry_run.is_boolean() || !grace.is_number_integer()) return Refuse(Reason::kWrongType);
  order.dry_run = dry_run.get<bool>();
  const auto seconds = grace.get<int64_t>();
  if (seconds < 0 || seconds > std::chrono::seconds(Rotation::kLongestGrace).count()) {
    return Refuse(Reason::kValueOutOfRange, "grace is from 0 to 604800 seconds, a week.");
  }
  order.ask.grace = std::chrono::seconds(seconds);
  auto object_id = GuidOf(body, "object_id");
  auto key_id = GuidOf(body, "key_id");
  if (!object_id || !key_id) {
    return Refuse(Reason::kValueOutOfRange, "object_id and key_id are GUIDs.");
  }
  order.ask.object_id = std::move(*object_id);
  order.ask.key_id = std::move(*key_id);
  return order;
}

}  // namespace

bool IsQuiet(const broker::RotationView& view) {
  return view.step == broker::RotationStep::kIdle && view.failure.empty();
}

json AsJson(const broker::RotationView& view) {
  json shown = {{"credential", view.credential},
                {"step", broker::RotationStepName(view.step)},
                {"stuck", view.stuck}};
  const auto add = [&](const char* name, const auto& value, bool known) {
    if (known) shown[name] = value;
  };
  add("secret", "client-secret", view.client_secret);
  add("since", view.since, view.since != 0);
  add("started", view.started, view.started != 0);
  add("remove_after", view.remove_after, view.remove_after != 0);
  add("rotated", view.rotated, view.rotated != 0);
  add("next_due", view.next_due, view.next_due != 0);
  add("old_key", view.old_key, !view.old_key.empty());
  add("new_key", view.new_key, !view.new_key.empty());
  add("version", view.new_version, !view.new_version.empty());
  add("failure", view.failure, !view.failure.empty());
  add("trouble", view.trouble, !view.trouble.empty());
  return shown;
}

Outcome AdminService::Rotate(const Call& call) {
  auto order = Parse(call.body);
  if (!order) return std::unexpected(std::move(order.error()));
  order->ask.request_id = call.request.request_id;
  if (order->dry_run) {
    auto would = ports_.rotations.DryRun(call.argument, order->ask);
    if (!would) return std::unexpected(std::move(would.error()));
    return json{{"would", std::move(*would)}};
  }
  // What it adds at Entra would be taken away by nobody.
  const Teardown::Gate gate(teardown_, SupervisorOfTeardown());
  if (gate.refusal()) return std::unexpected(*gate.refusal());
  const auto begun = ports_.rotations.Start(call.argument, order->ask);
  if (!begun) return std::unexpected(begun.error());
  return AsJson(*begun);
}

Outcome AdminService::ShowRotation(const Call& call) {
  const auto view = ports_.rotations.Find(call.argument);
  if (!view) {
    return Refuse(Reason::kNotFound,
                  "purser has rotated no credential of this name, and has none of it to rotate.");
  }
  return AsJson(*view);
}

}  // namespace sidecar::broker_role
