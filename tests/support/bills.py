"""The published schema that a bill of materials is held against."""

import json
from collections.abc import Mapping
from importlib import resources

from jsonschema import Draft7Validator
from referencing import Registry, Resource

_SCHEMAS = resources.files("cyclonedx") / "schema" / "_res"
_NAMES = ("bom-1.6", "jsf-0.82", "spdx")


def bill_faults(document: Mapping[str, object]) -> list[str]:
    """Where a document is not as CycloneDX 1.6 has it; empty where it is."""
    schemas = {
        name: json.loads((_SCHEMAS / f"{name}.SNAPSHOT.schema.json").read_text(encoding="utf-8"))
        for name in _NAMES
    }
    known = [(schema["$id"], Resource.from_contents(schema)) for schema in schemas.values()]
    validator = Draft7Validator(schemas["bom-1.6"], registry=Registry().with_resources(known))
    plain = json.loads(json.dumps(document))
    return [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(plain)]
