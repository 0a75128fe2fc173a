"""The look at a model's bytes: hostile models are refused, real ones pass, and no byte makes it
crash.
"""

import itertools
import re
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from support.gate_cases import matrix, trained

from sluice.errors import Refused
from sluice.model.fit.conversion import convert
from sluice.model.fit.training import fit
from sluice.policy import FAMILIES
from sluice.served.onnx_file import DOMAINS, LARGEST, MOST_NODES, OPERATORS, check
from sluice.served.scoring import open_session, score_matrix

Model = onnx.ModelProto


def graph(*nodes: onnx.NodeProto, initializer: tuple[TensorProto, ...] = ()) -> onnx.GraphProto:
    value = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 2]) for name in ("x", "y")
    ]
    return helper.make_graph(
        list(nodes), "graph", value[:1], value[1:], initializer=list(initializer)
    )


def model(*nodes: onnx.NodeProto, initializer: tuple[TensorProto, ...] = ()) -> Model:
    nodes = nodes or (helper.make_node("Identity", ["x"], ["y"]),)
    return helper.make_model(
        graph(*nodes, initializer=initializer),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def outside() -> TensorProto:
    """A tensor that lies in another file."""
    tensor = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL
    )
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def sparse() -> onnx.SparseTensorProto:
    inside = helper.make_tensor("indices", TensorProto.INT64, [2], [0, 1])
    return onnx.SparseTensorProto(values=outside(), indices=inside, dims=[2])


def with_(
    change: Callable[[Model], object], base: Callable[[], Model] = model
) -> Callable[[], Model]:
    def build() -> Model:
        made = base()
        change(made)
        return made

    return build


def constant(**attribute: object) -> Model:
    return model(
        helper.make_node("Constant", [], ["w"], **attribute),
        helper.make_node("Add", ["x", "w"], ["y"]),
    )


def branching(inner: onnx.NodeProto) -> Model:
    arm = helper.make_graph(
        [inner], "arm", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, [2])]
    )
    return model(helper.make_node("If", ["x"], ["y"], then_branch=arm, else_branch=arm))


def half_declared(field: str, *, empty: bool = False) -> Model:
    tensor = outside()
    tensor.ClearField(field)
    if empty:
        tensor.external_data[0].Clear()
    return model(initializer=(tensor,))


def overloaded(name: str) -> Model:
    node = helper.make_node("Identity", ["x"], ["y"])
    node.overload = name
    return model(node)


def looping(times: int) -> Model:
    """A loop that runs so many times."""
    values = [
        helper.make_tensor_value_info("i", TensorProto.INT64, []),
        helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        helper.make_tensor_value_info("on", TensorProto.BOOL, []),
    ]
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"])], "body", values[:2], values[2:]
    )
    return model(
        helper.make_node("Loop", ["times", "go", "x"], ["y"], body=body),
        initializer=(helper.make_tensor("times", TensorProto.INT64, [], [times]),),
    )


def large_sparse() -> onnx.SparseTensorProto:
    values = helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    return onnx.SparseTensorProto(values=values, indices=indices, dims=[2**40])


def joined(times: int, operator: str) -> Model:
    """Nodes of which each joins the one before it with itself."""
    attributes = {"axis": 1} if operator == "Concat" else {}
    names = ["x", *(f"n{number}" for number in range(times - 1)), "y"]
    pairs = itertools.pairwise(names)
    return model(
        *(helper.make_node(operator, [old, old], [new], **attributes) for old, new in pairs)
    )


def encoded(times: int) -> Model:
    """Encoders one behind the other, of which each makes three columns of one."""
    names = ["x", *(f"n{number}" for number in range(times - 1)), "y"]
    more = {"domain": "ai.onnx.ml", "cats_int64s": [0, 1, 2], "zeros": 1}
    pairs = itertools.pairwise(names)
    return model(*(helper.make_node("OneHotEncoder", [old], [new], **more) for old, new in pairs))


def chain(nodes: int) -> Model:
    names = ["x", *(f"n{number}" for number in range(nodes - 1)), "y"]
    pairs = itertools.pairwise(names)
    return model(*(helper.make_node("Identity", [old], [new]) for old, new in pairs))


HOSTILE: dict[str, tuple[Callable[[], Model], str]] = {
    "initializer in another file": (lambda: model(initializer=(outside(),)), "another file"),
    "location alone": (lambda: half_declared("external_data"), "another file"),
    "path alone": (lambda: half_declared("data_location"), "another file"),
    "constant in another file": (lambda: constant(value=outside()), "another file"),
    "sparse constant in another file": (lambda: constant(sparse_value=sparse()), "another file"),
    "list of tensors in another file": (lambda: constant(tensors=[outside()]), "another file"),
    "sparse initializer": (
        with_(lambda m: m.graph.sparse_initializer.append(sparse())),
        "another file",
    ),
    "sparse indices": (
        with_(
            lambda m: m.graph.sparse_initializer.append(onnx.SparseTensorProto(indices=outside()))
        ),
        "another file",
    ),
    "constant in a branch": (
        lambda: branching(helper.make_node("Constant", [], ["z"], value=outside())),
        "another file",
    ),
    "foreign operator": (
        lambda: model(helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")),
        "'com.microsoft'",
    ),
    "foreign operator in a branch": (
        lambda: branching(helper.make_node("PyOp", [], ["z"], domain="ai.onnx.contrib")),
        "'ai.onnx.contrib'",
    ),
    "foreign set of operators": (
        with_(lambda m: m.opset_import.append(helper.make_opsetid("my.ops", 1))),
        "'my.ops'",
    ),
    "look-alike domain": (
        lambda: model(helper.make_node("Identity", ["x"], ["y"], domain="ai.onnx.ml ")),
        "'ai.onnx.ml '",
    ),
    "function": (
        with_(
            lambda m: m.functions.append(
                helper.make_function(
                    "",
                    "Identity",
                    ["x"],
                    ["y"],
                    [helper.make_node("Add", ["x", "x"], ["y"])],
                    [helper.make_opsetid("", 17)],
                )
            )
        ),
        "functions",
    ),
    "overload": (lambda: overloaded("mine"), "overloaded"),
    "training": (with_(lambda m: m.training_info.add()), "training"),
    "a path that is empty": (lambda: half_declared("data_location", empty=True), "another file"),
    "a loop": (
        lambda: looping(2**62),
        "graph within",
    ),
    "a branch": (
        lambda: branching(helper.make_node("Identity", ["x"], ["z"])),
        "graph within",
    ),
    "a constant in a branch of its own data": (
        lambda: branching(helper.make_node("Constant", [], ["z"], value_floats=[1.0, 2.0])),
        "'Constant'",
    ),
    "a constant from a node": (
        lambda: constant(value=helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])),
        "'Constant'",
    ),
    "a tensor from a number": (
        lambda: model(
            helper.make_node("ConstantOfShape", ["shape"], ["y"]),
            initializer=(helper.make_tensor("shape", TensorProto.INT64, [1], [2**40]),),
        ),
        "'ConstantOfShape'",
    ),
    "a sparse tensor of its own data": (
        with_(lambda m: m.graph.sparse_initializer.append(large_sparse())),
        "sparse",
    ),
    "a sparse constant of its own data": (lambda: constant(sparse_value=large_sparse()), "sparse"),
    "joined again and again": (lambda: joined(40, "Concat"), "again and again"),
    "added again and again": (lambda: joined(60, "Sum"), "again and again"),
    "encoded again and again": (lambda: encoded(9), "again and again"),
    "too many nodes": (lambda: chain(MOST_NODES + 1), "20,001 nodes"),
    "training with a graph": (
        with_(lambda m: m.training_info.add().algorithm.CopyFrom(graph())),
        "training",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_model_that_is_more_than_arithmetic_is_refused_with_the_reason(case: str) -> None:
    build, word = HOSTILE[case]
    with pytest.raises(Refused) as caught:
        check(build().SerializeToString())
    assert word in caught.value.what
    assert caught.value.fix


@pytest.mark.parametrize(
    "build",
    [
        model,
        lambda: overloaded(""),
        lambda: encoded(1),
        lambda: joined(10, "Concat"),
        lambda: chain(1000),
        lambda: model(helper.make_node("Identity", ["x"], ["y"], domain="ai.onnx")),
        lambda: model(initializer=(helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0]),)),
    ],
    ids=["plain", "overload", "ml", "joined", "chain", "named", "initializer"],
)
def test_a_model_of_its_own_data_passes(build: Callable[[], Model]) -> None:
    check(build().SerializeToString())


def test_an_empty_file_and_one_that_is_too_large_are_refused() -> None:
    with pytest.raises(Refused, match="is an empty file"):
        check(b"")
    with pytest.raises(Refused, match="at most 67,108,864 are loaded"):
        check(bytes(LARGEST + 1))


@pytest.mark.parametrize("operator", sorted(onnx.defs.get_all_schemas(), key=str), ids=str)
def test_no_operator_passes_but_those_that_we_write(operator: onnx.defs.OpSchema) -> None:
    made = model(helper.make_node(operator.name, ["x"], ["y"], domain=operator.domain))
    if (operator.domain, operator.name) in OPERATORS:
        check(made.SerializeToString())
        return
    with pytest.raises(Refused):
        check(made.SerializeToString())


NUMERIC = st.lists(st.booleans(), min_size=1, max_size=6)


@settings(deadline=None, max_examples=25)
@given(NUMERIC, st.sampled_from(FAMILIES), st.integers(2, 6))
def test_whatever_is_converted_passes(numeric: list[bool], family: str, size: int) -> None:
    """Columns of all kinds, few and many bins and leaves."""
    chance = np.random.default_rng(len(numeric))
    columns = [
        chance.normal(size=300) if quantity else chance.integers(0, size, 300)
        for quantity in numeric
    ]
    features = np.column_stack(columns).astype(np.float32)
    parameters: dict[str, dict[str, int | float]] = {
        "logistic_regression": {"bins": size, "inverse_penalty": 1.0},
        "gradient_boosting": {
            "learning_rate": 0.1,
            "iterations": 3,
            "leaves": size,
            "smallest_leaf": 5,
            "l2": 1.0,
        },
        "random_forest": {
            "trees": 3,
            "columns_tried": 0.5,
            "smallest_leaf": 5,
            "leaves": size,
        },
    }
    labels = chance.integers(0, 2, 300)
    check(convert(fit(family, parameters[family], features, labels, numeric), len(numeric)))


@pytest.mark.parametrize("family", FAMILIES)
def test_real_models_pass_and_run(family: str) -> None:
    check(trained(family).model)
    scores = score_matrix(open_session(trained(family).model), matrix()[0])
    assert scores.shape == (2_000,)
    assert ((scores >= 0) & (scores <= 1)).all()


def varint(number: int) -> bytes:
    """A number in the wire format."""
    found = b""
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


def field(number: int, content: bytes, extra: int = 0) -> bytes:
    """A field of bytes in the wire format, its tag raised by `extra`."""
    return varint((number << 3 | 2) + extra) + varint(len(content)) + content


def test_a_field_number_that_only_a_careless_parser_understands_hides_nothing() -> None:
    bare = model()
    bare.ClearField("graph")
    hidden = field(7, model(initializer=(outside(),)).graph.SerializeToString(), extra=1 << 32)
    with pytest.raises(Refused):
        check(bare.SerializeToString() + hidden)


def test_a_field_that_stands_twice_is_looked_at_twice() -> None:
    hostile = model(initializer=(outside(),)).graph.SerializeToString()
    for pair in (
        field(7, hostile) + model().SerializeToString(),
        model().SerializeToString() + field(7, hostile),
    ):
        with pytest.raises(Refused, match="another file"):
            check(pair)


@pytest.mark.parametrize(
    "data",
    [
        b"\x3a",
        b"\x3a\x05ab",
        b"\x80" * 12,
        b"\xff" * 9,
        b"\x0b\x0c",
        b"\x0e\x01",
        b"\x3d\x00",
        b"\x39\x00",
        b"\x3a\xff\xff\xff\xff\x0f",
        field(7, field(1, field(7, b"\xff\xfe"))),
        model().SerializeToString() + field(30, b"anything"),
        model().SerializeToString() + varint(30 << 3) + b"\x01",
        field(7, model().graph.SerializeToString() + field(4, b"a field of old versions")),
        field(
            7,
            field(
                1, helper.make_node("Add", ["x", "x"], ["y"]).SerializeToString() + field(9, b"")
            ),
        ),
        field(7, field(5, TensorProto(name="w", data_type=1, dims=[2**40]).SerializeToString())),
        field(7, field(5, TensorProto(name="w", data_type=1, dims=[-1]).SerializeToString())),
        field(7, field(5, field(1, varint(2**20) + varint(2**20)))),
        varint(7 << 3) + b"\x01",
        field(7, b""),
        b"\x08\x08",
        b"PK\x03\x04",
        b"\x80\x04\x95",
    ],
)
def test_what_is_no_onnx_file_is_refused(data: bytes) -> None:
    with pytest.raises(Refused, match="not an ONNX file"):
        check(data)


def test_a_bomb_of_nested_graphs_is_refused() -> None:
    nested = b""
    for _ in range(5_000):
        nested = field(1, field(5, field(6, nested)))
    with pytest.raises(Refused, match="nested too deeply"):
        check(field(7, nested))


@pytest.mark.parametrize(
    "data",
    [b"", model().SerializeToString()[:-2], b"\x20\x00\x00\x00ORTM" + bytes(100)],
)
def test_what_onnx_runtime_cannot_read_is_refused_and_not_a_crash(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        open_session(data)
    assert "anew" in caught.value.fix


def test_a_model_in_the_own_format_of_the_runtime_is_not_loaded_past_the_look() -> None:
    polyglot = b"\x12\x7f\x00\x00ORTM" + bytes(0x7F - 6)  # to the look: the name of a producer
    with pytest.raises(Refused, match="no graph"):
        check(polyglot)
    both = polyglot + model().SerializeToString()
    check(both)
    [output] = open_session(both).run(["y"], {"x": np.ones((1, 2), np.float32)})
    assert output.tolist() == [[1.0, 1.0]]


def test_an_operator_that_the_runtime_does_not_know_is_refused() -> None:
    with pytest.raises(Refused, match="the operator 'NoSuchOperator'"):
        open_session(model(helper.make_node("NoSuchOperator", ["x"], ["y"])).SerializeToString())
    with pytest.raises(Refused, match="cannot run the model"):
        open_session(model(helper.make_node("Identity", ["z"], ["y"])).SerializeToString())


def hostile(message: Message) -> bool:
    """What the protobuf library finds in a message: the same rules, written another way."""
    if isinstance(message, TensorProto) and (message.external_data or message.data_location):
        return True
    if isinstance(message, onnx.NodeProto) and (message.domain not in DOMAINS or message.overload):
        return True
    if isinstance(message, onnx.NodeProto):
        domain = "" if message.domain == "ai.onnx" else message.domain
        if (domain, message.op_type) not in OPERATORS:
            return True
    if isinstance(message, onnx.SparseTensorProto | onnx.AttributeProto) and (
        isinstance(message, onnx.SparseTensorProto) or message.HasField("g") or message.graphs
    ):
        return True
    if isinstance(message, onnx.OperatorSetIdProto) and message.domain not in DOMAINS:
        return True
    if isinstance(message, Model) and (message.functions or message.training_info):
        return True
    return any(
        hostile(part)
        for described, value in message.ListFields()
        if described.message_type
        for part in (value if described.is_repeated else [value])
    )


# Those that are hostile by a number alone are large, or look harmless piece by piece.
SEEDS = [
    build().SerializeToString()
    for build, word in HOSTILE.values()
    if not re.search("again|nodes", word)
]
SEEDS += [model().SerializeToString()]


def test_the_other_way_of_looking_finds_what_is_hostile() -> None:
    found = [hostile(onnx.load_from_string(seed)) for seed in SEEDS]
    assert found == [True] * (len(SEEDS) - 1) + [False]


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 3),
)
@settings(max_examples=500, deadline=None)
def test_changed_bytes_are_refused_or_harmless(
    seed: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(seed)
    for place, byte in changes:
        data[place % len(data)] = byte
    changed = bytes(data[: len(data) - cut])
    try:
        check(changed)
    except Refused:
        return
    try:
        parsed = onnx.load_from_string(changed)
    except DecodeError:
        return
    assert not hostile(parsed)


@given(st.sampled_from(FAMILIES), st.integers(0), st.integers(0, 7), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_real_model_with_a_flipped_bit_or_cut_short_passes_or_is_refused(
    family: str, place: int, bit: int, cut: bool
) -> None:
    data = bytearray(trained(family).model)
    data[place % len(data)] ^= 1 << bit
    try:
        check(bytes(data[: place % len(data)] if cut else data))
    except Refused as refused:
        assert refused.fix


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_pass_or_are_refused(data: bytes) -> None:
    try:
        check(data)
    except Refused as refused:
        assert refused.fix
