"""A fetched version as an ONNX file, in double precision: its scores are the same numbers.

Of numeric features alone: a text's words are split by rules that ONNX has no operator for. The
graph is written here and not by a converter, which would compute in single precision and knows no
cap.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tasks import disk
from tasks.arrays import Floats
from tasks.classifier import adopted, platt
from tasks.classifier.calibrators import calibrator_of
from tasks.classifier.encoding import scaler_of
from tasks.errors import Final
from tasks.scoring.fetched_model import FetchedModel

_OPSET, _IR = 18, 9  # what runtimes since 2023 read


class NotExported(Final):
    """A version that has no ONNX file: names what stands against it."""


def write_onnx(fetched: FetchedModel, path: str | Path) -> None:
    """Write a version as an ONNX file; needs the package `onnx`.

    Its input `rows` has the shape (n, d), in doubles: the features in the order that the metadata
    names. `decision` has the shape (n, 1) of two classes, else (n, k). `probabilities`, (n, k), is
    there if `calibration.method` is `sigmoid`, or of two classes `temperature`.

    Raises
    ------
    NotExported
        If not all features are numbers, or it was fit elsewhere.
    tasks.disk.Unusable
        If the file cannot be written.
    """
    from onnx import TensorProto, helper, save_model

    texts = [*fetched.features.categorical, *fetched.features.text]
    if texts:
        raise NotExported(
            f"{fetched.model} version {fetched.version} has no ONNX file: {', '.join(texts)} are "
            "not numbers; score with Python, or train without them"
        )
    if adopted.adopted_pipeline(fetched.calibrated) is not None:
        raise NotExported(
            f"{fetched.model} version {fetched.version} has no ONNX file: it was fit elsewhere and "
            "adopted; convert it there, or score with Python"
        )
    graph = _Graph()
    pipeline = fetched.calibrated.estimator
    model, (scaler, cap) = pipeline[-1], scaler_of(pipeline[0].transformers_[0][1])
    rows = "rows"
    if cap is not None:
        # Beyond its cap a number counts as if it lay there. What is infinite or missing makes the
        # score no number, where Python refuses it: x - x is 0 for any other x.
        endless = graph.add("Sub", rows, rows)
        rows = graph.add("Min", rows, graph.keep(scaler.mean_ + cap * scaler.scale_))
        rows = graph.add("Max", rows, graph.keep(scaler.mean_ - cap * scaler.scale_))
        rows = graph.add("Add", rows, endless)
    centred = graph.add("Sub", rows, graph.keep(scaler.mean_))
    weighed = graph.add("MatMul", centred, graph.keep((model.coef_ / scaler.scale_).T))
    graph.add("Add", weighed, graph.keep(np.atleast_1d(model.intercept_)), output="decision")
    sizes = {"decision": len(model.coef_)}
    if (line := _line(fetched.calibrated)) is not None:
        _probabilities(graph, *line)
        sizes["probabilities"] = len(fetched.classes)
    kind = TensorProto.DOUBLE
    names = scaler.feature_names_in_.tolist()
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            fetched.model,
            [helper.make_tensor_value_info("rows", kind, ["n", len(names)])],
            [helper.make_tensor_value_info(name, kind, ["n", k]) for name, k in sizes.items()],
            graph.kept,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
        producer_name="gatelatch",
    )
    told = {
        "model": fetched.model,
        "version": str(fetched.version),
        "artifact_digest": fetched.artifact_digest,
        "features": ",".join(names),
        "classes": ",".join(map(str, fetched.classes)),
    }
    helper.set_model_props(made, told)
    with disk.whole(Path(path), "the ONNX file") as file:
        save_model(made, str(file))


def _line(calibrated: Any) -> tuple[Floats, Floats] | None:
    """Return a and b of p = 1 / (1 + exp(a·f + b)), of each column; None if it is no such p."""
    learnt = calibrated.calibrated_classifiers_[0].calibrators
    if calibrated.method == "sigmoid":
        pairs = [platt.sigmoid(one) for one in learnt]
    elif len(calibrated.classes_) == 2 and (found := calibrator_of(calibrated).sigmoid(learnt)):
        pairs = [found]
    else:
        return None
    return np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])


def _probabilities(graph: _Graph, a: Floats, b: Floats) -> None:
    scaled = graph.add("Mul", "decision", graph.keep(-a))
    each = graph.add("Sigmoid", graph.add("Sub", scaled, graph.keep(b)))
    if len(a) == 1:
        other = graph.add("Sub", graph.keep(np.ones(1)), each)
        graph.add("Concat", other, each, output="probabilities", axis=1)
        return
    total = graph.add("ReduceSum", each, graph.keep(np.array([1])), keepdims=1)
    share = graph.add("Div", each, total)
    even = graph.keep(np.full(len(a), 1 / len(a)))
    graph.add(
        "Where",
        graph.add("Equal", total, graph.keep(np.zeros(1))),
        even,
        share,
        output="probabilities",
    )


class _Graph:
    """Nodes and constants of an ONNX graph, in the order in which they were added."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.kept: list[Any] = []

    def keep(self, value: Any) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.kept)}"
        self.kept.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output
