# SPDX-License-Identifier: Apache-2.0
"""The manifests of deploy/kubernetes as kubectl builds them, and workloads of the tests' own."""

from __future__ import annotations

import functools
import subprocess

from tests.deploy.cluster import ROOT, binaries
from tests.deploy.images import BUSYBOX

FOLDER = ROOT / "deploy/kubernetes"
VERSION = subprocess.run(
    [ROOT / "tools/release/version"], capture_output=True, text=True, check=True
).stdout.strip()


@functools.cache
def built(name: str, version: str = VERSION) -> str:
    """Return what `kubectl kustomize` of kubectl 1.20 makes of a folder, with images of a version."""
    command = [str(binaries() / "kubectl"), "kustomize", str(FOLDER / name)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return text.replace(f"kubernetes:{VERSION}", f"kubernetes:{version}")


def many(runtime: str, number: int) -> str:
    """Return a Deployment of many small pods; "runc" is the node's default runtime."""
    chosen = "runtimeClassName: kontain" if runtime == "kontain" else "hostname: native"
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: many-{runtime}}}
spec:
  replicas: {number}
  selector: {{matchLabels: {{app: many-{runtime}}}}}
  template:
    metadata: {{labels: {{app: many-{runtime}}}}}
    spec:
      {chosen}
      terminationGracePeriodSeconds: 0
      containers:
        - {{name: one, image: "{BUSYBOX}", command: [sleep, "1000"]}}
"""


WORKLOADS = f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: words}}
data: {{key: from-a-config-map}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: 8080}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      runtimeClassName: kontain
      terminationGracePeriodSeconds: 1
      initContainers:
        - name: page
          image: {BUSYBOX}
          command: [sh, -c, "(hostname; uname -r) > /www/index.html"]
          volumeMounts: [{{name: www, mountPath: /www}}]
      containers:
        - name: web
          image: {BUSYBOX}
          command: [httpd, -f, -p, "8080", -h, /www]
          resources:
            requests: {{cpu: 10m, memory: 16Mi}}
            limits: {{cpu: 500m, memory: 64Mi}}
          readinessProbe: {{httpGet: {{path: /, port: 8080}}, periodSeconds: 2}}
          livenessProbe: {{exec: {{command: [test, -f, /www/index.html]}}, timeoutSeconds: 10}}
          lifecycle: {{postStart: {{exec: {{command: [touch, /tmp/started]}}}}}}
          securityContext: {{runAsNonRoot: true, runAsUser: 1000, capabilities: {{drop: [ALL]}}}}
          volumeMounts: [{{name: www, mountPath: /www}}, {{name: words, mountPath: /config}}]
      volumes:
        - {{name: www, emptyDir: {{}}}}
        - {{name: words, configMap: {{name: words}}}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {{name: disk}}
spec:
  capacity: {{storage: 1Gi}}
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  hostPath: {{path: /var/lib/kontain-lab/disk, type: DirectoryOrCreate}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: store}}
spec:
  serviceName: store
  selector: {{matchLabels: {{app: store}}}}
  template:
    metadata: {{labels: {{app: store}}}}
    spec:
      runtimeClassName: kontain
      terminationGracePeriodSeconds: 1
      containers:
        - name: store
          image: {BUSYBOX}
          command: [sleep, "100000"]
          volumeMounts: [{{name: data, mountPath: /data}}]
  volumeClaimTemplates:
    - metadata: {{name: data}}
      spec:
        accessModes: [ReadWriteOnce]
        storageClassName: ""
        resources: {{requests: {{storage: 1Gi}}}}
"""
