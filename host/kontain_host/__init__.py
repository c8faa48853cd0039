# SPDX-License-Identifier: Apache-2.0
"""Every change that Kontain makes to a host: planned, journalled, applied and undone exactly."""
