# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""How many of the ONNX project's backend tests are computed, and how many refused, by operator.

``(not known)`` are operators that the importer does not know, ``(several)`` models of more than one node. The outcomes
are those of :mod:`tests.graph.test_onnx_backend`, which prints the new table when it differs.
"""

__all__ = ["COUNTS", "LOCKED"]

LOCKED = "1.21.0"
"""Of onnx in requirements.lock: :data:`COUNTS` are for this version."""

COUNTS = {
    "node": """
(not known): 1303 unsupported
Add: 1 integers, 7 refused
AveragePool: 6 float, 7 integers, 7 refused
BatchNormalization: 2 integers, 2 refused
Cast: 116 refused
Clip: 1 integers, 11 refused
Concat: 12 refused
Constant: 1 refused
ConstantOfShape: 3 refused
Conv: 6 integers
DequantizeLinear: 14 refused
Div: 1 integers, 9 refused
Dropout: 2 old, 10 refused
Flatten: 6 refused, 3 shapes
Gather: 4 refused
Gemm: 8 integers, 3 refused
GlobalAveragePool: 2 integers
GlobalMaxPool: 2 integers
Identity: 5 refused
MatMul: 1 integers, 6 refused
MaxPool: 11 integers, 8 refused
Mul: 1 integers, 8 refused
Pad: 6 refused
QuantizeLinear: 13 refused
ReduceMean: 8 refused
Relu: 1 integers
Reshape: 4 refused, 6 shapes
Shape: 11 refused
Slice: 8 refused
Softmax: 5 refused, 2 shapes
Squeeze: 1 refused, 1 shapes
Sub: 1 integers, 8 refused
Transpose: 6 refused, 1 shapes
Unsqueeze: 1 refused, 6 shapes
""",
    "pytorch-converted": """
(not known): 23 unsupported
(several): 3 integers, 3 refused
AveragePool: 2 integers, 3 refused
BatchNormalization: 2 float, 3 integers
Conv: 5 float, 14 integers, 7 refused
Gather: 2 refused
Gemm: 1 integers
MaxPool: 3 integers, 5 refused
Pad: 2 refused
Relu: 1 integers
Softmax: 1 refused, 2 shapes
""",
    "pytorch-operator": """
(not known): 16 unsupported
(several): 2 integers, 4 refused
Add: 3 integers, 1 refused
Concat: 1 refused
Conv: 1 integers
Flatten: 1 refused, 1 shapes
MaxPool: 1 integers
Pad: 1 refused
ReduceMean: 2 refused
Transpose: 1 refused
""",
}
