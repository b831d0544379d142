import Foundation
import Logging

/// One line of the log before it has a shape.
struct LogEntry: Sendable {
    let date: Date
    let level: Logger.Level
    let logger: String
    let message: String
    /// Sorted by key, so that equal events give equal lines.
    let facts: [(key: String, value: LogFact)]

    init(
        date: Date, level: Logger.Level, logger: String, message: String,
        metadata: Logger.Metadata = [:]
    ) {
        self.date = date
        self.level = level
        self.logger = logger
        self.message = message
        facts = metadata.map { (key: $0.key, value: LogFact($0.value)) }
            .sorted { $0.key < $1.key }
    }
}

/// One metadata value: numbers stay numbers, everything else is text.
enum LogFact: Sendable, Equatable {
    case whole(Int64)
    case fraction(Double)
    case truth(Bool)
    case text(String)

    /// The longest text kept of one value, in characters; the rest is cut and marked with `…`.
    static let maximumLength = 4096

    init(_ value: Logger.MetadataValue) {
        switch value {
        case .string(let text): self = .text(Self.cut(text))
        case .stringConvertible(let convertible):
            self = Self.number(convertible) ?? .text(Self.cut(convertible.description))
        case .array, .dictionary: self = .text(Self.cut(Self.flat(value)))
        }
    }

    private static func number(_ value: any CustomStringConvertible) -> LogFact? {
        switch value {
        case let flag as Bool: .truth(flag)
        case let number as any BinaryInteger: Int64(exactly: number).map { .whole($0) }
        case let number as Double where number.isFinite: .fraction(number)
        default: nil
        }
    }

    private static func flat(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): text
        case .stringConvertible(let convertible): convertible.description
        case .array(let items): "[" + items.map(flat).joined(separator: ", ") + "]"
        case .dictionary(let pairs):
            "{"
                + pairs.sorted { $0.key < $1.key }.map { "\($0.key): \(flat($0.value))" }
                .joined(separator: ", ") + "}"
        }
    }

    private static func cut(_ text: String) -> String {
        // The cheap test first: most values are short.
        guard text.utf8.count > maximumLength else { return text }
        let kept = text.unicodeScalars.prefix(maximumLength)
        return String(kept) + "…"
    }
}
