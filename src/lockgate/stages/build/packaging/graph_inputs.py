"""Which inputs a graph needs: those of all its nodes together, but for what the graph itself gives them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.stages.build.packaging.graph import Leaf, Node, Place, Sequence, Switch, Wrong, inner

_ONE_VALUE = ((), (1,))
_SCORES = ("FP32", "FP64")
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)


class GraphInputs:
    """signatures: by leaf as text. `inputs`: in the order in which the graph names their nodes.

    only_switched: inputs that no node takes, and the values that the graph knows of them; they are texts.
    """

    def __init__(self, graph: Node, signatures: Mapping[str, Signature]) -> None:
        self.wrong: list[Wrong] = []
        self.only_switched: dict[str, list[str]] = {}
        self._signatures = signatures
        self._found: dict[str, tuple[Tensor, str]] = {}  # and the node that was the first to name it
        self._switches: list[Switch] = []
        self._needs(graph, frozenset())
        for switch in self._switches:
            self._check_switch(switch)
        told = [Tensor(name, "BYTES", (-1, 1)) for name in self.only_switched]
        self.inputs = (*(tensor for tensor, _ in self._found.values()), *told)

    def _needs(self, node: Node, derived: frozenset[str]) -> set[str]:
        """The names that the nodes below ask for. derived: names that stand for scores."""
        if isinstance(node, Leaf):
            return {self._take(tensor, node, derived) for tensor in self._signatures[str(node)].inputs}
        if isinstance(node, Sequence):
            return self._needs_in_sequence(node, derived)
        needed = {name for one in inner(node) for name in self._needs(one, derived)}
        if isinstance(node, Switch):
            self._switches.append(node)
            if node.field in derived:
                self._wrong((*node.place, "field"), f"{node.field!r} is the score of a node here, an input of requests expected")
            needed.add(node.field)
        return needed

    def _needs_in_sequence(self, node: Sequence, derived: frozenset[str]) -> set[str]:
        needed = self._needs(node.nodes[0], derived)
        for index, one in enumerate(node.nodes[1:], 1):
            asked = self._needs(one, derived | {node.column})
            if node.column not in asked:
                close = difflib.get_close_matches(node.column, asked, 1)
                message = f"{node.column!r} is none of its inputs: {', '.join(sorted(asked))}"
                self.wrong.append(Wrong((*node.place, "sequence", index), message, close[0] if close else None))
            needed |= asked - {node.column}
        return needed

    def _take(self, tensor: Tensor, leaf: Leaf, derived: frozenset[str]) -> str:
        if tensor.name in derived:
            if tensor.datatype not in _SCORES or tensor.shape[1:] not in _ONE_VALUE:
                self._wrong(leaf.place, f"{leaf} takes {_told(tensor)}, which is to be a score; {' or '.join(_SCORES)} expected")
            return tensor.name
        known, first = self._found.setdefault(tensor.name, (tensor, str(leaf)))
        if (known.datatype, known.shape) != (tensor.datatype, tensor.shape):
            self._wrong(leaf.place, f"{leaf} takes {_told(tensor)}, and {first} takes {_told(known)}")
        return tensor.name

    def _check_switch(self, switch: Switch) -> None:
        if switch.field not in self._found:
            values = self.only_switched.setdefault(switch.field, [])
            values += [value for value in switch.cases if value not in values]
            return
        tensor, _ = self._found[switch.field]
        whole = "INT" in tensor.datatype
        if not (whole or tensor.datatype in ("BYTES", "BOOL")) or tensor.shape[1:] not in _ONE_VALUE:
            self._wrong((*switch.place, "field"), f"{_told(tensor)} found; one text, whole number or truth a row expected")
            return
        for value in switch.cases:
            if (whole and not _WHOLE.fullmatch(value)) or (tensor.datatype == "BOOL" and value not in ("true", "false")):
                self.wrong.append(Wrong((*switch.place, "cases", value), f"is never a value of {_told(tensor)}", at_key=True))

    def _wrong(self, place: Place, message: str) -> None:
        self.wrong.append(Wrong(place, message))


def _told(tensor: Tensor) -> str:
    return f"{tensor.name!r} as {tensor.datatype} {list(tensor.shape)}"
