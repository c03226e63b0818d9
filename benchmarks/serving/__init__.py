"""What serving costs: Lockgate's data plane, a bare handler and other model servers, under the same load."""
