"""A small writer of ONNX graphs: nodes and initializers are appended, value names come back.

Large initializers can be moved to external-data files of a bounded size (each initializer wholly in one file).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CONTRIB = "com.microsoft"
EXTERNAL_FROM_BYTES = 1024


class OnnxGraph:
    """Collects nodes, inputs, outputs and initializers, then saves one model."""

    def __init__(self, name: str):
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.initializers: dict[str, np.ndarray] = {}
        self._counter = 0

    def input(self, name: str, element_type: int, shape: list[int | str]) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, element_type, shape))
        return name

    def output(self, name: str, element_type: int, shape: list[int | str]) -> str:
        self.outputs.append(helper.make_tensor_value_info(name, element_type, shape))
        return name

    def constant(self, name: str, value: np.ndarray) -> str:
        """Adds an initializer once; asking again with the same name returns it."""
        if name not in self.initializers:
            self.initializers[name] = np.ascontiguousarray(value)
        return name

    def node(self, op: str, inputs: list[str], outputs: int | list[str] = 1, domain: str = "", **attributes):
        """Appends a node. `outputs` is a count (names are made) or the names. Returns one name or a list."""
        if isinstance(outputs, int):
            self._counter += 1
            names = [f"{op}_{self._counter}" + (f"_{i}" if i else "") for i in range(outputs)]
        else:
            names = outputs
        attributes = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(op, inputs, names, domain=domain, name=f"{op}/{names[0]}", **attributes))
        present = [name for name in names if name]
        return present[0] if len(present) == 1 else names

    def contrib(self, op: str, inputs: list[str], outputs: int | list[str] = 1, **attributes):
        return self.node(op, inputs, outputs, CONTRIB, **attributes)

    def save(self, path: Path, opset: int, piece_bytes: int | None = None) -> list[Path]:
        """Writes the model; with `piece_bytes` large initializers go to `<stem>.data.N` files no larger than that.

        Returns all files written. Raises ValueError when one initializer alone exceeds `piece_bytes`.
        """
        pieces: list[bytearray] = []
        protos = []
        for name, value in self.initializers.items():
            proto = numpy_helper.from_array(value, name)
            if piece_bytes is not None and value.nbytes >= EXTERNAL_FROM_BYTES:
                if value.nbytes > piece_bytes:
                    raise ValueError(f"initializer {name} has {value.nbytes} bytes, more than the piece size {piece_bytes}")
                index = next((i for i, piece in enumerate(pieces) if _aligned(len(piece)) + value.nbytes <= piece_bytes), None)
                if index is None:
                    pieces.append(bytearray())
                    index = len(pieces) - 1
                piece = pieces[index]
                piece.extend(bytes(_aligned(len(piece)) - len(piece)))
                offset = len(piece)
                piece.extend(proto.raw_data)
                location = f"{path.name}.data.{index}"
                proto.ClearField("raw_data")
                proto.data_location = TensorProto.EXTERNAL
                for key, text in (("location", location), ("offset", offset), ("length", value.nbytes)):
                    proto.external_data.add(key=key, value=str(text))
            protos.append(proto)
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, protos)
        opsets = [helper.make_opsetid("", opset)]
        if any(node.domain == CONTRIB for node in self.nodes):
            opsets.append(helper.make_opsetid(CONTRIB, 1))
        model = helper.make_model(graph, opset_imports=opsets, producer_name="millrace", ir_version=8)
        path.write_bytes(model.SerializeToString(deterministic=True))
        files = [path]
        for index, piece in enumerate(pieces):
            files.append(path.with_name(f"{path.name}.data.{index}"))
            files[-1].write_bytes(piece)
        return files


def _aligned(offset: int, alignment: int = 64) -> int:
    return (offset + alignment - 1) // alignment * alignment
