# SPDX-License-Identifier: Apache-2.0
"""Tests of the runtime: over its backends, alone and under engines."""
