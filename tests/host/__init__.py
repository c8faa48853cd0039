# SPDX-License-Identifier: Apache-2.0
"""Tests of what changes a host: releases, registrations, and their undoing."""
