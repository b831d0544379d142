/// What can go wrong between this process and Redis.
///
/// `description` holds no payload, key or password; a server's own text is cut where Redis begins
/// to repeat arguments.
package struct RedisError: Error, Sendable, Equatable {
    /// The kind of failure: an open set, so that a new kind breaks no caller.
    package struct Code: Sendable, Hashable, CustomStringConvertible {
        package let description: String

        package init(_ description: String) { self.description = description }

        /// The URL cannot be understood, or asks for what is not supported yet.
        package static let address = Code("address")
        /// No connection came about before the command's time was over; it was never sent.
        package static let connect = Code("connect")
        /// The connection broke while the command was under way; it may have been executed.
        package static let connectionLost = Code("connection_lost")
        /// No answer in time; the command may have been executed, or may still be.
        package static let timeout = Code("timeout")
        /// The server answered with an error; see ``RedisError/serverCode``.
        package static let server = Code("server")
        /// The peer does not speak RESP2, or sent more than a limit allows.
        package static let protocolViolation = Code("protocol_violation")
        /// `close()` was called on the connection.
        package static let closed = Code("closed")
        /// Too many commands are pending on the connection; this one was never sent.
        package static let overloaded = Code("overloaded")
        /// The server refuses the user or the password.
        package static let authentication = Code("authentication")
        /// The calling task was cancelled; a command under way may have been executed.
        package static let cancelled = Code("cancelled")
    }

    package let code: Code
    /// One sentence for a log line.
    package let message: String
    /// The first word of the server's error, such as `WRONGTYPE`; for `.server` and, where the
    /// server was heard, `.authentication` and `.connect`.
    package let serverCode: String?
    /// Whether the command was written to a socket and its fate is unknown.
    package let mayHaveBeenExecuted: Bool

    package init(
        _ code: Code, _ message: String, serverCode: String? = nil,
        mayHaveBeenExecuted: Bool = false
    ) {
        self.code = code
        self.message = message
        self.serverCode = serverCode
        self.mayHaveBeenExecuted = mayHaveBeenExecuted
    }

    /// The failure of `command`, which the server answered with `reply`.
    package init(_ reply: RedisServerError, answering command: String) {
        self.init(
            .server, "\(command) was answered with \(reply)", serverCode: reply.code)
    }
}

extension RedisError: CustomStringConvertible {
    package var description: String { "redis \(code): \(message)" }
}
