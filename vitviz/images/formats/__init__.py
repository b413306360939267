"""Readers of image files, one module for each format, which return a `SafeImage`.

Each reader extracts the first picture of a file, so that decoders see neither text, profiles nor thumbnails, and checks
the size in the header before anything is decoded. A file that is damaged or of another format can raise nearly any
exception, which `read_image` turns into an `ImageError`.
"""
