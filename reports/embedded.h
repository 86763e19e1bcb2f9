// SPDX-License-Identifier: Apache-2.0
// Files of this folder as text inside the binary. The sources are made by the build.
#pragma once

namespace ember::report {

extern const char* const kSchemaText;  // schema.json
extern const char* const kPageStyle;   // html/page.css
extern const char* const kPageScript;  // html/page.js

}  // namespace ember::report
