# SPDX-License-Identifier: Apache-2.0
"""The command's tests run on the same small systems as those of the part that changes a host."""

from tests.host.conftest import in_sandbox, make_bundle

__all__ = ["in_sandbox", "make_bundle"]
