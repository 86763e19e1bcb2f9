// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

namespace CLI {
class FormatterBase;
}

namespace ember {

// Help in lines of at most 100 columns: names and value on the left, what it does and its default
// on the right.
std::shared_ptr<CLI::FormatterBase> help_formatter();

}  // namespace ember
