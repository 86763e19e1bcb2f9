# SPDX-License-Identifier: Apache-2.0
"""Other engines that run Qwen3, and Ember, each behind the same call, for measuring them side by side."""
