# SPDX-License-Identifier: GPL-3.0-or-later
"""Inner loops for the CPU that no library offers, described in Python and compiled by LLVM.

A ``Kernel`` is a function under construction: its values know the arithmetic operators, and every operation
becomes an instruction of LLVM's intermediate language. LLVM translates it for this very machine; the result is
kept in the cache, so that a process starts with it in a millisecond. A compiled kernel works on the caller's
arrays in place and leaves Python's lock free, so that threads run it side by side.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Union

import llvmlite
import numpy as np
from llvmlite import binding, ir

from keywarp.core.runtime.cache import cached_folder, content_hash
from keywarp.keyframes.errors import KeywarpError

FLOAT, BYTE, INT, INDEX = ir.FloatType(), ir.IntType(8), ir.IntType(32), ir.IntType(64)
FLOATS, BYTES = FLOAT.as_pointer(), BYTE.as_pointer()
_ARGUMENTS: dict[Any, Any] = {
    FLOAT: ctypes.c_float,
    INDEX: ctypes.c_int64,
    FLOATS: ctypes.c_void_p,
    BYTES: ctypes.c_void_p,
}

Operand = Union["Value", int, float]
#: A compiled kernel: numbers for FLOAT and INDEX, arrays for FLOATS (float32) and BYTES (uint8).
Compiled = Callable[..., None]


_building = threading.Lock()


def built_once(build: Callable[..., Compiled]) -> Callable[..., Compiled]:
    """A function that makes a kernel, so that it does so once for the same arguments, whoever asks first."""
    kept = cache(build)

    def get(*arguments: Any) -> Compiled:
        with _building:
            return kept(*arguments)

    return get


class Value:
    """A number, a vector of numbers, or an address, while a kernel runs."""

    def __init__(self, kernel: Kernel, value: Any) -> None:
        self.kernel, self.value = kernel, value

    @property
    def type(self) -> Any:
        return self.value.type

    def _binary(self, other: Operand, of_floats: str, of_ints: str, swapped: bool = False) -> Value:
        a, b = self.value, self.kernel.like(other, self).value
        name = of_floats if _element(self.type) == FLOAT else of_ints
        return Value(self.kernel, getattr(self.kernel.builder, name)(*((b, a) if swapped else (a, b))))

    def __add__(self, other: Operand) -> Value:
        return self._binary(other, "fadd", "add")

    def __sub__(self, other: Operand) -> Value:
        return self._binary(other, "fsub", "sub")

    def __rsub__(self, other: Operand) -> Value:
        return self._binary(other, "fsub", "sub", swapped=True)

    def __mul__(self, other: Operand) -> Value:
        return self._binary(other, "fmul", "mul")

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Operand) -> Value:
        return self._binary(other, "fdiv", "sdiv")

    def __rtruediv__(self, other: Operand) -> Value:
        return self._binary(other, "fdiv", "sdiv", swapped=True)

    def __floordiv__(self, other: int) -> Value:
        """Of whole numbers that are not negative."""
        return self._binary(other, "fdiv", "udiv")

    def __xor__(self, other: Operand) -> Value:
        return self._binary(other, "xor", "xor")

    def __or__(self, other: Operand) -> Value:
        return self._binary(other, "or_", "or_")

    def __lshift__(self, other: int) -> Value:
        return self._binary(other, "shl", "shl")

    def __getitem__(self, i: int) -> Value:
        """One number of a vector."""
        return Value(self.kernel, self.kernel.builder.extract_element(self.value, ir.Constant(INT, i)))

    def part(self, *lanes: int) -> Value:
        """The vector of these lanes, in this order; one lane may be taken several times."""
        none = ir.Constant(self.type, ir.Undefined)
        mask = ir.Constant(ir.VectorType(INT, len(lanes)), list(lanes))
        return Value(self.kernel, self.kernel.builder.shuffle_vector(self.value, none, mask))

    def joined(self, other: Value) -> Value:
        """This vector and, behind it, another one of the same length."""
        mask = ir.Constant(ir.VectorType(INT, 2 * self.type.count), list(range(2 * self.type.count)))
        return Value(self.kernel, self.kernel.builder.shuffle_vector(self.value, other.value, mask))

    def spread(self, count: int) -> Value:
        """A vector of ``count`` times this number."""
        empty = ir.Constant(ir.VectorType(self.type, count), ir.Undefined)
        first = self.kernel.builder.insert_element(empty, self.value, ir.Constant(INT, 0))
        return Value(self.kernel, first).part(*[0] * count)

    def total(self) -> Value:
        """The sum of a vector's numbers, whose count is a power of two, added in pairs."""
        total, half = self, self.type.count // 2
        while half:
            total, half = total.part(*range(half)) + total.part(*range(half, 2 * half)), half // 2
        return total[0]

    def floor(self) -> Value:
        return self.kernel.intrinsic("floor", self)

    def nearest(self) -> Value:
        """Rounded to the nearest whole number, halves to even."""
        return self.kernel.intrinsic("nearbyint", self)

    def clamped(self, low: Operand, high: Operand) -> Value:
        k = self.kernel
        return k.intrinsic("minnum", k.intrinsic("maxnum", self, k.like(low, self)), k.like(high, self))

    def as_int(self) -> Value:
        """32-bit whole numbers, cut towards 0."""
        return Value(self.kernel, self.kernel.builder.fptosi(self.value, _with_element(self.type, INT)))

    def as_byte(self) -> Value:
        """The lowest eight bits of whole numbers."""
        return Value(self.kernel, self.kernel.builder.trunc(self.value, _with_element(self.type, BYTE)))

    def as_short(self) -> Value:
        """A 32-bit whole number from a 64-bit one."""
        return Value(self.kernel, self.kernel.builder.trunc(self.value, INT))

    def as_word(self) -> Value:
        """A 32-bit whole number from a byte."""
        return Value(self.kernel, self.kernel.builder.zext(self.value, INT))

    def as_index(self) -> Value:
        """A 64-bit whole number from a smaller one that is not negative."""
        return Value(self.kernel, self.kernel.builder.zext(self.value, INDEX))

    def as_float(self) -> Value:
        """A floating point number from a whole one."""
        return Value(self.kernel, self.kernel.builder.sitofp(self.value, FLOAT))

    def bits(self, element: Any) -> Value:
        """The same bits, read as another type of the same size."""
        return Value(self.kernel, self.kernel.builder.bitcast(self.value, _with_element(self.type, element)))


class Kernel:
    """A function under construction."""

    def __init__(self, name: str, *parameters: Any) -> None:
        """``parameters``: FLOATS, BYTES, FLOAT or INDEX. What is written must overlap nothing else."""
        self.name, self._parameters = name, parameters
        self._module = ir.Module(name)
        self._function = ir.Function(self._module, ir.FunctionType(ir.VoidType(), parameters), name)
        self.builder = ir.IRBuilder(self._function.append_basic_block())
        for argument in self._function.args:
            if argument.type.is_pointer:
                argument.add_attribute("noalias")
        self.arguments = [Value(self, argument) for argument in self._function.args]

    def like(self, x: Operand, model: Value) -> Value:
        """``x``, where it is a plain number, as a constant of the model's type."""
        if isinstance(x, Value):
            return x
        if isinstance(model.type, ir.VectorType):
            return Value(self, ir.Constant(model.type, [x] * model.type.count))
        return Value(self, ir.Constant(model.type, x))

    def index(self, x: int) -> Value:
        return Value(self, ir.Constant(INDEX, x))

    def vector(self, numbers: list[float]) -> Value:
        return Value(self, ir.Constant(ir.VectorType(FLOAT, len(numbers)), numbers))

    def intrinsic(self, name: str, *values: Value) -> Value:
        """One of LLVM's own functions on values of one type."""
        of = values[0].type
        count = f"v{of.count}" if isinstance(of, ir.VectorType) else ""
        full = f"llvm.{name}.{count}{_element(of).intrinsic_name}"
        function = self._module.globals.get(full)
        if function is None:
            function = ir.Function(self._module, ir.FunctionType(of, [of] * len(values)), full)
        return Value(self, self.builder.call(function, [x.value for x in values]))

    def multiply_add(self, a: Value, b: Operand, c: Operand) -> Value:
        """a * b + c, rounded once."""
        return self.intrinsic("fma", a, self.like(b, a), self.like(c, a))

    def blend(self, a: Value, b: Value, share: Operand) -> Value:
        """a where ``share`` is 0, b where it is 1."""
        return self.multiply_add(b - a, share, a)

    def load(self, address: Value, at: Value, count: int = 1) -> Value:
        """The number at an index, or a vector of several from there on."""
        place = self.builder.gep(address.value, [at.value])
        if count == 1:
            return Value(self, self.builder.load(place))
        vector = ir.VectorType(address.type.pointee, count)
        place = self.builder.bitcast(place, vector.as_pointer())
        return Value(self, self.builder.load(place, align=_size(address.type.pointee)))

    def store(self, x: Value, address: Value, at: Value, aside: bool = False) -> None:
        """Write a number, or a vector, at an index.

        ``aside``: past the caches, for what nobody reads soon; such a vector must begin at a multiple of its size.
        """
        place = self.builder.gep(address.value, [at.value])
        place = self.builder.bitcast(place, x.type.as_pointer())
        lanes = x.type.count if aside else 1
        store = self.builder.store(x.value, place, align=_size(address.type.pointee) * lanes)
        if aside:
            store.set_metadata("nontemporal", self._module.add_metadata([ir.Constant(INT, 1)]))

    def fetch(self, address: Value, at: Value) -> None:
        """Bring what stands at an index, which need not exist, into the caches for reading it soon."""
        place = self.builder.gep(address.value, [at.value])
        place = self.builder.bitcast(place, BYTES)
        kind = ir.FunctionType(ir.VoidType(), [BYTES, INT, INT, INT])
        function = self._module.globals.get("llvm.prefetch.p0")
        if function is None:
            function = ir.Function(self._module, kind, "llvm.prefetch.p0")
        self.builder.call(function, [place, *(ir.Constant(INT, x) for x in (0, 3, 1))])

    def where(self, a: Value, comparison: str, b: Operand, yes: Value, no: Value) -> Value:
        """One of two values by a comparison (<, <=, ==, ...) of whole numbers."""
        test = self.builder.icmp_signed(comparison, a.value, self.like(b, a).value)
        return Value(self, self.builder.select(test, yes.value, no.value))

    @contextmanager
    def only_if(self, a: Value, comparison: str, b: Operand) -> Iterator[None]:
        """What is built inside happens where the comparison of whole numbers holds."""
        test = self.builder.icmp_signed(comparison, a.value, self.like(b, a).value)
        with self.builder.if_then(test):
            yield

    @contextmanager
    def loop(self, first: Operand, end: Operand, step: int = 1) -> Iterator[Value]:
        """What is built inside happens for each index from ``first`` on, below ``end``."""
        builder, zero = self.builder, self.index(0)
        begin, stop = self.like(first, zero), self.like(end, zero)
        before = builder.block
        head, body, after = (self._function.append_basic_block() for _ in range(3))
        builder.branch(head)
        builder.position_at_end(head)
        i = builder.phi(INDEX)
        i.add_incoming(begin.value, before)
        builder.cbranch(builder.icmp_signed("<", i, stop.value), body, after)
        builder.position_at_end(body)
        yield Value(self, i)
        i.add_incoming(builder.add(i, ir.Constant(INDEX, step)), builder.block)
        builder.branch(head)
        builder.position_at_end(after)

    def compiled(self) -> Compiled:
        """The finished function, for this machine; nothing may be added to it any more."""
        self.builder.ret_void()
        address = _load(_object_code(str(self._module)), self.name)
        function = ctypes.CFUNCTYPE(None, *(_ARGUMENTS[x] for x in self._parameters))(address)
        kinds: list[np.dtype[Any] | None] = [_ARRAYS.get(x) for x in self._parameters]

        def call(*arguments: Any) -> None:
            function(*(x if kind is None else _address(x, kind) for x, kind in zip(arguments, kinds)))

        return call


_ARRAYS: dict[Any, np.dtype[Any]] = {FLOATS: np.dtype(np.float32), BYTES: np.dtype(np.uint8)}


def _address(array: Any, dtype: np.dtype[Any]) -> int:
    """Where an array begins; the kernel is told separately how its rows lie."""
    if array.dtype != dtype:
        raise TypeError(f"expected {dtype}, got {array.dtype}")
    return int(array.__array_interface__["data"][0])


def _element(of: Any) -> Any:
    return of.element if isinstance(of, ir.VectorType) else of


def _with_element(of: Any, element: Any) -> Any:
    return ir.VectorType(element, of.count) if isinstance(of, ir.VectorType) else element


def _size(of: Any) -> int:
    return 4 if of == FLOAT else int(of.width) // 8


def _machine() -> tuple[str, str]:
    """This machine's processor and what it can do."""
    return binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()


def _object_code(text: str) -> bytes:
    """Machine code for a module of LLVM's language, from the cache where it was made before."""
    versions = f"{llvmlite.__version__} {binding.llvm_version_info} {_machine()}"
    key = content_hash([text.encode(), versions.encode()])
    try:
        folder = cached_folder(f"kernels-{key}", lambda new: _write(new / "code", _translated(text)))
        return (folder / "code").read_bytes()
    except (KeywarpError, OSError):  # kernels work without a cache; a process then starts a little later
        return _translated(text)


def _write(path: Path, code: bytes) -> None:
    path.write_bytes(code)


def _translated(text: str) -> bytes:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    module = binding.parse_assembly(text)
    module.verify()
    cpu, features = _machine()
    target = binding.Target.from_default_triple().create_target_machine(cpu=cpu, features=features, opt=3)
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_unrolling = False
    passes = binding.create_pass_builder(target, options)
    passes.getModulePassManager().run(module, passes)
    code: bytes = target.emit_object(module)
    return code


_loaded: list[Any] = []
"""Engines own the memory of the code that they loaded."""


def _load(code: bytes, name: str) -> int:
    """The address of the function ``name`` in the machine code."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple().create_target_machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), target)
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _loaded.append(engine)
    return int(engine.get_function_address(name))
