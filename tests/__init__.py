# SPDX-License-Identifier: Apache-2.0
"""The tests: a package for each folder that they test; helpers are imported by their names."""
