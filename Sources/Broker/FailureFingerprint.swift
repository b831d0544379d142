/// What failures of one kind have in common: the job, the code, the error's type, and its message
/// without what differs from one to the next.
///
/// Stable between versions and machines, as operators write it down.
package struct FailureFingerprint: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Sixteen hexadecimal digits.
    package let text: String

    package init(text: String) { self.text = text }

    package init(name: String?, code: String, type: String, message: String) {
        // FNV-1a, 64 bits (Fowler, Noll, Vo); no secret depends on it.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for part in [name ?? "", code, type, Self.normalized(message)] {
            for byte in part.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            hash = hash &* 0x100_0000_01b3  // as if a zero byte stood between the parts
        }
        let digits = String(hash, radix: 16)
        text = String(repeating: "0", count: 16 - digits.count) + digits
    }

    package var description: String { text }

    package init(from decoder: any Decoder) throws {
        text = try decoder.singleValueContainer().decode(String.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

extension FailureFingerprint {
    /// How much of a message counts, in characters: its beginning says what went wrong.
    private static let longestMessage = 400
    /// The longest text between quotes that is left out, in characters.
    private static let longestQuote = 200
    private static let closing: [Character: Character] = [
        "\"": "\"", "'": "'", "`": "`", "“": "”", "‘": "’", "«": "»",
    ]

    /// `message` with `#` for numbers, ids and worker names, `""` for what is quoted, and single
    /// spaces.
    static func normalized(_ message: String) -> String {
        var normal = ""
        var rest = message.prefix(longestMessage)
        while let next = rest.first {
            // An apostrophe within a word quotes nothing.
            let mayQuote = normal.last.map { !$0.isLetter && $0 != "#" } ?? true
            if mayQuote, let close = closing[next],
                let end = rest.dropFirst().prefix(longestQuote).firstIndex(of: close)
            {
                normal += "\"\""
                rest = rest[rest.index(after: end)...]
            } else if next.isWhitespace {
                if normal.last != " " { normal.append(" ") }
                rest = rest.dropFirst()
            } else if isOfWord(next) {
                let word = rest.prefix(while: isOfWord)
                normal += normalized(word: word)
                rest = rest.dropFirst(word.count)
            } else {
                normal.append(next)
                rest = rest.dropFirst()
            }
        }
        return normal
    }

    private static func isOfWord(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || "._-".contains(character))
    }

    /// A word of letters, digits, `.`, `_` and `-`.
    private static func normalized(word: Substring) -> String {
        guard word.contains(where: \.isNumber) else {
            return isUUID(word) ? "#" : String(word)
        }
        let parts = word.split(separator: ".", omittingEmptySubsequences: false)
        let isWorker =
            parts.count == 3 && parts.allSatisfy { !$0.isEmpty } && parts[1].allSatisfy(\.isNumber)
        if isWorker || isUUID(word) { return "#" }
        // Each run of letters and digits with a digit in it; numbers joined by signs are one.
        var normal: [Character] = []
        var run: [Character] = []
        func endRun() {
            guard run.contains(where: \.isNumber) else {
                normal += run
                return
            }
            if normal == ["-"] { normal = [] }
            let isJoined =
                normal.count >= 2 && normal[normal.count - 2] == "#"
                && !(normal.last.map { $0.isLetter } ?? true)
            if isJoined { normal.removeLast() } else { normal.append("#") }
        }
        for character in word {
            if character.isLetter || character.isNumber {
                run.append(character)
                continue
            }
            endRun()
            run = []
            normal.append(character)
        }
        endRun()
        return String(normal)
    }

    private static func isUUID(_ word: Substring) -> Bool {
        let parts = word.split(separator: "-", omittingEmptySubsequences: false)
        return parts.map(\.count) == [8, 4, 4, 4, 12]
            && parts.allSatisfy { $0.allSatisfy(\.isHexDigit) }
    }
}
