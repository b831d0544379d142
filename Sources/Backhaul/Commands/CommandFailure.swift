import Postgres
import Redis

/// A failure of a command: what happened, and what to do next.
struct CommandFailure: Error, CustomStringConvertible {
    let message: String
    let advice: String

    var description: String { "\(message): \(advice)" }
}

extension CommandFailure {
    /// What to do about a failure that PostgreSQL reported.
    init(_ error: PostgresError, address: String) {
        let reason = error.message.asOneLine
        switch error.code {
        case .connect, .connectionLost, .timeout, .poolExhausted:
            let advice =
                error.sqlState == nil
                ? "is DATABASE_URL right, and is the server running?"
                : "the server is there but lets nobody in; are the user, the password and the "
                    + "database in DATABASE_URL right?"
            self.init(
                message: "cannot reach PostgreSQL at \(address) (\(reason))", advice: advice)
        default:
            self.init(
                message: "PostgreSQL at \(address) refused (\(reason))",
                advice: "does the user of DATABASE_URL own this database?")
        }
    }

    /// What to do about a failure that Redis reported.
    init(_ error: RedisError, address: String) {
        let reason = error.message.asOneLine
        switch error.code {
        case .authentication:
            self.init(
                message: "Redis at \(address) lets nobody in (\(reason))",
                advice: "are the user and the password in REDIS_URL right?")
        case .server:
            self.init(
                message: "Redis at \(address) refused (\(reason))",
                advice: "may the user of REDIS_URL run this command?")
        default:
            self.init(
                message: "cannot reach Redis at \(address) (\(reason))",
                advice: "is REDIS_URL right, and is the server running?")
        }
    }
}

extension String {
    /// The text with its line breaks as spaces, for messages within a sentence.
    var asOneLine: String {
        split(whereSeparator: \.isNewline)
            .map { $0.trimmingPrefix(while: \.isWhitespace) }.joined(separator: " ")
    }
}
