/// Swift source with what is not code blanked out, line for line.
///
/// A lexer for rules, not a parser: it knows comments (nested), strings (raw, multi-line) and
/// nothing else. Interpolated code counts as string.
struct SwiftText: Sendable {
    /// Without comments and without what strings hold.
    private(set) var code = ""
    /// Without comments.
    private(set) var codeAndStrings = ""

    private var rest: Substring

    init(_ text: String) {
        rest = text[...]
        while !rest.isEmpty {
            if rest.hasPrefix("//") {
                blank(upTo: rest.firstIndex(of: "\n") ?? rest.endIndex)
            } else if rest.hasPrefix("/*") {
                skipBlockComment()
            } else if let delimiter = stringDelimiter() {
                skipString(delimiter)
            } else {
                keep(rest.removeFirst())
            }
        }
    }

    private mutating func keep(_ character: Character) {
        code.append(character)
        codeAndStrings.append(character)
    }

    private mutating func blank(upTo end: Substring.Index) {
        for character in rest[..<end] where character.isNewline { keep(character) }
        rest = rest[end...]
    }

    private mutating func skipBlockComment() {
        var depth = 0
        repeat {
            if rest.hasPrefix("/*") {
                depth += 1
                rest = rest.dropFirst(2)
            } else if rest.hasPrefix("*/") {
                depth -= 1
                rest = rest.dropFirst(2)
            } else {
                blank(upTo: rest.index(after: rest.startIndex))
            }
        } while depth > 0 && !rest.isEmpty
    }

    /// The quotes that open a string here, with the hashes before them.
    private func stringDelimiter() -> (hashes: String, quotes: String)? {
        let hashes = String(rest.prefix { $0 == "#" })
        let after = rest.dropFirst(hashes.count)
        if after.hasPrefix("\"\"\"") { return (hashes, "\"\"\"") }
        return after.hasPrefix("\"") ? (hashes, "\"") : nil
    }

    private mutating func skipString(_ delimiter: (hashes: String, quotes: String)) {
        let (hashes, quotes) = delimiter
        let end = quotes + hashes
        let escape = "\\" + hashes
        take(hashes.count + quotes.count)
        while !rest.isEmpty {
            if rest.hasPrefix(end) { return take(end.count) }
            // A string of one line ends with it, so that a slip in here costs one line only.
            if quotes.count == 1, rest.first?.isNewline == true { return }
            if rest.hasPrefix(escape) { hold(escape.count) }
            hold(1)
        }
    }

    private mutating func take(_ count: Int) {
        for _ in 0..<count where !rest.isEmpty { keep(rest.removeFirst()) }
    }

    private mutating func hold(_ count: Int) {
        for _ in 0..<count where !rest.isEmpty {
            let character = rest.removeFirst()
            codeAndStrings.append(character)
            if character.isNewline { code.append(character) }
        }
    }
}
