"""The tables through the years: each change is a revision; a database gets the newest when it is opened."""
