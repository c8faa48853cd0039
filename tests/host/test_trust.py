# SPDX-License-Identifier: Apache-2.0
"""Every door takes a bundle by the key of the installed release, or by the operator's own word."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from kontain_host import plans, release, signature
from kontain_host.errors import UNTRUSTED, HostError
from kontain_host.install import install
from kontain_host.trust import KEY, Trust

from .signing import OTHER, PUBLIC, signed
from .small_host import FILES, BundleMaker, SmallHost, make_root, snapshot

KEYED = {
    **FILES,
    KEY: f"-----BEGIN PUBLIC KEY-----\n{PUBLIC}\n-----END PUBLIC KEY-----\n".encode(),
}
Door = Callable[[SmallHost, Path], object]


def apply(host: SmallHost, bundle: Path) -> object:
    """Carry out a plan that was made by the word of an operator who is gone."""
    said, host.trust = host.trust, Trust(unsigned=True, downgrade=True)
    try:
        made = plans.make(host, bundle, [])
    finally:
        host.trust = said
    return plans.apply(host, made)


DOORS: dict[str, Door] = {
    "kontain install": lambda host, bundle: install(host, bundle, []),
    "the module release": release.install,
    "kontain plan": lambda host, bundle: plans.make(host, bundle, []),
    "kontain apply": apply,
}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    """Each way by which a bundle comes to a host."""
    return DOORS[request.param]


@pytest.fixture
def keyed(memory: Path, make_bundle: BundleMaker) -> SmallHost:
    """Return a host with the release 0.2.0, which has its publisher's key."""
    host = SmallHost(make_root(memory / "host"))
    release.install(host, make_bundle("0.2.0", KEYED))
    host.trust = Trust()
    return host


def wrong(make_bundle: BundleMaker, kind: str) -> Path:
    """Return a bundle of 0.3.0, or of 0.1.0, that is not to be trusted."""
    older = kind == "older"
    place = make_bundle("0.1.0" if older else "0.3.0", KEYED)
    good = place.read_bytes()
    body, trailer = good[: -signature.TRAILER_SIZE], good[-signature.TRAILER_SIZE :]
    if kind == "changed":  # with a MANIFEST that fits, and the old signature
        other = make_bundle("0.3.0", {**KEYED, "bin/km": b"\x7fELF evil"}).read_bytes()
        place.write_bytes(other[: -signature.TRAILER_SIZE] + trailer)
    elif not older:
        place.write_bytes(
            {
                "unsigned": body,
                "truncated": good[:-1],
                "half": good[: len(good) // 2],
                "appended": good + b"\0",
                "twice": good + trailer,
                "before": b"\0" + good,
                "of another version": signed(body, "0.3.1"),
                "empty": b"",
            }[kind]
        )
    return place


WRONG = ("changed", "unsigned", "truncated", "half", "appended", "twice", "before")


@pytest.mark.parametrize("kind", [*WRONG, "of another version", "empty", "older"])
def test_a_wrong_bundle_is_refused_at_each_door(
    keyed: SmallHost, make_bundle: BundleMaker, door: Door, kind: str
) -> None:
    """A bundle that is not signed as it is, or is older, changes nothing and has the status 5."""
    bundle = wrong(make_bundle, kind)
    before = snapshot(Path(keyed.root))
    with pytest.raises(HostError, match="cannot trust the bundle kontain-") as caught:
        door(keyed, bundle)
    assert caught.value.status == UNTRUSTED
    assert snapshot(Path(keyed.root)) == before


def test_the_right_bundle_is_taken_at_each_door(
    keyed: SmallHost, make_bundle: BundleMaker, door: Door
) -> None:
    """A newer release that is signed by the installed release's key needs no word."""
    door(keyed, make_bundle("0.3.0", KEYED))


def test_another_key_is_refused_at_each_door(
    keyed: SmallHost, make_bundle: BundleMaker, door: Door
) -> None:
    """The installer brings a key for hosts without a release; one with a release keeps its own."""
    keyed.trust = Trust(brought=OTHER)
    door(keyed, make_bundle("0.3.0", KEYED))
    keyed.trust = Trust(key=OTHER)
    with pytest.raises(HostError, match="it is not signed by the key that was given"):
        door(keyed, make_bundle("0.4.0", KEYED))


def test_a_host_without_a_release_takes_no_bundle_without_a_key(
    host: SmallHost, make_bundle: BundleMaker, door: Door
) -> None:
    """Nobody has said by what to judge: the error says what may be said."""
    host.trust = Trust()
    with pytest.raises(HostError, match="there is no key to judge it by") as caught:
        door(host, make_bundle())
    assert "--key FILE" in caught.value.fix


@pytest.mark.parametrize(
    ("trust", "kind"),
    [
        (Trust(unsigned=True), "unsigned"),
        (Trust(key=PUBLIC, downgrade=True), "older"),
        (Trust(downgrade=True), "older"),
    ],
)
def test_the_operators_word_is_enough(
    keyed: SmallHost, make_bundle: BundleMaker, trust: Trust, kind: str
) -> None:
    """--unsigned and --downgrade let in what they say."""
    keyed.trust = trust
    assert release.install(keyed, wrong(make_bundle, kind)).changed


@pytest.mark.parametrize(
    ("trust", "kind"), [(Trust(unsigned=True), "older"), (Trust(downgrade=True), "unsigned")]
)
def test_one_word_is_not_the_other(
    keyed: SmallHost, make_bundle: BundleMaker, trust: Trust, kind: str
) -> None:
    """--unsigned takes no older release, and --downgrade no unsigned one."""
    keyed.trust = trust
    with pytest.raises(HostError, match="cannot trust the bundle"):
        release.install(keyed, wrong(make_bundle, kind))


def test_a_sum_names_one_file(keyed: SmallHost, make_bundle: BundleMaker) -> None:
    """The builder's SHA-256 lets exactly these bytes in, but no older release."""
    bundle = wrong(make_bundle, "unsigned")
    good = Trust(sha256=hashlib.sha256(bundle.read_bytes()).hexdigest())
    keyed.trust = Trust(sha256="0" * 64, unsigned=True)
    with pytest.raises(HostError, match="its SHA-256 is"):
        release.install(keyed, bundle)
    keyed.trust = good
    assert release.install(keyed, bundle).changed
    older = wrong(make_bundle, "older")
    keyed.trust = Trust(sha256=hashlib.sha256(older.read_bytes()).hexdigest())
    with pytest.raises(HostError, match=r"the release 0\.1\.0, and 0\.3\.0 is installed"):
        release.install(keyed, older)


def test_a_release_without_a_key_knows_itself_only(
    host: SmallHost, make_bundle: BundleMaker
) -> None:
    """After a checkout's installation the same release is taken again, for a repair, and no other."""
    release.install(host, make_bundle())
    host.trust = Trust()
    assert not release.install(host, make_bundle()).changed
    with pytest.raises(HostError, match="there is no key to judge it by"):
        release.install(host, make_bundle(files={**FILES, "bin/km": b"\x7fELF evil"}))


@pytest.mark.parametrize("key", ["", "no key", "AAAA", "-----BEGIN PUBLIC KEY-----\n", OTHER[:-8]])
def test_what_is_no_key_is_refused(host: SmallHost, make_bundle: BundleMaker, key: str) -> None:
    """A file that is no RSA key of the one size is named as that, and nothing is believed."""
    host.trust = Trust(key=key) if key else Trust()
    with pytest.raises(HostError, match=r"the key is not an RSA key|there is no key") as caught:
        release.install(host, make_bundle())
    assert caught.value.status == UNTRUSTED


def test_a_signature_has_one_form(make_bundle: BundleMaker) -> None:
    """The signature plus the modulus is no second signature of the same bytes."""
    data = make_bundle().read_bytes()
    assert signature.verify(data, PUBLIC, "the test") == "0.1.0"
    found = signature.TRAILER.fullmatch(data[-signature.TRAILER_SIZE :])
    assert found
    number = int.from_bytes(base64.b64decode(found["signature"]), "big")
    larger = number + signature.modulus(PUBLIC)
    if larger.bit_length() > signature.KEY_BYTES * 8:
        pytest.skip("this signature has no second form of that length")
    text = base64.b64encode(larger.to_bytes(signature.KEY_BYTES, "big"))
    with pytest.raises(signature.UntrustedError):
        signature.verify(data.replace(found["signature"], text), PUBLIC, "the test")
