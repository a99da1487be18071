// sidecar/cli/rotate_command.h: `purser rotate`.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "sidecar/cli/daemon_commands.h"
#include "sidecar/cli/session.h"

namespace sidecar::cli {

/// As it was typed.
struct RotateOrder {
  std::string credential;
  std::string grace = "1h";
  std::string object_id, key_id;  // of the application and of what is in use, from the portal
  bool dry_run = false;
  bool client_secret = false;  // of a refresh token's registration
};

/// Begins a rotation, or finds one under way, and shows how it comes along until the new secret is
/// in use. The broker goes on by itself: ending this ends nothing. Returns an ExitCode.
int RunRotate(const Console& console, const RotateOrder& order);

/// `session` and `order` must outlive the parsing and the run.
void AddRotate(CLI::App& app, Session& session, RotateOrder& order);

/// What is to be said of a rotation that is under way or failed last, coloured by how bad that is.
std::string RotationText(const nlohmann::json& view);

/// A line for each rotation of /v1/status that is under way or failed last.
void PrintRotations(const Console& console, const nlohmann::json& rotations);

}  // namespace sidecar::cli
