# SPDX-License-Identifier: Apache-2.0
"""Tests of README.md and docs/: their commands run, their links and the site hold."""
