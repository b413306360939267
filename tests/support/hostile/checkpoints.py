"""A very small valid checkpoint in every format that is read, and hostile ones made from it."""

import io
import json
import pickle
import struct
import zipfile
from functools import cache

import torch
from safetensors.torch import save
from timm.models.vision_transformer import VisionTransformer as TimmViT

SHAPE = {"img_size": 32, "patch_size": 16, "embed_dim": 24, "depth": 2, "num_heads": 2, "mlp_ratio": 2}
CONFIG = {
    "architectures": ["ViTForImageClassification"],
    "hidden_act": "gelu",
    "hidden_size": 24,
    "id2label": {"0": "cat", "1": "dog", "2": "fox"},
    "image_size": 32,
    "layer_norm_eps": 1e-06,
    "num_attention_heads": 2,
    "num_channels": 3,
    "patch_size": 16,
    "problem_type": "single_label_classification",
}
TIMM_CONFIG = {
    "architecture": "vit_tiny_patch16_224",
    "num_classes": 3,
    "global_pool": "token",
    "model_args": {"img_size": 32, "embed_dim": 24, "depth": 2, "num_heads": 2, "mlp_ratio": 2, "act_layer": "gelu"},
    "label_names": ["cat", "dog", "fox"],
    "label_descriptions": {"cat": "cat, house cat"},
    "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "crop_pct": 0.9, "interpolation": "bicubic"},
}
PREPROCESSOR = {
    "do_center_crop": True,
    "do_normalize": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "resample": 3,
    "size": {"height": 32, "width": 32},
    "crop_size": 32,
}
TOML = """arch = "vit_tiny_patch16_224"
num_heads = 2
mean = [0.5, 0.5, 0.5]
std = 0.5
classes = ["cat", "dog", "fox"]
interpolation = "bicubic"
crop_pct = 0.9
fit = "crop"
size = [32, 32]
prefix = ""
[arch_kwargs]
global_pool = "token"
"""
ARGS = {"model": "vit_tiny_patch16_224", "num_heads": 2, "img_size": 32, "gp": "token", "crop_pct": 0.9, "mean": [0.5]}


@cache
def weights() -> dict[str, torch.Tensor]:
    """Weights of a ViT with two layers and three classes; nobody may change them."""
    model = TimmViT(**SHAPE, num_classes=3)
    random = torch.Generator().manual_seed(0)
    return {key: torch.randn(value.shape, generator=random) / 9 for key, value in model.state_dict().items()}


@cache
def safetensors() -> bytes:
    """The weights as a safetensors file."""
    return save(weights(), {"format": "pt"})


@cache
def pth(*, legacy: bool = False) -> bytes:
    """The weights with arguments of a training script and class names, as PyTorch saves them."""
    buffer = io.BytesIO()
    content = {"state_dict": weights(), "args": ARGS, "epoch": 3, "class_to_idx": {"cat": 0, "dog": 1, "fox": 2}}
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def records(data: bytes) -> dict[str, bytes]:
    """Contents of the records of a zip archive, by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(contents: dict[str, bytes]) -> bytes:
    """Zip archive with these records, with right checksums."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def header_of(data: bytes) -> dict:
    """Header of a safetensors file."""
    (length,) = struct.unpack_from("<Q", data)
    return json.loads(data[8 : 8 + length])


def with_header(header: object, body: bytes, length: int | None = None) -> bytes:
    """Safetensors file with this header, which may be bytes or JSON, and possibly a false length of the header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode(errors="surrogatepass")
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def body_of(data: bytes) -> bytes:
    """Numbers of a safetensors file."""
    return data[8 + struct.unpack_from("<Q", data)[0] :]


# --- Lying safetensors -----------------------------------------------------------------------------------------------


def _lying(**changes: object) -> bytes:
    """File whose first tensor is described otherwise than it is."""
    header = header_of(safetensors())
    header["cls_token"] = {**header["cls_token"], **changes}
    return with_header(header, body_of(safetensors()))


def _lies() -> dict[str, bytes]:
    data, header = safetensors(), header_of(safetensors())
    body, text = body_of(data), data[8 : 8 + struct.unpack_from("<Q", data)[0]]
    first = header["cls_token"]["data_offsets"]
    false = {**header["cls_token"], "data_offsets": [0, 96]}
    repeated = b"{" + text[1:].rstrip(b" }") + b'},"cls_token":' + json.dumps(false).encode() + b"}"
    return {
        "a header of all bytes": with_header(text, body, 2**64 - 1),
        "a header of half of them": with_header(text, body, 2**63),
        "a header beyond the file": with_header(text, body, len(data) + 1),
        "a header of nothing": with_header(b"", body),
        "a header of one byte less": with_header(text, body, len(text.rstrip()) - 1),
        "a negative offset": _lying(data_offsets=[-1, first[1]]),
        "offsets that run back": _lying(data_offsets=first[::-1]),
        "offsets beyond the file": _lying(data_offsets=[len(body), len(body) + 96]),
        "offsets beyond all numbers": _lying(data_offsets=[2**64 - 96, 2**64]),
        "offsets of another tensor": _lying(data_offsets=[first[0] + 96, first[1] + 96]),
        "offsets that are fractions": _lying(data_offsets=[0.5, 96.5]),
        "one offset": _lying(data_offsets=[0]),
        "a larger shape": _lying(shape=[1, 1, 25]),
        "a shape beyond all numbers": _lying(shape=[2**63, 2**63, 2**63]),
        "a shape that overflows to the right size": _lying(shape=[2**62, 4, 24]),
        "a negative shape": _lying(shape=[-1, -1, 24]),
        "a shape that is a text": _lying(shape="1, 1, 24"),
        "another type": _lying(dtype="F64"),
        "an unknown type": _lying(dtype="U1"),
        "an object as type": _lying(dtype={"F32": 1}),
        "no offsets": with_header({**header, "cls_token": {"dtype": "F32", "shape": [1, 1, 24]}}, body),
        "a tensor that is a number": with_header({**header, "cls_token": 3}, body),
        "metadata that are no texts": with_header({**header, "__metadata__": {"a": 1}}, body),
        "a tensor twice": with_header(repeated, body),
        "an end that no tensor has": with_header(header, body + bytes(96)),
        "less than it says": with_header(header, body[:-96]),
        "invalid text": with_header(text.replace(b"cls_token", b"cls_\xfftok"), body),
        "objects in objects": with_header(b'{"a":' * 50_000 + b"1" + b"}" * 50_000, body),
        "a very long number": with_header(b'{"a":' + b"9" * 100_000 + b"}", body),
    }


LIES = _lies()

_TYPES = {
    4: "F4",
    6: "F6_E2M3 F6_E3M2",
    8: "BOOL U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ",
    16: "I16 U16 F16 BF16",
    32: "I32 U32 F32",
    64: "F64 I64 U64 C64",
}
BITS = {dtype: bits for bits, dtypes in _TYPES.items() for dtype in dtypes.split()}  # of all types of the format


def of_type(dtype: str) -> bytes:
    """Safetensors file with one tensor of this type."""
    length = 96 * 8 // BITS[dtype]
    return with_header({"cls_token": {"dtype": dtype, "shape": [length], "data_offsets": [0, 96]}}, bytes(96))


# --- Checkpoints that would need far more memory or time than their size ---------------------------------------------


def with_empty_axis(key: str = "head.weight", length: int = 10**12) -> bytes:
    """Safetensors file with a tensor that has no values, but an axis of any length."""
    header = header_of(safetensors())
    header[key] = {"dtype": "F32", "shape": [length, 0], "data_offsets": [0, 0]}
    del header["head.bias"]
    kept = {name: weights()[name] for name in header if name in weights() and name != key}
    data = save(kept)
    return with_header({**header_of(data), key: header[key]}, body_of(data))


def with_shared_numbers(depth: int = 200) -> bytes:
    """PyTorch file in which all layers are views of the numbers of one."""
    first = {key: value for key, value in weights().items() if key.startswith("blocks.0.")}
    rest = {key: value for key, value in weights().items() if not key.startswith("blocks.")}
    layers = {key.replace("blocks.0.", f"blocks.{layer}."): first[key] for layer in range(depth) for key in first}
    buffer = io.BytesIO()
    torch.save(rest | layers, buffer)
    return buffer.getvalue()


def claiming_values(count: int = 2**31 - 1) -> bytes:
    """Old PyTorch file whose first tensor claims to have this many values."""
    data = pth(legacy=True)
    at = data.index(b"K\x18Nt", data.index(b"FloatStorage"))  # 24 values
    return data[:at] + b"J" + struct.pack("<i", count) + data[at + 2 :]


def claiming_text(size: int = 2**32 - 1) -> bytes:
    """Old PyTorch file with a text that claims to be longer than the file."""
    return START_OF_OLD_FILES + b"}X" + struct.pack("<I", size) + b"a"


def with_many_layers(depth: int = 50_000) -> bytes:
    """Safetensors file with tensors of no values in very many layers."""
    norm = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    data = safetensors()
    layers = {f"blocks.{layer}.ls1.gamma": norm for layer in range(depth)}
    return with_header({**layers, **header_of(data)}, body_of(data))


def doubled(times: int) -> list:
    """A list that holds a list twice, which holds a list twice, and so on: short in a pickle, endless as text."""
    value: list = []
    for _ in range(times):
        value = [value, value]
    return value


def with_endless_option() -> bytes:
    """PyTorch file with an option of the architecture whose text would be endless."""
    buffer = io.BytesIO()
    args = {"model": "vit_tiny_patch16_224", "model_kwargs": {"img_size": doubled(60), "embed_dim": 24}}
    torch.save({"state_dict": weights(), "args": args}, buffer)
    return buffer.getvalue()


def with_merged_arguments(levels: int = 9) -> bytes:
    """PyTorch file with arguments in YAML that would merge to a billion pairs."""
    lines = ["a0: &a0 {" + ", ".join(f"k{place}: 1" for place in range(10)) + "}"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 10)}]}}")
    buffer = io.BytesIO()
    torch.save({"state_dict": weights(), "args": "\n".join(lines)}, buffer)
    return buffer.getvalue()


# --- Code ------------------------------------------------------------------------------------------------------------


START_OF_OLD_FILES = b"".join(
    pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
)


def gadgets(marker: str) -> dict[str, bytes]:
    """Pickles that create a folder if they are run, in every way that pickles can call a function."""
    name, encoded = repr(marker).encode(), marker.encode()
    text = b"X" + struct.pack("<I", len(encoded)) + encoded
    short = b"\x8c\x05posix\x8c\x05mkdir\x93"  # STACK_GLOBAL
    code = f"__import__('os').mkdir({marker!r})".encode()
    return {
        "REDUCE": b"cposix\nmkdir\n(" + text + b"tR.",
        "REDUCE of protocol 0": b"cposix\nmkdir\n(V" + encoded + b"\ntR.",
        "INST": b"(S" + name + b"\niposix\nmkdir\n.",
        "OBJ": b"(cposix\nmkdir\n" + text + b"o.",
        "NEWOBJ": b"cposix\nmkdir\n(" + text + b"t\x81.",
        "NEWOBJ_EX": b"\x80\x04cposix\nmkdir\n(" + text + b"t}\x92.",
        "STACK_GLOBAL": b"\x80\x04" + short + b"(" + text + b"tR.",
        "BUILD": b"}cposix\nmkdir\n(" + text + b"tRb.",
        "eval": b"cbuiltins\neval\n(X" + struct.pack("<I", len(code)) + code + b"tR.",
        "exec of Python 2": b"c__builtin__\neval\n(X" + struct.pack("<I", len(code)) + code + b"tR.",
        "getattr": b"cbuiltins\ngetattr\n(cposix\nmkdir\nX\x08\0\0\0__call__tR(" + text + b"tR.",
        "a class of torch": b"ctorch._utils\n_rebuild_from_type_v2\n(cposix\nmkdir\ncbuiltins\nint\n("
        + text
        + b"tNtR.",
        "a persistent name": b"cposix\nmkdir\n(" + text + b"tRQ.",
        "an extension": b"\x80\x02\x82\x01(" + text + b"tR.",
        "after the end": pickle.dumps({}, 2) + b"cposix\nmkdir\n(" + text + b"tR.",
    }
