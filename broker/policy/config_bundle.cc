#include "broker/policy/config_bundle.h"

namespace broker::policy {
namespace {

constexpr std::string_view kMagic = "purser-config-bundle-1\n";

// Answers from the real accounts, and writes each answer down.
class RecordingAccounts final : public Accounts {
 public:
  RecordingAccounts(const Accounts& real, ConfigBundle* bundle) : real_(real), bundle_(bundle) {}

  [[nodiscard]] std::optional<uint32_t> UserId(const std::string& name) const override {
    const auto uid = real_.UserId(name);
    if (uid) bundle_->users[name] = *uid;
    return uid;
  }
  [[nodiscard]] std::optional<uint32_t> GroupId(const std::string& name) const override {
    const auto gid = real_.GroupId(name);
    if (gid) bundle_->groups[name] = *gid;
    return gid;
  }
  [[nodiscard]] std::vector<uint32_t> GroupsOf(uint32_t uid) const override {
    return bundle_->groups_of[uid] = real_.GroupsOf(uid);
  }

 private:
  const Accounts& real_;
  ConfigBundle* bundle_;
};

template <class Map>
auto Find(const Map& map, const typename Map::key_type& key) {
  const auto found = map.find(key);
  return found == map.end() ? std::nullopt : std::optional(found->second);
}

// Answers what was written down.
class RecordedAccounts final : public Accounts {
 public:
  explicit RecordedAccounts(const ConfigBundle& bundle) : bundle_(bundle) {}
  [[nodiscard]] std::optional<uint32_t> UserId(const std::string& name) const override {
    return Find(bundle_.users, name);
  }
  [[nodiscard]] std::optional<uint32_t> GroupId(const std::string& name) const override {
    return Find(bundle_.groups, name);
  }
  [[nodiscard]] std::vector<uint32_t> GroupsOf(uint32_t uid) const override {
    return Find(bundle_.groups_of, uid).value_or(std::vector<uint32_t>{});
  }

 private:
  const ConfigBundle& bundle_;
};

class Writer {
 public:
  void Put(uint32_t number) {
    for (int shift = 0; shift < 32; shift += 8) {
      bytes_.push_back(static_cast<char>((number >> shift) & 0xff));
    }
  }
  void Put(std::string_view text) {
    Put(static_cast<uint32_t>(text.size()));
    bytes_.append(text);
  }
  void Put(const std::string& text) { Put(std::string_view(text)); }
  void Put(const SourceFile& file) {
    Put(file.path);
    Put(file.text);
  }
  template <class T>
  void Put(const std::vector<T>& list) {
    Put(static_cast<uint32_t>(list.size()));
    for (const T& one : list) Put(one);
  }
  template <class K, class V>
  void Put(const std::map<K, V>& map) {
    Put(static_cast<uint32_t>(map.size()));
    for (const auto& [key, value] : map) {
      Put(key);
      Put(value);
    }
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_{kMagic};
};

// Each Get reads one value; after the first fault all are empty and done() is false for ever.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {
    good_ = rest_.starts_with(kMagic);
    if (good_) rest_.remove_prefix(kMagic.size());
  }

  void Get(uint32_t* number) {
    *number = 0;
    if (!Has(4)) return;
    for (size_t i = 0; i < 4; ++i) {
      *number |= static_cast<uint32_t>(static_cast<unsigned char>(rest_[i])) << (8 * i);
    }
    rest_.remove_prefix(4);
  }
  void Get(std::string* text) {
    uint32_t size = 0;
    Get(&size);
    if (!Has(size)) return;
    text->assign(rest_.substr(0, size));
    rest_.remove_prefix(size);
  }
  void Get(SourceFile* file) {
    Get(&file->path);
    Get(&file->text);
  }
  template <class T>
  void Get(std::vector<T>* list) {
    for (uint32_t left = Count(); left > 0 && good_; --left) Get(&list->emplace_back());
  }
  template <class K, class V>
  void Get(std::map<K, V>* map) {
    for (uint32_t left = Count(); left > 0 && good_; --left) {
      K key{};
      Get(&key);
      // In the order of the keys, each once: one bundle has one encoding.
      if (!map->empty() && !(map->rbegin()->first < key)) good_ = false;
      Get(&(*map)[std::move(key)]);
    }
  }
  [[nodiscard]] bool done() const { return good_ && rest_.empty(); }

 private:
  bool Has(size_t size) { return good_ = good_ && rest_.size() >= size; }
  // Every element has four bytes at least: a count beyond that is a lie, and no reason to loop.
  uint32_t Count() {
    uint32_t count = 0;
    Get(&count);
    if (count > rest_.size() / 4) good_ = false;
    return count;
  }

  std::string_view rest_;
  bool good_ = false;
};

}  // namespace

std::expected<PreparedConfig, std::vector<Diagnostic>> PrepareConfig(const ParseInput& input) {
  PreparedConfig prepared;
  ConfigBundle& bundle = prepared.bundle;
  bundle.files.assign(input.files.begin(), input.files.end());
  bundle.own_uids = input.own_uids;
  const RecordingAccounts accounts(input.accounts, &bundle);
  const EnvLookup env = [&](const std::string& name) {
    const auto value = input.env ? input.env(name) : std::nullopt;
    if (value) bundle.env[name] = *value;
    return value;
  };
  auto config = ParseConfig({input.files, accounts, env, input.own_uids});
  if (!config) return std::unexpected(std::move(config.error()));
  prepared.config = *std::move(config);
  return prepared;
}

std::expected<Config, std::vector<Diagnostic>> ParseBundle(const ConfigBundle& bundle) {
  const EnvLookup env = [&](const std::string& name) { return Find(bundle.env, name); };
  return ParseConfig({bundle.files, RecordedAccounts(bundle), env, bundle.own_uids});
}

std::string Encode(const ConfigBundle& bundle) {
  Writer writer;
  writer.Put(bundle.files);
  writer.Put(bundle.env);
  writer.Put(bundle.users);
  writer.Put(bundle.groups);
  writer.Put(bundle.groups_of);
  writer.Put(bundle.own_uids);
  return writer.Take();
}

Result<ConfigBundle> DecodeConfigBundle(std::string_view bytes) {
  Reader reader(bytes);
  ConfigBundle bundle;
  reader.Get(&bundle.files);
  reader.Get(&bundle.env);
  reader.Get(&bundle.users);
  reader.Get(&bundle.groups);
  reader.Get(&bundle.groups_of);
  reader.Get(&bundle.own_uids);
  if (!reader.done()) return Fail(ErrorCode::kCorrupt, "not a bundle of configuration files");
  return bundle;
}

}  // namespace broker::policy
