"""A folder or a zip file of pictures; the first level of sub-folders gives the classes."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from elbowroom.data.raw import Raw, encode_labels, reading
from elbowroom.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
MEMBER_LIMIT = 256 * 2**20
"""Most bytes that one member of a zip file may unpack to."""
PARTS = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation",
         "test": "test"}  # fmt: skip

Members = dict[PurePosixPath, Callable[[], bytes]]


def read_pictures(path: Path, size: int | None = None, crop: int | None = None) -> Raw:
    """Read all pictures of a folder or zip file, in the order of their names.

    Grey and colour mixed become colour, 16-bit becomes 8-bit, transparency is laid on white.

    Args:
        path: folder or ``.zip`` file; unpacked in memory only.
        size: side to which pictures are cut (centre square) and resized.
        crop: side of the centre square that is cut out; the largest if None.

    Raises:
        UserError: if there is no picture, one cannot be read, or sizes differ and `size` is None.
    """
    with _members(path) as members:
        if not members:
            raise UserError(f"{path}: holds no pictures ({', '.join(SUFFIXES)}).")
        names = sorted(members)
        arrays = [_array(f"{path}/{name}", members[name](), size, crop) for name in names]
    _refuse_mixed_sizes(path, names, arrays)
    x = _stack(arrays)
    raw = Raw(path.name, x, pictures=True, channels_last=x.ndim == 4)
    _classes(raw, names)
    return raw


@contextmanager
def _members(path: Path) -> Iterator[Members]:
    """Yield the pictures of a folder or an open zip file by name; nothing is written to disk."""
    if path.is_dir():
        found = [p for p in path.rglob("*") if p.is_file() and _is_picture(p.relative_to(path))]
        yield {PurePosixPath(p.relative_to(path).as_posix()): p.read_bytes for p in found}
        return
    with reading(path, "a zip file"):
        archive = zipfile.ZipFile(path)
    with archive:
        found = [i for i in archive.infolist() if _is_picture(PurePosixPath(i.filename))]
        yield {PurePosixPath(i.filename): _member(path, archive, i) for i in found}


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        if info.file_size > MEMBER_LIMIT:
            raise UserError(f"{path}/{info.filename}: unpacks to {info.file_size} bytes, refused.")
        with reading(f"{path}/{info.filename}", "a member of the zip file"):
            return archive.read(info)

    return read


def _is_picture(name: Path | PurePosixPath) -> bool:
    hidden = any(p.startswith((".", "__MACOSX")) and p != ".." for p in name.parts)
    return not hidden and name.suffix.lower() in SUFFIXES


def _array(name: str, content: bytes, size: int | None, crop: int | None) -> np.ndarray:
    """Decode one picture: uint8 ``(H, W)`` or ``(H, W, 3)``."""
    from PIL import Image, ImageOps

    with reading(name, "a picture"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with _opened(name, content) as opened:
            picture = ImageOps.exif_transpose(opened)
            picture = _plain(name, picture)
        if size is not None or crop is not None:
            picture = _square(picture, size, crop)
        return np.asarray(picture)


def _opened(name: str, content: bytes) -> Image:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(io.BytesIO(content))
    except UnidentifiedImageError as error:
        raise UserError(f"{name}: damaged, or not a picture.") from error


def _plain(name: str, picture: Image) -> Image:
    """Bring any mode to 8-bit grey (``L``) or colour (``RGB``)."""
    from PIL import Image

    if picture.mode == "F":
        raise UserError(f"{name}: a picture of real numbers; save the set as a .npy file.")
    if picture.mode.startswith("I"):
        values = np.asarray(picture).astype(np.int64)
        return Image.fromarray((values >> 8 if values.max() > 255 else values).astype(np.uint8))
    if picture.mode in ("1", "L"):
        return picture.convert("L")
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        over = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    return picture.convert("RGB")


def _square(picture: Image, size: int | None, crop: int | None) -> Image:
    from PIL.Image import Resampling

    width, height = picture.size
    side = crop or min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    box = (left, top, left + side, top + side)
    side = size or side
    return picture.resize((side, side), Resampling.BICUBIC, box=box)


def _refuse_mixed_sizes(path: Path, names: list[PurePosixPath], arrays: list[np.ndarray]) -> None:
    first = arrays[0].shape[:2]
    for name, array in zip(names, arrays):
        if array.shape[:2] != first:
            raise UserError(
                f"{path}/{name}: {array.shape[0]}×{array.shape[1]} pixels, but {names[0]} has "
                f"{first[0]}×{first[1]}. Give one size, for example size=64: the centre square of "
                "each picture is cut out and resized."
            )


def _stack(arrays: list[np.ndarray]) -> np.ndarray:
    """Stack to ``(N, H, W)`` if no picture has a colour in it, else ``(N, H, W, 3)``."""
    if all(a.ndim == 2 or _is_grey(a) for a in arrays):
        return np.stack([a if a.ndim == 2 else a[..., 0] for a in arrays])
    return np.stack([a if a.ndim == 3 else np.repeat(a[..., None], 3, -1) for a in arrays])


def _is_grey(array: np.ndarray) -> bool:
    return bool((array == array[..., :1]).all())


def _classes(raw: Raw, names: list[PurePosixPath]) -> None:
    """Read parts (train, test) and classes off the folders' names."""
    folders = [name.parts[:-1] for name in names]
    folders = _strip_common(folders)
    if all(f and f[0].lower() in PARTS for f in folders):
        parts = np.array([PARTS[f[0].lower()] for f in folders])
        if {"train", "test"} <= set(parts):
            raw.split = {p: np.flatnonzero(parts == p) for p in np.unique(parts).tolist()}
            folders = [f[1:] for f in folders]
    if all(folders) and len({f[0] for f in folders}) > 1:
        raw.label, raw.labels = encode_labels([f[0] for f in folders])


def _strip_common(folders: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    while all(folders) and len({f[0] for f in folders}) == 1:
        folders = [f[1:] for f in folders]
    return folders
