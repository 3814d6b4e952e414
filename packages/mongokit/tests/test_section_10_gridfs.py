"""Section 10, GridFS: the files of a document."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from bson import ObjectId
from gridfs import GridFS, GridOut
from gridfs.errors import NoFile

from mongokit import Document
from mongokit.grid import FS, FSContainer

if TYPE_CHECKING:
    from mongokit import Collection, Connection, Database


class Doc(Document):
    structure = {"title": str}
    gridfs = {"files": ["source", "template"], "containers": ["images", "sounds"]}


class Simple(Document):
    structure = {"title": str}
    gridfs = ["source", "template"]


@pytest.fixture
def doc(connection: Connection, col: Collection) -> Any:
    connection.register([Doc, Simple])
    made = col.Doc({"title": "Hello"})
    made.save()
    return made


def stored(db: Database) -> list[dict[str, Any]]:
    return list(db.fs.files.find().sort("_id"))


def test_old_module_path_has_fs_and_fs_container(doc: Any) -> None:
    assert type(doc.fs) is FS
    assert type(doc.fs.images) is FSContainer


def test_fs_is_there_only_when_gridfs_is_declared(connection: Connection, col: Collection) -> None:
    class Plain(Document):
        structure = {"title": str}

    connection.register(Plain)

    with pytest.raises(AttributeError):
        _ = col.Plain().fs
    assert not hasattr(Plain(), "fs")


def test_gridfs_may_be_a_list_of_files(doc: Any, col: Collection) -> None:
    simple = col.Simple({"title": "x"})
    simple.save()

    simple.fs.source = b"1"

    assert simple.fs.source == b"1"
    with pytest.raises(AttributeError):
        _ = simple.fs.images


def test_gridfs_is_inherited(connection: Connection, col: Collection) -> None:
    class Below(Doc):
        structure = {"more": int}

    connection.register(Below)
    below = col.Below({"title": "x", "more": 1})
    below.save()
    below.fs.source = b"1"

    assert below.fs.source == b"1"


# Reading, writing, removing.


def test_assigning_puts_a_version_and_reading_gives_the_last(doc: Any, db: Database) -> None:
    doc.fs.source = b"one"
    doc.fs.source = b"two"

    assert doc.fs.source == b"two"
    assert len(stored(db)) == 2


def test_a_file_is_read_by_another_copy_of_the_document(doc: Any, col: Collection) -> None:
    doc.fs.source = b"one"

    assert col.Doc.get_from_id(doc["_id"]).fs.source == b"one"


def test_a_declared_file_that_was_never_put_reads_as_none(doc: Any) -> None:
    assert doc.fs.source is None


def test_del_removes_all_versions_and_their_chunks(doc: Any, db: Database) -> None:
    doc.fs.source = b"one"
    doc.fs.source = b"two"
    doc.fs.template = b"stays"

    del doc.fs.source

    assert doc.fs.source is None
    assert doc.fs.list() == ["template"]
    assert db.fs.chunks.count_documents({}) == 1


def test_del_of_a_file_that_is_not_there_does_nothing(doc: Any) -> None:
    del doc.fs.source


def test_two_documents_do_not_see_each_others_files(doc: Any, col: Collection) -> None:
    other = col.Doc({"title": "other"})
    other.save()
    doc.fs.source = b"mine"
    doc.fs.images["a.png"] = b"mine"
    identity = doc.fs.get_last_version("source")._id

    assert other.fs.source is None
    assert other.fs.list() == []
    assert list(other.fs) == []
    with pytest.raises(KeyError):
        _ = other.fs.images["a.png"]
    with pytest.raises(NoFile):
        other.fs.get(identity)
    del other.fs.source
    assert doc.fs.source == b"mine"


# Containers.


def test_containers_hold_files_by_name(doc: Any) -> None:
    doc.fs.images["a.png"] = b"picture"
    doc.fs.images["b.png"] = b"another"
    doc.fs.images["a.png"] = b"newer"

    assert doc.fs.images["a.png"] == b"newer"
    assert doc.fs.images.list() == ["a.png", "b.png"]
    assert "a.png" in doc.fs.images
    assert "c.png" not in doc.fs.images


def test_containers_do_not_share_files(doc: Any) -> None:
    doc.fs.images["one"] = b"picture"
    doc.fs.sounds["one"] = b"noise"
    doc.fs.sounds["source"] = b"no source"

    assert doc.fs.images["one"] == b"picture"
    assert doc.fs.sounds["one"] == b"noise"
    assert doc.fs.source is None
    assert doc.fs.images.list() == ["one"]


def test_del_in_a_container_removes_all_versions_and_their_chunks(doc: Any, db: Database) -> None:
    doc.fs.images["a"] = b"1"
    doc.fs.images["a"] = b"2"

    del doc.fs.images["a"]

    assert (stored(db), db.fs.chunks.count_documents({})) == ([], 0)


def test_a_file_that_is_not_in_the_container_is_a_key_error_and_a_no_file(doc: Any) -> None:
    with pytest.raises(KeyError, match="missing"):
        _ = doc.fs.images["missing"]
    with pytest.raises(NoFile):
        del doc.fs.images["missing"]


# Iterating.


def test_iteration_gives_grid_outs_of_this_document_and_of_its_containers(
    doc: Any, db: Database
) -> None:
    GridFS(db).put(b"foreign", filename="foreign")
    doc.fs.source = b"1"
    doc.fs.images["a.png"] = b"2"
    doc.fs.sounds["b.ogg"] = b"3"

    found = list(doc.fs)

    assert all(isinstance(file, GridOut) for file in found)
    assert {(file.name, file.container) for file in found} == {
        ("source", None),
        ("a.png", "images"),
        ("b.ogg", "sounds"),
    }
    assert sorted(file.read() for file in found) == [b"1", b"2", b"3"]
    assert [file.name for file in doc.fs.images] == ["a.png"]


def test_list_names_the_files_of_this_document_once(doc: Any) -> None:
    doc.fs.source = b"1"
    doc.fs.source = b"2"
    doc.fs.images["a.png"] = b"3"

    assert doc.fs.list() == ["a.png", "source"]
    assert doc.fs.images.list() == ["a.png"]


# What is refused.


def test_an_undeclared_name_is_an_attribute_error(doc: Any) -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = doc.fs.nothing
    with pytest.raises(AttributeError, match="nothing"):
        doc.fs.nothing = b"x"
    with pytest.raises(AttributeError, match="nothing"):
        del doc.fs.nothing
    with pytest.raises(AttributeError, match="nothing"):
        doc.fs.new_file("nothing")
    with pytest.raises(AttributeError, match="nothing"):
        doc.fs.put(b"x", filename="nothing")


def test_a_container_is_no_file(doc: Any) -> None:
    with pytest.raises(AttributeError, match="images is a container"):
        doc.fs.images = b"x"


@pytest.mark.parametrize("value", ["text", "", None, 3, bytearray(b"x"), io.BytesIO(b"x"), [b"x"]])
def test_only_bytes_are_stored_by_assignment(doc: Any, db: Database, value: Any) -> None:
    with pytest.raises(TypeError, match="only bytes"):
        doc.fs.source = value
    with pytest.raises(TypeError, match="only bytes"):
        doc.fs.images["a"] = value
    assert stored(db) == []
    assert db.fs.chunks.count_documents({}) == 0


def test_a_document_that_is_not_saved_yet_is_a_runtime_error(doc: Any, col: Collection) -> None:
    unsaved = col.Doc({"title": "x"})

    with pytest.raises(RuntimeError, match="save it"):
        unsaved.fs.source = b"x"
    with pytest.raises(RuntimeError):
        _ = unsaved.fs.source
    with pytest.raises(RuntimeError):
        unsaved.fs.images["a"] = b"x"
    with pytest.raises(RuntimeError):
        unsaved.fs.new_file("source")
    with pytest.raises(RuntimeError):
        list(unsaved.fs)
    with pytest.raises(RuntimeError):
        unsaved.fs.list()


# new_file, put, get, versions.


def test_new_file_is_a_context_manager_that_stores_at_its_end(doc: Any) -> None:
    with doc.fs.new_file("source", metadata={"by": "Ada"}) as file:
        file.write(b"Hello ")
        file.write(b"World")

    assert doc.fs.source == b"Hello World"
    assert doc.fs.get_last_version("source").metadata == {"by": "Ada"}


def test_new_file_is_stored_when_it_is_closed(doc: Any) -> None:
    file = doc.fs.images.new_file("a.png")
    file.write(b"x")
    assert doc.fs.images.list() == []

    file.close()

    assert doc.fs.images["a.png"] == b"x"


def test_an_interrupted_new_file_leaves_nothing(doc: Any, db: Database) -> None:
    def write_half() -> None:
        with doc.fs.new_file("source", chunk_size=4) as file:
            file.write(b"0123456789")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        write_half()

    assert doc.fs.source is None
    assert db.fs.chunks.count_documents({}) == 0


def test_put_gives_the_id_that_get_takes(doc: Any) -> None:
    identity = doc.fs.put(b"x", filename="source")
    inside = doc.fs.images.put(b"y", filename="a.png")

    assert isinstance(identity, ObjectId)
    assert doc.fs.get(identity).read() == b"x"
    assert doc.fs.images.get(inside).read() == b"y"
    with pytest.raises(NoFile):
        doc.fs.images.get(identity)


def test_put_reads_an_open_file(doc: Any) -> None:
    doc.fs.put(io.BytesIO(b"x" * 600_000), filename="source")

    assert doc.fs.get_last_version("source").length == 600_000


def test_put_takes_a_text_with_its_encoding_only(doc: Any, db: Database) -> None:
    doc.fs.put("é", filename="source", encoding="utf-8")
    assert doc.fs.source == "é".encode()

    with pytest.raises(TypeError):
        doc.fs.put("é", filename="template")
    assert doc.fs.list() == ["source"]


def test_get_version_counts_from_the_first_or_from_the_last(doc: Any) -> None:
    for content in (b"one", b"two", b"three"):
        doc.fs.source = content

    versions = {n: doc.fs.get_version("source", n).read() for n in (0, 1, 2, -1, -2, -3)}

    assert versions == {
        0: b"one",
        1: b"two",
        2: b"three",
        -1: b"three",
        -2: b"two",
        -3: b"one",
    }
    assert doc.fs.get_version("source").read() == b"three"
    for version in (3, -4):
        with pytest.raises(NoFile):
            doc.fs.get_version("source", version)


def test_get_last_version_works_in_containers(doc: Any) -> None:
    doc.fs.images["a"] = b"1"
    doc.fs.images["a"] = b"2"

    assert doc.fs.images.get_last_version("a").read() == b"2"
    assert doc.fs.images.get_version("a", 0).read() == b"1"


def test_delete_removes_one_version(doc: Any, db: Database) -> None:
    first = doc.fs.put(b"1", filename="source")
    doc.fs.source = b"2"

    doc.fs.delete(first)

    assert [file.read() for file in doc.fs] == [b"2"]
    assert db.fs.chunks.count_documents({}) == 1
    with pytest.raises(NoFile):
        doc.fs.delete(first)


def test_files_are_streamed(doc: Any) -> None:
    with doc.fs.new_file("source", chunk_size=1024) as file:
        for _ in range(10):
            file.write(b"x" * 1000)

    stream = doc.fs.get_last_version("source")

    assert stream.read(1500) == b"x" * 1500
    assert stream.tell() == 1500


# The stored form.


def test_files_carry_docid_and_container_as_classic_stored_them(doc: Any, db: Database) -> None:
    doc.fs.source = b"1"
    doc.fs.images["a.png"] = b"2"

    source, image = stored(db)

    assert (source["filename"], source["docid"]) == ("source", doc["_id"])
    assert "container" not in source
    assert (image["filename"], image["docid"], image["container"]) == (
        "a.png",
        doc["_id"],
        "images",
    )


def test_files_that_classic_stored_are_read_changed_and_removed(doc: Any, db: Database) -> None:
    old = GridFS(db)
    old.put(b"from 2012", filename="source", docid=doc["_id"])
    old.put(b"null", filename="template", docid=doc["_id"], container=None)
    old.put(b"picture", filename="a.png", docid=doc["_id"], container="images")

    assert (doc.fs.source, doc.fs.template) == (b"from 2012", b"null")
    assert doc.fs.images["a.png"] == b"picture"
    assert {file.name for file in doc.fs} == {"source", "template", "a.png"}
    doc.fs.source = b"new"
    assert doc.fs.source == b"new"
    assert doc.fs.get_version("source", 0).read() == b"from 2012"
    del doc.fs.source
    del doc.fs.images["a.png"]
    assert doc.fs.list() == ["template"]


def test_ids_of_any_type_work(doc: Any, col: Collection) -> None:
    named = col.Doc({"_id": "my id", "title": "x"})
    named.save()
    named.fs.source = b"1"

    assert named.fs.source == b"1"


def test_files_work_beside_dot_notation(connection: Connection, col: Collection) -> None:
    class Dotted(Document):
        structure = {"title": str, "fs2": str}
        use_dot_notation = True
        gridfs = ["source"]

    connection.register(Dotted)
    dotted = col.Dotted({"title": "x", "fs2": "y"})
    dotted.save()
    dotted.fs.source = b"1"

    assert (dotted.fs.source, dotted.fs2) == (b"1", "y")


def test_deleting_the_document_leaves_its_files(doc: Any, db: Database) -> None:
    doc.fs.source = b"1"

    doc.delete()

    assert len(stored(db)) == 1


def test_a_name_in_a_container_is_a_text(doc: Any, db: Database) -> None:
    for wrong in (5, None):
        with pytest.raises(TypeError, match="name must be a text"):
            doc.fs.images[wrong] = b"1"

    assert stored(db) == []
