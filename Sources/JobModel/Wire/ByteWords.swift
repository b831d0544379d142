/// Eight bytes at a time: what makes passing over text quick.
extension Span<UInt8> {
    /// The eight bytes from `start`, the first of them the lowest; traps when there are fewer.
    ///
    /// "Unsafe" because any type could be asked for: every pattern of bits is a number, and the
    /// bounds are checked.
    @inline(__always)
    func word(at start: Int) -> UInt64 {
        precondition(start >= 0 && start <= count - 8, "eight bytes are read")
        return UInt64(
            littleEndian: unsafe bytes.unsafeLoadUnaligned(
                fromByteOffset: start, as: UInt64.self))
    }

    /// Whether `text` stands at `start`.
    func has(_ text: Span<UInt8>, at start: Int) -> Bool {
        guard start >= 0, start <= count, text.count <= count - start else { return false }
        var place = 0
        while place <= text.count - 8 {
            guard word(at: start + place) == text.word(at: place) else { return false }
            place += 8
        }
        while place < text.count {
            guard self[start + place] == text[place] else { return false }
            place += 1
        }
        return true
    }

    /// Where the next byte from `start` on stands that a JSON string in ASCII does not hold for
    /// itself: a quote, a backslash, a control character, or one beyond ASCII; `count` when none does.
    func endOfPlainText(from start: Int) -> Int {
        var place = start
        while place <= count - 8 {
            let marks = word(at: place).unplainBytes
            if marks != 0 { return place + marks.trailingZeroBitCount / 8 }
            place += 8
        }
        while place < count, self[place].isPlainASCII { place += 1 }
        return place
    }
}

extension UInt64 {
    private static let lowest: UInt64 = 0x0101_0101_0101_0101
    private static let highest: UInt64 = 0x8080_8080_8080_8080

    /// The highest bit of each of the eight bytes that is not plain in a JSON string.
    ///
    /// Only the lowest of the bits is exact: a byte that is found can make the next one look so.
    @inline(__always)
    var unplainBytes: UInt64 {
        let quote = self ^ Self.lowest &* 0x22
        let backslash = self ^ Self.lowest &* 0x5c
        let isQuote = (quote &- Self.lowest) & ~quote
        let isBackslash = (backslash &- Self.lowest) & ~backslash
        let isControl = (self &- Self.lowest &* 0x20) & ~self
        return (isQuote | isBackslash | isControl | self) & Self.highest
    }
}

extension UInt8 {
    fileprivate var isPlainASCII: Bool {
        self >= 0x20 && self < 0x80 && self != UInt8(ascii: "\"") && self != UInt8(ascii: "\\")
    }
}
