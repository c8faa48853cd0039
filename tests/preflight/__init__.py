# SPDX-License-Identifier: Apache-2.0
"""Tests of what looks at a host."""
