"""What all refusals of the draw engine have in common."""


class DrawError(Exception):
    """A verb was refused. The message is a sentence the person who asked can act on."""
