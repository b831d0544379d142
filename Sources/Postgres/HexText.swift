/// The hex form of `bytea`: `\x00ff`; see the manual, 8.4.1.
enum HexText {
    static func text(_ bytes: some Collection<UInt8>) -> String {
        let digits: [UInt8] = Array("0123456789abcdef".utf8)
        return unsafe String(unsafeUninitializedCapacity: 2 + 2 * bytes.count) { buffer in
            unsafe buffer[0] = UInt8(ascii: "\\")
            unsafe buffer[1] = UInt8(ascii: "x")
            var position = 2
            for byte in bytes {
                unsafe buffer[position] = digits[Int(byte >> 4)]
                unsafe buffer[position + 1] = digits[Int(byte & 15)]
                position += 2
            }
            return position
        }
    }

    /// The bytes, or nil if the text is not of this form.
    static func bytes(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count.isMultiple(of: 2), text.starts(with: "\\x".utf8) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2 - 1)
        var position = text.startIndex + 2
        while position < text.endIndex {
            guard let high = digit(text[position]), let low = digit(text[position + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
            position += 2
        }
        return bytes
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
