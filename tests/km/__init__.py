# SPDX-License-Identifier: Apache-2.0
"""Tests of the monitor: payloads in a VM against the same natively."""
