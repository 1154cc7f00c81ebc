"""The course's own code: the checks of its exercises. Nothing stands here yet."""
