"""Parsing: arguments to values by tyro, whose complaints become one line each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import fields, is_dataclass
from functools import partial, wraps
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import tyro
from tyro.conf import UseAppendAction
from tyro.constructors import PrimitiveConstructorSpec

from posewright.text import did_you_mean

_errors: Any = getattr(tyro, "_errors", None)
"""tyro's structured errors, which its 1.0 has in a module of its own use; without them its own box is printed."""
OF_UNION = re.compile(r"^no type matching .*<class '[\w.]+'>: ")
"""Begins what tyro says of a value that is of none of several types; what it says of the last one is kept."""


def parsed(form: Callable[..., Any], arguments: Sequence[str], prog: str, description: str | None = None) -> Any:
    """Return what a form, a function or a dataclass, is given by arguments; ValueError says what is wrong with them.

    Raises SystemExit where the help is asked for.
    """

    def complain(event: Any) -> None:
        if said := complaint(event, list(options_of(form))):
            raise ValueError(said)

    with nullcontext() if _errors is None else _errors.on_parse_error(complain):
        return tyro.cli(form, prog=prog, description=description, args=list(arguments))


def later(verb: Callable[..., int]) -> Callable[..., Callable[[], int]]:
    """Let a verb be parsed now and run afterwards."""

    @wraps(verb)
    def chosen(*args: Any, **named: Any) -> Callable[[], int]:
        return partial(verb, *args, **named)

    hints = get_type_hints(verb, include_extras=True)
    chosen.__annotations__ = {name: spared(hint) for name, hint in hints.items()}
    made: Any = chosen
    made.__signature__ = inspect.signature(verb)
    del made.__wrapped__  # whose hints tyro would read
    return chosen


def spared(hint: Any) -> Any:
    """Write an option's type so that tyro need not ask typeguard, whose import takes a tenth of a short command.

    That is `str | None` as an `Optional`, and any number of words or numbers by what makes them.

    >>> spared(str | None)
    typing.Optional[str]
    """
    kind, *more = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if isinstance(kind, UnionType):
        kind = Union[get_args(kind)]  # noqa: UP007
    elif get_origin(kind) is tuple and get_args(kind)[1:] == (Ellipsis,) and UseAppendAction not in more:
        kind, more = tuple, [_several(get_args(kind)[0]), *more]
    parts = (kind, *more)
    return Annotated[parts] if more else kind


def _several(kind: Callable[[str], Any]) -> PrimitiveConstructorSpec[Any]:
    """Make a tuple of any number of words, each by a kind."""
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar="VALUE ...",
        instance_from_str=lambda words: tuple(map(kind, words)),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda values: list(map(str, values)),
    )


def complaint(event: Any, options: Sequence[str]) -> str:
    """Say in one line what tyro found wrong; "" for what is not known here. options: those that there are."""
    kind, prog = type(event).__name__, str(getattr(event, "prog", "")).removeprefix("posewright ")
    if kind == "MissingArgs":
        missing = ", ".join(_named(one.arg) for one in event.missing_arguments)
        strange = f"; {_strange(event.unrecognized_tokens, options)}" if event.unrecognized_tokens else ""
        return f"{prog}: missing {missing}{strange}"
    if kind == "UnrecognizedArgs":
        return f"{prog}: {_strange(event.tokens, options)}"
    if kind == "InvalidChoice":
        close = did_you_mean(event.value, event.choices)
        return f"{_named(event.argument, False)}: must be {' or '.join(event.choices)}, not {event.value!r}{close}"
    if kind == "BadValue":
        given = "" if event.offending_value is None else f", not {event.offending_value!r}"
        lack = "needs more values" if event.reason == "too_few_values" else "takes no value"
        return f"{_named(event.argument)}: {lack}{given}"
    if kind == "InstantiationFailure":
        where = prog if event.argument is None else _named(event.argument, False)
        return f"{where}: {OF_UNION.sub('', ' '.join(str(event.message).split()))}"
    return ""


def options_of(form: Any, prefix: str = "") -> Iterator[str]:
    """Name the options that a form makes, those of dataclasses inside it as well."""
    if is_dataclass(form):
        for field in fields(form):
            inner = field.type if inspect.isclass(field.type) and is_dataclass(field.type) else None
            yield from options_of(inner, f"{prefix}{field.name}.") if inner else [f"--{prefix}{field.name}"]
    else:
        for name in inspect.signature(form).parameters:
            yield f"--{prefix}{name.replace('_', '-')}"


def _named(argument: Any, metavar: bool = True) -> str:
    """Name an argument as the help does."""
    if argument.is_positional():
        return str(argument.lowered.metavar)
    flag = argument.lowered.name_or_flags[-1]
    return f"{flag} {argument.lowered.metavar}" if metavar and argument.lowered.metavar else str(flag)


def _strange(tokens: Sequence[str], options: Sequence[str]) -> str:
    first = next((token for token in tokens if token.startswith("-")), tokens[0])
    return f"no such option: {' '.join(tokens)}{did_you_mean(first.partition('=')[0], options)}"
