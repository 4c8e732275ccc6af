"""What only a folder can do: links, permissions, dot files, a full disk, folders that come and go."""

import errno
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import pytest

from loader.errors import AccessError, CapacityError, ObjectChangedError, StorageError
from loader.storage.folder import Folder, translated

NOBODY = 65534


@contextmanager
def without_privileges() -> Iterator[None]:
    """Run the block as somebody to whom permissions apply, also where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shared() -> Iterator[Folder]:
    """A folder that anybody may reach, which pytest's own are not."""
    path = Path(mkdtemp())
    path.chmod(0o755)
    yield Folder(path)
    for folder in path.rglob("*/"):
        folder.chmod(0o755)
    shutil.rmtree(path)


def keys(folder: Folder) -> list[str]:
    return [file.key for file in folder.list()]


def test_a_missing_folder_is_an_error_until_it_is_prepared(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "a" / "b")
    with pytest.raises(StorageError, match="a/b does not exist"):
        list(folder.list())
    folder.prepare()
    folder.prepare()
    assert keys(folder) == []


def test_writing_makes_the_folder(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "new")
    folder.write("a/b", b"1")
    assert keys(folder) == ["a/b"]


def test_dot_files_and_what_is_no_file_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / ".hidden").mkdir()
    for name in ("a", ".b", ".hidden/c", ".loader-5f"):
        (tmp_path / name).write_bytes(b"1")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "itself").symlink_to("itself")
    assert keys(Folder(tmp_path)) == ["a"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (other / "a").write_bytes(b"12")
    (other / "up").symlink_to(root)
    (root / "b").symlink_to(other / "a")
    (root / "d").symlink_to(other)
    files = list(Folder(root).list())
    assert [(file.key, file.size) for file in files] == [("b", 2), ("d/a", 2)]
    assert b"".join(Folder(root).read(files[1])) == b"12"


def test_a_name_that_is_not_utf8_is_an_error_that_shows_it(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).write_bytes(b"1")
    with pytest.raises(StorageError, match=r"caf\\xe9.*rename"):
        keys(Folder(tmp_path))


def test_a_file_rewritten_in_place_is_noticed_while_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"first")
    folder = Folder(tmp_path)
    (listed,) = folder.list()
    chunks = folder.read(listed)
    assert next(chunks) == b"first"
    (tmp_path / "a").write_bytes(b"second one")
    with pytest.raises(ObjectChangedError, match="rewritten"):
        list(chunks)


def test_an_unreadable_file_is_named(shared: Folder) -> None:
    shared.write("d/a", b"1")
    shared.path("d/a").chmod(0)
    with without_privileges():
        (file,) = shared.list()
        with pytest.raises(AccessError, match=r"d/a: permission denied"):
            list(shared.read(file))


def test_an_unreadable_folder_is_named(shared: Folder) -> None:
    shared.write("d/a", b"1")
    shared.path("d").chmod(0)
    with without_privileges(), pytest.raises(AccessError, match=r"/d: permission denied"):
        keys(shared)


def test_a_folder_that_cannot_be_written_is_named(shared: Folder) -> None:
    shared.write("d/a", b"1")
    shared.path("d").chmod(0o555)
    with without_privileges():
        for call in (lambda: shared.write("d/b", b""), lambda: shared.create("d/b", b"")):
            with pytest.raises(AccessError, match=r"/d/.*permission denied"):
                call()
        with pytest.raises(AccessError, match="d/a: permission denied"):
            shared.delete(["d/a"])
    assert keys(shared) == ["d/a"]


def test_a_full_disk_is_a_matter_of_capacity(tmp_path: Path) -> None:
    with pytest.raises(CapacityError, match="a: No space left on device; free"):  # noqa: SIM117 - one reason each
        with translated(tmp_path / "a"), open("/dev/full", "wb", buffering=0) as full:
            full.write(b"1")
    with pytest.raises(CapacityError, match=r"a: .*free"), translated(tmp_path / "a"):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    folder = Folder(tmp_path)
    with pytest.raises(StorageError, match="/a"):
        folder.write("a", b"1")
    assert os.listdir(tmp_path) == ["a"]


def test_a_key_below_a_file_is_an_error_and_no_object(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("a", b"1")
    for call in (lambda: folder.write("a/b", b""), lambda: folder.create("a/b", b"")):
        with pytest.raises(StorageError, match="/a"):
            call()
    assert keys(folder) == ["a"]


def test_deleting_removes_the_folders_left_empty_but_not_the_root(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "root")
    for key in ("a/b/c", "a/b/d", "e/f"):
        folder.write(key, b"1")
    folder.delete(["a/b/c", "e/f"])
    assert sorted(path.name for path in folder.root.rglob("*")) == ["a", "b", "d"]
    folder.delete(["a/b/d"])
    assert os.listdir(folder.root) == []


def test_writers_and_deleters_of_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    folder = Folder(tmp_path)

    def work(name: str) -> None:
        for _ in range(30):
            folder.write(f"a/b/{name}", b"1")
            folder.delete([f"a/b/{name}"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, "wxyz"))
    assert os.listdir(tmp_path) == []


def test_files_are_written_with_the_permissions_of_the_user(tmp_path: Path) -> None:
    Folder(tmp_path).write("a", b"1")
    (tmp_path / "b").write_bytes(b"1")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
