/// The tokens of JSON, shared by the parser and the envelope scanner so that they cannot disagree.
extension Span<UInt8> {
    /// Where the number that begins at `start` ends; `nil` when none does.
    ///
    /// The three bare words of Python are numbers.
    func endOfNumber(at start: Int) -> Int? {
        var place = start
        if place < count, self[place] == UInt8(ascii: "-") { place += 1 }
        guard place < count else { return nil }
        switch self[place] {
        case UInt8(ascii: "0"): place += 1
        case UInt8(ascii: "1")...UInt8(ascii: "9"): place = endOfDigits(at: place)
        case UInt8(ascii: "I"): return end(ofWord: "Infinity", at: place)
        case UInt8(ascii: "N"): return place == start ? end(ofWord: "NaN", at: place) : nil
        default: return nil
        }
        if place < count, self[place] == UInt8(ascii: ".") {
            let end = endOfDigits(at: place + 1)
            guard end > place + 1 else { return nil }
            place = end
        }
        if place < count, self[place] | 0x20 == UInt8(ascii: "e") {
            var digits = place + 1
            if digits < count,
                self[digits] == UInt8(ascii: "+") || self[digits] == UInt8(ascii: "-")
            {
                digits += 1
            }
            let end = endOfDigits(at: digits)
            guard end > digits else { return nil }
            place = end
        }
        return place
    }

    private func endOfDigits(at start: Int) -> Int {
        var place = start
        while place < count, self[place] &- 0x30 < 10 { place += 1 }
        return place
    }

    /// Where `word` ends when it stands at `start`.
    func end(ofWord word: String, at start: Int) -> Int? {
        var place = start
        for byte in word.utf8 {
            guard place < count, self[place] == byte else { return nil }
            place += 1
        }
        return place
    }

    /// Whether it is `word` and nothing else.
    func isWord(_ word: String) -> Bool {
        let word = word.utf8.span
        return word.count == count && has(word, at: 0)
    }

    /// Where `null` ends when it stands at `start`.
    func endOfNull(at start: Int) -> Int? {
        guard start + 4 <= count, self[start] == UInt8(ascii: "n"),
            self[start + 1] == UInt8(ascii: "u"), self[start + 2] == UInt8(ascii: "l"),
            self[start + 3] == UInt8(ascii: "l")
        else { return nil }
        return start + 4
    }

    /// The character that the escape at `start` (its backslash) stands for, and where it ends.
    ///
    /// - Returns: `nil` when it is no escape; a `nil` scalar for half of a surrogate pair.
    func escape(at start: Int) -> (scalar: Unicode.Scalar?, end: Int)? {
        guard start + 1 < count else { return nil }
        let end = start + 2
        switch self[start + 1] {
        case UInt8(ascii: "\""): return ("\"", end)
        case UInt8(ascii: "\\"): return ("\\", end)
        case UInt8(ascii: "/"): return ("/", end)
        case UInt8(ascii: "b"): return ("\u{8}", end)
        case UInt8(ascii: "f"): return ("\u{c}", end)
        case UInt8(ascii: "n"): return ("\n", end)
        case UInt8(ascii: "r"): return ("\r", end)
        case UInt8(ascii: "t"): return ("\t", end)
        case UInt8(ascii: "u"): return unicodeEscape(at: start)
        default: return nil
        }
    }

    private func unicodeEscape(at start: Int) -> (scalar: Unicode.Scalar?, end: Int)? {
        guard let first = hexadecimal(at: start + 2) else { return nil }
        if let scalar = Unicode.Scalar(first) { return (scalar, start + 6) }
        guard first < 0xdc00, start + 7 < count,
            self[start + 6] == UInt8(ascii: "\\"), self[start + 7] == UInt8(ascii: "u"),
            let second = hexadecimal(at: start + 8), (0xdc00...0xdfff).contains(second)
        else { return (nil, start + 6) }
        let scalar = Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
        return (scalar, start + 12)
    }

    private func hexadecimal(at start: Int) -> UInt32? {
        guard start + 4 <= count else { return nil }
        var value: UInt32 = 0
        for place in start..<(start + 4) {
            guard let digit = self[place].hexadecimalDigit else { return nil }
            value = value << 4 | digit
        }
        return value
    }

    /// The bytes as text, when they are known to be ASCII.
    func asciiText() -> String {
        do { return String(copying: try UTF8Span(validating: self)) } catch { return "" }
    }
}

extension UInt8 {
    /// Space, tab, line feed or carriage return.
    var isJSONSpace: Bool { self == 0x20 || self == 0x0a || self == 0x0d || self == 0x09 }

    fileprivate var hexadecimalDigit: UInt32? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(self) - 0x30
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(self) - 0x61 + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(self) - 0x41 + 10
        default: nil
        }
    }
}
