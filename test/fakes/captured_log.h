#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "broker/base/log.h"
#include "sidecar/ipc/frame.h"

/// The log goes to a memfd, so that tests can read it. Thread-safe.
class CapturedLog {
 public:
  CapturedLog() : fd_(memfd_create("log", MFD_CLOEXEC)), log_(fd_.get(), "test", false) {}
  [[nodiscard]] const broker::Log& log() const { return log_; }
  [[nodiscard]] std::string Text() const {
    std::string text(static_cast<size_t>(lseek(fd_.get(), 0, SEEK_CUR)), '\0');
    const ssize_t got = pread(fd_.get(), text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return text;
  }

 private:
  sidecar::ipc::Fd fd_;
  broker::Log log_;
};
