# SPDX-License-Identifier: Apache-2.0
"""Tests of the fleet: many hosts over SSH, and the report on them."""
