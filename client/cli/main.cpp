// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/ioctl.h>
#include <unistd.h>

#include <clocale>
#include <cstdlib>
#include <iostream>

#include "cli/app.h"

namespace {

p2pclient::cli::Style style_of_stdout() {
  p2pclient::cli::Style style;
  if (::isatty(STDOUT_FILENO) == 0) return style;
  style.colors = std::getenv("NO_COLOR") == nullptr;  // NOLINT(concurrency-mt-unsafe): one thread
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.width = size.ws_col;
  return style;
}

}  // namespace

int main(int argc, char** argv) {
  // Branches of trees are drawn in the characters of the locale.
  std::setlocale(LC_ALL, "");  // NOLINT(concurrency-mt-unsafe): one thread
  return p2pclient::cli::run({argv + 1, argv + argc}, {std::cout, std::cerr, style_of_stdout()});
}
