"""What type checkers infer for annotated documents; read by mypy and pyright, never run."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, assert_type

from annotated_types import MaxLen, MinLen
from bson import ObjectId

from mongokit import Connection, Cursor, Document, Documents, Embedded, field, utcnow, validators


class Address(Embedded):
    street: str
    city: Annotated[str, MaxLen(80)]

    def line(self) -> str:
        return f"{self.street}, {self.city}"


class User(Document):
    __collection__ = "users"
    name: Annotated[str, MinLen(1), MaxLen(50)]
    email: Annotated[str, MaxLen(120), validators.email()]
    role: Literal["member", "admin"] = "member"
    tags: list[str] = field(default_factory=list)
    address: Address | None = None
    manager_id: ObjectId | None = None
    created: datetime = field(default_factory=utcnow, read_only=True)
    indexes = [{"fields": "email", "unique": True}]

    def greeting(self) -> str:
        return f"Hello {self.name}"


class Employee(User):
    salary: float
    boss: User | None = None


connection = Connection()
connection.register([User, Employee])
db = connection["blog"]
users = db.documents(User)

# Making one.
user = User(name="Ada", email="ada@example.org")
assert_type(user, User)
Employee(name="Ada", email="ada@example.org", salary=1.5, boss=user)
Address(street="12 St James's Square", city="London")
User(name="Ada")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
User(name=1, email="a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
User(nmae="Ada", email="a")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
User(name="Ada", email="a", role="boss")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
assert_type(users(name="Ada"), User)

# Its fields.
assert_type(user.name, str)
assert_type(user.role, Literal["member", "admin"])
assert_type(user.tags, list[str])
assert_type(user.address, Address | None)
assert_type(user.created, datetime)
assert_type(user.greeting(), str)
if user.address is not None:
    assert_type(user.address.city, str)
    assert_type(user.address.line(), str)
user.name = "Eva"
user.name = 3  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
user.address = Address(street="1", city="Rome")

# Finding them.
assert_type(users, Documents[User])
assert_type(users.find_one({"name": "Ada"}), User | None)
assert_type(users.find({"role": "admin"}), Cursor[User])
assert_type([found.name for found in users.find()], list[str])
assert_type(db.documents(Employee).find_one(), Employee | None)
found = db.documents(Employee).find_one()
if found is not None:
    assert_type(found.salary, float)
    assert_type(found.boss, User | None)
