"""JSON validity: the answer is JSON, and fits the schema where there is one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from studio.args.fields import Group, arg
from studio.errors import InputError
from studio.plugins.metrics import NONE, Row, option

ORDER = 60
NEEDS: tuple[str, ...] = ()
SHARE = True
HIGHER = True
SCALE = 100

_FENCED = re.compile(r"```[ \t]{0,8}(?:json)?[ \t]{0,8}\n(.*?)```", re.S | re.I)
MOST_DIGITS = 4000


class Arguments(Group):
    """What the answers must fit when the rows bring no schema of their own."""

    group = "metrics"

    json_valid_schema: dict[str, Any] = arg({})


def check(options: Mapping[str, Any] = NONE) -> None:
    """Raise InputError json_schema_bad for a schema that is none."""
    from jsonschema.exceptions import SchemaError

    try:
        _validator(_spelled(option(options, Arguments, "json_valid_schema")))
    except (SchemaError, TypeError, ValueError) as error:
        raise InputError("json_schema_bad", reason=str(getattr(error, "message", error))) from error


def score(answer: str, reference: str, row: Row) -> float | None:
    """1 for JSON that fits; the inside of the only fenced block counts as the answer. None where the schema is none."""
    from jsonschema.exceptions import SchemaError
    from referencing.exceptions import Unresolvable

    schema = row.schema if row.schema is not None else option(row.options, Arguments, "json_valid_schema")
    try:
        fits = _validator(_spelled(schema)).is_valid
    except (SchemaError, TypeError, ValueError, AttributeError):
        return None
    try:
        return float(fits(_parsed(answer)))
    except Unresolvable:  # a schema that points elsewhere; nothing is fetched
        return None
    except (ValueError, RecursionError):
        return 0.0


def _parsed(answer: str) -> Any:
    """What the answer says; raises ValueError where it is no JSON, for NaN and Infinity too."""
    fenced = _FENCED.findall(answer)
    text = fenced[0] if len(fenced) == 1 else answer
    return json.loads(text, parse_constant=_refused, parse_int=_whole_number)


def _refused(name: str) -> Any:
    raise ValueError(name)


def _whole_number(digits: str) -> float:
    return int(digits) if len(digits) <= MOST_DIGITS else float(digits)


def _spelled(schema: Any) -> str:
    """A schema as text; rows of a table bring it as text already."""
    return schema if isinstance(schema, str) else json.dumps(schema, sort_keys=True)


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    """The schema's validator; raises SchemaError or ValueError for what is no schema. It fetches nothing."""
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    read = json.loads(schema or "{}")
    kind = validator_for(read, default=Draft202012Validator)
    kind.check_schema(read)
    return kind(read, registry=Registry())
