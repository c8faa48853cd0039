# SPDX-License-Identifier: Apache-2.0
"""The API server, as a pod with a token reaches it (kubernetes.io/docs, "Access the API from a Pod")."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from pathlib import Path
from typing import Any, Dict, List
from urllib.parse import quote, urlencode

from .errors import NodeError

TOKEN = Path("/var/run/secrets/kontain/token")
AUTHORITY = Path("/var/run/secrets/kontain/ca.crt")
_TIMEOUT_S = 15


class ApiError(Exception):
    """An answer that is not good: its HTTP status, 0 where there was no answer, and its words."""

    def __init__(self, status: int, words: str) -> None:
        """Keep both."""
        super().__init__(f"{status}: {words}")
        self.status = status


class Api:
    """Calls of the API by this pod's token, which is read each time: the kubelet renews it."""

    def __init__(self) -> None:
        """Find the API server."""
        host = os.environ.get("KUBERNETES_SERVICE_HOST")
        if not host:
            raise NodeError(
                "cannot reach the API server",
                "KUBERNETES_SERVICE_HOST is not set",
                "run this as a container of deploy/kubernetes",
            )
        self._host = host.strip("[]")
        self._port = int(os.environ.get("KUBERNETES_SERVICE_PORT_HTTPS", "443"))

    def node(self, name: str) -> Dict[str, Any]:
        """Return a node."""
        return self._call("GET", f"/api/v1/nodes/{quote(name)}")

    def change_node(self, name: str, patch: Dict[str, Any]) -> None:
        """Change a node as RFC 7386 has it; a label whose value is None goes."""
        self._call("PATCH", f"/api/v1/nodes/{quote(name)}", patch)

    def pods(self, namespace: str, node: str, app: str) -> List[Dict[str, Any]]:
        """Return the pods of a node with the label `app`, but for those that are on their way out."""
        choice = {"labelSelector": f"app={app}", "fieldSelector": f"spec.nodeName={node}"}
        path = f"/api/v1/namespaces/{quote(namespace)}/pods?{urlencode(choice)}"
        found = self._call("GET", path)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def tell(self, event: Dict[str, Any]) -> None:
        """Make an event in the namespace that it names."""
        namespace = quote(event["metadata"]["namespace"])
        self._call("POST", f"/api/v1/namespaces/{namespace}/events", event)

    def _call(self, method: str, path: str, content: Any = None) -> Dict[str, Any]:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {
            "Authorization": f"Bearer {TOKEN.read_text(encoding='ascii').strip()}",
            "Accept": "application/json",
            "Content-Type": kind,
        }
        body = None if content is None else json.dumps(content)
        trust = ssl.create_default_context(cafile=str(AUTHORITY))
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=_TIMEOUT_S, context=trust
        )
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise ApiError(0, str(error)) from error
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise ApiError(answer.status, text[:500])
        found: Dict[str, Any] = json.loads(text)
        return found
