# SPDX-License-Identifier: Apache-2.0
"""The command `kontain`: it stands on top of the other parts, and none of them knows it."""
