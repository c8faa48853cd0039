# SPDX-License-Identifier: Apache-2.0
"""Tests of Kontain on the nodes of a cluster."""
