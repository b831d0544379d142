/// One reply of RESP2, copied out of the connection's buffers.
package enum RedisValue: Sendable, Equatable {
    /// The null bulk string or the null array.
    case null
    case integer(Int64)
    /// A simple string such as `OK`.
    case status(String)
    /// A binary-safe string.
    case bulk([UInt8])
    case array([RedisValue])
    case error(RedisServerError)

    /// An integer, or the number that a string spells in decimal.
    package var int: Int? {
        switch self {
        case .integer(let value): Int(value)
        case .status(let text): Int(text)
        case .bulk(let bytes): Int(String(decoding: bytes, as: UTF8.self))
        case .null, .array, .error: nil
        }
    }

    /// A string, with a replacement character for each byte that is not UTF-8; an integer in decimal.
    package var string: String? {
        switch self {
        case .status(let text): text
        case .bulk(let bytes): String(decoding: bytes, as: UTF8.self)
        case .integer(let value): String(value)
        case .null, .array, .error: nil
        }
    }

    /// The bytes of a string.
    package var bytes: [UInt8]? {
        switch self {
        case .bulk(let bytes): bytes
        case .status(let text): Array(text.utf8)
        case .null, .integer, .array, .error: nil
        }
    }

    /// The elements of an array.
    package var array: [RedisValue]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    /// The server's error, if this reply is one.
    package var serverError: RedisServerError? {
        guard case .error(let error) = self else { return nil }
        return error
    }

    package var isNull: Bool { self == .null }
}

/// An error reply: a code word and the rest of the line.
package struct RedisServerError: Error, Sendable, Equatable {
    /// The first word, such as `WRONGTYPE`, `NOSCRIPT`, `OOM`, `READONLY` or plain `ERR`.
    package let code: String
    /// The text after the code word; it may repeat arguments, so do not log it: ``description`` is
    /// cut.
    package let message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    /// Reads an error line without its `-` and line end.
    package init(line: String) {
        let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        code = words.first.map(String.init) ?? ""
        message = words.count > 1 ? String(words[1]) : ""
    }
}

extension RedisServerError {
    /// Whether the server says that it is no master, or none that may write: somebody else may be.
    ///
    /// Redis 7 names the reason of a script's failure first, Redis 6 within the text. Clients that
    /// block on a master that becomes a replica hear `UNBLOCKED`.
    var asksForAnotherServer: Bool {
        switch code {
        case "READONLY", "MASTERDOWN", "LOADING", "NOREPLICAS": true
        case "UNBLOCKED": message.contains("instance state changed")
        case "ERR": message.contains("-READONLY ") || message.contains("-NOREPLICAS ")
        default: false
        }
    }
}

extension RedisServerError: CustomStringConvertible {
    /// Longest text of a server that a log line repeats, in characters.
    private static let longestText = 200

    /// The code word and the text up to where Redis begins to repeat the command's arguments.
    package var description: String {
        // "unknown command 'X', with args beginning with: ..." quotes what the caller sent.
        let marker = ", with args beginning with"
        let text = message.firstRange(of: marker).map { message[..<$0.lowerBound] } ?? message[...]
        return text.isEmpty ? code : "\(code) \(text.prefix(Self.longestText))"
    }
}
