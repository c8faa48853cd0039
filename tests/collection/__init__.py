# SPDX-License-Identifier: Apache-2.0
"""Tests of the collection's tarball, its roles, and install.sh on whole systems."""
