# SPDX-License-Identifier: Apache-2.0
"""Payload-only OCI images, made from the packages of this host's distribution."""
