"""What a source says where it has nothing to give here, so that the next one is asked."""


class Missing(Exception):
    """This source cannot give the data set here and now; the message says why. Another source may have it."""
