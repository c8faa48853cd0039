# SPDX-License-Identifier: Apache-2.0
"""Tests of the tools that build, release and test."""
