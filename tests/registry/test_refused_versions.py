"""Nobody is trusted: a version is refused whose files, signature or types were not accepted."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import skops.io as sio

from tasks.registry import tracking
from tasks.registry.registry import Registered
from tasks.registry.tracking import ModelRefused, RegistryRefused
from tasks.signing import artifact, keyring, signatures
from tasks.spec.model import ModelSpec
from tests.support.candidates import folder_of, load, on_sqlite, registered


class Stranger:
    """A type that nobody trusts."""

    def __init__(self) -> None:
        self.value = 1


class Payload:
    """What a pickle could do to whoever loads it: here it writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.write_text, (self.target, "executed")


# --- tampering, case by case


def _append(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with (folder / name).open("ab") as file:
            file.write(b"\n")

    return change


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _add(name: str, content: bytes = b"") -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)

    return change


def _resign(folder: Path) -> None:
    (folder / artifact.SUMS).write_text(artifact.sums(folder))
    signatures.sign(folder)


def _by_another_key(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATELATCH_SIGNING_KEY", str(folder.parent / "mallory.pem"))
        keyring.create_keys()
        _resign(folder)


def _claiming_our_key(folder: Path) -> None:
    ours = (folder / "model.sig").read_text().split('"hint":')[1].split('"')[1]
    _by_another_key(folder)
    forged = (folder / "model.sig").read_text()
    theirs = forged.split('"hint":')[1].split('"')[1]
    (folder / "model.sig").write_text(forged.replace(theirs, ours))


def _half_a_model(folder: Path) -> None:
    path = folder / "model.skops"
    path.write_bytes(path.read_bytes()[:1000])


TAMPERED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a changed model": (_append("model.skops"), "model.skops was changed"),
    "half a model": (_half_a_model, "model.skops was changed"),
    "a changed description": (_append("MLmodel"), "MLmodel was changed"),
    "changed sums": (_append("SHA256SUMS"), "SHA256SUMS was changed"),
    "a missing model": (_remove("model.skops"), "model.skops is missing"),
    "a missing file": (_remove("requirements.txt"), "requirements.txt is missing"),
    "an extra file": (_add("notes.txt"), "notes.txt is extra"),
    "an extra file of git": (_add(".gitattributes"), "gitattributes is extra"),
    "an extra folder": (_add("code/run.py"), "code/run.py is extra"),
    "an extra pickle": (_add("model.pkl", pickle.dumps(1)), "model.pkl is extra"),
    "no signature": (_remove("model.sig"), "model.sig is missing: nobody signed"),
    "no signature at all": (_add("model.sig", b"{}"), "model.sig is no signature by a key"),
    "another key": (_by_another_key, "model.sig was made with another key than .*signing.pub"),
    "another key that claims to be ours": (_claiming_our_key, "model.sig does not hold"),
}


@on_sqlite
@pytest.mark.parametrize("case", TAMPERED)
def test_a_version_is_refused_with(case: str, plain: tuple[ModelSpec, Any], tracked: Path) -> None:
    _, made = registered(*plain)
    change, said = TAMPERED[case]
    change(folder_of(tracked))
    with pytest.raises(ModelRefused, match=said) as refused:
        load(plain[0], made)
    assert f"{plain[0].model} version 1 is refused" in str(refused.value)
    assert "go back to another version" in str(refused.value)


def _stranger(folder: Path) -> None:
    path = folder / "model.skops"
    model = sio.load(path, trusted=sio.get_untrusted_types(file=path))
    model.extra = Stranger()
    sio.dump(model, path)
    # What the artifact itself claims to be trusted does not matter.
    claims = folder / "MLmodel"
    text, name = claims.read_text(), f"{Stranger.__module__}.Stranger"
    claims.write_text(text.replace("- scipy", f"- {name}\n    - scipy"))
    assert claims.read_text() != text


SIGNED: dict[str, tuple[Callable[[Path], None], str]] = {
    "an unknown type": (_stranger, r"Stranger"),
    "a pickle beside the model": (_add("model.pkl", pickle.dumps(1)), "model.pkl does not belong"),
    "a pickle for a model": (_add("model.skops", pickle.dumps(1)), "not a readable skops file"),
}


@on_sqlite
@pytest.mark.parametrize("case", SIGNED)
def test_whoever_signed_it_a_version_is_refused_with(
    case: str, plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    _, made = registered(*plain)
    change, said = SIGNED[case]
    folder = folder_of(tracked)
    change(folder)
    _resign(folder)
    accepted = Registered(made.version, artifact.folder_digest(folder))
    with pytest.raises(ModelRefused, match=said):
        load(plain[0], accepted)


@on_sqlite
def test_another_candidate_under_the_version_is_refused_though_it_is_signed(
    plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    _, made = registered(*plain)
    _append("requirements.txt")(folder_of(tracked))
    _resign(folder_of(tracked))
    with pytest.raises(ModelRefused, match="another candidate than the accepted one"):
        load(plain[0], made)


@on_sqlite
def test_a_pickle_is_not_executed(plain: tuple[ModelSpec, Any], tracked: Path) -> None:
    _, made = registered(*plain)
    target = tracked / "executed"
    harm = pickle.dumps(Payload(target))
    folder = folder_of(tracked)
    (folder / "model.skops").write_bytes(harm)
    _resign(folder)
    with pytest.raises(ModelRefused, match=r"model\.skops is not a readable skops file"):
        load(plain[0], Registered(made.version, artifact.folder_digest(folder)))
    assert not target.exists()
    pickle.loads(harm)  # the payload does work
    assert target.read_text() == "executed"


# --- what one step hands to the next


@on_sqlite
def test_what_is_handed_over_cannot_be_changed_or_come_from_elsewhere(
    plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    run, other = (tracking.start("churn", name, {}) for name in ("p1", "p2"))
    for where, passed in ((run, False), (other, True)):
        tracking.put_json(where, "gates", [{"passed": passed}])
        tracking.put_json(where, "rows", [{"passed": passed}])
    assert tracking.get_json(run, "gates") == [{"passed": False}]
    work = {r: tracked / "artifacts" / "churn" / r / "artifacts" / "work" for r in (run, other)}

    def refused() -> None:
        with pytest.raises(ModelRefused, match=f"{run}/gates.json is not what a step of this run"):
            tracking.get_json(run, "gates")

    for source in (work[other] / "gates.json", work[run] / "rows.json"):
        for suffix in ("", ".sig"):
            shutil.copy(f"{source}{suffix}", f"{work[run] / 'gates.json'}{suffix}")
        refused()
    (work[run] / "gates.json").write_text('[{"passed": true}]')
    refused()
    (work[run] / "gates.json.sig").unlink()
    with pytest.raises(RegistryRefused, match=r"gates.json of run .* cannot be fetched"):
        tracking.get_json(run, "gates")
