"""Builder of TIFF files: any tags, either byte order, classic or BigTIFF, with sub-directories."""

import struct

import numpy as np

_SIZES = {1: "B", 3: "H", 4: "I", 5: "I", 7: "B", 16: "Q"}


class Tiff:
    """TIFF file under construction: `directory` adds an image and returns its offset; `file` starts with one."""

    def __init__(self, order="<", big=False):
        self.order, self.big = order, big
        self.out = bytearray(16)

    def put(self, data):
        self.out.extend(bytes(len(self.out) % 2))
        at = len(self.out)
        self.out.extend(data)
        return at

    def directory(self, segments, tags, following=0):
        """Add an image: the bytes of its strips or tiles, and {tag: (type, numbers)}."""
        offsets = [self.put(segment) for segment in segments]
        tiled = 322 in tags
        tags = {324 if tiled else 273: (4, offsets), 325 if tiled else 279: (4, [len(s) for s in segments]), **tags}
        kind, inline, head, link = ("Q", 8, "Q", "Q") if self.big else ("I", 4, "H", "I")
        entries = []
        for tag in sorted(tags):
            of, numbers = tags[tag]
            raw = struct.pack(self.order + _SIZES[of] * len(numbers), *numbers)
            raw = raw.ljust(inline, b"\0") if len(raw) <= inline else struct.pack(self.order + kind, self.put(raw))
            count = len(numbers) // 2 if of == 5 else len(numbers)
            entries.append(struct.pack(self.order + "HH" + kind, tag, of, count) + raw)
        link = struct.pack(self.order + link, following)
        return self.put(struct.pack(self.order + head, len(entries)) + b"".join(entries) + link)

    def file(self, first):
        start = b"II" if self.order == "<" else b"MM"
        rest = (
            struct.pack(self.order + "HHHQ", 43, 8, 0, first) if self.big else struct.pack(self.order + "HI", 42, first)
        )
        self.out[: 2 + len(rest)] = start + rest
        return bytes(self.out)


def tags_of(height, width, bits=8, photometric=2, samples=3, planar=1, form=1, compression=1, **more):
    """Return the tags that every image has; further ones by number, as `_338=[2]`."""
    numbers = {256: [width], 257: [height], 258: [bits] * samples, 259: [compression], 262: [photometric]}
    numbers |= {277: [samples], 278: [height], 284: [planar], 339: [form] * samples}
    numbers |= {int(tag[1:]): values for tag, values in more.items()}
    return {tag: (4 if max(values) > 65535 else 3, values) for tag, values in numbers.items() if values}


def one_picture(segments, tags, order="<", big=False):
    tiff = Tiff(order, big)
    return tiff.file(tiff.directory(segments if isinstance(segments, list) else [segments], tags))


def packed(samples, bits):
    """Pack samples [height, count] of any bit depth, each row padded to whole bytes."""
    places = np.arange(bits)[::-1]
    return np.packbits((samples[..., None] >> places & 1).reshape(len(samples), -1).astype(np.uint8), axis=1).tobytes()
