# SPDX-License-Identifier: Apache-2.0
"""Kontain on the nodes of a Kubernetes cluster: what runs in the node image's containers."""
