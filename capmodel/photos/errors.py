"""The one error of this package."""


class PhotoError(ValueError):
    """A photo cannot be used; the message says why in one plain sentence."""


NOT_A_PHOTO = "This file is not a photo in a format that can be read."
EMPTY = "This file is empty."
