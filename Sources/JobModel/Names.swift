/// The identity of one job: Celery's task id, any non-empty text up to 255 bytes, a UUID by habit.
public struct JobID: Hashable, Sendable, CustomStringConvertible, Codable {
    /// The text on the wire.
    public let text: String

    /// Wraps `text`; the wire layer has already refused empty and oversized ids.
    public init(_ text: String) { self.text = text }

    /// The text on the wire.
    public var description: String { text }

    /// Reads a plain string.
    public init(from decoder: any Decoder) throws {
        text = try decoder.singleValueContainer().decode(String.self)
    }

    /// Writes a plain string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

/// The kind of a job: Celery's task name, such as `payments.charge_invoice`.
public struct JobName: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// The text on the wire.
    public let text: String

    /// Wraps `text` as it is.
    public init(_ text: String) { self.text = text }

    /// Takes the literal as it is.
    public init(stringLiteral value: String) { self.text = value }

    /// The text on the wire.
    public var description: String { text }
}

/// The name of a queue: four Redis lists, one per priority step.
public struct QueueName: Hashable, Sendable, CustomStringConvertible {
    /// The longest name accepted, in bytes of UTF-8.
    public static let maximumBytes = 200

    /// Celery's own default queue.
    public static let celery = QueueName(unchecked: "celery")

    /// The text on the wire.
    public let text: String

    /// Accepts a name that can be a Redis key and a line of text.
    ///
    /// - Throws: `InvalidName` when the name is empty, too long, or holds a control character
    ///   (kombu's priority separator is made of two of them).
    public init(_ text: String) throws(InvalidName) {
        guard !text.isEmpty else { throw InvalidName(kind: "queue name", problem: "is empty") }
        guard text.utf8.count <= Self.maximumBytes else {
            throw InvalidName(
                kind: "queue name", problem: "is longer than \(Self.maximumBytes) bytes")
        }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw InvalidName(kind: "queue name", problem: "holds a control character")
        }
        self.text = text
    }

    private init(unchecked text: String) { self.text = text }

    /// The text on the wire.
    public var description: String { text }
}

extension QueueName: ExpressibleByStringLiteral {
    /// For names written in source; a bad one is a bug and traps.
    public init(stringLiteral value: String) {
        do { self = try QueueName(value) } catch { preconditionFailure("\(error)") }
    }
}

/// A name that cannot be used, and why.
public struct InvalidName: Error, Equatable, CustomStringConvertible {
    package let kind: String
    package let problem: String

    /// What is wrong, in one sentence.
    public var description: String { "\(kind) \(problem)" }
}
