# SPDX-License-Identifier: Apache-2.0
"""An OCI runtime whose containers run in virtual machines, on top of crun or runc.

Everything that is on the way of a call uses built-in modules only (`posix`, not `os`): a runtime is
started three times and more for each container, and each import is paid each time.
"""
