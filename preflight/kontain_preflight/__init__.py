# SPDX-License-Identifier: Apache-2.0
"""Decide whether this host can run Kontain, by use and not by flags, and say what to do if not."""
