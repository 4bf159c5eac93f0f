"""The private interface of numba and llvmlite that compiling ahead of time needs, all of it: a kernel to LLVM's text to machine code.

Numba promises none of ``CFunc._library.get_llvm_str`` and the names and arguments of its native functions:
``native function(result, exception, arguments...) -> status``. tests/edge_agent/detect/test_ahead.py fails where they change.
"""

from __future__ import annotations

import re
from typing import Any

import llvmlite.binding as llvm
import numba
from numba import carray, types

WANTED = {"x86_64": ("x86_64-unknown-linux-gnu", "x86-64"), "aarch64": ("aarch64-unknown-linux-gnu", "generic")}
"""Triple and processor of each machine: what every one of its kind can do, so that results and code are the same on all."""


def native_ir(function: Any, name: str, arrays: tuple[Any, ...], results: int) -> str:
    """LLVM's text of ``name(result, exception, address 0, length 0, ..., results)``, IEEE 754 and no allocation."""
    options = {"forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    kernel = numba.njit(error_model="numpy", _nrt=False, **options)(function)
    places = range(len(arrays))
    parameters = ", ".join(f"a{i}, n{i}" for i in places)
    views = ", ".join(f"carray(a{i}, n{i})" for i in places)
    takes = "\n".join(f" results[{i}] = found[{i}]" for i in range(results))
    scope: dict[str, Any] = {"kernel": kernel, "carray": carray}
    exec(f"def entry({parameters}, results):\n found = kernel({views})\n{takes}\n", scope)
    kinds = [kind for dtype in arrays for kind in (types.CPointer(numba.from_dtype(dtype)), types.intp)]
    compiled = numba.cfunc(types.void(*kinds, types.CPointer(types.int64)), error_model="numpy")(scope["entry"])
    text: str = compiled._library.get_llvm_str()
    native = compiled.native_name.removeprefix("cfunc.")
    if native == compiled.native_name or f"@{native}(" not in text:
        raise SystemExit(f"numba {numba.__version__} names native functions otherwise: adapt {__file__}")
    if found := re.search(r"\b(fast|contract|reassoc|nnan|llvm\.fma|llvm\.fmuladd)\b.*", text):
        raise SystemExit(f"{name}: not the same on every machine: {found.group()}")
    return text.replace(native, name)


def machine_code(texts: dict[str, str], machine: str) -> bytes:
    """An object file with the functions named, and no other, from their texts."""
    triple, processor = WANTED[machine]
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(triple).create_target_machine(cpu=processor, features="", opt=3, reloc="pic")
    whole = None
    for name, text in texts.items():
        body = re.sub(r"^target (datalayout|triple) = .*$", "", text, flags=re.MULTILINE)
        head = f'target datalayout = "{target.target_data}"\ntarget triple = "{triple}"\n'
        module = llvm.parse_assembly(head + body)
        for each in (*module.functions, *module.global_variables):
            if not each.is_declaration and each.name != name:
                each.linkage = "internal"
        passes = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(3)).getModulePassManager()
        passes.run(module, llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(3)))
        if whole is None:
            whole = module
        else:
            whole.link_in(module)
    assert whole is not None
    whole.verify()
    code: bytes = target.emit_object(whole)
    return code
