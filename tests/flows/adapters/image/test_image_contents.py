"""What is installed in an image, read from its layers as a container sees them."""

import io
import tarfile
from pathlib import Path

import pytest

from flows.adapters.image.image_contents import software_in, software_of, started
from sluice.gitops.bill_of_materials import Package, Software
from sluice.model.json_file import Unreadable

STATUS = "var/lib/dpkg/status"
SITE = "srv/site-packages"
TWO = (
    "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.41-12\n\n"
    "Package: dpkg\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1.22\n\n"
    "Package: tzdata\nStatus: install ok installed\nArchitecture: all\nVersion: 2026a-0+deb13u1\n\n"
)
LIBC, TZDATA = Package("libc6", "2.41-12", "amd64"), Package("tzdata", "2026a-0+deb13u1", "all")


def layer(folder: Path, files: dict[str, str], *, packed: bool = False) -> Path:
    """A layer with these files; a content that begins with -> is a hard link."""
    path = folder / f"layer{len(list(folder.iterdir()))}"
    with tarfile.open(path, "w:gz" if packed else "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if content.startswith("->"):
                member.type, member.linkname = tarfile.LNKTYPE, content.removeprefix("->")
                tar.addfile(member)
                continue
            member.size = len(content.encode())
            tar.addfile(member, io.BytesIO(content.encode()))
    return path


def wheel(name: str, version: str) -> str:
    return f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n\nName: in the text\n"


def test_packages_of_debian_and_python_are_found_wherever_they_lie(tmp_path: Path) -> None:
    base = layer(tmp_path, {f"./{STATUS}": TWO, "./etc/debian_version": "13.2\n"})
    site = layer(
        tmp_path,
        {
            f"{SITE}/numpy-2.4.6.dist-info/METADATA": wheel("numpy", "2.4.6"),
            f"{SITE}/numpy-2.4.6.dist-info/RECORD": wheel("no", "1"),
            "opt/hidden/evil.dist-info/METADATA": wheel("Evil", "6"),
            "old.egg-info": wheel("Old", "1"),
            "usr/lib/older.egg-info/PKG-INFO": wheel("Older", "2"),
            f"{SITE}/broken.dist-info/METADATA": "Name\n",
        },
        packed=True,
    )
    python = [("Evil", "6"), ("Old", "1"), ("Older", "2"), ("numpy", "2.4.6")]
    assert software_in([base, site]) == Software(
        "13.2", (LIBC, TZDATA), tuple(Package(*one) for one in python)
    )


def test_the_highest_layer_says_what_a_container_sees(tmp_path: Path) -> None:
    one, other = f"{SITE}/a.dist-info/METADATA", f"{SITE}/b.dist-info/METADATA"
    below = layer(tmp_path, {STATUS: TWO, one: wheel("a", "1"), other: wheel("b", "1")})
    newer = layer(tmp_path, {one: wheel("a", "2"), f"{SITE}/.wh.b.dist-info": ""})
    assert software_in([below, newer]).python == (Package("a", "2"),)
    emptied = layer(tmp_path, {f"{SITE}/.wh..wh..opq": "", "c.dist-info/METADATA": wheel("c", "1")})
    assert software_in([below, emptied]).python == (Package("c", "1"),)
    gone = layer(tmp_path, {"var/lib/dpkg/.wh.status": ""})
    assert software_in([below, gone]).debian == ()
    assert software_in([below, gone, below]).debian == (LIBC, TZDATA)


def test_a_second_name_of_a_file_hides_nothing(tmp_path: Path) -> None:
    linked = {"text": wheel("linked", "1"), f"{SITE}/linked.dist-info/METADATA": "->text"}
    assert software_in([layer(tmp_path, linked)]).python == (Package("linked", "1"),)


def test_an_image_without_packages_has_none(tmp_path: Path) -> None:
    assert software_in([layer(tmp_path, {"a": "b"})]) == Software()
    assert software_in([]) == Software()


def test_what_is_no_layer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "layer"
    path.write_bytes(b"no archive at all")
    with pytest.raises(tarfile.TarError):
        software_in([path])


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"config": []}', b'{"config": null}'])
def test_what_is_no_configuration_is_refused(content: bytes) -> None:
    with pytest.raises(Unreadable, match="configuration of an image"):
        started(content)


def test_an_image_is_read_once_and_another_one_anew(tmp_path: Path) -> None:
    first, second = (layer(tmp_path, {"a.egg-info": wheel("a", one)}) for one in ("1", "2"))
    assert software_of(("sha256:1",), [first]).python == (Package("a", "1"),)
    first.unlink()
    assert software_of(("sha256:1",), [first]).python == (Package("a", "1"),)
    assert software_of(("sha256:1", "sha256:2"), [second]).python == (Package("a", "2"),)
