"""The project file: composes the specs of the stages and reports all faults at once."""
