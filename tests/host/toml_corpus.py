# SPDX-License-Identifier: Apache-2.0
"""Configurations as packages ship them and people write them, and hostile ones."""

from __future__ import annotations

DEBIAN_CONTAINERD = """\
version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd"
"""

DOCKER_CONTAINERD = """\
#   Copyright 2018-2022 Docker Inc.

disabled_plugins = ["cri"]

#root = "/var/lib/containerd"
#state = "/run/containerd"

#[grpc]
#  address = "/run/containerd/containerd.sock"
"""

KUBEADM_CONTAINERD = """\
disabled_plugins = []
imports = []
oom_score = 0
version = 2

[cgroup]
  path = ""

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.9" # pinned

  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes]

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
        runtime_type = "io.containerd.runc.v2"

        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
          SystemdCgroup = true

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia]
        runtime_type = "io.containerd.runc.v2"
        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia.options]
          BinaryName = "/usr/bin/nvidia-container-runtime"

[stream_processors]
  [stream_processors."io.containerd.ocicrypt.decoder.v1.tar"]
    accepts = ["application/vnd.oci.image.layer.v1.tar+encrypted"]
    args = ["--decryption-keys-path", "/etc/containerd/ocicrypt/keys"]
    env = ["OCICRYPT_KEYPROVIDER_CONFIG=/etc/containerd/ocicrypt/ocicrypt_keyprovider.conf"]

[timeouts]
  "io.containerd.timeout.shim.cleanup" = "5s"
"""

SCHEMA_3 = """\
version = 3
imports = [
  '/etc/containerd/certs.toml', # first
]

[plugins.'io.containerd.cri.v1.runtime'.containerd]
default_runtime_name = 'runc'
"""

PODMAN = """\
# The containers configuration file
[containers]
default_ulimits = [
 "nofile=1280:2560", # ] not the end
]

[engine]
cgroup_manager = "cgroupfs"
runtime = "crun"
runtime_supports_kvm = ["kata", "krun"]

# Paths to look for a valid OCI runtime
[engine.runtimes]
runc = [
  "/usr/bin/runc",
  "/usr/sbin/runc",
]
# kontain = ["/old"]

[network]
network_backend = "cni"
"""

DOTTED = """\
[engine]
runtimes.runc = ["/usr/bin/runc"] # dotted
log_driver = "journald"
"""

HOSTILE = [
    "",
    "\n",
    "# only a comment",
    "a = 1",
    "\ufeffa = 1\r\nb = 2\r\n",
    'text = """\n[engine.runtimes]\nkontain = ["x"]\n"""\n',
    "text = '''\n[plugins]\n''' # x\n",
    '[a]\nb = "]" # [c]\n[[d]]\ne = 1\n[[d]]\ne = 2\n[d.f]\ng = 3\n',
    '"a.b"."c\\"d" = { x = 1, y = [ 1, 2 ], "z" = { w = "}" } }\n',
    "dates = [ 1979-05-27T07:32:00Z, 1979-05-27 07:32:00, 07:32:00 ]\nn = -inf\nh = 0xdead_beef\n",
    "a = [\n  [1, 2], # one\n  [\n    3\n  ],\n]\n",
    '  [ x . "y" ]  # blanks\n\t z\t=\t1\t# tabs\n',
    'a = """\r\n[t]\r\nx\\\r\n  y"""\r\n',
    'm = """a""b\\""""\n',
    "q = ''''inside''''\n",
    "a.b.c = 1\na.b.d = 2\n[a.e]\nf = 3\n",
]

BROKEN = [
    "a = ",
    "a",
    "[a",
    "[[a]",
    "a = [1, 2",
    "a = 'x\n",
    'a = "x\\',
    "a = { b = 1",
    "a = 1 b = 2\n",
    "= 1",
    "[a]\n[a]\n",
    "a = 1\na = 2\n",
    "a = " + "[" * 5000,
    "a = 1\n\x00",
    'a = """never',
]

REAL = [DEBIAN_CONTAINERD, DOCKER_CONTAINERD, KUBEADM_CONTAINERD, SCHEMA_3, PODMAN, DOTTED]
ALL = [*REAL, *HOSTILE]
