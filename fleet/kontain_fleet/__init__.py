# SPDX-License-Identifier: Apache-2.0
"""`kontain fleet`: plan, apply, check and verify Kontain on many hosts, from a controller with Ansible.

launch    finds the controller's Python that has ansible-runner, and hands over
cli       the command line
play      runs the playbook kontain.platform.fleet, and hears of each host
record    the outcome of each host, on the disk as it comes; --resume reads it
progress  the line that moves
report    the outcome as HTML, JSON and JUnit
"""
