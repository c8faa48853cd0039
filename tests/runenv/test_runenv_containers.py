# SPDX-License-Identifier: Apache-2.0
"""The images in use: scripts by -v, FROM in a Dockerfile, and what an image refuses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.krun.support import IN_A_VM, need_programs

from .support import Host

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm, pytest.mark.slow]

SCRIPTS = {
    "python3": """\
import hashlib, json, os, platform, sqlite3, ssl, tempfile, zoneinfo
with tempfile.TemporaryFile() as file:
    file.write(b"x")
assert len(ssl.create_default_context().get_ca_certs()) > 100
assert zoneinfo.ZoneInfo("Europe/Paris")
assert sqlite3.connect(":memory:").execute("select 1").fetchone() == (1,)
assert os.path.exists(json.__cached__)
assert json.loads.__code__.co_filename == "/usr/lib/python3.11/json/__init__.py"
print(platform.release(), os.getuid(), os.getcwd())
""",
    "node": """\
const fs = require('fs'), os = require('os'), tls = require('tls');
if (tls.rootCertificates.length < 100) throw new Error('certificates');
fs.writeFileSync('/tmp/x', new Intl.DateTimeFormat('de', {month: 'long'}).format(0));
import('node:assert').then(() => fetch('data:,x')).then((one) => one.text()).then((text) => {
  if (text !== 'x') throw new Error(text);
  console.log(os.release(), process.getuid(), process.cwd());
});
""",
}
NAMES = {"python3": "script.py", "node": "script.js"}

JAVA = """\
import java.nio.file.*;
import java.util.List;
import javax.net.ssl.*;

public class Script {
    public static void main(String[] arguments) throws Exception {
        Files.writeString(Path.of("/tmp/x"), "x");
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init((java.security.KeyStore) null);
        int count = ((X509TrustManager) trust.getTrustManagers()[0]).getAcceptedIssuers().length;
        if (count < 100) throw new Exception(count + " certificates");
        Object user = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        System.out.println(System.getProperty("os.version") + " " + user + " " + Path.of("").toAbsolutePath());
    }
}
"""


def check(done: subprocess.CompletedProcess[str]) -> None:
    """Assert that a script ran in a VM, as a user without rights, in the image's folder."""
    assert done.returncode == 0, done.stderr
    release, user, folder = done.stdout.split()
    assert release.endswith(IN_A_VM)
    assert (user, folder) == ("65532", "/app")


@pytest.mark.parametrize("language", list(SCRIPTS))
def test_script_by_volume(host: Host, language: str, tmp_path: Path) -> None:
    """A script on a volume runs in a VM by the image, which has what the language needs."""
    (tmp_path / NAMES[language]).write_text(SCRIPTS[language])
    tmp_path.chmod(0o755)
    name = host.load(language)

    check(host.run(f"--volume={tmp_path}:/app:ro", name, NAMES[language]))


@pytest.mark.parametrize("language", list(SCRIPTS))
def test_from_in_a_dockerfile(host: Host, language: str, tmp_path: Path) -> None:
    """An image that is built FROM a language's runs in a VM, with everything read-only."""
    (tmp_path / NAMES[language]).write_text(SCRIPTS[language])
    name = host.load(language)
    text = f'FROM {name}\nCOPY {NAMES[language]} /app/\nCMD ["{NAMES[language]}"]\n'
    (tmp_path / "Dockerfile").write_text(text)
    host.build(f"from-{language}", tmp_path)

    check(host.run("--read-only", "--tmpfs=/tmp", "--cap-drop=all", f"from-{language}"))


def test_java_classes(host: Host, tmp_path: Path) -> None:
    """Compiled classes run by the JRE, which trusts the distribution's certificates."""
    need_programs("javac")
    (tmp_path / "Script.java").write_text(JAVA)
    subprocess.run(["javac", "--release", "17", "Script.java"], cwd=tmp_path, check=True)
    tmp_path.chmod(0o755)
    name = host.load("java17")

    check(host.run(f"--volume={tmp_path}:/app:ro", name, "-cp", "/app", "Script"))


def test_dynamic_program(host: Host, tmp_path: Path) -> None:
    """A dynamic C++ program of the distribution's compiler runs from dynamic-base as it is."""
    need_programs("g++")
    (tmp_path / "main.cc").write_text(
        "#include <iostream>\n#include <sys/utsname.h>\n#include <unistd.h>\n"
        "int main() { utsname u; uname(&u); char f[99]; getcwd(f, 99);"
        ' std::cout << u.release << " " << getuid() << " " << f << "\\n"; }\n'
    )
    subprocess.run(["g++", "main.cc", "-o", "main"], cwd=tmp_path, check=True)
    name = host.load("dynamic-base")
    (tmp_path / "Dockerfile").write_text(f'FROM {name}\nCOPY main /app/\nCMD ["/app/main"]\n')
    host.build("dynamic", tmp_path)

    check(host.run("dynamic"))


@pytest.mark.parametrize("shell", ["sh", "bash", "apt-get"])
def test_no_shell(host: Host, shell: str) -> None:
    """An image refuses a shell and a package manager with status 127, and says what is missing."""
    done = host.run(f"--entrypoint={shell}", host.load("python3"))

    assert done.returncode == 127
    assert f'exec: "{shell}": executable file not found in $PATH' in done.stderr


def test_program_of_the_host_is_no_payload_of_a_static_image(host: Host, tmp_path: Path) -> None:
    """A program whose loader the image lacks is refused, and the message says which."""
    name = host.load("base")
    (tmp_path / "Dockerfile").write_text(f"FROM {name}\nCOPY ls /bin/\n")
    (tmp_path / "ls").write_bytes(Path("/bin/ls").read_bytes())
    (tmp_path / "ls").chmod(0o755)
    host.build("native", tmp_path)
    done = host.run("native", "/bin/ls")

    assert done.returncode in (126, 127)
    assert "ld-linux-x86-64.so.2" in done.stderr
