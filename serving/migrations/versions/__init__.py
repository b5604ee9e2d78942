"""One module a revision, named after it; what has been released is never changed."""
