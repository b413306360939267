"""Constants of TIFF files: tags and their values."""

SUBFILE, OLD_SUBFILE = 254, 255
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 273, 274, 277, 278, 279
PLANAR, FAX3_OPTIONS, FAX4_OPTIONS, PREDICTOR, COLOUR_MAP = 284, 292, 293, 317, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, SUB_DIRECTORIES = 322, 323, 324, 325, 330
INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES = 332, 338, 339, 347
YCBCR_COEFFICIENTS, YCBCR_SUBSAMPLING, REFERENCE_BLACK_WHITE = 529, 530, 532

USED = sorted(value for name, value in list(globals().items()) if name.isupper() and isinstance(value, int))

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, CIELAB, ICCLAB = 0, 1, 2, 3, 5, 6, 8, 9
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3, CIELAB: 3, ICCLAB: 3}
OTHER_PHOTOMETRICS = {
    4: "a transparency mask",
    10: "ITU Lab colours",
    32803: "raw data of a camera sensor",
    32844: "LogL light measurements",
    32845: "LogLuv light measurements",
    34892: "raw data of a camera",
    51177: "a depth map",
    52527: "a mask",
}

NONE, FAX, FAX3, FAX4, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS = 1, 2, 3, 4, 5, 7, 8, 32946, 32773
LZMA, ZSTD = 34925, 50000
PREDICTED = (LZW, DEFLATE, OLD_DEFLATE, LZMA, ZSTD)  # can have a predictor
BYTES = (*PREDICTED, PACKBITS)  # general compression of bytes
BILEVEL = (FAX, FAX3, FAX4)
OTHER_COMPRESSIONS = {
    6: "JPEG of the old style",
    32766: "NeXT",
    32809: "ThunderScan",
    32909: "PixarLog",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34676: "SGI Log",
    34677: "SGI Log",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG of DNG",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
ASSOCIATED, UNASSOCIATED = 1, 2
