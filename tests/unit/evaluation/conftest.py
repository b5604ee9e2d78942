"""No property test here depends on how fast the machine is."""

from hypothesis import settings

# Before test modules are imported: `@settings(...)` takes what it does not name from the profile loaded by then.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
