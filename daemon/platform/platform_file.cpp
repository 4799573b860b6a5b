// SPDX-License-Identifier: LGPL-2.1-or-later
#include "platform/platform_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include "platform/kernel_release.h"
#include "platform/toml_fields.h"

namespace p2pd {

namespace {

std::optional<std::uint16_t> parse_device(std::string_view digits) {
  std::uint16_t value = 0;
  const auto* const begin = std::to_address(digits.begin());
  const auto* const end = std::to_address(digits.end());
  const auto parsed = std::from_chars(begin, end, value, 16);
  if (digits.size() != 4 || parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return value;
}

// "8086:3c00", "8086:a110-a11f" or "1ae0:*".
std::optional<IdRange> parse_id(std::string_view text) {
  if (text.size() < 6 || text[4] != ':') return std::nullopt;
  const auto vendor = parse_device(text.substr(0, 4));
  const auto devices = text.substr(5);
  if (!vendor) return std::nullopt;
  if (devices == "*") return IdRange{.vendor = *vendor};
  const auto first = parse_device(devices.substr(0, 4));
  if (!first) return std::nullopt;
  if (devices.size() == 4) return IdRange{.vendor = *vendor, .first = *first, .last = *first};
  const auto last = devices[4] == '-' ? parse_device(devices.substr(5)) : std::nullopt;
  if (!last || *last < *first) return std::nullopt;
  return IdRange{.vendor = *vendor, .first = *first, .last = *last};
}

std::optional<PortType> parse_port_type(std::string_view text) {
  constexpr std::array all = {PortType::conventional,          PortType::endpoint,
                              PortType::legacy_endpoint,       PortType::root_port,
                              PortType::switch_upstream,       PortType::switch_downstream,
                              PortType::pcie_to_pci_bridge,    PortType::pci_to_pcie_bridge,
                              PortType::root_complex_endpoint, PortType::root_complex_event_collector};
  const auto* const found = std::find_if(all.begin(), all.end(), [&](PortType type) { return to_string(type) == text; });
  return found == all.end() ? std::nullopt : std::optional(*found);
}

class PlatformReader {
 public:
  PlatformReader(PlatformFile& file, TomlErrors& errors, FileOrigin origin) : file_(file), errors_(errors), origin_(origin) {}

  void read(const toml::table& root) {
    TomlFields fields(root, errors_);
    file_.is_unsafe = fields.flag("unsafe");
    if (fields.optional_text("newest_kernel")) file_.tables.newest_kernel = read_kernel(fields, "newest_kernel");
    for (const auto* one : fields.tables("host_bridge")) read_host_bridge(*one);
    for (const auto* one : fields.tables("cpu")) read_cpu(*one);
    for (const auto* one : fields.tables("isolated_port")) read_isolated_port(*one);
    for (const auto* one : fields.tables("chipset_port")) read_chipset_port(*one);
    for (const auto* one : fields.tables("root_complex")) read_root_complex(*one);
    for (const auto* one : fields.tables("initiator")) read_initiator(*one);
    fields.finish();
  }

 private:
  void read_host_bridge(const toml::table& one) {
    TomlFields fields(one, errors_);
    HostBridgeEntry entry;
    entry.id = read_id(fields, "id", fields.text("id"));
    entry.same_bridge_only = fields.flag("same_bridge_only");
    entry.about = read_about(fields, true);
    file_.tables.host_bridges.push_back(std::move(entry));
  }

  void read_cpu(const toml::table& one) {
    TomlFields fields(one, errors_);
    CpuEntry entry;
    entry.vendor = fields.text("vendor");
    entry.since_family = fields.number("since_family", 0, 0xffff);
    entry.about = read_about(fields, true);
    file_.tables.cpus.push_back(std::move(entry));
  }

  void read_isolated_port(const toml::table& one) {
    TomlFields fields(one, errors_);
    IsolatedPort entry;
    entry.which = read_which(fields);
    entry.has_no_peers = fields.flag("no_peers");
    // Who takes a port for isolated lends what is below it, and counts it as forwarding what it sends up.
    entry.about = read_about(fields, true);
    file_.tables.isolated_ports.push_back(std::move(entry));
  }

  void read_chipset_port(const toml::table& one) {
    TomlFields fields(one, errors_);
    ChipsetPort entry;
    entry.which = read_which(fields);
    entry.acs_control_offset = fields.number("acs_control_offset", 0, 0xfff);
    if (entry.acs_control_offset != 6 && entry.acs_control_offset != 8)
      fields.fail("acs_control_offset", "only 6, the standard's, and 8 are known");
    // Whoever has the control read elsewhere can make a redirect vanish.
    entry.about = read_about(fields, entry.acs_control_offset != 6);
    file_.tables.chipset_ports.push_back(std::move(entry));
  }

  void read_root_complex(const toml::table& one) {
    TomlFields fields(one, errors_);
    RootComplexEntry entry;
    entry.host_bridges = read_ids(fields, "host_bridges");
    entry.writes = fields.answer("writes");
    entry.reads = fields.answer("reads");
    entry.between_domains = fields.flag("between_domains");
    entry.about = read_about(fields, entry.writes == Tristate::yes || entry.reads == Tristate::yes);
    file_.tables.root_complexes.push_back(std::move(entry));
  }

  void read_initiator(const toml::table& one) {
    TomlFields fields(one, errors_);
    InitiatorEntry entry;
    entry.which = read_which(fields);
    entry.address_bits = fields.number("address_bits", 1, 64);
    entry.about = read_about(fields, false);
    file_.tables.initiators.push_back(std::move(entry));
  }

  Which read_which(TomlFields& fields) {
    Which which{.ids = read_ids(fields, "ids"), .port_types = {}};
    for (const auto& name : fields.optional_texts("port_types")) {
      const auto type = parse_port_type(name);
      if (!type) fields.fail("port_types", fmt::format("'{}' is no port type", name));
      which.port_types.push_back(type.value_or(PortType::unknown));
    }
    return which;
  }

  std::vector<IdRange> read_ids(TomlFields& fields, std::string_view key) {
    std::vector<IdRange> ids;
    for (const auto& text : fields.texts(key)) ids.push_back(read_id(fields, key, text));
    return ids;
  }

  static IdRange read_id(TomlFields& fields, std::string_view key, const std::string& text) {
    const auto id = parse_id(text);
    if (!id) fields.fail(key, fmt::format("'{}' is no id: \"8086:3c00\", \"8086:a110-a11f\" or \"1ae0:*\"", text));
    return id.value_or(IdRange{});
  }

  static unsigned read_kernel(TomlFields& fields, std::string_view key) {
    const auto text = fields.optional_text(key);
    if (!text) return 0;
    const auto kernel = parse_kernel_release(*text);
    if (!kernel || kernel_name(*kernel) != *text) fields.fail(key, fmt::format("'{}' must be a kernel: \"7.3\"", key));
    return kernel.value_or(0);
  }

  // The last of an entry: nobody asks for more keys of it.
  About read_about(TomlFields& fields, bool says_yes) {
    About about;
    about.what = fields.text("what");
    about.source = fields.text("source");
    about.place = fmt::format("{}:{}", errors_.file(), fields.line());
    about.since = read_kernel(fields, "since");
    about.until = read_kernel(fields, "until");
    const bool is_marked = fields.flag("unsafe") || file_.is_unsafe;
    if (origin_ == FileOrigin::shipped && is_marked) fields.fail("unsafe", "'unsafe' is for operators' files");
    if (origin_ == FileOrigin::from_operator && says_yes && !is_marked)
      fields.fail("", "this entry lets requests through: it needs 'unsafe = true'");
    about.is_unsafe = is_marked;
    fields.finish();
    return about;
  }

  PlatformFile& file_;
  TomlErrors& errors_;
  FileOrigin origin_;
};

}  // namespace

Outcome<PlatformFile> parse_platform_file(std::string_view text, const std::string& file, FileOrigin origin) {
  const auto root = parse_toml(text, file);
  if (!root) return error_of(root);
  PlatformFile parsed;
  TomlErrors errors(file);
  PlatformReader(parsed, errors, origin).read(*root);
  if (!errors.is_clean()) return refuse(ErrorCode::invalid_argument, errors.first());
  return parsed;
}

}  // namespace p2pd
