import Testing

/// Drives the real daemon as a child process against a real containerd and the real kernel. One after the other: the tests
/// share one containerd, and what they measure (restarts, connections) should not be the load of a neighbour.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct RuntimeTests {}
