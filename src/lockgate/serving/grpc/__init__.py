"""The Open Inference Protocol over gRPC. An extra: nothing here but `port` is imported unless gRPC is asked for."""
