"""Readers of image files, one module for each format. They return a `SafeImage`.

Each reader extracts the first image of a file, so that decoders get no text, profiles or thumbnails, and checks the
size in the header before decoding. A file that is damaged or of another format can raise nearly any exception, which
`read_image` converts to an `ImageError`.
"""
