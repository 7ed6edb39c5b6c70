"""Layers merged into the convolutions before them: the same function in fewer passes."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pspgui.inference.packing import PackedConvolution, can_pack

_ADDITIONS = (operator.add, operator.iadd, torch.add)
_NOTHING: tuple[str, tuple[float, ...]] = ("none", ())
_ACTIVATIONS: dict[Any, tuple[str, tuple[float, ...]]] = {
    nn.ReLU: ("relu", ()),
    nn.ReLU6: ("hardtanh", (0.0, 6.0)),
    nn.Hardswish: ("hardswish", ()),
    nn.SiLU: ("swish", ()),
    nn.Sigmoid: ("sigmoid", ()),
    nn.Hardsigmoid: ("hardsigmoid", ()),
    F.relu: ("relu", ()),
    torch.relu: ("relu", ()),
}


def fuse_batch_norms(module: nn.Module) -> None:
    """Fold every batch norm registered right after a convolution into it, in place.

    The networks here register layers in the order they run, which is what makes this right; the
    norm's place is taken by an identity. Evaluation mode only.
    """
    before: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        if before and isinstance(before[1], nn.Conv2d) and isinstance(child, nn.BatchNorm2d):
            setattr(module, before[0], fuse_conv_bn_eval(before[1], child))
            setattr(module, name, nn.Identity())
        else:
            fuse_batch_norms(child)
        before = name, child


def lowered(trunk: nn.Module, dtype: torch.dtype, *, pack: bool) -> nn.Module:
    """Return a trunk in evaluation mode as it runs fastest in a dtype, taking its weights over.

    Closing 1x1 convolutions, which no other convolution reads, and what follows them stay float32:
    logits rounded to eight bits would tie. pack: for the CPU, merge additions and activations into
    convolutions with weights laid out once. A trunk whose Python code depends on the image's
    values or size cannot be traced, and runs layer by layer instead.
    """
    graph = _traced(trunk)
    if graph is None:
        # torch's stub knows no memory format together with a dtype.
        return trunk.to(dtype).to(memory_format=torch.channels_last)
    _simplify(graph)
    endings = _endings(graph) if dtype != torch.float32 else set()
    for name, layer in list(graph.named_modules()):
        if not any(True for _ in layer.children()) and name not in endings:
            layer.to(dtype=dtype)
    _widen(graph, endings)
    if pack and can_pack(dtype):
        _Packing(graph, dtype).apply()
    else:
        graph.to(memory_format=torch.channels_last)
    graph.recompile()
    graph.delete_all_unused_submodules()
    # The graph holds its module, which holds it: weights would stay until garbage is collected.
    graph.graph.owning_module = None
    return graph


# fx puts itself between all modules and their callers for as long as it traces, and takes back
# what it found there: two at once would leave the first one's in place for good.
_tracing = threading.Lock()


class _Tracer(fx.Tracer):
    """Traces through slices of a Sequential, which are modules that nobody registered.

    What other threads run meanwhile is let through as it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:  # fmt: skip
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def let_go(self) -> None:
        """Forget the trunk: it and the proxies hold each other. Other threads may still ask."""
        thread = self._thread
        vars(self).clear()
        self._thread, self._autowrap_function_ids = thread, set[int]()

    def path_of_module(self, mod: nn.Module) -> str:
        try:
            return super().path_of_module(mod)
        except NameError:
            if isinstance(mod, nn.Sequential):
                return ""
            raise


def _traced(trunk: nn.Module) -> fx.GraphModule | None:
    tracer = _Tracer()
    try:
        with _tracing:
            return fx.GraphModule(trunk, tracer.trace(trunk))
    # Whatever the network's own code raises when it is handed symbols instead of numbers.
    except Exception:
        return None
    finally:
        tracer.let_go()


def _simplify(graph: fx.GraphModule) -> None:
    """Make functional convolutions modules, and drop layers that do nothing in use."""
    idle = (nn.Identity, nn.Dropout, nn.Dropout2d)
    for node in list(graph.graph.nodes):
        if node.op == "call_module" and isinstance(graph.get_submodule(node.target), idle):
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
        elif node.op == "call_function" and node.target in (F.conv2d, torch.conv2d):
            _as_module(graph, node)


def _as_module(graph: fx.GraphModule, node: fx.Node) -> None:
    """Replace a functional convolution with a weight of the trunk's own, and only padding, by one.

    Any other stays what it is.
    """
    plain = len(node.args) == 2 and set(node.kwargs) <= {"padding"}
    weight = node.args[1] if plain else None
    if not isinstance(weight, fx.Node) or weight.op != "get_attr":
        return
    values: Tensor = operator.attrgetter(str(weight.target))(graph)
    outputs, inputs, *kernel = values.shape
    padding: Any = node.kwargs.get("padding", 0)
    with torch.device("meta"):
        layer = nn.Conv2d(inputs, outputs, (kernel[0], kernel[1]), padding=padding, bias=False)
    layer.weight = nn.Parameter(values.detach(), requires_grad=False)
    name = f"{node.name}_layer"
    graph.add_module(name, layer)
    with graph.graph.inserting_before(node):
        new = graph.graph.call_module(name, (node.args[0],))
    node.replace_all_uses_with(new)
    graph.graph.erase_node(node)
    graph.graph.erase_node(weight)


def _is_convolution(graph: fx.GraphModule, node: Any) -> bool:
    return (
        isinstance(node, fx.Node)
        and node.op == "call_module"
        and isinstance(graph.get_submodule(str(node.target)), nn.Conv2d)
    )


def _endings(graph: fx.GraphModule) -> set[str]:
    """Return the layers from the closing 1x1 convolutions on."""
    read: set[fx.Node] = set()
    for node in reversed(graph.graph.nodes):
        if any(u in read or _is_convolution(graph, u) for u in node.users):
            read.add(node)
    after: set[fx.Node] = set()
    for node in graph.graph.nodes:
        closing = (
            node not in read
            and _is_convolution(graph, node)
            and graph.get_submodule(node.target).kernel_size == (1, 1)
        )
        if closing or any(i in after for i in node.all_input_nodes):
            after.add(node)
    return {str(node.target) for node in after if node.op == "call_module"}


def _widen(graph: fx.GraphModule, endings: set[str]) -> None:
    """Bring what the closing layers read to float32."""
    for node in list(graph.graph.nodes):
        if node.op == "call_module" and node.target in endings:
            with graph.graph.inserting_before(node):
                wide = graph.graph.call_method("float", (node.args[0],))
            node.replace_input_with(node.args[0], wide)


class _Packing:
    """Replaces convolutions, with the addition and activation after them, by packed ones."""

    def __init__(self, graph: fx.GraphModule, dtype: torch.dtype) -> None:
        self._module, self._graph, self._dtype = graph, graph.graph, dtype

    def apply(self) -> None:
        for node in list(self._graph.nodes):
            if _is_convolution(self._module, node):
                layer = self._module.get_submodule(node.target)
                assert isinstance(layer, nn.Conv2d)
                shared = sum(n.target == node.target for n in self._graph.nodes) > 1
                if layer.padding_mode == "zeros" and layer.padding != "same" and not shared:
                    self._replace(node, layer)

    def _replace(self, node: fx.Node, layer: nn.Conv2d) -> None:
        last, other = node, None
        total = self._addition(node)
        if total is not None:
            other = next(i for i in total.all_input_nodes if i is not node)
            last = total
        name, limits = _NOTHING
        act = self._activation(last)
        # oneDNN is asked for bounded activations only right after the convolution.
        if act is not None and (other is None or act[1][0] == "relu"):
            last, (name, limits) = act
        packed = PackedConvolution(layer, layer.weight.dtype, name, limits)
        self._module.add_module(f"{node.name}_packed", packed)
        # In the convolution's place: later, an in-place layer may have changed what it reads.
        with self._graph.inserting_before(node):
            arguments = (node.args[0],) if other is None else (node.args[0], other)
            new = self._graph.call_module(f"{node.name}_packed", arguments)
        last.replace_all_uses_with(new)
        while last is not node:
            before = node if last is total else (total or node)
            self._graph.erase_node(last)
            last = before
        self._graph.erase_node(node)

    def _addition(self, node: fx.Node) -> fx.Node | None:
        """Return the addition right after a convolution to a map of the same size, if any.

        Right after, so that nothing that writes in place comes in between.
        """
        total = self._only_user(node)
        if total is None or total is not node.next or total.op != "call_function":
            return None
        inputs = [a for a in total.args if isinstance(a, fx.Node)]
        fits = total.target in _ADDITIONS and len(total.args) == 2 and not total.kwargs
        if not fits or len(set(inputs)) != 2:
            return None
        other = inputs[1] if inputs[0] is node else inputs[0]
        # Written in place, a map that others read too must change for them as well.
        if total.target is operator.iadd and inputs[0] is other and len(other.users) > 1:
            return None
        return total if self._is_map(other) else None

    def _is_map(self, node: fx.Node) -> bool:
        """Whether a node is surely a map and not, say, a number taken from a shape."""
        return node.op == "call_module" or node.target in (F.relu, torch.relu)

    def _activation(
        self, node: fx.Node
    ) -> tuple[fx.Node, tuple[str, tuple[float, ...]]] | None:
        user = self._only_user(node)
        if user is None:
            return None
        kind: Callable[..., Any] | type | None = None
        if user.op == "call_module":
            kind = type(self._module.get_submodule(str(user.target)))
        elif user.op == "call_function":
            kind = user.target if callable(user.target) else None
        known = _ACTIVATIONS.get(kind)
        return None if known is None else (user, known)

    @staticmethod
    def _only_user(node: fx.Node) -> fx.Node | None:
        return next(iter(node.users)) if len(node.users) == 1 else None
