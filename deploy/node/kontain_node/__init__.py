# SPDX-License-Identifier: Apache-2.0
"""Kontain on the nodes of a Kubernetes cluster: the program of the node image's containers."""
