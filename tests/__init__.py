# SPDX-License-Identifier: Apache-2.0
"""The tests: a package for each folder that they test; what they share is imported by its name."""
