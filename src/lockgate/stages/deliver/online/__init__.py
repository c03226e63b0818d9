"""Online learning's decisions: whether the lessons are believed, when a checkpoint is due, what follows from another champion."""
