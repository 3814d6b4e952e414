"""Section 9: references: kept as DBRefs, read a batch at a time, saved with what has them."""

from __future__ import annotations

import copy
import pickle
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from bson import DBRef
from pymongo import monitoring
from pymongo.errors import DuplicateKeyError

from mongokit import (
    AutoReferenceError,
    Collection,
    Connection,
    CustomType,
    Database,
    Document,
    RequireFieldError,
    SchemaDocument,
    SchemaTypeError,
    Set,
    StructureError,
)
from mongokit import ConnectionError as NoConnectionError
from mongokit.references import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator


class Author(Document):
    structure = {"name": str, "tags": [str]}
    required_fields = ["name"]


class Poet(Author):
    structure = {"verses": int}


class Book(Document):
    structure = {"title": str, "author": Author}
    use_autorefs = True
    use_dot_notation = True


class Shelf(Document):
    structure = {
        "nested": {"deeper": {"author": Author}},
        "authors": [Author],
        "items": [{"author": Author, "note": str}],
        "by_name": {str: Author},
        "pair": (Author, int),
    }
    use_autorefs = True


class Person(Document):
    structure = {"name": str, "friend": "Person", "friends": ["Person"]}
    use_autorefs = True


class LazyBook(Book):
    lazy_autorefs = True
    structure = {"editors": [Author], "nested": {"author": Author}}


class Commands(monitoring.CommandListener):
    """Counts what is sent to the server."""

    READS = ("find", "getMore", "aggregate")
    WRITES = ("insert", "update", "delete")

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in (*self.READS, *self.WRITES):
            target = event.command.get(event.command_name)
            name = event.command.get("collection") if event.command_name == "getMore" else target
            self.sent.append((event.command_name, name))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def connection(mongodb_uri: str, commands: Commands) -> Iterator[Connection]:
    """A connection whose commands are counted."""
    with Connection(mongodb_uri, event_listeners=[commands]) as client:
        client.register([Author, Poet, Book, Shelf, Person, LazyBook])
        yield client


@pytest.fixture
def other_db(connection: Connection, database_name: str) -> Iterator[Database]:
    """A second database of this test's own."""
    name = f"{database_name[:40]}_b"
    yield connection[name]
    connection.drop_database(name)


@contextmanager
def counted(commands: Commands) -> Iterator[list[tuple[str, Any]]]:
    """What is sent in the block."""
    before = len(commands.sent)
    sent: list[tuple[str, Any]] = []
    yield sent
    sent += commands.sent[before:]


@pytest.fixture
def ada(db: Database) -> Any:
    """A stored author."""
    author = db.authors.Author({"_id": "ada", "name": "Ada", "tags": ["first"]})
    author.save()
    return author


@pytest.fixture
def book(db: Database, ada: Any) -> Any:
    """A stored book with its author."""
    made = db.books.Book({"_id": "notes", "title": "Notes", "author": ada})
    made.save()
    return made


def stored(collection: Collection, identity: Any = None) -> Any:
    return collection.find_one({} if identity is None else {"_id": identity})


# Stored as a DBRef, read back as a document.


def test_a_reference_is_stored_as_a_dbref_with_collection_id_and_database(
    db: Database, book: Any
) -> None:
    assert stored(db.books)["author"] == DBRef("authors", "ada", db.name)


def test_a_reference_is_read_back_as_a_document_of_its_class(db: Database, book: Any) -> None:
    found = db.books.Book.find_one()

    assert type(found.author) is Author
    assert found.author == {"_id": "ada", "name": "Ada", "tags": ["first"]}
    assert found.author.collection == db.authors


def test_the_skeleton_of_a_reference_is_none(db: Database) -> None:
    assert db.books.Book()["author"] is None
    assert db.shelves.Shelf() == {
        "nested": {"deeper": {"author": None}},
        "authors": [],
        "items": [],
        "by_name": {},
        "pair": [None, None],
    }


def test_references_stand_in_nested_dicts_lists_lists_of_dicts_type_keys_and_tuples(
    db: Database, ada: Any
) -> None:
    bob = db.authors.Author({"_id": "bob", "name": "Bob", "tags": []})
    bob.save()
    shelf = db.shelves.Shelf(
        {
            "nested": {"deeper": {"author": ada}},
            "authors": [bob, ada],
            "items": [{"author": ada, "note": "a"}, {"author": None, "note": "b"}],
            "by_name": {"x": bob},
            "pair": [ada, 3],
        }
    )

    shelf.save()
    raw = stored(db.shelves)
    found = db.shelves.Shelf.find_one()

    to_ada, to_bob = (DBRef("authors", name, db.name) for name in ("ada", "bob"))
    assert raw["nested"] == {"deeper": {"author": to_ada}}
    assert raw["authors"] == [to_bob, to_ada]
    assert raw["items"] == [{"author": to_ada, "note": "a"}, {"author": None, "note": "b"}]
    assert raw["by_name"] == {"x": to_bob}
    assert raw["pair"] == [to_ada, 3]
    assert found == shelf
    assert type(found["items"][0]["author"]) is Author
    assert type(found["by_name"]["x"]) is Author
    found.save()
    assert stored(db.shelves) == raw


def test_a_reference_inside_an_embedded_document_is_one_too(db: Database, ada: Any) -> None:
    class Credit(SchemaDocument):
        structure = {"author": Author, "part": str}
        use_autorefs = True

    class Film(Document):
        structure = {"credits": [Credit]}

    films = db.films.documents(Film)
    films({"credits": [{"author": ada, "part": "script"}]}).save()

    found = films.find_one()

    assert stored(db.films)["credits"][0]["author"] == ada.get_dbref()
    assert type(found["credits"][0]["author"]) is Author
    found["credits"][0]["author"]["name"] = "Changed"
    found.save()
    assert stored(db.authors)["name"] == "Changed"


def test_a_custom_type_may_be_the_id_of_a_referenced_document(
    db: Database, connection: Connection
) -> None:
    class Code(CustomType):
        mongo_type = int
        python_type = str

        def to_bson(self, value: Any) -> Any:
            return value and int(value)

        def to_python(self, value: Any) -> Any:
            return value and str(value)

    class Country(Document):
        structure = {"_id": Code(), "name": str}

    class City(Document):
        structure = {"country": Country}
        use_autorefs = True

    connection.register([Country, City])
    country = db.countries.Country({"_id": "49", "name": "D"})
    country.save()
    assert country.get_dbref() == DBRef("countries", 49, db.name)
    db.cities.City({"_id": 1, "country": country}).save()

    found = db.cities.City.find_one()
    found["country"]["name"] = "Germany"
    found.save()

    assert stored(db.cities)["country"] == DBRef("countries", 49, db.name)
    assert found["country"] == {"_id": "49", "name": "Germany"}
    assert stored(db.countries) == {"_id": 49, "name": "Germany"}


def test_without_use_autorefs_a_document_class_is_embedded_as_a_plain_dict(
    db: Database, connection: Connection
) -> None:
    @connection.register
    class Letter(Document):
        structure = {"author": Author, "all": [Author]}

    letter = db.letters.Letter()
    assert letter["author"] is None
    letter["author"] = Author({"name": "Ada", "tags": []})
    letter["all"] = [db.authors.Author({"name": "Bob", "tags": ["x"]})]

    letter.save()

    raw = stored(db.letters)
    assert raw["author"] == {"name": "Ada", "tags": []}
    assert raw["all"] == [{"name": "Bob", "tags": ["x"]}]
    assert type(raw["author"]) is dict
    assert db.authors.count_documents({}) == 0


def test_what_is_embedded_without_use_autorefs_is_validated_by_its_class(
    db: Database, connection: Connection
) -> None:
    @connection.register
    class Letter(Document):
        structure = {"author": Author}

    letter = db.letters.Letter({"author": {"name": 1, "tags": []}})
    with pytest.raises(SchemaTypeError, match=r"author\.name must be an instance of str not int"):
        letter.validate()
    letter = db.letters.Letter({"author": {"tags": []}})
    with pytest.raises(StructureError, match="missed fields"):
        letter.validate()
    letter = db.letters.Letter({"author": {"name": None, "tags": []}})
    with pytest.raises(RequireFieldError):
        letter.validate()


def test_documents_are_found_by_a_reference(db: Database, book: Any, ada: Any) -> None:
    assert db.books.Book.find_one({"author": ada.get_dbref()}) == book


# Of the right class.


def test_a_value_that_is_not_of_the_class_is_a_schema_type_error(db: Database, ada: Any) -> None:
    book = db.books.Book({"title": "x", "author": 4})
    with pytest.raises(SchemaTypeError, match="author must be an instance of Author not int"):
        book.validate()
    book["author"] = {"_id": "ada", "name": "Ada", "tags": []}
    with pytest.raises(SchemaTypeError, match="author must be an instance of Author not dict"):
        book.save()
    book["author"] = db.books.Book({"title": "y", "author": ada})
    with pytest.raises(SchemaTypeError, match="author must be an instance of Author not Book"):
        book.save()
    assert db.books.count_documents({}) == 0


def test_a_wrong_value_in_a_list_of_references_is_a_schema_type_error(
    db: Database, ada: Any
) -> None:
    shelf = db.shelves.Shelf()
    shelf["authors"] = [ada, "ada"]
    with pytest.raises(SchemaTypeError, match="authors must be an instance of Author not str"):
        shelf.validate()


def test_a_subclass_passes_and_is_read_back_by_the_declared_class(db: Database) -> None:
    poet = db.authors.Poet({"_id": "p", "name": "P", "tags": [], "verses": 3})
    poet.save()
    db.books.Book({"_id": 1, "title": "Verses", "author": poet}).save()

    found = db.books.Book.find_one()

    assert type(found.author) is Author
    assert found.author["verses"] == 3


def test_a_subclass_is_read_back_as_itself_with_a_type_field(
    db: Database, connection: Connection
) -> None:
    class Animal(Document):
        structure = {"_type": str, "name": str}

    class Dog(Animal):
        structure = {"barks": bool}

    class Owner(Document):
        structure = {"pet": Animal}
        use_autorefs = True

    connection.register([Animal, Dog, Owner])
    dog = db.animals.Dog({"_type": "Dog", "name": "Rex", "barks": True})
    dog.save()
    db.owners.Owner({"pet": dog}).save()

    assert type(db.owners.Owner.find_one()["pet"]) is Dog


def test_a_manager_in_a_structure_makes_a_class_whose_validate_is_a_schema_type_error(
    db: Database, connection: Connection, ada: Any
) -> None:
    @connection.register
    class Odd(Document):
        structure = {"author": db.authors.Author}
        use_autorefs = True

    odd = db.odds.Odd()
    assert odd == {"author": None}
    with pytest.raises(SchemaTypeError):
        odd.validate()
    odd["author"] = ada
    with pytest.raises(SchemaTypeError):
        odd.validate()


# DBRefs that the program assigns.


def test_an_assigned_dbref_is_resolved_at_the_next_validate(db: Database, ada: Any) -> None:
    book = db.books.Book({"title": "x", "author": ada.get_dbref()})

    book.validate()

    assert type(book["author"]) is Author
    assert book["author"] == ada


def test_an_assigned_dbref_is_resolved_by_a_save(db: Database, ada: Any) -> None:
    shelf = db.shelves.Shelf()
    shelf["authors"].append(ada.get_dbref())

    shelf.save()

    assert shelf["authors"][0]["name"] == "Ada"
    assert stored(db.shelves)["authors"] == [DBRef("authors", "ada", db.name)]


def test_an_assigned_dbref_whose_target_is_missing_is_an_auto_reference_error(
    db: Database,
) -> None:
    ref = DBRef("authors", "nobody", db.name)
    book = db.books.Book({"title": "x", "author": ref})

    for call in (book.validate, book.save):
        with pytest.raises(AutoReferenceError):
            call()

    assert book == {"title": "x", "author": ref}
    assert db.books.count_documents({}) == 0


def test_a_failed_save_leaves_the_assigned_dbref_in_place(db: Database, book: Any) -> None:
    db.books.create_index("title", unique=True)
    ref = DBRef("authors", "ada", db.name)
    second = db.books.Book({"title": "Notes", "author": ref})

    with pytest.raises(DuplicateKeyError):
        second.save()

    assert second == {"title": "Notes", "author": ref}
    assert type(second["author"]) is DBRef


def test_an_unbound_document_with_a_dbref_validates_without_fetching() -> None:
    Book({"title": "x", "author": DBRef("authors", 1, "somewhere")}).validate()


# Databases.


def test_a_ref_without_database_is_a_runtime_error_that_explains_the_option(
    db: Database, ada: Any
) -> None:
    book = db.books.Book({"title": "x", "author": DBRef("authors", "ada")})
    with pytest.raises(RuntimeError, match="force_autorefs_current_db"):
        book.validate()
    with pytest.raises(RuntimeError, match="force_autorefs_current_db"):
        book.save()
    db.books.insert_one({"_id": 1, "title": "x", "author": DBRef("authors", "ada")})
    with pytest.raises(RuntimeError, match="force_autorefs_current_db"):
        db.books.Book.find_one()


def test_force_autorefs_current_db_uses_the_current_database(
    db: Database, connection: Connection, ada: Any
) -> None:
    @connection.register
    class Copied(Book):
        force_autorefs_current_db = True

    db.books.insert_one({"_id": 1, "title": "x", "author": DBRef("authors", "ada")})

    found = db.books.Copied.find_one()

    assert found.author == ada
    found.save()
    assert stored(db.books)["author"] == DBRef("authors", "ada", db.name)


def test_a_reference_crosses_databases(db: Database, other_db: Database) -> None:
    far = other_db.people.Author({"_id": "far", "name": "Far", "tags": []})
    far.save()
    db.books.Book({"_id": 1, "title": "x", "author": far}).save()

    found = db.books.Book.find_one()

    assert stored(db.books)["author"] == DBRef("people", "far", other_db.name)
    assert found.author == far
    assert found.author.db.name == other_db.name
    found.author["name"] = "Farther"
    found.save()
    assert stored(other_db.people)["name"] == "Farther"
    assert db.people.count_documents({}) == 0


def test_references_of_one_list_may_point_into_several_collections(db: Database) -> None:
    one = db.first.Author({"_id": 1, "name": "One", "tags": []})
    two = db.second.Author({"_id": 1, "name": "Two", "tags": []})
    one.save()
    two.save()
    shelf = db.shelves.Shelf()
    shelf["authors"] = [two, one]
    shelf.save()

    found = db.shelves.Shelf.find_one()["authors"]

    assert [author["name"] for author in found] == ["Two", "One"]
    assert [author.collection.name for author in found] == ["second", "first"]


# Validating and saving with the parent.


def test_validating_the_parent_validates_the_referenced_documents(db: Database, book: Any) -> None:
    book.author["tags"] = [1]
    with pytest.raises(SchemaTypeError, match="tags must be an instance of str not int"):
        book.validate()
    book.author["tags"] = []
    book.author["name"] = None
    with pytest.raises(RequireFieldError, match="name is required"):
        book.save()
    assert stored(db.authors)["name"] == "Ada"


def test_an_own_validate_of_the_referenced_class_is_called(
    db: Database, connection: Connection
) -> None:
    class Picky(Document):
        structure = {"n": int}

        def validate(self, *args: Any, **kwargs: Any) -> None:
            super().validate(*args, **kwargs)
            if self["n"] == 13:
                raise ValueError("unlucky")

    class Holder(Document):
        structure = {"picky": Picky}
        use_autorefs = True

    connection.register([Picky, Holder])
    picky = db.pickies.Picky({"n": 1})
    picky.save()
    holder = db.holders.Holder({"picky": picky})
    holder.save()
    picky["n"] = 13

    with pytest.raises(ValueError, match="unlucky"):
        holder.save()
    assert stored(db.pickies)["n"] == 1


def test_saving_the_parent_saves_the_referenced_documents_that_changed(
    db: Database, book: Any, ada: Any
) -> None:
    ada["name"] = "Ada Lovelace"

    book.save()

    assert stored(db.authors)["name"] == "Ada Lovelace"


def test_a_change_of_a_fetched_reference_is_saved_with_the_parent(db: Database, book: Any) -> None:
    found = db.books.Book.find_one()
    found.author["tags"].append("second")

    found.save()

    assert stored(db.authors)["tags"] == ["first", "second"]


def test_an_unchanged_referenced_document_is_not_written(
    db: Database, book: Any, commands: Commands
) -> None:
    fetched = db.books.Book.find_one()
    read_on_its_own = db.books.Book(
        {"_id": "b", "title": "x", "author": db.authors.Author.find_one()}
    )

    for parent in (book, fetched, read_on_its_own):
        with counted(commands) as sent:
            parent.save()
        assert sent == [("update", "books")]


def test_a_saved_change_is_not_written_again(db: Database, book: Any, commands: Commands) -> None:
    book.author["name"] = "A"
    book.save()

    with counted(commands) as sent:
        book.save()

    assert sent == [("update", "books")]


def test_a_stale_unchanged_document_does_not_overwrite_a_newer_one(db: Database, book: Any) -> None:
    first = db.books.Book.find_one()
    on_its_own = db.authors.Author.find_one()
    db.authors.update_one({"_id": "ada"}, {"$set": {"name": "Newer"}})

    first.save()
    db.books.Book({"title": "x", "author": on_its_own}).save()

    assert stored(db.authors)["name"] == "Newer"


def test_custom_types_and_old_forms_do_not_make_a_document_look_changed(
    db: Database, connection: Connection, commands: Commands
) -> None:
    class Tagged(Document):
        structure = {"tags": Set(str)}

    class Holder(Document):
        structure = {"tagged": Tagged}
        use_autorefs = True

    connection.register([Tagged, Holder])
    db.tagged.insert_one({"_id": 1, "tags": ["b", "a", "a"]})  # not as Set would write it
    db.holders.insert_one({"_id": 1, "tagged": DBRef("tagged", 1, db.name)})
    holder = db.holders.Holder.find_one()

    with counted(commands) as sent:
        holder.save()
    assert sent == [("update", "holders")]

    holder["tagged"]["tags"].add("c")
    holder.save()
    assert stored(db.tagged)["tags"] == ["a", "b", "c"]


def test_the_callers_objects_stay_in_place_after_a_save(db: Database, ada: Any) -> None:
    bob = db.authors.Author({"_id": "bob", "name": "Bob", "tags": []})
    bob.save()
    authors = [bob, ada]
    shelf = db.shelves.Shelf()
    shelf["authors"] = authors
    shelf["nested"]["deeper"]["author"] = ada

    shelf.save()

    assert shelf["authors"] is authors
    assert authors[0] is bob
    assert authors[1] is ada
    assert shelf["nested"]["deeper"]["author"] is ada


def test_the_order_in_a_list_of_references_is_kept(db: Database) -> None:
    authors = [db.authors.Author({"_id": n, "name": str(n), "tags": []}) for n in range(50)]
    for author in authors:
        author.save()
    shelf = db.shelves.Shelf()
    shelf["authors"] = authors[::-1] + authors[:3]
    shelf.save()

    found = db.shelves.Shelf.find_one()
    found.save()

    wanted = [*range(49, -1, -1), 0, 1, 2]
    assert [author["_id"] for author in found["authors"]] == wanted
    assert [ref.id for ref in stored(db.shelves)["authors"]] == wanted


def test_a_changed_id_that_is_not_stored_is_an_auto_reference_error_and_inserts_nothing(
    db: Database, book: Any
) -> None:
    book.author["_id"] = "unknown"

    with pytest.raises(AutoReferenceError, match=r"'unknown'.*") as error:
        book.save()

    for part in (db.name, "Author", "unknown"):
        assert part in str(error.value)
    assert [author["_id"] for author in db.authors.find()] == ["ada"]
    assert stored(db.books)["author"].id == "ada"


def test_a_referenced_document_that_was_never_saved_is_an_auto_reference_error(
    db: Database,
) -> None:
    for author in (
        db.authors.Author({"name": "New", "tags": []}),
        db.authors.Author({"_id": 7, "name": "New", "tags": []}),
    ):
        book = db.books.Book({"title": "x", "author": author})
        with pytest.raises(AutoReferenceError, match="Author"):
            book.save()
        assert "_id" not in book
    assert db.authors.count_documents({}) == 0
    assert db.books.count_documents({}) == 0


def test_a_referenced_document_that_was_deleted_is_an_auto_reference_error(
    db: Database, book: Any, ada: Any
) -> None:
    ada.delete()
    with pytest.raises(AutoReferenceError):
        book.save()
    assert db.authors.count_documents({}) == 0


def test_a_referenced_document_without_collection_is_a_connection_error(db: Database) -> None:
    book = db.books.Book({"title": "x", "author": Author({"_id": 1, "name": "A", "tags": []})})
    with pytest.raises(NoConnectionError):
        book.save()
    assert db.books.count_documents({}) == 0


def test_a_missing_target_at_reading_names_id_database_and_class(db: Database, book: Any) -> None:
    db.authors.delete_one({"_id": "ada"})

    with pytest.raises(AutoReferenceError) as error:
        db.books.Book.find_one()

    for part in ("'ada'", db.name, "Author", "authors"):
        assert part in str(error.value)


def test_one_broken_reference_does_not_keep_the_other_documents_of_a_batch_from_being_read(
    db: Database, ada: Any
) -> None:
    for number in range(5):
        target = "nobody" if number == 2 else "ada"
        db.books.insert_one(
            {"_id": number, "title": "x", "author": DBRef("authors", target, db.name)}
        )
    cursor = db.books.Book.find().sort("_id", 1)

    read = [next(cursor)["_id"], next(cursor)["_id"]]
    with pytest.raises(AutoReferenceError):
        next(cursor)
    read += [book["_id"] for book in cursor]

    assert read == [0, 1, 3, 4]


def test_a_failed_save_of_the_parent_puts_the_referenced_documents_back(
    db: Database, book: Any, ada: Any
) -> None:
    db.books.create_index("title", unique=True)
    second = db.books.Book({"title": "Notes", "author": ada})
    ada["name"] = "Changed"

    with pytest.raises(DuplicateKeyError):
        second.save()

    assert stored(db.authors)["name"] == "Ada"
    assert second == {"title": "Notes", "author": {**ada, "name": "Changed"}}
    assert second["author"] is ada
    second["title"] = "Other"
    second.save()
    assert stored(db.authors)["name"] == "Changed"


def test_a_failed_write_of_one_referenced_document_puts_the_others_back(db: Database) -> None:
    db.authors.create_index("name", unique=True)
    one, two, three = (db.authors.Author({"_id": n, "name": str(n), "tags": []}) for n in range(3))
    for author in (one, two, three):
        author.save()
    shelf = db.shelves.Shelf()
    shelf["authors"] = [one, two]
    shelf.save()
    one["name"] = "changed"
    two["name"] = "2"

    with pytest.raises(DuplicateKeyError):
        shelf.save()

    assert [author["name"] for author in db.authors.find().sort("_id", 1)] == ["0", "1", "2"]


def test_a_missing_target_is_found_before_anything_is_written(db: Database, ada: Any) -> None:
    bob = db.authors.Author({"_id": "bob", "name": "Bob", "tags": []})
    bob.save()
    shelf = db.shelves.Shelf()
    shelf["authors"] = [ada, bob]
    shelf.save()
    ada["name"] = "changed"
    bob["_id"] = "nobody"

    with pytest.raises(AutoReferenceError):
        shelf.save()

    assert stored(db.authors, "ada")["name"] == "Ada"


def test_saving_without_validation_still_saves_what_changed(db: Database, book: Any) -> None:
    book.author["name"] = 3

    book.save(validate=False)

    assert stored(db.authors)["name"] == 3


def test_saving_without_validation_stores_a_wrong_value_as_it_is(db: Database, ada: Any) -> None:
    db.books.Book({"_id": 1, "title": "x", "author": 4}).save(validate=False)

    assert stored(db.books)["author"] == 4
    assert db.books.Book.find_one()["author"] == 4


def test_skip_validation_of_the_parent_skips_the_referenced_documents_too(
    db: Database, connection: Connection, ada: Any
) -> None:
    @connection.register
    class Free(Book):
        skip_validation = True

    ada["tags"] = "no list"
    db.books.Free({"_id": 1, "title": 3, "author": ada}).save()

    assert stored(db.books)["title"] == 3


def test_nothing_is_raised_with_raise_validation_errors_off(
    db: Database, connection: Connection, ada: Any
) -> None:
    @connection.register
    class Quiet(Book):
        raise_validation_errors = False

    quiet = db.books.Quiet({"_id": 1, "title": 3, "author": ada})
    ada["name"] = None

    quiet.validate()

    assert set(quiet.validation_errors) == {"title", "author"}


def test_an_own_save_of_the_referenced_class_is_called(
    db: Database, connection: Connection
) -> None:
    class Counted(Document):
        structure = {"name": str, "saves": int}

        def save(self, *args: Any, **kwargs: Any) -> None:
            self["saves"] += 1
            super().save(*args, **kwargs)

    class Holder(Document):
        structure = {"counted": Counted}
        use_autorefs = True

    connection.register([Counted, Holder])
    counted = db.counted.Counted({"_id": 1, "name": "a", "saves": 0})
    counted.save()
    holder = db.holders.Holder({"counted": counted})
    holder.save()
    assert stored(db.counted)["saves"] == 1
    counted["name"] = "b"

    holder.save()
    holder.save()

    assert stored(db.counted) == {"_id": 1, "name": "b", "saves": 2}


def test_nested_changes_are_saved_through_every_level(db: Database, connection: Connection) -> None:
    @connection.register
    class Library(Document):
        structure = {"books": [Book]}
        use_autorefs = True

    ada = db.authors.Author({"_id": 1, "name": "Ada", "tags": []})
    ada.save()
    book = db.books.Book({"_id": 1, "title": "Notes", "author": ada})
    book.save()
    library = db.libraries.Library({"_id": 1, "books": [book]})
    library.save()

    found = db.libraries.Library.find_one()
    found["books"][0]["author"]["name"] = "Deep"
    found.save()

    assert stored(db.authors)["name"] == "Deep"
    assert found == {
        "_id": 1,
        "books": [{"_id": 1, "title": "Notes", "author": {"_id": 1, "name": "Deep", "tags": []}}],
    }


def test_reload_replaces_the_references_too(db: Database, book: Any) -> None:
    other = db.authors.Author({"_id": "bob", "name": "Bob", "tags": []})
    other.save()
    db.books.update_one({"_id": "notes"}, {"$set": {"author": other.get_dbref()}})

    book.reload()

    assert book.author == other


def test_a_default_document_is_copied(db: Database, connection: Connection, ada: Any) -> None:
    @connection.register
    class ByAda(Document):
        structure = {"nested": {"author": Author}}
        use_autorefs = True
        default_values = {"nested.author": ada}

    one, two = db.books.ByAda(), db.books.ByAda()
    one.save()

    assert one == {"_id": one["_id"], "nested": {"author": ada}}
    assert one["nested"]["author"] is not two["nested"]["author"]
    assert stored(db.books)["nested"]["author"] == ada.get_dbref()


def test_a_required_reference_must_be_there(db: Database, connection: Connection, ada: Any) -> None:
    @connection.register
    class Signed(Book):
        required_fields = ["author"]

    signed = db.books.Signed({"title": "x", "author": None})
    with pytest.raises(RequireFieldError, match="author is required"):
        signed.save()
    signed["author"] = ada
    signed.save()


def test_copies_and_pickles_keep_the_referenced_documents(db: Database, book: Any) -> None:
    copied = copy.deepcopy(book)
    copied["author"]["name"] = "Other"

    assert book["author"]["name"] == "Ada"
    copied.save()
    assert stored(db.authors)["name"] == "Other"
    assert pickle.loads(pickle.dumps(book)) == book  # noqa: S301


# Self references and cycles.


def test_a_document_may_reference_itself(db: Database) -> None:
    narcissus = db.people.Person({"_id": 1, "name": "N", "friend": None, "friends": []})
    narcissus.save()
    narcissus["friend"] = narcissus
    narcissus.save()

    found = db.people.Person.find_one()

    assert stored(db.people)["friend"] == DBRef("people", 1, db.name)
    assert found["friend"] is found
    found["name"] = "changed"
    found.save()
    assert stored(db.people)["name"] == "changed"


def test_a_cycle_is_read_validated_and_saved(db: Database) -> None:
    one = db.people.Person({"_id": 1, "name": "One", "friend": None, "friends": []})
    two = db.people.Person({"_id": 2, "name": "Two", "friend": one, "friends": []})
    one.save()
    two.save()
    one["friend"] = two
    one["friends"] = [two, one]
    one.save()

    found = db.people.Person.find_one({"_id": 1})

    assert found["friend"]["friend"] is found
    assert found["friends"][0] is found["friend"]
    assert found["friends"][1] is found
    found["friend"]["name"] = "Deux"
    found.validate()
    found.save()
    assert stored(db.people, 2) == {
        "_id": 2,
        "name": "Deux",
        "friend": DBRef("people", 1, db.name),
        "friends": [],
    }


def test_a_new_document_in_a_cycle_gets_its_id_into_the_reference(db: Database) -> None:
    old = db.people.Person({"_id": 1, "name": "Old", "friend": None, "friends": []})
    old.save()
    new = db.people.Person({"name": "New", "friend": old, "friends": []})
    old["friend"] = new

    new.save()

    assert stored(db.people, 1)["friend"].id == new["_id"]
    assert stored(db.people, new["_id"])["friend"].id == 1


def test_a_self_reference_by_a_change_of_the_structure_before_registration(
    db: Database, connection: Connection
) -> None:
    class Node(Document):
        structure = {"value": int}
        use_autorefs = True

    Node.structure["child"] = Node
    connection.register([Node])
    leaf = db.nodes.Node({"_id": 1, "value": 1, "child": None})
    leaf.save()
    db.nodes.Node({"_id": 2, "value": 2, "child": leaf}).save()

    found = db.nodes.Node.find_one({"_id": 2})

    assert type(found["child"]) is Node
    assert found["child"]["value"] == 1


def test_two_classes_reference_each_other_by_name(db: Database, connection: Connection) -> None:
    class Team(Document):
        structure = {"captain": "Player"}
        use_autorefs = True

    class Player(Document):
        structure = {"team": Team}
        use_autorefs = True

    connection.register([Team, Player])
    team = db.teams.Team({"_id": 1, "captain": None})
    team.save()
    player = db.players.Player({"_id": 1, "team": team})
    player.save()
    team["captain"] = player
    player.save()

    found = db.teams.Team.find_one()

    assert type(found["captain"]) is Player
    assert found["captain"]["team"] is found
    team["captain"] = team
    with pytest.raises(SchemaTypeError, match="captain must be an instance of Player not Team"):
        team.validate()


def test_a_name_that_is_not_registered_is_an_auto_reference_error(
    db: Database, connection: Connection
) -> None:
    @connection.register
    class Lost(Document):
        structure = {"to": "Nowhere"}
        use_autorefs = True

    db.lost.insert_one({"to": DBRef("x", 1, db.name)})

    with pytest.raises(AutoReferenceError, match="Nowhere, which is not registered"):
        db.lost.Lost.find_one()


def test_a_class_that_is_registered_again_takes_the_place_of_the_old_one(
    db: Database, connection: Connection
) -> None:
    class Company(Document):
        structure = {"name": str}

    class Employee(Document):
        structure = {"company": Company}
        use_autorefs = True

    connection.register([Company, Employee])
    company = db.companies.Company({"_id": 1, "name": "C"})
    company.save()
    db.employees.Employee({"_id": 1, "company": company}).save()
    old = Company

    class Company(Document):  # type: ignore[no-redef]
        structure = {"name": str}

        def shout(self) -> str:
            return str(self["name"]).upper() + "!"

    connection.register([Company])
    found = db.employees.Employee.find_one()

    assert type(found["company"]) is Company
    assert Company is not old
    assert found["company"].shout() == "C!"
    found.validate()
    db.employees.Employee({"_id": 2, "company": db.companies.Company.find_one()}).save()


# Round trips.


def with_two_references(db: Database, count: int) -> None:
    db.authors.insert_many({"_id": n, "name": str(n), "tags": []} for n in range(count))
    db.editors.insert_many({"_id": n, "name": str(n), "tags": []} for n in range(count))
    db.pairs.insert_many(
        {
            "_id": n,
            "one": DBRef("authors", n, db.name),
            "two": DBRef("editors", count - 1 - n, db.name),
        }
        for n in range(count)
    )


class Pair(Document):
    structure = {"one": Author, "two": Author}
    use_autorefs = True


def test_a_thousand_documents_with_two_references_take_three_round_trips_per_batch(
    db: Database, commands: Commands
) -> None:
    with_two_references(db, 1000)

    with counted(commands) as sent:
        pairs = list(db.pairs.documents(Pair).find())

    batches = sum(1 for _, name in sent if name == "pairs")
    assert len(sent) <= 3 * batches
    assert [pair["one"]["name"] for pair in pairs] == [str(n) for n in range(1000)]
    assert [pair["two"]["name"] for pair in pairs] == [str(999 - n) for n in range(1000)]


@pytest.mark.parametrize("read", ["for", "next", "to_list", "index"])
def test_every_way_to_read_a_cursor_fetches_per_batch(
    db: Database, commands: Commands, read: str
) -> None:
    with_two_references(db, 40)
    cursor = db.pairs.documents(Pair).find().sort("_id", 1).batch_size(100)

    with counted(commands) as sent:
        if read == "for":
            pairs = list(cursor)
        elif read == "next":
            pairs = [next(cursor) for _ in range(40)]
        elif read == "to_list":
            pairs = cursor.to_list()
        else:
            pairs = [cursor[0]]

    assert len(sent) == 3
    assert pairs[0]["one"]["_id"] == 0
    assert pairs[0]["two"]["_id"] == 39


def test_a_rewound_and_a_cloned_cursor_read_everything_again(db: Database) -> None:
    with_two_references(db, 5)
    cursor = db.pairs.documents(Pair).find().sort("_id", 1)
    next(cursor)

    again = list(cursor.rewind())
    cloned = list(cursor.clone())

    assert [pair["_id"] for pair in again] == [0, 1, 2, 3, 4]
    assert again == cloned


def test_a_document_that_stands_twice_in_a_batch_is_one_object(db: Database, ada: Any) -> None:
    for number in range(3):
        db.books.Book({"_id": number, "title": "x", "author": ada}).save()

    books = list(db.books.Book.find())

    assert len({id(book["author"]) for book in books}) == 1


def test_nested_references_take_one_round_trip_per_level_and_collection(
    db: Database, connection: Connection, commands: Commands
) -> None:
    @connection.register
    class Library(Document):
        structure = {"book": Book}
        use_autorefs = True

    for number in range(10):
        db.authors.insert_one({"_id": number, "name": "A", "tags": []})
        author = DBRef("authors", number, db.name)
        db.books.insert_one({"_id": number, "title": "x", "author": author})
        db.libraries.insert_one({"_id": number, "book": DBRef("books", number, db.name)})

    with counted(commands) as sent:
        libraries = list(db.libraries.Library.find())

    assert sent == [("find", "libraries"), ("find", "books"), ("find", "authors")]
    assert {library["book"]["author"]["_id"] for library in libraries} == set(range(10))


def test_ids_that_python_takes_for_equal_are_told_apart(db: Database) -> None:
    for identity in (1, True, {"a": 1}, {"a": 2}):
        db.authors.insert_one({"_id": identity, "name": str(identity), "tags": []})
        ref = DBRef("authors", identity, db.name)
        db.books.insert_one({"title": str(identity), "author": ref})

    for book in db.books.Book.find():
        assert book.author["name"] == book.title


def test_a_projection_without_the_reference_fetches_nothing(
    db: Database, book: Any, commands: Commands
) -> None:
    with counted(commands) as sent:
        found = db.books.Book.find_one({}, {"title": 1})

    assert found == {"_id": "notes", "title": "Notes"}
    assert len(sent) == 1


def test_a_session_is_used_for_the_references_too(db: Database, connection: Connection) -> None:
    with connection.start_session() as session, session.start_transaction():
        author = db.authors.Author({"_id": 1, "name": "A", "tags": []})
        author.save(session=session)
        book = db.books.Book({"_id": 1, "title": "x", "author": author.get_dbref()})
        book.save(session=session)

        found = db.books.Book.find_one({"_id": 1}, session=session)
        listed = list(db.books.Book.find({"_id": 1}, session=session))

        assert found.author == author
        assert listed == [found]
        found.author["name"] = "B"
        found.save(session=session)
        session.abort_transaction()

    assert db.authors.count_documents({}) == 0


def test_a_base_class_reads_documents_of_a_subclass_with_their_references(
    db: Database, connection: Connection, ada: Any, commands: Commands
) -> None:
    class Thing(Document):
        structure = {"_type": str}

    class Owned(Thing):
        structure = {"owner": Author}
        use_autorefs = True

    connection.register([Thing, Owned])
    for number in range(3):
        db.things.Owned({"_id": number, "_type": "Owned", "owner": ada}).save()
    db.things.Thing({"_id": 9, "_type": "Thing"}).save()

    with counted(commands) as sent:
        things = list(db.things.Thing.find())

    assert [type(thing).__name__ for thing in things] == ["Owned", "Owned", "Owned", "Thing"]
    assert things[0]["owner"] == ada
    assert len(sent) == 2


# The lazy mode.


@pytest.fixture
def lazy(db: Database, ada: Any) -> Any:
    """A stored book of the lazy class."""
    ref = ada.get_dbref()
    db.lazy.insert_one(
        {"_id": 1, "title": "x", "author": ref, "editors": [ref, ref], "nested": {"author": ref}}
    )
    return db.lazy.LazyBook.find_one()


def test_lazy_autorefs_leave_refs_until_touched(
    db: Database, ada: Any, commands: Commands, lazy: Any
) -> None:
    with counted(commands) as sent:
        db.lazy.LazyBook.find_one()
        list(db.lazy.LazyBook.find())
    assert [name for _, name in sent] == ["lazy", "lazy"]
    assert dict.__getitem__(lazy, "author") == ada.get_dbref()

    with counted(commands) as sent:
        assert lazy["author"] == ada
        assert lazy["author"]["name"] == "Ada"
    assert sent == [("find", "authors")]


@pytest.mark.parametrize(
    "touch",
    [
        lambda book: book["author"],
        lambda book: book.author,
        lambda book: book.get("author"),
        lambda book: book["editors"][1],
        lambda book: book.nested.author,
    ],
    ids=["key", "attribute", "get", "list", "nested"],
)
def test_a_lazy_reference_is_fetched_by_key_attribute_and_get(
    touch: Any, lazy: Any, ada: Any
) -> None:
    assert touch(lazy) == ada
    assert type(touch(lazy)) is Author


def test_saving_a_lazy_document_fetches_nothing_and_keeps_the_refs(
    db: Database, lazy: Any, ada: Any, commands: Commands
) -> None:
    before = stored(db.lazy)

    with counted(commands) as sent:
        lazy.validate()
        lazy.save()

    assert sent == [("update", "lazy")]
    assert stored(db.lazy) == before


def test_a_touched_and_changed_lazy_reference_is_saved_with_the_document(
    db: Database, lazy: Any
) -> None:
    lazy["author"]["name"] = "Lazily"

    lazy.save()

    assert stored(db.authors)["name"] == "Lazily"
    assert stored(db.lazy)["author"] == DBRef("authors", "ada", db.name)


def test_a_missing_target_of_a_lazy_reference_is_an_error_when_it_is_touched(
    db: Database, lazy: Any
) -> None:
    db.authors.delete_many({})
    with pytest.raises(AutoReferenceError):
        lazy["author"]
    assert lazy["title"] == "x"


def test_fetch_completes_many_lazy_documents_in_one_round_trip(
    db: Database, lazy: Any, commands: Commands
) -> None:
    ref = DBRef("authors", "ada", db.name)
    for number in range(2, 20):
        db.lazy.insert_one(
            {"_id": number, "title": "x", "author": ref, "editors": [], "nested": {"author": None}}
        )
    books = list(db.lazy.LazyBook.find())

    with counted(commands) as sent:
        fetch(books)
        assert {book.author["name"] for book in books} == {"Ada"}

    assert sent == [("find", "authors")]


# What code that writes its own save calls, and what classic data holds.


def test_data_of_classic_mongokit_is_read_changed_and_saved(db: Database) -> None:
    db.users.insert_one({"_id": "ada", "name": "Ada", "tags": [], "since": 2012})
    db.posts.insert_one(
        {
            "_id": "Post-7e0e2b9e",
            "title": "Hello",
            "author": DBRef("users", "ada", db.name),
            "legacy": {"kept": True},
        }
    )

    post = db.posts.Book.find_one()
    post.author["name"] = "Ada L."
    post.title = "Hello again"
    del post["legacy"], post.author["since"]
    post.save()

    assert stored(db.posts) == {
        "_id": "Post-7e0e2b9e",
        "title": "Hello again",
        "author": DBRef("users", "ada", db.name),
    }
    assert stored(db.users) == {"_id": "ada", "name": "Ada L.", "tags": []}


def test_a_field_that_the_referenced_class_does_not_know_reads(db: Database) -> None:
    db.users.insert_one({"_id": 1, "name": "Ada", "tags": [], "unknown": 1})
    db.books.insert_one({"_id": 1, "title": "x", "author": DBRef("users", 1, db.name)})

    assert db.books.Book.find_one().author["unknown"] == 1


def test_a_plain_dict_stored_where_a_reference_is_declared_now_reads_as_it_is(
    db: Database,
) -> None:
    db.books.insert_one({"_id": 1, "title": "x", "author": {"name": "Embedded", "tags": []}})

    assert db.books.Book.find_one()["author"] == {"name": "Embedded", "tags": []}


def test_make_reference_puts_dbrefs_in_place_of_documents(db: Database, book: Any) -> None:
    book.author["name"] = "Changed"

    with pytest.warns(DeprecationWarning, match="_make_reference"):
        book._make_reference(book, Book.structure)

    assert dict(book) == {
        "_id": "notes",
        "title": "Notes",
        "author": DBRef("authors", "ada", db.name),
    }
    assert stored(db.authors)["name"] == "Changed"
    book.validate()
    assert book.author["name"] == "Changed"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_save_of_ones_own_finds_its_references_again(db: Database, book: Any) -> None:
    book._process_custom_type("bson", book, Book.structure)
    assert book["author"] == DBRef("authors", "ada", db.name)
    db.books.replace_one({"_id": "notes"}, dict(book), upsert=True)

    book._process_custom_type("python", book, Book.structure)

    assert type(book["author"]).__name__ == "Author"
    assert book["author"]["name"] == "Ada"
