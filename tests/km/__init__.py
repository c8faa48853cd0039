# SPDX-License-Identifier: Apache-2.0
"""Tests of the monitor: payloads in a VM and on the host."""
