"""Types of values and their exact conversions."""
from svod.dtype.convert import (
    bitcast_array,
    convert,
    convert_array,
    decode,
    decode_array,
    encode,
    encode_array,
    from_numpy,
    numpy_dtype,
    round_to,
    wrap,
)
from svod.dtype.dtypes import AddrSpace, DType, FloatFormat, Kind, PtrDType, dtypes
from svod.dtype.promote import promote, weak

__all__ = [
    "AddrSpace",
    "DType",
    "FloatFormat",
    "Kind",
    "PtrDType",
    "bitcast_array",
    "convert",
    "convert_array",
    "decode",
    "decode_array",
    "dtypes",
    "encode",
    "encode_array",
    "from_numpy",
    "numpy_dtype",
    "promote",
    "round_to",
    "weak",
    "wrap",
]
