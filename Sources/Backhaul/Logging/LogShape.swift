import Foundation
import Logging

extension LogFormat {
    /// The bytes of one line, with its newline at the end and nowhere else.
    ///
    /// Whatever a value holds, it cannot begin a line of its own or steer a terminal: control
    /// characters, and the characters that turn the direction of text, are always escaped.
    func line(for entry: LogEntry) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(256)
        switch self {
        case .text: LogText.append(entry, to: &line)
        case .json: LogJSON.append(entry, to: &line)
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }
}

/// One calm line: time, level, message, then `key=value` pairs.
private enum LogText {
    static func append(_ entry: LogEntry, to line: inout [UInt8]) {
        LogTimestamp.append(entry.date, to: &line)
        line.append(UInt8(ascii: " "))
        let level = entry.level.rawValue
        line += level.utf8
        line += repeatElement(UInt8(ascii: " "), count: max(1, 8 - level.utf8.count))
        appendEscaped(entry.message, to: &line)
        for (key, value) in entry.facts {
            line.append(UInt8(ascii: " "))
            appendWord(key, to: &line)
            line.append(UInt8(ascii: "="))
            switch value {
            case .whole(let number): line += String(number).utf8
            case .fraction(let number): line += number.description.utf8
            case .truth(let flag): line += (flag ? "true" : "false").utf8
            case .text(let text): appendWord(text, to: &line)
            }
        }
    }

    /// A word as it is, or in quotes when a reader could not tell where it ends.
    private static func appendWord(_ text: String, to line: inout [UInt8]) {
        let isPlain =
            !text.isEmpty
            && text.utf8.allSatisfy {
                $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=")
                    && $0 != UInt8(ascii: "\\")
            }
        if isPlain {
            line += text.utf8
        } else {
            line.append(UInt8(ascii: "\""))
            appendEscaped(text, quoted: true, to: &line)
            line.append(UInt8(ascii: "\""))
        }
    }

    private static func appendEscaped(
        _ text: String, quoted: Bool = false, to line: inout [UInt8]
    ) {
        guard !text.isPlainInLog else {
            line += text.utf8
            return
        }
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": line += "\\n".utf8
            case "\r": line += "\\r".utf8
            case "\t": line += "\\t".utf8
            case "\"" where quoted: line += "\\\"".utf8
            case "\\" where quoted: line += "\\\\".utf8
            case _ where scalar.isUnsafeInLog:
                line += "\\u{\(String(scalar.value, radix: 16))}".utf8
            default: line += scalar.utf8
            }
        }
    }
}

/// One JSON object with the keys `time`, `level`, `logger`, `message`, then the metadata.
private enum LogJSON {
    private static let ownKeys: Set<String> = ["time", "level", "logger", "message"]

    static func append(_ entry: LogEntry, to line: inout [UInt8]) {
        line += "{\"time\":\"".utf8
        LogTimestamp.append(entry.date, to: &line)
        line += "\",\"level\":\"\(entry.level.rawValue)\",\"logger\":".utf8
        appendString(entry.logger, to: &line)
        line += ",\"message\":".utf8
        appendString(entry.message, to: &line)
        for (key, value) in entry.facts {
            line.append(UInt8(ascii: ","))
            appendString(ownKeys.contains(key) ? "metadata.\(key)" : key, to: &line)
            line.append(UInt8(ascii: ":"))
            switch value {
            case .whole(let number): line += String(number).utf8
            case .fraction(let number): line += number.description.utf8
            case .truth(let flag): line += (flag ? "true" : "false").utf8
            case .text(let text): appendString(text, to: &line)
            }
        }
        line.append(UInt8(ascii: "}"))
    }

    /// A JSON string: RFC 8259, section 7.
    private static func appendString(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        defer { line.append(UInt8(ascii: "\"")) }
        guard !text.isPlainInLog else {
            line += text.utf8
            return
        }
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": line += "\\\"".utf8
            case "\\": line += "\\\\".utf8
            case "\n": line += "\\n".utf8
            case "\r": line += "\\r".utf8
            case "\t": line += "\\t".utf8
            case _ where scalar.isUnsafeInLog:
                // All of them lie in the basic plane, so four digits suffice.
                let digits = String(scalar.value, radix: 16)
                line += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
            default: line += scalar.utf8
            }
        }
    }
}

extension String {
    /// Whether the text is printable ASCII without quote and backslash, as most of it is.
    fileprivate var isPlainInLog: Bool {
        utf8.allSatisfy {
            $0 >= 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
        }
    }
}

extension Unicode.Scalar {
    /// Control characters, separators of lines, and marks that turn the direction of text.
    fileprivate var isUnsafeInLog: Bool {
        switch value {
        case 0..<0x20, 0x7f..<0xa0, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
