"""One module for each format: from the bytes of a file to a `SafeImage`.

Each cuts the first picture out of its file, so that decoders see neither text, profiles nor thumbnails, and checks the
size by the header before anything is decoded. What is no such file, or a harmed one, ends in nearly any exception:
`read_image` puts these into words.
"""
