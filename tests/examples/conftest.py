# SPDX-License-Identifier: Apache-2.0
"""The fixtures of the examples' tests: the engines of the images' tests."""

from tests.runenv.conftest import host

__all__ = ["host"]
