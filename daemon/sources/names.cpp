// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sources/names.h"

extern "C" {
#include <pci/pci.h>
}

#include <array>
#include <csetjmp>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace p2pd {

namespace {

// libpci calls exit() on errors, a broken pci.ids for one, unless it is given a callback; the callback must not
// return, and must not throw through C frames. What remains is a jump to where the call came from: between there and
// here are only libpci's frames, which have nothing to destroy. The callback is told nothing but a text, hence the
// variable.
thread_local std::jmp_buf* way_out = nullptr;

// (The attribute of GNU, because it belongs to the type of libpci's pointer.)
void leave_libpci(char* message, ...) __attribute__((noreturn));
void leave_libpci(char* /*message*/, ...) {
  if (way_out == nullptr) std::abort();  // an error outside of succeeds(): there is nowhere to go
  std::longjmp(*way_out, 1);
}

void ignore_message(char* /*message*/, ...) {}

// Calls libpci so that its errors come back as false. `call` must have nothing to destroy.
template <class Call>
bool succeeds(Call call) {
  std::jmp_buf here;
  way_out = &here;
  if (setjmp(here) != 0) {  // NOLINT(cert-err52-cpp): see above
    way_out = nullptr;
    return false;
  }
  const bool result = call();
  way_out = nullptr;
  return result;
}

struct Cleanup {
  void operator()(pci_access* access) const { pci_cleanup(access); }
};

class NameList {
 public:
  explicit NameList(const char* list) : access_(pci_alloc()) {
    access_->error = leave_libpci;
    access_->warning = ignore_message;
    access_->debug = ignore_message;
    access_->id_lookup_mode = 0;  // its default reads and writes a cache in the home directory
    if (list != nullptr) pci_set_name_list_path(access_.get(), ::strdup(list), 1);  // libpci frees it
    static_cast<void>(succeeds([access = access_.get()] { return pci_load_name_list(access) != 0; }));
  }

  [[nodiscard]] std::string find(int what, int id, int second_id = 0) {
    std::array<char, 256> buffer{};
    char* name = nullptr;
    char** const result = &name;
    // No number where there is no name.
    const int flags = what | PCI_LOOKUP_NO_NUMBERS;
    const bool is_done = succeeds(
        [access = access_.get(), data = buffer.data(), size = static_cast<int>(buffer.size()), flags, id, second_id, result] {
          *result = pci_lookup_name(access, data, size, flags, id, second_id);
          return true;
        });
    return is_done && name != nullptr ? std::string(name) : std::string();
  }

 private:
  std::unique_ptr<pci_access, Cleanup> access_;
};

}  // namespace

void name_functions(std::span<Function> functions, const char* list) {
  if (functions.empty()) return;
  NameList names(list);
  std::map<std::uint16_t, std::string> vendors;
  std::map<std::pair<std::uint16_t, std::uint16_t>, std::string> devices;
  std::map<std::uint32_t, std::string> classes;
  const auto look_up = [](auto& known, const auto& key, const auto& ask) -> const std::string& {
    const auto [entry, is_new] = known.try_emplace(key);
    if (is_new) entry->second = ask();
    return entry->second;
  };
  for (Function& function : functions) {
    const int vendor = function.vendor;
    const int device = function.device;
    const auto class_id = function.class_code >> 8;
    function.vendor_name = look_up(vendors, function.vendor, [&] { return names.find(PCI_LOOKUP_VENDOR, vendor); });
    function.device_name = look_up(devices, std::pair(function.vendor, function.device),
                                   [&] { return names.find(PCI_LOOKUP_DEVICE, vendor, device); });
    function.class_name = look_up(classes, class_id, [&] { return names.find(PCI_LOOKUP_CLASS, static_cast<int>(class_id)); });
  }
}

}  // namespace p2pd
