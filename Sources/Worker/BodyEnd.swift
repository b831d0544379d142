import JobModel

/// How a body came to its end.
enum BodyEnd: Sendable {
    case returned(Verdict)
    case threw(any Error)
    /// Given up: it may still run.
    case abandoned
}
