"""Sources of a scan: what belongs to them, in which order, with which labels; and what must not be read."""

import io
import itertools
import json
import os
import pickle
import tarfile

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.facts import assert_mentions
from tests.support.scans import NOT_AN_IMAGE, contents, tar_of
from tests.support.taught_images import image
from vitviz.analysis.scan.sources import open_source, shards, source, tables
from vitviz.errors import ImageError, ScanError

A, B, C = (image(0, i) for i in range(3))
_names = itertools.count()


@pytest.fixture
def bucket():
    """Function that writes files to a file system in memory, and returns the address of their folder."""
    fs, root = fsspec.filesystem("memory"), f"/bucket-{os.getpid()}-{next(_names)}"

    def fill(files: dict[str, bytes]) -> str:
        for name, data in files.items():
            fs.pipe_file(f"{root}/{name}", data)
        return f"memory:/{root}"

    yield fill
    if fs.exists(root):
        fs.rm(root, recursive=True)


@pytest.fixture
def folder(tmp_path):
    """Function that writes files to a folder, and returns its path."""

    def fill(files: dict[str, bytes]) -> str:
        for name, data in files.items():
            path = tmp_path / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return str(tmp_path / "source")

    return fill


@pytest.fixture(params=["local", "memory"])
def place(request):
    """The same function for both file systems."""
    return request.getfixturevalue({"local": "folder", "memory": "bucket"}[request.param])


FILES = {
    "b/img10.png": A,
    "b/img2.png": B,
    "a.png": C,
    ".hidden.png": A,
    ".cache/x.png": A,
    "notes.txt": b"text",
    "b/deep/er/z.JPG": A,
}
IN_ORDER = [("a.png", None, C), ("b/deep/er/z.JPG", "b", A), ("b/img2.png", "b", B), ("b/img10.png", "b", A)]


def test_a_folder_in_natural_order_with_the_names_of_its_folders(place):
    address = place(FILES)
    found = open_source(address, "folders")
    assert (found.kind, found.labels, contents(found)) == ("folder", "folders", IN_ORDER)
    without = open_source(address)
    assert [label for _, label, _ in contents(without)] == [None] * 4
    assert [item.path for item in found.items(1, 3)] == ["b/deep/er/z.JPG", "b/img2.png"], "from any position"
    assert contents(pickle.loads(pickle.dumps(found))) == IN_ORDER
    assert found.digest == open_source(address, "folders").digest != without.digest


def test_a_pattern_is_relative_to_its_fixed_part(place):
    address = place(FILES)
    found = open_source(f"{address}/b/*.png")
    assert (found.kind, contents(found)) == ("glob", [("img2.png", None, B), ("img10.png", None, A)])
    everywhere = open_source(f"{address}/**/*.png", "folders")
    assert [path for path, *_ in contents(everywhere)] == ["a.png", "b/img2.png", "b/img10.png"]
    assert contents(open_source(f"{address}/a.png")) == [("a.png", None, C)]


def test_a_list_gives_order_and_labels(place):
    text = "label,path,more\ncat,b/img10.png,1\n,a.png,2\ndog,b/img2.png,3\ncat,b/img10.png,4\n"
    address = place(FILES | {"list.csv": text.encode()})
    found = open_source(f"{address}/list.csv", "csv")
    expected = [("b/img10.png", "cat", A), ("a.png", None, C), ("b/img2.png", "dog", B), ("b/img10.png", "cat", A)]
    assert (found.kind, found.labels, contents(found)) == ("list", "csv", expected)
    assert contents(open_source(f"{address}/list.csv")) == expected, "labels that are there are used"
    by_folder = open_source(f"{address}/list.csv", "folders")
    assert [label for _, label, _ in contents(by_folder)] == ["b", None, "b", "b"]


def test_a_list_leads_nowhere_else(folder, tmp_path):
    (tmp_path / "outside.png").write_bytes(A)
    address = folder(
        {"in/a.png": A, "list.csv": b"path\n../outside.png\n/etc/passwd\nin/../../outside.png\n\nin/a.png\n"}
    )
    (tmp_path / "source" / "link.png").symlink_to(tmp_path / "outside.png")
    (tmp_path / "source" / "list.csv").open("a").write("link.png\nmissing.png\n")
    items = list(open_source(f"{address}/list.csv").items(0, 99))
    for item in items:
        if item.path == "in/a.png":
            assert item.read() == A
        elif item.path == "missing.png":
            with pytest.raises(FileNotFoundError):
                item.read()
        else:
            with pytest.raises(ImageError):
                item.read()
    assert [item.path for item in items][-3:] == ["in/a.png", "link.png", "missing.png"]


def test_links_of_a_folder_stay_inside(folder, tmp_path):
    address = folder({"a.png": A, "deep/b.png": B})
    root = tmp_path / "source"
    (tmp_path / "out.png").write_bytes(C)
    (root / "inner.png").symlink_to(root / "a.png")
    (root / "outer.png").symlink_to(tmp_path / "out.png")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.png")
    items = {item.path: item for item in open_source(address).items(0, 99)}
    assert items.keys() == {"a.png", "deep/b.png", "inner.png", "outer.png", "pipe.png"}
    assert items["inner.png"].read() == A
    for name in ("outer.png", "pipe.png"):
        with pytest.raises(ImageError):
            items[name].read()


def test_a_name_that_is_no_unicode(folder, tmp_path):
    address = folder({"a.png": A})
    try:
        (tmp_path / "source" / os.fsdecode(b"\xff.png")).write_bytes(B)
    except OSError:
        pytest.skip("this file system has Unicode names only")
    found = contents(open_source(address))
    assert [data for *_, data in found] == [A, B]
    assert all(path.encode() for path, *_ in found)


def test_archives_in_natural_order(place):
    first = {"x/001.jpg": A, "x/001.cls": b"3\n", "x/001.json": b"{}", "002.png": B, "002.cls": b"7"}
    address = place(
        {"train-10.tar": tar_of({"z.png": C}), "train-2.tar": tar_of(first), "other.tar": tar_of({"a.png": A})}
    )
    expected = [("train-2.tar/x/001.jpg", "3", A), ("train-2.tar/002.png", "7", B), ("train-10.tar/z.png", None, C)]
    for pattern in ("train-*.tar", "train-{2,10}.tar"):
        found = open_source(f"{address}/{pattern}")
        assert (found.kind, found.labels, contents(found)) == ("shards", "members", expected)
    assert contents(pickle.loads(pickle.dumps(found))) == expected
    assert [item.path for item in found.items(1, 2)] == [expected[1][0]]
    by_folder = open_source(f"{address}/train-2.tar", "folders")
    assert [label for _, label, _ in contents(by_folder)] == ["x", None]


def test_numbers_in_braces(place):
    address = place({f"s-{i:03d}.tar": tar_of({f"{i}.png": A}) for i in range(8, 12)})
    assert [path for path, *_ in contents(open_source(f"{address}/s-{{008..010}}.tar"))] == [
        "s-008.tar/8.png",
        "s-009.tar/9.png",
        "s-010.tar/10.png",
    ]
    with pytest.raises(ScanError, match="s-012"):
        open_source(f"{address}/s-{{008..012}}.tar")
    with pytest.raises(ScanError):
        open_source(f"{address}/s-{{0..999999999}}.tar")


def test_members_that_are_not_read(folder, monkeypatch):
    link, hard = tarfile.TarInfo("link.png"), tarfile.TarInfo("hard.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard.type, hard.linkname = tarfile.LNKTYPE, "/etc/passwd"
    members = {
        "a.png": A,
        "l": link,
        "h": hard,
        "._a.png": A,
        ".d/a.png": A,
        "../out.png": B,
        "/abs.png": B,
        "./b.png": B,
    }
    monkeypatch.setattr(shards, "MAX_BYTES", max(map(len, (A, B))))
    address = folder({"s.tar": tar_of(members | {"huge.png": A + B})})
    items = list(open_source(f"{address}/s.tar").items(0, 99))
    assert [item.path for item in items] == [
        "s.tar/a.png",
        "s.tar/../out.png",
        "s.tar//abs.png",
        "s.tar/b.png",
        "s.tar/huge.png",
    ]
    assert (items[0].read(), items[3].read()) == (A, B)
    for i in (1, 2, 4):
        with pytest.raises(ImageError):
            items[i].read()


def test_an_archive_that_ends_early_keeps_its_images(folder):
    whole = tar_of({"a.png": A, "b.png": B})
    address = folder({"s-1.tar": whole[:700], "s-2.tar": whole, "s-3.tar": NOT_AN_IMAGE * 100})
    found = open_source(f"{address}/s-*.tar")
    readable, refused = [], []
    for item in found.items(0, len(found)):
        try:
            readable.append((item.path, item.read()))
        except ImageError as error:
            refused.append(item.path)
            assert_mentions(str(error), "damaged")
    assert [entry for entry in readable if entry[0].startswith("s-2")] == [("s-2.tar/a.png", A), ("s-2.tar/b.png", B)]
    assert refused[-1] == "s-3.tar"


def table(rows: list[bytes | None], **columns) -> bytes:
    buffer = io.BytesIO()
    names = columns.pop("classes", None)
    schema = None if names is None else {"huggingface": json.dumps({"info": {"features": {"label": {"names": names}}}})}
    pq.write_table(pa.table({"image": rows, **columns}).replace_schema_metadata(schema), buffer, row_group_size=3)
    return buffer.getvalue()


def test_rows_of_parquet_files(place, monkeypatch):
    monkeypatch.setattr(tables, "ROWS", 2)
    data = [image(1, i) for i in range(8)]
    nested = pa.array(
        [{"bytes": one, "path": None} for one in data], pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    )
    address = place(
        {"p-2.parquet": table(nested, label=[0, 1] * 4, classes=["cat", "dog"]), "p-10.parquet": table([A])}
    )
    found = open_source(f"{address}/p-*.parquet")
    expected = [(f"p-2.parquet/{i}", ("cat", "dog")[i % 2], one) for i, one in enumerate(data)]
    assert (found.kind, found.labels) == ("parquet", "column")
    assert contents(found) == [*expected, ("p-10.parquet/0", None, A)]
    for start, stop in itertools.combinations(range(10), 2):
        got = [(item.position, item.path) for item in found.items(start, stop)]
        assert got == [(i, (*expected, ("p-10.parquet/0",))[i][0]) for i in range(start, stop)]
    assert len(list(pickle.loads(pickle.dumps(found)).items(0, 9))) == 9


def test_rows_that_hold_no_image(folder, monkeypatch):
    monkeypatch.setattr(tables, "MAX_BYTES", len(A))
    address = folder({"p.parquet": table([A, None, A + B], label=["x", None, "y"]), "q.parquet": NOT_AN_IMAGE})
    items = list(open_source(f"{address}/*.parquet").items(0, 9))
    assert [(item.path, item.label) for item in items] == [
        ("p.parquet/0", "x"),
        ("p.parquet/1", None),
        ("p.parquet/2", "y"),
        ("q.parquet", None),
    ]
    assert items[0].read() == A
    for item in items[1:]:
        with pytest.raises(ImageError):
            item.read()


def test_a_file_that_is_too_large(place, monkeypatch):
    monkeypatch.setattr("vitviz.analysis.scan.sources.files.MAX_BYTES", len(A))
    items = list(open_source(place({"a.png": A, "b.png": A + b"x"})).items(0, 2))
    assert items[0].read() == A
    with pytest.raises(ImageError):
        items[1].read()
    assert source.MAX_BYTES > 64_000_000 * 3, "an image of the largest size without compression"


@pytest.mark.parametrize(
    ("files", "address", "labels"),
    [
        ({}, "nowhere", None),
        ({"a.txt": b""}, "", None),
        ({"a.png": A}, "*.jpg", None),
        ({"a.csv": b"file\na.png\n"}, "a.csv", None),
        ({"a.csv": b"path\na.png\n"}, "a.csv", "csv"),
        ({"a.csv": b'path\n"a\n'}, "a.csv", "csv"),
        ({"a.csv": b""}, "a.csv", None),
        ({"a.png": A}, "", "csv"),
        ({"a.parquet": table(["text"])}, "a.parquet", None),
        ({"a.parquet": table([A])}, "a.parquet", "folders"),
        ({"a.tar": tar_of({"a.txt": b"x"})}, "a.tar", None),
        ({"a.png": A, "b.png": A}, "{a,b}.png", None),
        ({"a.png": A}, "a**/x.png", None),
        ({"a.png": A}, "", "names"),
    ],
)
def test_what_is_no_source_is_refused_in_one_sentence(files, address, labels, place):
    with pytest.raises(ScanError) as refused:
        open_source(f"{place(files)}/{address}".rstrip("/"), labels)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("address", ["nosuch://bucket/x", "s3://user:secret@bucket/x*.png", "http://[bad", "\0", ""])
def test_addresses_that_cannot_be_opened(address):
    with pytest.raises(ScanError) as refused:
        open_source(address)
    assert "secret" not in str(refused.value)


def test_the_address_in_a_description_holds_no_password():
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/user:secret@bucket/a.png", A)
    try:
        found = open_source("memory://user:secret@bucket")
        assert len(found) == 1
        assert found.uri == "memory://bucket"
    finally:
        fs.rm("/user:secret@bucket", recursive=True)
