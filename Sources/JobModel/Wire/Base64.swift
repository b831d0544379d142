/// Base64 with its padding, strictly: no white space, no other alphabet.
///
/// Source: RFC 4648, section 4.
package enum Base64 {
    private static let alphabet = [UInt8](
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The value of each byte; 0xff for those outside the alphabet.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xff, count: 256)
        for (value, letter) in alphabet.enumerated() { values[Int(letter)] = UInt8(value) }
        return values
    }()

    /// The bytes that `text` stands for, or `nil` when it is not base64.
    package static func decoded(_ text: Span<UInt8>) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: text.count / 4 * 3)
        var room = bytes.mutableSpan
        guard let count = decode(text, into: &room) else { return nil }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    /// Writes the bytes that `text` stands for to the beginning of `bytes`, which must have room for
    /// three for each four letters; returns how many there are, or `nil` when it is not base64.
    static func decode(_ text: Span<UInt8>, into bytes: inout MutableSpan<UInt8>) -> Int? {
        guard text.count % 4 == 0 else { return nil }
        guard !text.isEmpty else { return 0 }
        let values = values.span
        var (place, count) = (0, 0)
        let lastGroup = text.count - 4
        while place < lastGroup {
            let first = values[Int(text[place])]
            let second = values[Int(text[place + 1])]
            let third = values[Int(text[place + 2])]
            let fourth = values[Int(text[place + 3])]
            // Letters are below 64, so the top bit says that one was outside the alphabet.
            guard first | second | third | fourth < 0x80 else { return nil }
            bytes[count] = first << 2 | second >> 4
            bytes[count + 1] = second << 4 | third >> 2
            bytes[count + 2] = third << 6 | fourth
            place += 4
            count += 3
        }
        return end(ofLastGroup: place, of: text, into: &bytes, at: count)
    }

    /// Writes the last four letters, of which one or two may be padding; returns where they end.
    private static func end(
        ofLastGroup place: Int, of text: Span<UInt8>, into bytes: inout MutableSpan<UInt8>,
        at count: Int
    ) -> Int? {
        let padding = UInt8(ascii: "=")
        let first = values[Int(text[place])]
        let second = values[Int(text[place + 1])]
        guard first | second < 0x80 else { return nil }
        bytes[count] = first << 2 | second >> 4
        if text[place + 2] == padding { return text[place + 3] == padding ? count + 1 : nil }
        let third = values[Int(text[place + 2])]
        guard third < 0x80 else { return nil }
        bytes[count + 1] = second << 4 | third >> 2
        if text[place + 3] == padding { return count + 2 }
        let fourth = values[Int(text[place + 3])]
        guard fourth < 0x80 else { return nil }
        bytes[count + 2] = third << 6 | fourth
        return count + 3
    }

    /// The two letters for each number of twelve bits, the first one lowest.
    private static let pairs: [UInt16] = (0..<4096).map {
        UInt16(alphabet[$0 >> 6]) | UInt16(alphabet[$0 & 0x3f]) << 8
    }

    /// Appends the letters that stand for `bytes`.
    static func append(_ bytes: Span<UInt8>, to text: inout [UInt8]) {
        let padding = UInt8(ascii: "=")
        var letter = text.count
        text.append(contentsOf: repeatElement(padding, count: (bytes.count + 2) / 3 * 4))
        var letters = text.mutableSpan
        let pairs = pairs.span
        var place = 0
        while place + 2 < bytes.count {
            let bits =
                Int(bytes[place]) << 16 | Int(bytes[place + 1]) << 8 | Int(bytes[place + 2])
            letters.put(pairs[bits >> 12], at: letter)
            letters.put(pairs[bits & 0xfff], at: letter + 2)
            place += 3
            letter += 4
        }
        guard place < bytes.count else { return }
        let hasTwo = place + 1 < bytes.count
        let bits = Int(bytes[place]) << 16 | (hasTwo ? Int(bytes[place + 1]) << 8 : 0)
        letters.put(pairs[bits >> 12], at: letter)
        if hasTwo { letters[letter + 2] = UInt8(truncatingIfNeeded: pairs[bits & 0xfff]) }
    }

    /// The letters that stand for `bytes`.
    package static func encoded(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        append(bytes.span, to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}

extension MutableSpan<UInt8> {
    fileprivate mutating func put(_ pair: UInt16, at place: Int) {
        self[place] = UInt8(truncatingIfNeeded: pair)
        self[place + 1] = UInt8(truncatingIfNeeded: pair >> 8)
    }
}
