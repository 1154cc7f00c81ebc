"""The course's own code: the checks of its exercises. Nothing stands here yet; the notebooks use the rest of the package."""
