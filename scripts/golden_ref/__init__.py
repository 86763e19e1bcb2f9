# SPDX-License-Identifier: Apache-2.0
"""Parts of export_golden.py: models (hf), metrics, cases, bands, files."""
