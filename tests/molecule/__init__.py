# SPDX-License-Identifier: Apache-2.0
"""Tests of the driver of virtual machines, and what the scenarios' tests share."""
