/// Swift source with what is not code blanked out, line for line.
///
/// A lexer for rules, not a parser: it knows comments (nested), strings (raw, multi-line) and
/// nothing else. Interpolated code counts as string.
struct SwiftText: Sendable {
    /// Without comments and without what strings hold.
    let code: String
    /// Only what strings hold, each in quotes.
    let strings: String

    init(_ text: String) {
        var lexer = Lexer(Array(text.utf8))
        lexer.run()
        code = String(decoding: lexer.code, as: UTF8.self)
        strings = String(decoding: lexer.strings, as: UTF8.self)
    }
}

/// Works on bytes: the whole tree is read in every test run.
private struct Lexer {
    var code: [UInt8] = []
    var strings: [UInt8] = []

    private let bytes: [UInt8]
    private var position = 0

    private static let newline = UInt8(ascii: "\n")
    private static let quote = UInt8(ascii: "\"")
    private static let hash = UInt8(ascii: "#")

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        code.reserveCapacity(bytes.count)
    }

    mutating func run() {
        while position < bytes.count {
            if at("//") {
                while position < bytes.count, bytes[position] != Self.newline { position += 1 }
            } else if at("/*") {
                skipBlockComment()
            } else if let delimiter = stringDelimiter() {
                readString(delimiter)
            } else {
                keepCode()
            }
        }
    }

    private func at(_ text: StaticString, after offset: Int = 0) -> Bool {
        at(Array("\(text)".utf8), after: offset)
    }

    private func at(_ text: [UInt8], after offset: Int = 0) -> Bool {
        bytes.dropFirst(position + offset).starts(with: text)
    }

    private mutating func keepCode() {
        if bytes[position] == Self.newline { strings.append(Self.newline) }
        code.append(bytes[position])
        position += 1
    }

    private mutating func skipBlockComment() {
        var depth = 0
        repeat {
            if at("/*") {
                depth += 1
                position += 2
            } else if at("*/") {
                depth -= 1
                position += 2
            } else if bytes[position] == Self.newline {
                keepCode()
            } else {
                position += 1
            }
        } while depth > 0 && position < bytes.count
    }

    /// The quotes that open a string here, and the hashes before them.
    private func stringDelimiter() -> (hashes: Int, quotes: Int)? {
        guard bytes[position] == Self.quote || bytes[position] == Self.hash else { return nil }
        let hashes = bytes[position...].prefix { $0 == Self.hash }.count
        let quotes = bytes[(position + hashes)...].prefix { $0 == Self.quote }.count
        return quotes == 0 ? nil : (hashes, quotes >= 3 ? 3 : 1)
    }

    private mutating func readString(_ delimiter: (hashes: Int, quotes: Int)) {
        let hashes = [UInt8](repeating: Self.hash, count: delimiter.hashes)
        let quotes = [UInt8](repeating: Self.quote, count: delimiter.quotes)
        let end = quotes + hashes
        let escape = [UInt8(ascii: "\\")] + hashes
        code += hashes + quotes
        strings.append(Self.quote)
        position += end.count
        while position < bytes.count {
            if bytes[position] == Self.quote, at(end) {
                position += end.count
                break
            }
            // A string of one line ends with it, so that a slip in here costs one line only.
            if bytes[position] == Self.newline, quotes.count == 1 { break }
            if bytes[position] == escape[0], at(escape) {
                strings += bytes[position..<min(position + escape.count, bytes.count)]
                position += escape.count
            }
            if position < bytes.count { hold() }
        }
        code += end
        strings.append(Self.quote)
    }

    private mutating func hold() {
        if bytes[position] == Self.newline { code.append(Self.newline) }
        strings.append(bytes[position])
        position += 1
    }
}
