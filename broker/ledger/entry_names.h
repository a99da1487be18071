// broker/ledger/entry_names.h: the names that types and outcomes have in the file.
#pragma once
#include <optional>
#include <string_view>

#include "broker/ledger/entry.h"

namespace broker::ledger {

/// "token.issued". Empty for a value outside the enum.
std::string_view EntryTypeName(EntryType type);
/// The type called `name`, or nothing.
std::optional<EntryType> FindEntryType(std::string_view name);

/// "success", "failure" or "pending". Empty for a value outside the enum.
std::string_view OutcomeName(Outcome outcome);

}  // namespace broker::ledger
