"""How pipelines of diffusers are called, read from their source text.

A request is checked where there is no torch, and to import one pipeline is to import torch.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

REQUIRED = inspect.Parameter.empty
# What the platform sees to itself, and what only makes sense in a program.
RESERVED = ("generator", "output_type", "return_dict", "callback_on_step_end", "callback")


@dataclass(frozen=True)
class Signature:
    """The arguments of a pipeline's call, and the names of what it returns."""

    class_name: str
    arguments: Mapping[str, Any]  # with their defaults: REQUIRED, or None where one is computed
    results: frozenset[str]  # "images", "frames", "audios"
    tuples: frozenset[str]  # arguments that take a tuple, where JSON has lists only

    def __contains__(self, argument: str) -> bool:
        return argument in self.arguments

    def default(self, argument: str | None) -> Any:
        """What the pipeline uses where it is not told; None where it finds out itself."""
        value = self.arguments.get(argument or "")
        return None if value is REQUIRED else value

    def given(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments among these, as the pipeline takes them."""
        return {
            name: tuple(value) if name in self.tuples and isinstance(value, list) else value
            for name, value in extra.items()
            if name in self
        }


@cache
def signature_of(class_name: str) -> Signature | None:
    """The signature of a pipeline of diffusers; None where it has none of this name."""
    found = definition(class_name)
    if found is None:
        return None
    call = method(found, "__call__")
    if call is None:
        bases = [base.id for base in found.bases if isinstance(base, ast.Name)]
        inherited = next(filter(None, map(signature_of, bases)), None)
        if inherited is None:
            return None
        return replace(inherited, class_name=class_name)
    return Signature(
        class_name, dict(arguments(call)), frozenset(results(call)), frozenset(tuples(call))
    )


@cache
def bases_of(class_name: str) -> frozenset[str]:
    """What a pipeline of diffusers is made of, by the names of the classes."""
    found = definition(class_name)
    own = {base.id for base in found.bases if isinstance(base, ast.Name)} if found else set()
    return frozenset(own).union(*(bases_of(base) for base in own if base.endswith("Pipeline")))


def definition(class_name: str) -> ast.ClassDef | None:
    """The class statement, wherever below diffusers/pipelines it is."""
    mark = f"\nclass {class_name}(".encode()
    for path in sources():
        text = path.read_bytes()
        if mark in text:
            for statement in ast.parse(text).body:
                if isinstance(statement, ast.ClassDef) and statement.name == class_name:
                    return statement
    return None


@cache
def sources() -> tuple[Path, ...]:
    spec = importlib.util.find_spec("diffusers")
    places = spec.submodule_search_locations if spec else None
    return tuple(
        path
        for place in places or ()
        for path in sorted(Path(place, "pipelines").rglob("pipeline_*.py"))
    )


def method(definition: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    functions = (part for part in definition.body if isinstance(part, ast.FunctionDef))
    return next((function for function in functions if function.name == name), None)


def arguments(call: ast.FunctionDef) -> Iterator[tuple[str, Any]]:
    """Each argument after `self`, with its default."""
    given = call.args.args[1:]
    missing: list[ast.expr | None] = [None] * (len(given) - len(call.args.defaults))
    defaults = [*missing, *call.args.defaults]
    for argument, default in zip(given, defaults, strict=True):
        yield argument.arg, REQUIRED if default is None else literal(default)
    for argument, default in zip(call.args.kwonlyargs, call.args.kw_defaults, strict=True):
        yield argument.arg, REQUIRED if default is None else literal(default)


def tuples(call: ast.FunctionDef) -> Iterator[str]:
    for argument in (*call.args.args, *call.args.kwonlyargs):
        kind = ast.unparse(argument.annotation).lower() if argument.annotation else ""
        if "tuple[" in kind and "list[" not in kind:
            yield argument.arg


def literal(expression: ast.expr) -> Any:
    try:
        return ast.literal_eval(expression)
    except ValueError:
        return None


def results(call: ast.FunctionDef) -> Iterator[str]:
    """The names that the pipeline's output gives to what was made."""
    for node in ast.walk(call):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Call):
            yield from (keyword.arg for keyword in node.value.keywords if keyword.arg)
