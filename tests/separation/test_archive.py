"""Archives from strangers: what is right is unpacked to the byte, everything else leaves nothing."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from separation.archive import Limits, unpack
from separation.errors import ArchiveUnsafe

FILES = {
    "checkpoint": b'model_checkpoint_path: "model"\n',
    "model.index": np.random.default_rng(1).bytes(5000),
    "model.data-00000-of-00001": np.random.default_rng(2).bytes(600_000),
    "empty.json": b"",
}


def file(name, content=b"content", **fields):
    """A member and what is in it."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    return member, content


def kind(name, of, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = of, target
    return member, b""


def pack(path, members, tar_format=tarfile.PAX_FORMAT, mode="w:gz"):
    with tarfile.open(path, mode, format=tar_format) as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return path


def raw(path, *blocks, end=bytes(1024)):
    """An archive of blocks as they are."""
    path.write_bytes(gzip.compress(b"".join(blocks) + end, 1))
    return path


def header(name, size, of=tarfile.REGTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.size = of, size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.fixture
def where(tmp_path):
    """Path for an archive, and folder to unpack it to."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    return tmp_path / "in" / "x.tar.gz", tmp_path / "out" / "model"


def assert_refused(archive, folder, match=None, limits=None):
    before = {path: path.stat().st_mtime_ns for path in folder.parent.parent.rglob("*")}
    with pytest.raises(ArchiveUnsafe, match=match) as caught:
        unpack(archive, folder, *([limits] if limits else []))
    assert str(archive) in str(caught.value)
    assert "nothing was unpacked" in str(caught.value)
    before.pop(folder.parent)
    assert before == {path: path.stat().st_mtime_ns for path in folder.parent.parent.rglob("*") if path in before}
    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize("mode", ["w:gz", "w"])
@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("top", ["", "./", "4stems/", "./models/4stems/"])
def test_files_come_out_as_they_went_in(where, mode, tar_format, top):
    archive, folder = where
    members = [kind(top.rstrip("/") or ".", tarfile.DIRTYPE)] if top else []
    members += [file(top + name, content, mode=0o4777, uid=1234, mtime=1.5) for name, content in FILES.items()]
    digests = unpack(pack(archive, members, tar_format, mode), folder)
    assert digests == {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert not any(path.stat().st_mode & 0o7111 for path in folder.iterdir())


def test_hidden_files_are_left_out(where):
    archive, folder = where
    names = ("._checkpoint", "checkpoint", ".DS_Store", ".git/config", "4stems/.probe")
    assert list(unpack(pack(archive, [file(name) for name in names]), folder)) == ["checkpoint"]
    assert [path.name for path in folder.iterdir()] == ["checkpoint"]


def test_an_archive_of_the_tar_program(where):
    archive, folder = where
    source = archive.parent / "4stems"
    source.mkdir()
    for name, content in FILES.items():
        (source / name).write_bytes(content)
    subprocess.run(["tar", "-czf", archive, "-C", source, "."], check=True)
    assert set(unpack(archive, folder)) == set(FILES)


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (file("../x"), "'../x' leads out"),
        (file("a/../../x"), "leads out"),
        (file("4stems/../x"), "leads out"),
        (file(".."), "leads out"),
        (kind("../folder", tarfile.DIRTYPE), "leads out"),
        (file("/tmp/x"), "'/tmp/x' leads out"),  # noqa: S108
        (file("//x"), "leads out"),
        (file(".hidden/../../x"), "leads out"),
        (file("a\\..\\x"), "not the same on every system"),
        (file("C:x"), "not the same on every system"),
        (file("new\nline"), "not the same on every system"),
        (file("\x1b[2J"), "not the same on every system"),
        (file("bad\udcff"), "not the same on every system"),
        (file(256 * "n"), "not the same on every system"),
        (file("."), "not the same on every system"),
        (kind("link", tarfile.SYMTYPE, "/etc/passwd"), "'link' is a symbolic link"),
        (kind("link", tarfile.SYMTYPE, "checkpoint"), "symbolic link"),
        (kind(".hidden", tarfile.SYMTYPE, ".."), "symbolic link"),
        (kind("link", tarfile.LNKTYPE, "checkpoint"), "hard link"),
        (kind("link", tarfile.LNKTYPE, "/etc/passwd"), "hard link"),
        (kind("null", tarfile.CHRTYPE), "a device"),
        (kind("disk", tarfile.BLKTYPE), "a device"),
        (kind("pipe", tarfile.FIFOTYPE), "a pipe"),
        (kind("old", tarfile.CONTTYPE), "of an unknown type"),
        (kind("new", b"Z"), "of an unknown type"),
        (file("checkpoint"), "'checkpoint' is there twice"),
        (file("./checkpoint"), "is there twice"),
        (file("CheckPoint"), "is there twice"),
        (file("other/x"), "'other/x' lies outside"),
    ],
    ids=lambda value: ascii(value[0].name) if isinstance(value, tuple) else "",
)
@pytest.mark.parametrize("last", [True, False])
def test_members_that_are_refused(where, member, reason, last):
    archive, folder = where
    members = [file("checkpoint"), member, file("model.index")][: 2 if last else 3]
    assert_refused(pack(archive, members, tarfile.GNU_FORMAT), folder, reason)


def test_a_link_to_write_through(where):
    """The classic: a link out of the folder, then a file through it."""
    archive, folder = where
    outside = archive.parent / "outside"
    outside.mkdir()
    assert_refused(pack(archive, [kind("d", tarfile.SYMTYPE, str(outside)), file("d/x")]), folder)
    assert list(outside.iterdir()) == []


def test_sparse_files_are_refused(where):
    archive, folder = where
    holes = file("holes", b"", pax_headers={"GNU.sparse.map": "0,0", "GNU.sparse.size": str(1 << 40)})
    assert_refused(pack(archive, [holes]), folder, "not a plain file")
    assert_refused(raw(archive, header("holes", 512, tarfile.GNUTYPE_SPARSE), bytes(512)), folder)
    forged = file("holes", b"no number", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})
    assert_refused(pack(archive, [forged]), folder, "no whole .tar.gz")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(n_members=3), "more than 3 members"),
        (Limits(member_bytes=599_999), "claims 600000 bytes; 599999 are allowed"),
        (Limits(total_bytes=100_000), "more than 100000 bytes"),
    ],
)
def test_limits(where, limits, reason):
    archive, folder = where
    pack(archive, [file(name, content) for name, content in FILES.items()])
    assert_refused(archive, folder, reason, limits)
    exact = Limits(n_members=4, member_bytes=600_000, total_bytes=len(gzip.decompress(archive.read_bytes())))
    assert set(unpack(archive, folder, exact)) == set(FILES)


def test_bombs(where):
    """Much in little: a file, what a skipped file hides, a name, an attribute, a trailer; none is held in memory."""
    archive, folder = where
    huge = 1 << 25
    limits = Limits(member_bytes=huge, total_bytes=huge // 2)
    zeros = bytes(huge)
    for blocks in (
        (header("big", huge), zeros),
        (header(".skipped", huge), zeros),
        (header("", huge, tarfile.GNUTYPE_LONGNAME), zeros),
        (header("", huge, tarfile.XHDTYPE), zeros),
        (header("", huge, tarfile.XGLTYPE), zeros),
        (header("small", 0), bytes(1024), zeros),
    ):
        raw(archive, *blocks)
        assert archive.stat().st_size < 1_000_000
        tracemalloc.start()
        assert_refused(archive, folder, "claims|more than", limits)
        assert tracemalloc.get_traced_memory()[1] < huge // 8
        tracemalloc.stop()


def test_many_small_files_are_a_bomb_too(where):
    archive, folder = where
    assert_refused(pack(archive, [file(str(index), b"") for index in range(65)]), folder, "more than 64 members")


@pytest.mark.parametrize("of", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, b"Z"])
@pytest.mark.parametrize("size", [-512, -1536, 1 << 62, 1 << 70])
def test_impossible_sizes(where, of, size):
    archive, folder = where
    first, content = header("checkpoint", 512), bytes(512)
    assert_refused(raw(archive, first, content, header("x", size, of), content), folder)


def test_headers_without_end(where):
    archive, folder = where
    extended = header("x", 512, tarfile.XHDTYPE) + b"11 comment=\n".ljust(512, b"\0")
    assert_refused(raw(archive, extended * 3000), folder, "no whole .tar.gz")


def test_damage(where):
    archive, folder = where
    whole = pack(archive, [file(name, content) for name, content in FILES.items()]).read_bytes()
    for damaged in (b"", b"\x1f\x8b", b"PK\x03\x04", b"no archive", whole[:-20_000], whole[:400_000], whole[10:]):
        archive.write_bytes(damaged)
        assert_refused(archive, folder, "no whole .tar.gz")
    plain = gzip.decompress(whole)
    for damaged in (plain[:6656], plain[:6656] + b"x" * 512 + plain[7168:]):
        archive.write_bytes(damaged)
        assert_refused(archive, folder, "breaks off after its last whole member")
    archive.write_bytes(whole[:300_000] + bytes(16) + whole[300_016:])
    assert_refused(archive, folder, "no whole .tar.gz")


def test_damage_at_random(where):
    """Whatever is forged: files of the right folder, or a refusal; never another error, never anything elsewhere."""
    archive, folder = where
    rng = np.random.default_rng(3)
    members = [file("4stems/" + name, content[:1000]) for name, content in FILES.items()]
    members += [file("4stems/" + 60 * "long", b"x", pax_headers={"comment": "something"})]
    for tar_format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        whole = bytearray(pack(archive, members, tar_format, "w").read_bytes()[:12_000])
        n_refused = 0
        for _ in range(150):
            forged = whole.copy()
            for _ in range(rng.integers(1, 5)):
                block = rng.integers(len(forged) // 512) * 512
                position = block + rng.integers(*((0, 512), (100, 160))[rng.integers(2)])
                forged[position] = rng.choice([rng.integers(256), 0x30, 0x80, 0xFF])
                fields = forged[block : block + 148] + b" " * 8 + forged[block + 156 : block + 512]
                forged[block + 148 : block + 156] = b"%06o\0 " % sum(fields)
            archive.write_bytes(forged)
            try:
                unpack(archive, folder)
            except ArchiveUnsafe:
                n_refused += 1
            else:
                for path in folder.iterdir():
                    path.unlink()
                folder.rmdir()
            assert list(folder.parent.iterdir()) == []
            assert list(archive.parent.iterdir()) == [archive]
        assert 30 < n_refused < 150


def test_a_folder_that_is_there_is_not_touched(where):
    archive, folder = where
    folder.mkdir()
    (folder / "mine").touch()
    with pytest.raises(FileExistsError):
        unpack(pack(archive, [file("checkpoint")]), folder)
    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_a_full_disk_leaves_nothing(where):
    archive, folder = where
    pack(archive, [file(name, content) for name, content in FILES.items()])
    code = f"""
import resource, sys
from pathlib import Path
from separation.archive import unpack
resource.setrlimit(resource.RLIMIT_FSIZE, (100_001, 100_001))
try:
    unpack(Path({str(archive)!r}), Path({str(folder)!r}))
except OSError as error:
    sys.exit(error.errno)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == errno.EFBIG
    assert list(folder.parent.iterdir()) == []


def test_interrupted_by_the_user(where, monkeypatch):
    archive, folder = where
    pack(archive, [file(name, content) for name, content in FILES.items()])
    opened = Path.open

    def interrupt(path, *arguments, **options):
        if path.name == "model.data-00000-of-00001":
            assert (folder / "checkpoint").is_file()
            raise KeyboardInterrupt
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", interrupt)
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, folder)
    assert list(folder.parent.iterdir()) == []


def test_permissions_follow_the_umask(where):
    archive, folder = where
    before = os.umask(0o077)
    try:
        unpack(pack(archive, [file("checkpoint", mode=0o666)]), folder)
    finally:
        os.umask(before)
    assert (folder / "checkpoint").stat().st_mode & 0o777 == 0o600
