"""What a convert job must say before it is taken, and what is told of faults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from jobengine.model.convert import ConvertSpec, check_convert
from jobengine.model.roots import MediaRoots

ROOTS = MediaRoots(PurePosixPath("/media"))
WHOLE = {"recipe": "jpeg", "source": [{"content": "news", "stream": "video", "reference": "1.4s"}]}


def faults(**members: Any) -> dict[str, str]:
    """The faults of a whole specification with these members changed."""
    spec = ConvertSpec.model_validate({**WHOLE, **members})
    return {fault.pointer: fault.detail for fault in check_convert(spec, ROOTS)}


def test_a_whole_one_has_no_faults() -> None:
    assert faults(parameters={"width": 640, "quality": "80"}, target={"filePath": "a.jpg"}) == {}


@pytest.mark.parametrize(
    "to", ["copies", "/media/kept/", "https://store.example/b", "https://store.example/b/c/"]
)
def test_copies_may_be_made_where_the_operator_allows_them(to: str) -> None:
    spec = ConvertSpec.model_validate({**WHOLE, "recipe": "storeCopy", "parameters": {"to": to}})

    assert check_convert(spec, replace(ROOTS, copy_urls=("https://store.example/b",))) == []


@pytest.mark.parametrize(
    ("members", "pointer", "told"),
    [
        ({"recipe": None}, "/recipe", "missing"),
        ({"recipe": "jpg"}, "/recipe", "there are jpeg"),
        ({"source": None}, "/source", "takes 1"),
        ({"source": [{"content": "a"}, {"content": "b"}]}, "/source", "names 2 sources"),
        ({"source": [{"content": "a", "reference": "wibble"}]}, "/source/0/reference", "column 1"),
        ({"parameters": {"quality": 0}}, "/parameters/quality", "greater than or equal to 1"),
        ({"parameters": {"hight": 1}}, "/parameters/hight", "did you mean"),
        ({"parameters": {"width": 16000, "height": 16000}}, "/parameters", "at most"),
        ({"recipe": "storeCopy", "parameters": {"to": "../a"}}, "/parameters/to", ".."),
        ({"recipe": "storeCopy", "parameters": {"to": "/etc"}}, "/parameters/to", "outside"),
        ({"recipe": "makeEquivalent", "parameters": {"to": "https://b/a"}}, "/parameters/to", "copy_urls"),
        ({"target": {"filePath": "../a.jpg"}}, "/target/filePath", ".."),
        ({"target": {"filePath": "/etc/a.jpg"}}, "/target/filePath", "outside"),
    ],
)
def test_each_fault_is_told_with_its_place(members: dict[str, Any], pointer: str, told: str) -> None:
    found = faults(**members)

    assert list(found) == [pointer]
    assert told in found[pointer]
