// sidecar/cli/new_file.h: a file that this command makes, and nobody else.
#pragma once
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "sidecar/ipc/frame.h"

namespace sidecar::cli {

/// Made at once, so that a path that cannot be written shows before anything is done, and written
/// through what was opened then: what stands at the path later, a link of somebody else's for one,
/// is not touched.
class NewFile {
 public:
  /// For this user alone; nothing may stand there. Errors: kUnavailable ("EEXIST", as errno has
  /// it).
  static broker::Result<NewFile> Create(const std::string& path);

  /// Errors: kUnavailable.
  broker::Status Write(std::string_view text);
  /// Takes it away again, out of the folder in which it was made.
  void Remove();

 private:
  NewFile(ipc::Fd folder, ipc::Fd file, std::string name)
      : folder_(std::move(folder)), file_(std::move(file)), name_(std::move(name)) {}

  ipc::Fd folder_, file_;
  std::string name_;
};

}  // namespace sidecar::cli
