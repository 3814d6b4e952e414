"""What a class says of the paths of its documents, and an outer class of those inside it.

A path of an outer class may lead into an embedded one: `required_fields = ["address.city"]`. So
what is said of a field is what its own class says and what the classes around it do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from mongokit.schema import normalize_path

if TYPE_CHECKING:
    from mongokit.compiler import Model

Mode = Literal["store", "create", "update", "read"]
"""What a form or a schema is for: what is stored, what clients send, what they see."""

_LEFT_OUT: Mapping[str, frozenset[str]] = {
    "store": frozenset(),
    "read": frozenset({"hidden"}),
    "create": frozenset({"hidden", "read_only"}),
    "update": frozenset({"hidden", "read_only"}),
}


def check_mode(mode: str) -> None:
    """Refuse what is no mode.

    Args:
        mode: The name of one.

    Raises:
        ValueError: There is none of that name.
    """
    if mode not in _LEFT_OUT:
        raise ValueError(f"{mode} is no mode: it is one of {', '.join(get_args(Mode))}")


@dataclass(frozen=True, slots=True)
class Scope:
    """What is said of the paths below one class's documents.

    Attributes:
        model: The class.
        required: Paths that must have a value.
        validators: Path to validators.
        defaults: Path to default.
        read_only: Paths that clients may see but not set.
        hidden: Paths that clients don't see either.
        titles: Path to name.
        descriptions: Path to meaning.
        examples: Path to values.
    """

    model: Model
    required: frozenset[str]
    validators: Mapping[str, list[Callable[[Any], Any]]]
    defaults: Mapping[str, Any]
    read_only: frozenset[str]
    hidden: frozenset[str]
    titles: Mapping[str, str]
    descriptions: Mapping[str, str]
    examples: Mapping[str, list[Any]]

    @classmethod
    def of(cls, document_class: Any) -> Scope:
        """Return what a class says itself.

        Args:
            document_class: A `SchemaDocument` class.
        """
        model = document_class.__mongokit__
        return cls(
            model,
            frozenset(model.required),
            dict(model.validators),
            model.defaults,
            _paths(document_class.read_only_fields),
            _paths(document_class.hidden_fields),
            _by_path(document_class.field_titles),
            _by_path(document_class.field_descriptions),
            _by_path(document_class.field_examples),
        )

    def is_left_out(self, path: str, mode: Mode) -> bool:
        """Tell whether a mode leaves a field out.

        Args:
            path: The field.
            mode: The mode.
        """
        left_out = _LEFT_OUT[mode]
        return ("hidden" in left_out and path in self.hidden) or (
            "read_only" in left_out and path in self.read_only
        )

    def demands_below(self, path: str) -> bool:
        """Tell whether something below a path must have a value.

        Args:
            path: The path.
        """
        return any(each.startswith(f"{path}.") for each in self.required)

    def reaches_into(self, path: str) -> bool:
        """Tell whether anything is said of paths below one.

        Args:
            path: Where an embedded document stands.
        """
        start = f"{path}."
        return any(
            each.startswith(start)
            for said in (
                *(self.required, self.validators, self.defaults, self.read_only, self.hidden),
                *(self.titles, self.descriptions, self.examples),
            )
            for each in said
        )

    def inside(self, path: str, document_class: Any) -> Scope:
        """Return what is said of an embedded document's paths, by its class and from here.

        Args:
            path: Where it stands.
            document_class: Its class.
        """
        inner = Scope.of(document_class)
        if not self.reaches_into(path):
            return inner
        validators = dict(inner.validators)
        for each, functions in _cut(self.validators, path).items():
            validators[each] = [*validators.get(each, ()), *functions]
        return Scope(
            inner.model,
            inner.required | frozenset(_cut(dict.fromkeys(self.required), path)),
            validators,
            {**inner.defaults, **_cut(self.defaults, path)},
            inner.read_only | frozenset(_cut(dict.fromkeys(self.read_only), path)),
            inner.hidden | frozenset(_cut(dict.fromkeys(self.hidden), path)),
            {**inner.titles, **_cut(self.titles, path)},
            {**inner.descriptions, **_cut(self.descriptions, path)},
            {**inner.examples, **_cut(self.examples, path)},
        )


def _paths(paths: Any) -> frozenset[str]:
    return frozenset(normalize_path(path) for path in paths or ())


def _by_path(said: Any) -> dict[str, Any]:
    return {normalize_path(path): value for path, value in (said or {}).items()}


def _cut(said: Mapping[str, Any], path: str) -> dict[str, Any]:
    start = f"{path}."
    return {each[len(start) :]: value for each, value in said.items() if each.startswith(start)}
