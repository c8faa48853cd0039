# SPDX-License-Identifier: Apache-2.0
"""Tests of the command `kontain`: its verbs, their output and its completion."""
