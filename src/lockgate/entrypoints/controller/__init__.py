"""The loops that run by themselves: rollouts follow the evidence, watching follows the records. One leader, others stand by."""
