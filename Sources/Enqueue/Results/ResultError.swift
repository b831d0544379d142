import Broker
public import JobModel

/// Why there is no value to return.
public struct ResultError: Error, Sendable, CustomStringConvertible {
    /// An open set of reasons.
    public struct Code: Hashable, Sendable {
        /// The stable word.
        public let name: String

        /// The job failed for good; ``ResultError/exception`` says how.
        public static let failed = Code(name: "failed")
        /// The job was revoked, cancelled, or expired.
        public static let revoked = Code(name: "revoked")
        /// The time was up; the job may still end.
        public static let timeout = Code(name: "timeout")
        /// Whoever waited was cancelled.
        public static let cancelled = Code(name: "cancelled")
        /// What is kept is not JSON, or not of the type that was asked for.
        public static let unreadable = Code(name: "unreadable")
        /// The server cannot be reached, or refuses.
        public static let unavailable = Code(name: "unavailable")
        /// The address cannot be used.
        public static let address = Code(name: "address")
    }

    /// The reason, to act on.
    public let code: Code
    /// One sentence for an operator; no payload, no secret.
    public let message: String
    /// What the job raised, with its Python class and arguments.
    public let exception: PythonException?

    init(code: Code, message: String, exception: PythonException? = nil) {
        self.code = code
        self.message = message
        self.exception = exception
    }

    init(_ error: BrokerError) {
        self.init(
            code: error.code == .refused ? .address : .unavailable, message: error.message)
    }

    /// The end of a job that returned nothing.
    init(_ result: JobResult) {
        let kind = result.exception.map { "\($0.module).\($0.name)" } ?? "an unknown exception"
        let isRevoked = result.state == .revoked
        self.init(
            code: isRevoked ? .revoked : .failed,
            message: "job \(result.id) \(isRevoked ? "was revoked" : "failed"): \(kind)",
            exception: result.exception)
    }

    /// The message.
    public var description: String { message }
}
